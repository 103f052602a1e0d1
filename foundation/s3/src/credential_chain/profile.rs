//! Credentials from the profile files of AWS.
//!
//! Supported are keys and `credential_process`. A profile that asks for more is refused with the
//! name of the field: other keys that happen to stand beside it are not what was meant.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;

use ferror::{Error, ResultExt as _};

use super::ini::{self, FileKind, Properties};
use super::process::Process;
use super::source::{CredentialInputs, Finding};
use crate::credential_provider::CredentialProvider;
use crate::credentials::{Credentials, half_a_pair};

pub(super) const PROFILE: &str = "AWS_PROFILE";
pub(super) const CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
pub(super) const CONFIG_FILE: &str = "AWS_CONFIG_FILE";

/// Larger than any profile file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Fields that decide where credentials come from and are not supported, with the way out.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("sso_session", SSO_HINT),
    ("sso_start_url", SSO_HINT),
    ("sso_account_id", SSO_HINT),
    ("login_session", SSO_HINT),
    (
        "web_identity_token_file",
        "set AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE in the environment instead",
    ),
    ("source_profile", ROLE_HINT),
    ("role_arn", ROLE_HINT),
];

const SSO_HINT: &str = "log in, and pass the credentials on: `aws configure export-credentials --format env` prints them as variables";

const ROLE_HINT: &str = "let another program assume the role, and name it in credential_process, or pass its credentials on in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";

pub(super) fn find(chain: &CredentialInputs<'_>) -> ferror::Result<Finding> {
    let named = chain.get(PROFILE);
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    let read =
        |file, default, kind| read(chain.get(file), chain.home.as_ref(), default, kind, &name);
    let in_credentials = read(CREDENTIALS_FILE, "credentials", FileKind::Credentials)?;
    let in_config = read(CONFIG_FILE, "config", FileKind::Config)?;
    if in_credentials.is_none() && in_config.is_none() {
        let missing = format!("no profile file has a profile {name:?}");
        return match named {
            None => Ok(Finding::lacks(missing)),
            Some(_) => Err(Error::config(missing).hint(format!(
                "correct or unset {PROFILE}, or name the files in {CREDENTIALS_FILE} and {CONFIG_FILE}"
            ))),
        };
    }
    let (first, second) = (in_credentials.unwrap_or_default(), in_config.unwrap_or_default());
    let label = format!("profile {name:?}");
    if let Some((field, hint)) = unsupported(&first, &second) {
        let lacked = format!("{label} asks for {field}, which is not supported");
        return match named {
            // The profile was not named by anyone, so the search goes on.
            None => Ok(Finding::lacks(format!("{lacked}: {hint}"))),
            Some(_) => Err(Error::config(lacked).hint(hint)),
        };
    }
    // A pair has to be complete in one file; two halves from different files do not belong together.
    let source = label.clone();
    if let Some(credentials) = keys(&first).with_context(|| label.clone())? {
        return Ok(Finding::CredentialProvider(CredentialProvider::fixed(source, credentials)));
    }
    let command =
        value(&first, "credential_process").or_else(|| value(&second, "credential_process"));
    if let Some(command) = command {
        let process = Process::new(command, &chain.child_environment).context(label)?;
        let fetch = move || process.issue();
        return Ok(Finding::CredentialProvider(CredentialProvider::refreshing(
            source, None, fetch,
        )));
    }
    if let Some(credentials) = keys(&second).with_context(|| label.clone())? {
        return Ok(Finding::CredentialProvider(CredentialProvider::fixed(source, credentials)));
    }
    let lacked = format!("{label} has neither keys nor credential_process");
    match named {
        None => Ok(Finding::lacks(lacked)),
        Some(_) => Err(Error::config(lacked).hint(format!("add them, or unset {PROFILE}"))),
    }
}

/// Reads the profile from one file: the one that is `named`, else the `default` one below the home
/// folder. `None` if the file or the profile does not exist.
pub(super) fn read(
    named: Option<String>,
    home: Option<&PathBuf>,
    default: &str,
    kind: FileKind,
    profile: &str,
) -> ferror::Result<Option<Properties>> {
    let path = match (named, home) {
        (Some(named), Some(home)) if named.starts_with("~/") => home.join(&named[2..]),
        (Some(named), _) => PathBuf::from(named),
        (None, Some(home)) => home.join(".aws").join(default),
        (None, None) => return Ok(None),
    };
    let shown = path.display();
    let unreadable = |error| Error::config(format!("cannot read {shown}")).caused_by(error);
    let file = match File::open(&path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        opened => opened.map_err(unreadable)?,
    };
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::config(format!("{shown} has more than {MAX_FILE_BYTES} bytes")));
    }
    ini::profile(&text, kind, profile).with_context(|| shown.to_string())
}

fn unsupported(first: &Properties, second: &Properties) -> Option<(&'static str, &'static str)> {
    let asked = |field| value(first, field).or_else(|| value(second, field)).is_some();
    UNSUPPORTED.into_iter().find(|(field, _)| asked(field))
}

fn keys(properties: &Properties) -> ferror::Result<Option<Credentials>> {
    let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
    match (value(properties, id), value(properties, secret)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(half_a_pair(id, secret)),
        (None, Some(_)) => Err(half_a_pair(secret, id)),
        (Some(id), Some(secret)) => {
            let token = value(properties, "aws_session_token").map(str::to_owned);
            Credentials::new(id, secret, token).map(Some)
        }
    }
}

/// Returns a value that is not blank.
fn value<'a>(properties: &'a Properties, name: &str) -> Option<&'a str> {
    properties.get(name).map(String::as_str).filter(|value| !value.is_empty())
}
