//! What a server said when it refused, and which kind of failure that is.

use std::fmt;

use ferror::{Error, Kind};

/// A server's refusal: the source of the [`ferror::Error`] that reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// S3's code, such as `AccessDenied`; empty when the answer had none.
    pub code: String,
    /// S3's message, one line; may be empty.
    pub message: String,
    /// The server's name for the request, for its support; may be empty.
    pub request_id: String,
}

/// Short, because the error that has it as its source says the rest.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Who can mend it.
    pub fn kind(&self) -> Kind {
        match (self.code.as_str(), self.status) {
            ("SlowDown" | "RequestLimitExceeded" | "TooManyRequests", _)
            | (_, 429 | 503 | 509) => Kind::Throttled,
            (code, _) if code.starts_with("Throttling") => Kind::Throttled,
            ("RequestTimeout" | "InternalError" | "OperationAborted", _)
            | (_, 408 | 500 | 502 | 504) => Kind::Unavailable,
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) | (_, 401 | 403) => {
                Kind::Denied
            }
            (_, 404) => Kind::NotFound,
            (_, 409 | 412) => Kind::Conflict,
            (_, 505..) => Kind::Unavailable,
            _ => Kind::Refused,
        }
    }

    /// The error that reports this refusal of `what`, such as `PUT bucket/key`.
    pub(crate) fn into_error(self, what: &str) -> Error {
        let mut line = format!("{what}: {}", self.status);
        if !self.code.is_empty() {
            line.push_str(&format!(" {}", self.code));
        }
        if !self.message.is_empty() {
            line.push_str(&format!(": {}", self.message));
        }
        if !self.request_id.is_empty() {
            line.push_str(&format!(" (request id {})", self.request_id));
        }
        let error = Error::new(self.kind(), line);
        match self.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
        .caused_by(self)
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            "InvalidAccessKeyId" => "check the access key id: this server does not know it",
            "SignatureDoesNotMatch" => {
                "check the secret access key, and that the region and the signature version are the server's"
            }
            "RequestTimeTooSkewed" => "set this machine's clock",
            "ExpiredToken" => "fetch new temporary credentials",
            "NoSuchBucket" => "check the bucket's name and the endpoint",
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "TemporaryRedirect" => {
                "set the region to the bucket's"
            }
            _ if matches!(self.status, 300..=399) => {
                "redirects are not followed: set the region or the endpoint to the bucket's"
            }
            _ => return None,
        })
    }
}
