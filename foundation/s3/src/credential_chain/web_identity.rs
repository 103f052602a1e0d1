//! Temporary credentials for a token of an identity provider, such as the CI's: one POST to STS.
//!
//! (STS API Reference, `AssumeRoleWithWebIdentity`.) The request is not signed; the token is in its
//! body and never in the URL, which proxies and servers log.

use std::path::Path;
use std::time::Duration;

use ferror::{Error, Kind};

use super::document;
use super::named_server::{NamedEndpoint, STS_ENDPOINT, find_sts};
use super::policy::session_policy;
use super::server::{AllowedHosts, Reply, Server, with_retries};
use super::source::{CredentialInputs, Finding};
use super::token;
use crate::credential_provider::{CredentialProvider, Issued};
use crate::credentials::{Credentials, half_a_pair};
use crate::endpoint::is_label;
use crate::transport::Timeouts;
use crate::{encode, xml};

/// The name of this source in messages.
pub(super) const NAME: &str = "web identity";

const ROLE: &str = "AWS_ROLE_ARN";
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const CI_TOKEN: &str = "CIRCLE_OIDC_TOKEN_V2";
const SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";

/// The longest session name that STS takes; the shortest has 2 characters.
const MAX_SESSION_NAME: usize = 64;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    stall: Duration::from_secs(30),
    answer: Duration::from_secs(30),
    whole: Duration::from_secs(60),
};

enum Token {
    /// A file that is read each time, because the platform replaces it.
    File(String),
    /// The value of the CI's variable, whose token lasts an hour.
    Value(String),
}

pub(super) fn find(chain: &CredentialInputs<'_>) -> ferror::Result<Finding> {
    let (role, token_file) = (chain.get(ROLE), chain.get(TOKEN_FILE));
    let token = token_file.map(Token::File).or_else(|| chain.get(CI_TOKEN).map(Token::Value));
    let (role, token) = match (role, token) {
        (Some(role), Some(token)) => (role, token),
        (None, Some(Token::File(_))) => return Err(half_a_pair(TOKEN_FILE, ROLE)),
        (Some(_), None) => {
            return Err(half_a_pair(ROLE, &format!("{TOKEN_FILE} or {CI_TOKEN}")));
        }
        // The CI sets its token in every job.
        (None, Some(Token::Value(_))) => return Ok(Finding::lacks(format!("{ROLE} is not set"))),
        (None, None) => {
            return Ok(Finding::lacks(format!("{TOKEN_FILE}, {CI_TOKEN} and {ROLE} are not set")));
        }
    };
    token.read()?;
    let partition = partition(&role)?;
    let named = find_sts(&|name| chain.get(name), chain.home.as_ref())?;
    let NamedEndpoint { place, url } = match named {
        Some(named) => named,
        None => {
            NamedEndpoint { place: STS_ENDPOINT.to_owned(), url: regional_endpoint(&chain.region)? }
        }
    };
    let allowed = AllowedHosts { addresses: &[], https: true };
    let server = Server::new(&place, &url, &allowed, TIMEOUTS, chain.roots_pem.as_deref())?;
    let policy = chain.scope.as_ref().map(|scope| session_policy(scope, partition));
    let mut parameters = vec![
        ("Action".to_owned(), "AssumeRoleWithWebIdentity".to_owned()),
        ("Version".to_owned(), "2011-06-15".to_owned()),
        ("RoleArn".to_owned(), role.clone()),
        ("RoleSessionName".to_owned(), session_name(chain)?),
    ];
    parameters.extend(policy.map(|policy| ("Policy".to_owned(), policy)));
    let fetch = move || {
        let token = token.read()?;
        let mut parameters = parameters.clone();
        parameters.push(("WebIdentityToken".to_owned(), token.clone()));
        let form = encode::query(&parameters);
        with_retries(|| issue(&server, &form, &token))
    };
    Ok(Finding::CredentialProvider(CredentialProvider::refreshing(NAME, None, fetch)))
}

fn issue(server: &Server, form: &str, token: &str) -> ferror::Result<Issued> {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/xml")];
    let reply = server.send("POST", server.path(), &headers, Some(form.as_bytes()))?;
    if reply.status != 200 {
        return Err(refusal(server, &reply, token));
    }
    let answer = xml::sts_credentials(&reply.body)?;
    let [id, secret, session_token, expiration] = answer;
    let credentials = Credentials::new(id, secret, Some(session_token))?;
    Ok(Issued { credentials, expires: Some(document::expiration(&expiration)?) })
}

fn refusal(server: &Server, reply: &Reply, token: &str) -> Error {
    let (code, message) = xml::sts_error(&reply.body).unwrap_or_default();
    let what = "AssumeRoleWithWebIdentity";
    let error = server.refused(what, reply, (&code, &message), &[token]);
    match code.as_str() {
        // STS could not reach the identity provider; its documentation says to try again.
        "IDPCommunicationError" => Error::new(Kind::Unavailable, error.message()),
        "AccessDenied" => error.hint(
            "check AWS_ROLE_ARN, and that the role's trust policy admits this identity provider and its subject",
        ),
        "ExpiredTokenException" => error.hint("run the job again: its identity token is too old"),
        "InvalidIdentityToken" => {
            error.hint("check that the account knows the identity provider and its audience")
        }
        "PackedPolicyTooLarge" => error.hint("use a shorter prefix or a shorter key template"),
        _ => error,
    }
}

impl Token {
    fn read(&self) -> ferror::Result<String> {
        match self {
            Self::File(path) => token::read_file(TOKEN_FILE, Path::new(path)),
            Self::Value(token) => token::check(CI_TOKEN, token).map(|()| token.clone()),
        }
    }
}

/// Returns the partition of a role: `aws` of `arn:aws:iam::123456789012:role/NAME`.
fn partition(role: &str) -> ferror::Result<&str> {
    let parts: Vec<_> = role.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, name]
            if is_label(partition)
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && name.starts_with("role/")
                && role.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(partition)
        }
        _ => Err(Error::config(format!("{ROLE} is not the ARN of a role"))
            .hint("write it as arn:aws:iam::123456789012:role/NAME")),
    }
}

fn regional_endpoint(region: &str) -> ferror::Result<String> {
    if !is_label(region) {
        let message = format!("the region {region:?} is not a name of letters, digits and hyphens");
        return Err(Error::config(message).hint("write it as in us-east-1"));
    }
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    Ok(format!("https://sts.{region}.amazonaws.com{china}"))
}

/// Returns the session's name in AWS's logs. The name of the CI job is fitted to STS's grammar; a
/// configured name has to fit, because policies may refer to it.
fn session_name(chain: &CredentialInputs<'_>) -> ferror::Result<String> {
    let lawful = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if let Some(name) = chain.get(SESSION_NAME) {
        if (2..=MAX_SESSION_NAME).contains(&name.len()) && name.chars().all(lawful) {
            return Ok(name);
        }
        return Err(Error::config(format!(
            "{SESSION_NAME} is not 2 to {MAX_SESSION_NAME} letters, digits and characters of _+=,.@-"
        )));
    }
    let fitted = |text: String| text.chars().map(|c| if lawful(c) { c } else { '-' }).collect();
    let mut name = ["CIRCLE_PROJECT_REPONAME", "CIRCLE_JOB"]
        .iter()
        .filter_map(|name| chain.get(name).map(fitted))
        .collect::<Vec<String>>()
        .join("-");
    if name.is_empty() {
        name.push_str("upload");
    }
    // The number identifies the job, so it is never shortened.
    let number: String = chain.get("CIRCLE_BUILD_NUM").map(fitted).unwrap_or_default();
    let number: String = number.chars().take(20).collect();
    let tail = if number.is_empty() { number } else { format!("-{number}") };
    name.truncate(MAX_SESSION_NAME - tail.len());
    name.push_str(&tail);
    Ok(if name.len() < 2 { format!("{name}-") } else { name })
}

#[cfg(test)]
mod tests {
    use super::{partition, regional_endpoint, session_name};
    use crate::credential_chain::source::tests::with_chain;

    #[test]
    fn session_names_fit_the_grammar() {
        let long = "r".repeat(80);
        for (vars, expected) in [
            (vec![], Ok("upload".to_owned())),
            (vec![("AWS_ROLE_SESSION_NAME", "me@x"), ("CIRCLE_JOB", "b")], Ok("me@x".to_owned())),
            (
                vec![
                    ("CIRCLE_PROJECT_REPONAME", "bowline"),
                    ("CIRCLE_JOB", "ship it/\u{e9}"),
                    ("CIRCLE_BUILD_NUM", "42"),
                ],
                Ok("bowline-ship-it---42".to_owned()),
            ),
            (
                vec![("CIRCLE_PROJECT_REPONAME", &long), ("CIRCLE_BUILD_NUM", "42")],
                Ok(format!("{}-42", "r".repeat(61))),
            ),
            (vec![("CIRCLE_JOB", "b")], Ok("b-".to_owned())),
            (vec![("AWS_ROLE_SESSION_NAME", "a b")], Err("AWS_ROLE_SESSION_NAME")),
            (vec![("AWS_ROLE_SESSION_NAME", "a")], Err("AWS_ROLE_SESSION_NAME")),
            (vec![("AWS_ROLE_SESSION_NAME", &long)], Err("AWS_ROLE_SESSION_NAME")),
        ] {
            let found = with_chain(&vars, session_name);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{vars:?}"),
                (Err(error), Err(name)) => assert!(error.to_string().contains(name), "{error}"),
                (found, expected) => panic!("{vars:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn roles_and_regions_are_checked() {
        assert_eq!(partition("arn:aws-cn:iam::123456789012:role/a/b").unwrap(), "aws-cn");
        for role in [
            "",
            "role",
            "arn:aws:iam::1:user/x",
            "arn:a b:iam::1:role/x",
            "arn:aws:iam::1:role/x\n",
        ] {
            let error = partition(role).unwrap_err();
            assert!(error.to_string().contains("AWS_ROLE_ARN"), "{error}");
        }
        let at = |region| regional_endpoint(region).unwrap();
        assert_eq!(at("eu-west-1"), "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(at("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn");
        assert!(regional_endpoint("evil.example/").is_err());
    }
}
