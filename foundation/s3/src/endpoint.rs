//! Parses and checks endpoints and host names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ferror::Error;

/// An endpoint's parts, checked.
pub(crate) struct Endpoint {
    /// `https`, or `http`.
    pub(crate) scheme: &'static str,
    /// A name or an address, in lower case, IPv6 in brackets.
    pub(crate) host: String,
    /// Only when it is not the scheme's own.
    pub(crate) port: Option<u16>,
}

impl Endpoint {
    /// Returns AWS's endpoint for a region that was checked.
    pub(crate) fn aws(region: &str) -> Self {
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        let host = format!("s3.{region}.amazonaws.com{china}");
        Self { scheme: "https", host, port: None }
    }

    /// Parses `SCHEME://HOST[:PORT]` and accepts nothing else.
    pub(crate) fn parse(text: &str) -> ferror::Result<Self> {
        // The text is not shown: what is wrong with it may be the password in it.
        let wrong = |why: &str| {
            Error::config(format!("the endpoint {why}"))
                .hint("write it as https://HOST or https://HOST:PORT")
        };
        let (scheme, default_port, rest) = if let Some(rest) = text.strip_prefix("https://") {
            ("https", 443, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            ("http", 80, rest)
        } else {
            return Err(wrong("starts neither with https:// nor with http://"));
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err(wrong("holds a user or a password, which belong into the credentials"));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(wrong("has a path or a query"));
        }
        let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[after_address..].split_once(':') {
            None => (authority, None),
            Some((name, port)) => (&authority[..after_address + name.len()], Some(port)),
        };
        let port = match port {
            None => None,
            Some(port) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(port.parse::<u16>().map_err(|_| wrong("has a port above 65535"))?)
            }
            Some(_) => return Err(wrong("has a port that is not a number")),
        };
        if !is_host(host) {
            return Err(wrong("has no valid host name"));
        }
        let port = port.filter(|port| *port != default_port);
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port })
    }
}

/// The ends of host names below which providers have a host for each bucket.
const PROVIDERS: [&str; 12] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".r2.cloudflarestorage.com",
    ".digitaloceanspaces.com",
    ".backblazeb2.com",
    ".wasabisys.com",
    ".scw.cloud",
    ".storage.googleapis.com",
    ".your-objectstorage.com",
    ".linodeobjects.com",
    ".vultrobjects.com",
    ".cloud.ovh.net",
];

/// Says whether the host of an endpoint is that of one bucket, as providers show it: `BUCKET.HOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HoldsBucket {
    No,
    /// The first part of a host that nobody knows is called like the bucket.
    Perhaps,
    /// It is a bucket's own host at a known provider.
    Certainly,
}

/// Returns whether `host` begins with `bucket`.
pub(crate) fn holds_bucket(host: &str, bucket: &str) -> HoldsBucket {
    let rest = host.strip_prefix(&bucket.to_ascii_lowercase());
    let Some(rest) = rest.filter(|rest| rest.starts_with('.')) else { return HoldsBucket::No };
    let is_below_a_provider =
        PROVIDERS.iter().any(|provider| rest.ends_with(provider) && rest != *provider);
    // A bucket may be called `s3`, as the host of all buckets begins.
    let may_be_of_all_buckets = bucket.starts_with("s3") && !rest.starts_with(".s3");
    if is_below_a_provider && !may_be_of_all_buckets {
        HoldsBucket::Certainly
    } else {
        HoldsBucket::Perhaps
    }
}

/// Returns whether a host is certainly this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Returns whether a host is an address and not a name.
pub(crate) fn is_ip(host: &str) -> bool {
    address(host).is_some()
}

/// Returns whether this is one label of a host name (RFC 1123, section 2.1).
pub(crate) fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_host(host: &str) -> bool {
    host.len() <= 253 && (is_ip(host) || host.split('.').all(is_label))
}

/// Parses `host` as an address, IPv6 in brackets.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}
