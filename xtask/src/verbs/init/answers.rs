//! What a new repository has to know: from options, else from a person, else by default.

use ferror::{Error, Result};
use s3::{DEFAULT_REGION, Location, Signature};

use crate::model::names;
use crate::repository::git;
use crate::system::env::Env;
use crate::system::prompt;
use crate::verbs::init::Options;

/// The defaults of the template that this one replaces.
const NAME: &str = "oddjob";
const BUCKET: &str = "builds";
/// Where neither git nor the system knows who it is.
const NOBODY: &str = "someone";
/// The crate in foundation.
const LIBRARY: &str = "greeting";

/// The answers, each one checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answers {
    /// The service.
    pub(super) name: String,
    /// Whose it is.
    pub(super) github_username: String,
    /// Where releases go.
    pub(super) s3_bucket: String,
}

/// Options first, all of them checked before the first question.
pub(super) fn answers(options: &Options, env: &Env) -> anyhow::Result<Answers> {
    type Check = fn(&str) -> Result<()>;
    let account = default_account(env);
    let questions: [(&str, &Option<String>, &str, Check); 3] = [
        ("name", &options.name, NAME, check_name),
        ("github_username", &options.github_username, &account, names::check_account),
        ("s3_bucket", &options.s3_bucket, BUCKET, check_bucket),
    ];
    for (_, given, _, check) in &questions {
        given.as_deref().map_or(Ok(()), check)?;
    }
    let answer =
        |(question, given, default, check): &(&str, &Option<String>, &str, Check)| match given {
            Some(given) => Ok(given.clone()),
            None if !env.can_ask() => Ok((*default).to_owned()),
            None => {
                let (mut from, mut to) = (std::io::stdin().lock(), std::io::stderr().lock());
                prompt::ask(question, default, check, &mut from, &mut to)
            }
        };
    let [name, username, bucket] = &questions;
    Ok(Answers {
        name: answer(name)?,
        github_username: answer(username)?,
        s3_bucket: answer(bucket)?,
    })
}

fn default_account(env: &Env) -> String {
    let known = [git::setting("github.user", &env.current_dir, env), env.get("USER")];
    let fits = |name: &String| names::check_account(name).is_ok();
    known.into_iter().flatten().find(fits).unwrap_or_else(|| NOBODY.to_owned())
}

fn check_name(name: &str) -> Result<()> {
    if name == LIBRARY {
        return Err(Error::usage(format!("the name {name:?} is that of the crate in foundation/")));
    }
    names::check_service(name)
}

fn check_bucket(bucket: &str) -> Result<()> {
    let location = Location {
        bucket: bucket.to_owned(),
        region: DEFAULT_REGION.to_owned(),
        endpoint: None,
        path_style: Some(false),
        signature: Signature::V4,
    };
    location.check(false).map_err(|error| Error::usage(error.message()))
}
