//! Where a bucket is, as people configure it. What follows from it is in `address`.

use std::fmt;
use std::str::FromStr;

use ferror::Error;

use crate::address::Address;
use crate::endpoint::{Endpoint, HoldsBucket, holds_bucket};

/// The region that is meant when none is named.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Where a bucket is and how requests to it are signed, as configured;
/// [`Client::new`](crate::Client::new) checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket's name.
    pub bucket: String,
    /// The region that signs, such as [`DEFAULT_REGION`].
    pub region: String,
    /// `https://HOST[:PORT]` of a server that is not AWS; plain http only to loopback. `None`: AWS.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path (`HOST/BUCKET/KEY`) and not in the host name
    /// (`BUCKET.HOST/KEY`). `None`: in the path for an endpoint of one's own and for a bucket with
    /// dots, which no wildcard certificate covers.
    pub path_style: Option<bool>,
    /// The signature's version.
    pub signature: Signature,
}

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
        (holds_bucket(&host, &self.bucket) != HoldsBucket::No && self.path_style != Some(true)).then(|| {
            format!(
                "the endpoint {host} begins with the bucket's name: if it is the host of that bucket \
                 alone, name it without {}., else set path-style in the configuration to say so",
                self.bucket
            )
        })
    }
}

/// The version of the signature. Never chosen by what a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signature {
    /// `SigV4`: the body, the host and every header that matters are signed.
    #[default]
    V4,
    /// `SigV2`, for old servers: it signs neither body nor host.
    V2,
}

impl FromStr for Signature {
    type Err = Error;

    fn from_str(text: &str) -> ferror::Result<Self> {
        match text {
            "v4" => Ok(Self::V4),
            "v2" => Ok(Self::V2),
            _ => Err(Error::config(format!("signature {text:?} is neither v4 nor v2"))),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "v4",
            Self::V2 => "v2",
        })
    }
}
