//! Credentials of an EC2 instance's role, from its metadata service, version 2 alone: version 1
//! answers whoever can make the machine send a GET.
//!
//! (Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata".)

use std::time::Duration;

use ferror::{Error, Kind};

use super::document::{self, Dialect};
use super::server::{AllowedHosts, INSTANCE_ADDRESSES, Reply, Server, with_retries};
use super::source::{CredentialInputs, Finding};
use crate::credential_provider::{CredentialProvider, Issued};
use crate::transport::Timeouts;

/// The name of this source in messages.
pub(super) const NAME: &str = "EC2 instance";

const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// The service is one hop away or does not exist: a machine without it waits one second.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    stall: Duration::from_secs(1),
    answer: Duration::from_secs(1),
    whole: Duration::from_secs(5),
};

/// Why there are no credentials.
enum NoCredentials {
    /// This machine has no metadata service, or no role.
    Absent(String),
    Failed(Error),
}

impl From<Error> for NoCredentials {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Asks the service at once, because only an answer shows that it exists.
pub(super) fn find(chain: &CredentialInputs<'_>) -> ferror::Result<Finding> {
    if chain.get(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Finding::lacks(format!("{DISABLED} is true")));
    }
    let default = || format!("http://{}", INSTANCE_ADDRESSES[0]);
    let url = chain.get(ENDPOINT).unwrap_or_else(default);
    let allowed = AllowedHosts { addresses: &INSTANCE_ADDRESSES, https: false };
    let server = Server::new(ENDPOINT, &url, &allowed, TIMEOUTS, chain.roots_pem.as_deref())?;
    let first = with_retries(|| match issue(&server) {
        Ok(issued) => Ok(Ok(issued)),
        Err(NoCredentials::Absent(why)) => Ok(Err(why)),
        Err(NoCredentials::Failed(error)) => Err(error),
    })?;
    let first = match first {
        Ok(issued) => issued,
        Err(why) => return Ok(Finding::lacks(why)),
    };
    let fetch = move || {
        with_retries(|| {
            issue(&server).map_err(|miss| match miss {
                NoCredentials::Absent(why) => Error::new(Kind::Unavailable, why),
                NoCredentials::Failed(error) => error,
            })
        })
    };
    Ok(Finding::CredentialProvider(CredentialProvider::refreshing(NAME, Some(first), fetch)))
}

fn issue(server: &Server) -> Result<Issued, NoCredentials> {
    // The token serves the two requests that follow and is then forgotten.
    let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
    let host = server.host();
    let reply = server
        .send("PUT", TOKEN_PATH, &lifetime, None)
        .map_err(|_| NoCredentials::Absent(format!("no answer from {host}")))?;
    let token = match reply.status {
        200 => first_word(&reply, "a token")?,
        500.. => return Err(refused(server, "the token", &reply).into()),
        status => {
            return Err(NoCredentials::Absent(format!(
                "{host} answers {status} to the request for a token"
            )));
        }
    };
    let headers = [("x-aws-ec2-metadata-token", token.as_str())];
    let reply = server.send("GET", ROLES_PATH, &headers, None)?;
    let role = match reply.status {
        200 => first_word(&reply, "a role's name")?,
        404 => return Err(NoCredentials::Absent("the instance has no role".to_owned())),
        _ => return Err(refused(server, "the instance's role", &reply).into()),
    };
    if !role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte)) {
        return Err(Error::invalid("the metadata service names a role that cannot exist").into());
    }
    let reply = server.send("GET", &format!("{ROLES_PATH}{role}"), &headers, None)?;
    if reply.status != 200 {
        return Err(refused(server, "the role's credentials", &reply).into());
    }
    Ok(document::read(&reply.body, Dialect::Instance)?)
}

/// Returns the first line of an answer, which must be usable in a header or a path.
fn first_word(reply: &Reply, what: &str) -> ferror::Result<String> {
    let text = String::from_utf8_lossy(&reply.body);
    let word = text.lines().next().unwrap_or_default().trim();
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(format!("the metadata service's answer is not {what}")));
    }
    Ok(word.to_owned())
}

fn refused(server: &Server, what: &str, reply: &Reply) -> Error {
    server.refused(what, reply, ("", ""), &[])
}
