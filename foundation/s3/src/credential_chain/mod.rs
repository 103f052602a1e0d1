//! The search for credentials: every source in its order.
//!
//! The first source that is configured is used. One that is configured by half or wrongly is an
//! error and never a reason to try the next. Most sources are only checked during the search and
//! asked when credentials are needed. The instance metadata service, the last one, is asked at once:
//! only an answer shows that it exists.

mod container;
mod document;
mod ini;
mod instance;
mod named_server;
mod policy;
mod process;
mod profile;
mod server;
mod source;
mod token;
mod web_identity;

use std::fmt;

use self::source::Finding;
use crate::{CredentialProvider, Credentials};

pub use self::named_server::{NamedServer, SERVER_VARIABLES, ServerInputs, find_server};
pub use self::policy::SessionScope;
pub use self::process::PROCESS_VARIABLES;
pub use self::source::{CREDENTIAL_VARIABLES, CredentialInputs};

/// The result of a search.
#[derive(Debug)]
pub struct Found {
    /// `None` if no source has any. An error comes from the source that is configured wrongly.
    pub provider: ferror::Result<Option<CredentialProvider>>,
    /// The sources that were looked at, in their order.
    pub steps: Vec<Step>,
}

/// A source that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The source's name.
    pub source: &'static str,
    /// The outcome; it names variables and fields, never a value.
    pub verdict: Verdict,
}

/// The outcome of looking at one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its credentials are used.
    Used,
    /// It has no credentials, for this reason.
    Lacked(String),
    /// It is configured by half or wrongly, which ends the search.
    Wrong,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Used => write!(f, "{}: used", self.source),
            Verdict::Lacked(why) => write!(f, "{}: {why}", self.source),
            Verdict::Wrong => write!(f, "{}: configured, but not rightly", self.source),
        }
    }
}

/// Looks for credentials: `S3_KEY` and `S3_SECRET`; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`
/// and `AWS_SESSION_TOKEN`; profile files; web identity; the agent of a container; the role of an
/// EC2 instance.
pub fn find_credentials(chain: &CredentialInputs<'_>) -> Found {
    type Find = fn(&CredentialInputs<'_>) -> ferror::Result<Finding>;
    let sources: [(&'static str, Find); 6] = [
        ("S3_KEY", |chain| variables(chain, "S3_KEY", "S3_SECRET", None)),
        ("AWS_ACCESS_KEY_ID", |chain| {
            let token = Some("AWS_SESSION_TOKEN");
            variables(chain, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", token)
        }),
        ("profile", profile::find),
        (web_identity::NAME, web_identity::find),
        (container::NAME, container::find),
        (instance::NAME, instance::find),
    ];
    let mut steps = Vec::new();
    for (source, find) in sources {
        let (verdict, provider) = match find(chain) {
            Ok(Finding::CredentialProvider(provider)) => (Verdict::Used, Ok(Some(provider))),
            Ok(Finding::Lacks(why)) => (Verdict::Lacked(why), Ok(None)),
            Err(error) => (Verdict::Wrong, Err(error.context(format!("credentials ({source})")))),
        };
        steps.push(Step { source, verdict });
        if !matches!(provider, Ok(None)) {
            return Found { provider, steps };
        }
    }
    Found { provider: Ok(None), steps }
}

fn variables(
    chain: &CredentialInputs<'_>,
    id: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
) -> ferror::Result<Finding> {
    Ok(match Credentials::from_pair(|name| chain.get(name), id, secret, token)? {
        Some(credentials) => {
            Finding::CredentialProvider(CredentialProvider::fixed(id, credentials))
        }
        None => Finding::lacks(format!("neither {id} nor {secret} is set")),
    })
}
