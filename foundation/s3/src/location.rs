//! Where a bucket is, as people configure it. What follows from it is in `address`.

use std::fmt;
use std::str::FromStr;

use ferror::Error;

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
