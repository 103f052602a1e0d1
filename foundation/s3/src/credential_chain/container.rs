//! Credentials from the agent beside a container: ECS, and EKS's pod identity.
//!
//! (AWS SDKs and Tools Reference Guide, "Container credential provider".)

use std::path::Path;
use std::time::Duration;

use ferror::Error;
use serde_json::Value;

use super::document::{self, Dialect};
use super::server::{AllowedHosts, CONTAINER_ADDRESSES, Reply, Server, with_retries};
use super::source::{CredentialInputs, Finding};
use super::token;
use crate::credential_provider::{CredentialProvider, Issued};
use crate::transport::Timeouts;

/// The name of this source in messages.
pub(super) const NAME: &str = "container";

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    stall: Duration::from_secs(5),
    answer: Duration::from_secs(5),
    whole: Duration::from_secs(15),
};

/// The source of the Authorization header.
enum Authorization {
    None,
    Value(String),
    /// A file that is read each time, because the platform replaces it.
    File(String),
}

/// Offers the credentials of the agent that the variables name; asks it only when they are needed.
pub(super) fn find(chain: &CredentialInputs<'_>) -> ferror::Result<Finding> {
    let allowed = AllowedHosts { addresses: &CONTAINER_ADDRESSES, https: true };
    let (name, url) = match (chain.get(RELATIVE), chain.get(FULL)) {
        (Some(path), _) if path.starts_with('/') => {
            (RELATIVE, format!("http://{}{path}", CONTAINER_ADDRESSES[0]))
        }
        (Some(_), _) => return Err(Error::config(format!("{RELATIVE} does not begin with a /"))),
        (None, Some(url)) => (FULL, url),
        (None, None) => return Ok(Finding::lacks(format!("neither {RELATIVE} nor {FULL} is set"))),
    };
    let server = Server::new(name, &url, &allowed, TIMEOUTS, chain.roots_pem.as_deref())?;
    let authorization = match (chain.get(TOKEN_FILE), chain.get(TOKEN)) {
        (Some(path), _) => Authorization::File(path),
        (None, Some(token)) => Authorization::Value(token),
        (None, None) => Authorization::None,
    };
    // Read it now, so that a mistake shows before any work is done.
    authorization.value()?;
    let fetch = move || with_retries(|| issue(&server, &authorization));
    Ok(Finding::CredentialProvider(CredentialProvider::refreshing(NAME, None, fetch)))
}

fn issue(server: &Server, authorization: &Authorization) -> ferror::Result<Issued> {
    let token = authorization.value()?;
    let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let reply = server.send("GET", server.path(), &headers, None)?;
    if reply.status != 200 {
        let secrets: Vec<_> = token.as_deref().into_iter().collect();
        let (code, message) = code_and_message(&reply);
        return Err(server.refused(
            "the container's credentials",
            &reply,
            (&code, &message),
            &secrets,
        ));
    }
    document::read(&reply.body, Dialect::Container)
}

impl Authorization {
    fn value(&self) -> ferror::Result<Option<String>> {
        match self {
            Self::None => Ok(None),
            Self::File(path) => token::read_file(TOKEN_FILE, Path::new(path)).map(Some),
            Self::Value(token) => token::check(TOKEN, token).map(|()| Some(token.clone())),
        }
    }
}

/// Reads the agent's `{"code": .., "message": ..}`.
fn code_and_message(reply: &Reply) -> (String, String) {
    let document: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let field = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    (field("code"), field("message"))
}
