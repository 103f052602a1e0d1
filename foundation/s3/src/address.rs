//! Derives host, path style and URLs from a [`Location`], and refuses unsafe ones before a request.
//!
//! URLs are built by concatenation. Resolving an object key against a base would let
//! `//evil.example/x` choose the host that gets the credentials.

use ferror::Error;

use crate::endpoint::{Endpoint, HoldsBucket, holds_bucket, is_ip, is_label, is_loopback};
use crate::{Location, Request, Signature, encode};

impl Location {
    /// Refuses what [`Client::with_options`](crate::Client::with_options) would refuse, with the
    /// same [`ferror::Kind::Config`], for whoever has no credentials yet: a bucket, region or
    /// endpoint that is not valid, and plain http to anything but loopback, save with `allow_http`.
    pub fn check(&self, allow_http: bool) -> ferror::Result<()> {
        Address::of(self, allow_http).map(drop)
    }

    /// Returns what looks like a mistake in a location that can be used: an endpoint that begins with
    /// the bucket's name, as providers show the host of a bucket. At a known provider it is an error.
    pub fn warning(&self) -> Option<String> {
        let host = Endpoint::parse(self.endpoint.as_deref()?).ok()?.host;
        if holds_bucket(&host, &self.bucket) == HoldsBucket::No || self.path_style == Some(true) {
            return None;
        }
        Some(format!(
            "the endpoint {host} begins with the bucket's name: if it is the host of that bucket alone, name it \
             without {}., else set path-style in the configuration to say so",
            self.bucket
        ))
    }
}

/// The scheme, host and path style of the requests for one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: &'static str,
    /// Host, and the port unless it is the scheme's own: the `Host` header, byte for byte.
    host: String,
    bucket: String,
    path_style: bool,
    loopback: bool,
}

impl Address {
    /// Checks `location` and derives the address from it. With `allow_http`, plain http is accepted
    /// beyond loopback, except for `SigV2`.
    pub(crate) fn of(location: &Location, allow_http: bool) -> ferror::Result<Self> {
        check_region(&location.region)?;
        let endpoint = match &location.endpoint {
            Some(endpoint) => Endpoint::parse(endpoint)?,
            None => Endpoint::aws(&location.region),
        };
        let bucket = location.bucket.clone();
        let path_style =
            location.path_style.unwrap_or(location.endpoint.is_some() || bucket.contains('.'));
        check_bucket(&bucket, path_style)?;
        if location.endpoint.is_some()
            && holds_bucket(&endpoint.host, &bucket) == HoldsBucket::Certainly
        {
            let rest = &endpoint.host[bucket.len() + 1..];
            return Err(Error::config(format!(
                "the endpoint {} holds the bucket {bucket} already: objects would go below {bucket}/ in it",
                endpoint.host
            ))
            .hint(format!("write the endpoint without the bucket: {}://{rest}", endpoint.scheme)));
        }
        if !path_style && is_ip(&endpoint.host) {
            return Err(Error::config(format!(
                "a bucket's name cannot stand before the address {} (virtual-hosted style)",
                endpoint.host
            ))
            .hint("set path-style to true"));
        }
        let host_name =
            if path_style { endpoint.host } else { format!("{bucket}.{}", endpoint.host) };
        let loopback = is_loopback(&host_name);
        let allowed = allow_http && location.signature == Signature::V4;
        if endpoint.scheme == "http" && !loopback && !allowed {
            return Err(refused_over_http(&host_name, location.signature));
        }
        let host = match endpoint.port {
            Some(port) => format!("{host_name}:{port}"),
            None => host_name,
        };
        Ok(Self { scheme: endpoint.scheme, host, bucket, path_style, loopback })
    }

    /// Returns the value of the `Host` header.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether requests cannot be read or changed on the way: https or loopback.
    pub(crate) fn is_private(&self) -> bool {
        self.loopback || self.scheme == "https"
    }

    /// Returns whether requests stay on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Returns the bucket if it is in the host name, where `SigV2` has to add it to the resource.
    pub(crate) fn virtual_host_bucket(&self) -> Option<&str> {
        (!self.path_style).then_some(self.bucket.as_str())
    }

    /// Returns the encoded path of an object, or of the bucket itself for an empty object key.
    pub(crate) fn path(&self, object_key: &str) -> String {
        let object_key = encode::object_key(object_key);
        if self.path_style {
            format!("/{}/{object_key}", self.bucket)
        } else {
            format!("/{object_key}")
        }
    }

    /// Returns the URL of a request.
    pub(crate) fn url(&self, request: &Request) -> String {
        let query = encode::query(&request.query);
        let question_mark = if query.is_empty() { "" } else { "?" };
        format!("{}://{}{}{question_mark}{query}", self.scheme, self.host, request.path)
    }
}

fn check_region(region: &str) -> ferror::Result<()> {
    if is_label(region) {
        return Ok(());
    }
    Err(Error::config(format!(
        "the region {region:?} is not a name of letters, digits and hyphens"
    ))
    .hint("write it as in us-east-1"))
}

/// Refuses a bucket name that is not valid. In a host name, S3's rules hold (3 to 63 of `a-z 0-9 . -`);
/// in a path, names of old servers are accepted too, if they are one plain segment.
fn check_bucket(bucket: &str, path_style: bool) -> ferror::Result<()> {
    let bytes = bucket.as_bytes();
    let ends_well = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
    let lawful = if path_style {
        bytes.len() <= 255 && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
    } else {
        (3..=63).contains(&bytes.len())
            && bucket.split('.').all(is_label)
            && !bytes.iter().any(u8::is_ascii_uppercase)
            && !is_ip(bucket)
    };
    if ends_well && lawful {
        return Ok(());
    }
    let allowed = if path_style {
        "letters, digits, `.`, `_` and `-`, with a letter or a digit at both ends"
    } else {
        "3 to 63 lower-case letters, digits, `.` and `-`, with a letter or a digit at both ends"
    };
    Err(Error::config(format!("the bucket name {bucket:?} is not valid: expected {allowed}")))
}

fn refused_over_http(host: &str, signature: Signature) -> Error {
    let why = match signature {
        Signature::V4 => "what is sent there can be read on the way",
        Signature::V2 => "signature v2 covers neither the host nor the body",
    };
    Error::config(format!("plain http to {host} is refused: {why}"))
        .hint("use https; plain http is for 127.0.0.1, [::1] and localhost, or with v4 where allow-http says so")
}

#[cfg(test)]
mod tests {
    use ferror::Kind;

    use super::Address;
    use crate::{Location, Request, Signature};

    fn location(bucket: &str, endpoint: &str, path_style: Option<bool>) -> Location {
        Location {
            bucket: bucket.to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: (!endpoint.is_empty()).then(|| endpoint.to_owned()),
            path_style,
            signature: Signature::V4,
        }
    }

    fn url(location: &Location, object_key: &str) -> ferror::Result<String> {
        let address = Address::of(location, false)?;
        let path = address.path(object_key);
        Ok(address.url(&Request { method: "GET", path, query: Vec::new(), headers: Vec::new() }))
    }

    #[test]
    fn styles_and_hosts() {
        let aws = "https://builds.s3.eu-west-1.amazonaws.com/k";
        for (bucket, endpoint, path_style, expected) in [
            ("builds", "", None, aws),
            ("builds", "", Some(false), aws),
            ("builds", "", Some(true), "https://s3.eu-west-1.amazonaws.com/builds/k"),
            ("b.example.com", "", None, "https://s3.eu-west-1.amazonaws.com/b.example.com/k"),
            ("builds", "https://S3.Example.com/", None, "https://s3.example.com/builds/k"),
            ("builds", "https://s3.example.com", Some(false), "https://builds.s3.example.com/k"),
            ("builds", "https://s3.example.com:443", None, "https://s3.example.com/builds/k"),
            ("builds", "https://s3.example.com:80", None, "https://s3.example.com:80/builds/k"),
            ("Old_Bucket", "https://s3.example.com", None, "https://s3.example.com/Old_Bucket/k"),
            ("builds", "http://127.0.0.1:9000", None, "http://127.0.0.1:9000/builds/k"),
            ("builds", "http://localhost:80", None, "http://localhost/builds/k"),
            ("builds", "http://[::1]:9000", None, "http://[::1]:9000/builds/k"),
            ("builds", "http://[::1]", None, "http://[::1]/builds/k"),
        ] {
            let got = url(&location(bucket, endpoint, path_style), "k");
            assert_eq!(
                got.unwrap(),
                expected,
                "{bucket} at {endpoint:?}, path style {path_style:?}"
            );
        }
        let mut china = location("builds", "", None);
        china.region = "cn-north-1".to_owned();
        assert_eq!(url(&china, "k").unwrap(), "https://builds.s3.cn-north-1.amazonaws.com.cn/k");
    }

    #[test]
    fn an_endpoint_that_holds_the_bucket_is_refused_where_that_is_certain() {
        for (endpoint, hint) in [
            ("https://builds.s3.eu-west-1.amazonaws.com", "https://s3.eu-west-1.amazonaws.com"),
            ("https://Builds.fra1.digitaloceanspaces.com/", "https://fra1.digitaloceanspaces.com"),
            (
                "https://builds.s3.eu-central-003.backblazeb2.com",
                "s3.eu-central-003.backblazeb2.com",
            ),
            ("https://builds.abc.r2.cloudflarestorage.com", "https://abc.r2.cloudflarestorage.com"),
        ] {
            for path_style in [None, Some(true), Some(false)] {
                let error = url(&location("builds", endpoint, path_style), "k").unwrap_err();
                assert_eq!(error.kind(), Kind::Config, "{error}");
                assert!(error.to_string().contains("holds the bucket builds already"), "{error}");
                assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
            }
        }
        // Not certain, so it is only warned of.
        let own = location("builds", "https://builds.example.com", None);
        assert_eq!(url(&own, "k").unwrap(), "https://builds.example.com/builds/k");
        assert!(
            own.warning().unwrap().contains("builds.example.com begins with the bucket's name")
        );
        for (bucket, endpoint) in [
            ("s3", "https://s3.eu-west-1.amazonaws.com"),
            ("fra1", "https://fra1.digitaloceanspaces.com"),
            ("builds", "https://buildsx.example.com"),
            ("builds", "https://s3.example.com"),
            ("builds", ""),
        ] {
            let location = location(bucket, endpoint, None);
            url(&location, "k").unwrap_or_else(|error| panic!("{bucket} at {endpoint}: {error}"));
        }
        assert_eq!(location("builds", "https://s3.example.com", None).warning(), None);
    }

    #[test]
    fn an_object_key_never_leaves_its_host_or_its_bucket() {
        for (key, encoded) in [
            ("//evil.example/x", "//evil.example/x"),
            ("/x", "/x"),
            ("../../other/k", "../../other/k"),
            ("https://evil.example/", "https%3A//evil.example/"),
            ("@evil.example", "%40evil.example"),
            ("a b+é?x#y", "a%20b%2B%C3%A9%3Fx%23y"),
        ] {
            let by_host = url(&location("builds", "", None), key).unwrap();
            assert_eq!(by_host, format!("https://builds.s3.eu-west-1.amazonaws.com/{encoded}"));
            let by_path = url(&location("builds", "https://s3.example.com", None), key).unwrap();
            assert_eq!(by_path, format!("https://s3.example.com/builds/{encoded}"));
        }
    }

    fn refused(location: &Location, reason: &str) {
        let error = Address::of(location, false).expect_err("this location must be refused");
        assert_eq!(error.kind(), Kind::Config, "{location:?}");
        assert!(
            error.to_string().contains(reason),
            "{location:?}: {error} does not say {reason:?}"
        );
        assert!(!format!("{error:?}").contains("hidden"), "{error:?} shows a password");
        assert_eq!(location.check(false).unwrap_err().to_string(), error.to_string());
    }

    #[test]
    fn endpoints_that_would_leak_are_refused() {
        for (endpoint, reason) in [
            ("http://s3.example.com", "plain http"),
            ("http://127.0.0.1.example.com", "plain http"),
            ("http://localhost.example.com:9000", "plain http"),
            ("http://10.0.0.1:9000", "plain http"),
            ("http://[fe80::1]", "plain http"),
            ("ftp://s3.example.com", "neither with https"),
            ("s3.example.com", "neither with https"),
            ("HTTPS://s3.example.com", "neither with https"),
            ("https://id:hidden@s3.example.com", "user or a password"),
            ("https://s3.example.com/base", "path or a query"),
            ("https://s3.example.com?x", "path or a query"),
            ("https://s3.example.com//", "path or a query"),
            ("https://s3.example.com:", "port"),
            ("https://s3.example.com:99999", "port"),
            ("https://s3.example.com:+80", "port"),
            ("https://", "host name"),
            ("https://s3..example.com", "host name"),
            ("https://s3.example.com\r\n", "host name"),
            ("https://-s3.example.com", "host name"),
            ("https://[::1", "port"),
            ("https://[::g]", "host name"),
            ("https://éxample.com", "host name"),
        ] {
            refused(&location("builds", endpoint, None), reason);
        }
        refused(&location("builds", "http://localhost", Some(false)), "plain http");
        refused(&location("builds", "https://127.0.0.1", Some(false)), "virtual-hosted");
        let old = Location { signature: Signature::V2, ..location("builds", "http://h", None) };
        refused(&old, "signature v2");
        let plain = location("builds", "http://10.0.0.1:9000", None);
        assert!(plain.check(true).is_ok() && old.check(true).is_err());
    }

    #[test]
    fn regions_and_buckets_are_checked_before_they_enter_a_host_name() {
        for region in ["", "us-east-1.evil.example", "a/b", "-a", "a b", &"a".repeat(64)] {
            refused(&Location { region: region.into(), ..location("builds", "", None) }, "region");
        }
        for bucket in [
            "",
            "ab",
            "Builds",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            "a.-b",
            "evil.example/x",
            "a@b",
            "a:b",
            "127.0.0.1",
            "a b",
            &"a".repeat(64),
        ] {
            refused(&location(bucket, "", Some(false)), "bucket");
        }
        for bucket in ["", ".", "..", "a/b", "../b", "a?b", "a%2Fb", "é", &"a".repeat(256)] {
            refused(&location(bucket, "https://s3.example.com", None), "bucket");
        }
    }
}
