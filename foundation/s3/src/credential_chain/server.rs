//! Requests to a server that issues credentials, and which servers are allowed.
//!
//! Plain http goes to loopback and to the fixed link-local addresses of the metadata services
//! alone, and then without a proxy.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Duration;

use ferror::Error;

use crate::endpoint::{Endpoint, is_loopback};
use crate::retry;
use crate::transport::{Timeouts, Transport};
use crate::xml::one_line;
use crate::{Fault, Request, RetryPolicy};

/// Answers have one or two kilobytes.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Fewer attempts than for objects, so that an unreachable source is reported soon.
const RETRY_POLICY: RetryPolicy = RetryPolicy {
    attempts: 3,
    transient_wait: Duration::from_millis(100),
    throttle_wait: Duration::from_millis(500),
    longest_wait: Duration::from_secs(2),
    budget: Duration::from_secs(5),
    budget_renewed_every: None,
};

/// The addresses of the agents on ECS and EKS.
pub(super) const CONTAINER_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// The addresses of the instance metadata service.
pub(super) const INSTANCE_ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// A server, and the path that is asked for there.
pub(super) struct Server {
    base: String,
    host: String,
    path: String,
    transport: Transport,
}

/// The hosts at which a service may be asked.
pub(super) struct AllowedHosts<'a> {
    /// These addresses over plain http, beside loopback.
    pub(super) addresses: &'a [IpAddr],
    /// Any host over https.
    pub(super) https: bool,
}

/// The answer of a server.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Server {
    /// Makes the server of a URL, which came from the variable `name`.
    pub(super) fn new(
        name: &str,
        url: &str,
        allowed: &AllowedHosts<'_>,
        timeouts: Timeouts,
        roots_pem: Option<&[u8]>,
    ) -> ferror::Result<Self> {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let end =
            url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
        let (authority, path) = url.split_at(end);
        let endpoint = Endpoint::parse(authority).map_err(|error| error.context(name))?;
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
            || path.starts_with('?')
        {
            return Err(Error::config(format!("{name} has a path that no request can carry")));
        }
        let Endpoint { scheme, host, port } = endpoint;
        let near =
            is_loopback(&host) || address(&host).is_some_and(|ip| allowed.addresses.contains(&ip));
        let far = allowed.https && scheme == "https";
        if !near && !far {
            let expected = if allowed.https { "https, or " } else { "" };
            let fixed: Vec<_> = allowed.addresses.iter().map(IpAddr::to_string).collect();
            let fixed = [&["loopback".to_owned()], fixed.as_slice()].concat().join(", ");
            return Err(Error::config(format!(
                "{name} names a host that is not asked for credentials"
            ))
            .hint(format!("set it to a URL of {expected}one of {fixed}, or unset it")));
        }
        let host = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        let path = if path.is_empty() { "/" } else { path };
        let transport = Transport::new(near, roots_pem, timeouts, 1)?;
        Ok(Self { base: format!("{scheme}://{host}"), host, path: path.to_owned(), transport })
    }

    /// Returns host and port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the path of the URL.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Sends one request; every status is returned as a reply.
    pub(super) fn send(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> ferror::Result<Reply> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = Request {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            headers: headers.collect(),
        };
        let url = format!("{}{path}", self.base);
        let answer = self.transport.send(&url, &request, body, MAX_ANSWER_BYTES, false)?;
        if answer.cut {
            return Err(Error::invalid(format!(
                "{} answered with more than {MAX_ANSWER_BYTES} bytes",
                self.host
            )));
        }
        Ok(Reply { status: answer.status, body: answer.body })
    }

    /// Makes the error for a refusal; `code` and `message` are shown without `secrets`.
    pub(super) fn refused(
        &self,
        what: &str,
        reply: &Reply,
        (code, message): (&str, &str),
        secrets: &[&str],
    ) -> Error {
        let fault = Fault {
            status: reply.status,
            code: one_line(&redacted(code, secrets)),
            message: one_line(&redacted(message, secrets)),
            ..Fault::default()
        };
        let error = fault.into_error(&format!("{what} of {}", self.host));
        match reply.status {
            300..400 => error.hint("redirects are not followed: name the server itself"),
            _ => error,
        }
    }
}

/// Calls `attempt` until it succeeds, fails in a way that no repetition changes, or has failed too
/// often.
pub(super) fn with_retries<T>(mut attempt: impl FnMut() -> ferror::Result<T>) -> ferror::Result<T> {
    for failures in 1..RETRY_POLICY.attempts {
        let failed = match attempt() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(class) = retry::class(failed.kind()) else { return Err(failed) };
        // The hasher's seed is the standard library's only source of randomness; it suffices here.
        let random = RandomState::new().build_hasher().finish();
        thread::sleep(RETRY_POLICY.wait(class, failures, random, None));
    }
    attempt()
}

/// Removes secrets from the text of a server or a program. What may be an unknown secret is removed
/// too: words too long for a message, and those like a secret access key, which has 40
/// characters of base64.
pub(super) fn redacted(text: &str, secrets: &[&str]) -> String {
    const LONGEST_WORD: usize = 64;
    const SECRET_KEY: usize = 40;
    let may_be_secret = |word: &str| {
        let has = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
        let mixed = has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_digit);
        word.len() > LONGEST_WORD || word.len() >= SECRET_KEY && mixed
    };
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "..");
    }
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && !"-_.+=/".contains(c))
    {
        shown.push_str(if may_be_secret(part) { ".. " } else { part });
    }
    shown
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{AllowedHosts, CONTAINER_ADDRESSES, INSTANCE_ADDRESSES, Server, redacted};
    use crate::transport::Timeouts;

    fn server(url: &str, allowed: &AllowedHosts<'_>) -> Result<String, String> {
        Server::new("THE_URL", url, allowed, Timeouts::default(), None)
            .map(|server| format!("{}{}", server.base, server.path))
            .map_err(|error| format!("{error} {:?}", error.hint_text()))
    }

    #[test]
    fn plain_http_goes_to_this_machine_and_the_fixed_addresses_alone() {
        let container = AllowedHosts { addresses: &CONTAINER_ADDRESSES, https: true };
        let instance = AllowedHosts { addresses: &INSTANCE_ADDRESSES, https: false };
        let sts = AllowedHosts { addresses: &[], https: true };
        for (url, [by_container, by_instance, by_sts]) in [
            ("http://127.0.0.1:80/a?b=c", [true, true, true]),
            ("http://localhost/", [true, true, true]),
            ("http://[::1]:9/a", [true, true, true]),
            ("http://169.254.170.2/v2/x", [true, false, false]),
            ("http://169.254.170.23/v1", [true, false, false]),
            ("http://[fd00:ec2::23]/v1", [true, false, false]),
            ("http://[fd00:0ec2:0::0023]/v1", [true, false, false]),
            ("http://169.254.169.254", [false, true, false]),
            ("http://[fd00:ec2::254]/", [false, true, false]),
            ("http://169.254.170.3/", [false, false, false]),
            ("http://sts.example.com/", [false, false, false]),
            ("http://127.0.0.1.example.com/", [false, false, false]),
            ("http://2852039166/", [false, false, false]),
            ("https://sts.example.com/", [true, false, true]),
            ("https://169.254.169.254/", [true, true, true]),
            ("https://user@sts.example.com/", [false, false, false]),
            ("https://sts.example.com/a#b", [false, false, false]),
            ("https://sts.example.com/a b", [false, false, false]),
            ("https://sts.example.com/a\r\nx: y", [false, false, false]),
            ("https://sts.example.com?a", [false, false, false]),
            ("ftp://127.0.0.1/", [false, false, false]),
            ("127.0.0.1", [false, false, false]),
            ("", [false, false, false]),
        ] {
            for (allowed, expected) in
                [(&container, by_container), (&instance, by_instance), (&sts, by_sts)]
            {
                let made = server(url, allowed);
                assert_eq!(made.is_ok(), expected, "{url:?}: {made:?}");
                if let Err(error) = made {
                    assert!(error.contains("THE_URL"), "{error}");
                }
            }
        }
        assert_eq!(server("http://LOCALHOST:80", &sts).unwrap(), "http://localhost/");
    }

    #[test]
    fn a_servers_words_are_shown_without_secrets() {
        let long = "x".repeat(65);
        for (text, expected) in [
            ("No role arn:aws:iam::1:role/r, sorry.", "No role arn:aws:iam::1:role/r, sorry."),
            ("token abc.def is old", "token .. is old"),
            (&format!("token {long} is old"), "token .. is old"),
            (&format!("<{long}"), "<.. "),
            ("key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY!", "key .. "),
            (
                "no /var/lib/team/.config/credentials-of-team",
                "no /var/lib/team/.config/credentials-of-team",
            ),
        ] {
            assert_eq!(redacted(text, &["abc.def", ""]), expected);
        }
    }
}
