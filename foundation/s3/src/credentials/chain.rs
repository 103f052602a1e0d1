//! The sources of credentials, in their order.
//!
//! The first that is configured is used; one that is configured by half or wrongly is an error and
//! never a reason to try the next. Most sources are only looked at here and asked when credentials
//! are needed. The instance metadata service, the last, is asked at once: nothing but an answer
//! tells that it is there.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::policy::SessionScope;
use super::{Credentials, container, instance, profile, web_identity};
use crate::Keyring;

pub(super) const WEB_IDENTITY: &str = "web identity";
pub(super) const CONTAINER: &str = "container";
pub(super) const INSTANCE: &str = "EC2 instance";

/// Every environment variable that [`find_credentials`] asks for.
pub const CREDENTIAL_VARIABLES: [&str; 22] = [
    "S3_KEY",
    "S3_SECRET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "CIRCLE_OIDC_TOKEN_V2",
    "AWS_ROLE_SESSION_NAME",
    "CIRCLE_PROJECT_REPONAME",
    "CIRCLE_JOB",
    "CIRCLE_BUILD_NUM",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

/// What the search for credentials needs of the outside, as data.
pub struct Chain<'a> {
    /// The value of an environment variable of [`CREDENTIAL_VARIABLES`]. Blank is unset.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The home folder, which profile files are looked for in.
    pub home: Option<PathBuf>,
    /// The environment of a `credential_process`; names that begin with `S3_`, `AWS_` or
    /// `CIRCLE_OIDC_` are left out.
    pub child_environment: Vec<(OsString, OsString)>,
    /// Certificates to trust in place of the bundled ones, in PEM.
    pub roots_pem: Option<Vec<u8>>,
    /// The region whose STS is asked.
    pub region: String,
    /// What credentials of a web identity are narrowed to; `None`: all that the role may do.
    pub scope: Option<SessionScope>,
}

/// How a search ended.
#[derive(Debug)]
pub struct Found {
    /// `None` when no source has any; an error is that of the source that is configured wrongly.
    pub keyring: ferror::Result<Option<Keyring>>,
    /// The sources that were looked at, in their order.
    pub steps: Vec<Step>,
}

/// A source that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The source's name.
    pub source: &'static str,
    /// What came of it; names of variables and fields, never a value.
    pub verdict: Verdict,
}

/// What came of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Used,
    /// It has no credentials, because of this.
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

/// What a source offers.
pub(super) enum Finding {
    Keyring(Keyring),
    Lacks(String),
}

impl Finding {
    pub(super) fn lacks(why: impl Into<String>) -> Self {
        Self::Lacks(why.into())
    }
}

impl Chain<'_> {
    /// A variable's value; blank is unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        debug_assert!(CREDENTIAL_VARIABLES.contains(&name), "{name} is not in the table");
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }
}

/// Looks for credentials: `S3_KEY` and `S3_SECRET`; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`
/// and `AWS_SESSION_TOKEN`; profile files; web identity; the agent of a container; the role of an
/// EC2 instance.
pub fn find_credentials(chain: &Chain<'_>) -> Found {
    type Find = fn(&Chain<'_>) -> ferror::Result<Finding>;
    let sources: [(&'static str, Find); 6] = [
        ("S3_KEY", |chain| variables(chain, "S3_KEY", "S3_SECRET", None)),
        ("AWS_ACCESS_KEY_ID", |chain| {
            let token = Some("AWS_SESSION_TOKEN");
            variables(chain, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", token)
        }),
        ("profile", profile::find),
        (WEB_IDENTITY, web_identity::find),
        (CONTAINER, container::find),
        (INSTANCE, instance::find),
    ];
    let mut steps = Vec::new();
    for (source, find) in sources {
        let (verdict, keyring) = match find(chain) {
            Ok(Finding::Keyring(keyring)) => (Verdict::Used, Ok(Some(keyring))),
            Ok(Finding::Lacks(why)) => (Verdict::Lacked(why), Ok(None)),
            Err(error) => (Verdict::Wrong, Err(error.context(format!("credentials ({source})")))),
        };
        steps.push(Step { source, verdict });
        if !matches!(keyring, Ok(None)) {
            return Found { keyring, steps };
        }
    }
    Found { keyring: Ok(None), steps }
}

fn variables(
    chain: &Chain<'_>,
    id: &'static str,
    secret: &'static str,
    token: Option<&'static str>,
) -> ferror::Result<Finding> {
    Ok(match Credentials::from_pair(|name| chain.get(name), id, secret, token)? {
        Some(credentials) => Finding::Keyring(Keyring::fixed(id, credentials)),
        None => Finding::lacks(format!("neither {id} nor {secret} is set")),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::Chain;

    /// Calls `act` with a chain of these variables and nothing else.
    pub(crate) fn with_chain<T>(
        variables: &[(&str, &str)],
        act: impl FnOnce(&Chain<'_>) -> T,
    ) -> T {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        act(&Chain {
            variable: &variable,
            home: None,
            child_environment: Vec::new(),
            roots_pem: None,
            region: "eu-west-1".to_owned(),
            scope: None,
        })
    }
}
