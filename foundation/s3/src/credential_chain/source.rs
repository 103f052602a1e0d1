//! The inputs of the search for credentials, and what one source answers to it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::policy::SessionScope;
use crate::CredentialProvider;

/// Every environment variable that [`find_credentials`](crate::find_credentials) reads.
pub const CREDENTIAL_VARIABLES: [&str; 23] = [
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
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

/// The inputs of [`find_credentials`](crate::find_credentials).
pub struct CredentialInputs<'a> {
    /// Looks up an environment variable of [`CREDENTIAL_VARIABLES`]. A blank value counts as unset.
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
    /// Restricts the credentials of a web identity; `None`: all that the role may do.
    pub scope: Option<SessionScope>,
}

impl CredentialInputs<'_> {
    /// Returns the value of a variable; a blank one counts as unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        debug_assert!(CREDENTIAL_VARIABLES.contains(&name), "{name} is not in the table");
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }
}

/// The answer of one source.
pub(super) enum Finding {
    CredentialProvider(CredentialProvider),
    /// The source is not configured, for this reason.
    Lacks(String),
}

impl Finding {
    pub(super) fn lacks(why: impl Into<String>) -> Self {
        Self::Lacks(why.into())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::CredentialInputs;

    /// Calls `act` with a chain of these variables and nothing else.
    pub(crate) fn with_chain<T>(
        variables: &[(&str, &str)],
        act: impl FnOnce(&CredentialInputs<'_>) -> T,
    ) -> T {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        act(&CredentialInputs {
            variable: &variable,
            home: None,
            child_environment: Vec::new(),
            roots_pem: None,
            region: "eu-west-1".to_owned(),
            scope: None,
        })
    }
}
