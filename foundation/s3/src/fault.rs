//! The refusal of a server, and the kind of failure that it is.

use std::fmt;

use ferror::{Error, Kind};

use crate::Request;

/// The headers that not every server knows and that an upload can do without.
const OPTIONAL_HEADERS: [&str; 12] = [
    "if-none-match",
    "if-match",
    "x-amz-acl",
    "x-amz-tagging",
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-expected-bucket-owner",
    "cache-control",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-type",
];
/// The prefix of all headers that carry or announce a checksum.
const CHECKSUM: &str = "x-amz-checksum-";

/// The refusal of a server: the source of the [`ferror::Error`] that reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// S3's code, such as `AccessDenied`; empty when the answer had none.
    pub code: String,
    /// S3's message, one line; may be empty.
    pub message: String,
    /// The server's id for the request; may be empty.
    pub request_id: String,
    /// The request's header that the server does not know, such as `if-none-match`, where it said so;
    /// else empty.
    pub unknown_header: String,
    /// The bucket's region, when the server names it (as it does to a request that came to the
    /// wrong one); else empty. A region may be taken from an answer, a host never.
    pub region: String,
}

/// Prints the status alone; the error that has this as its source says the rest.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Returns the refusal that an error reports, behind any context; `None` if no server refused.
    pub fn of(error: &Error) -> Option<&Self> {
        behind(error)
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> Kind {
        match (self.code.as_str(), self.status) {
            ("SlowDown" | "RequestLimitExceeded" | "TooManyRequests", _) | (_, 429 | 503 | 509) => {
                Kind::Throttled
            }
            (code, _) if code.starts_with("Throttling") => Kind::Throttled,
            ("RequestTimeout" | "InternalError" | "ServiceUnavailable" | "OperationAborted", _)
            | (_, 408 | 500 | 502 | 504) => Kind::Unavailable,
            ("AccessDenied" | "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _)
            | (_, 401 | 403) => Kind::Denied,
            (_, 404) => Kind::NotFound,
            ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, 409 | 412) => {
                Kind::Conflict
            }
            (_, 505..) => Kind::Unavailable,
            _ => Kind::Refused,
        }
    }

    /// Returns the header of `request` that the server does not know, if that is why it refused: the
    /// one that it names, else the checksum, which is the easiest to do without, else the condition,
    /// which is what most servers lack, else the only one.
    pub(crate) fn unknown_header_of(&self, request: &Request) -> &'static str {
        let message = self.message.to_ascii_lowercase();
        let sent: Vec<_> =
            OPTIONAL_HEADERS.into_iter().filter(|name| request.header(name).is_some()).collect();
        let checksum = sent.iter().find(|name| name.starts_with(CHECKSUM));
        let is_about_checksums = ["checksum", "crc64"].iter().any(|word| message.contains(word));
        // Servers word it in many ways that they do not take one. `BadDigest` says that they do, and that
        // other bytes came.
        if let Some(checksum) = checksum
            && matches!(self.status, 200 | 400)
            && self.code != "BadDigest"
            && is_about_checksums
        {
            return checksum;
        }
        let is_unknown = self.status == 501
            || self.code == "NotImplemented"
            || self.status == 400
                && ["unsupported", "not supported", "not implemented"]
                    .iter()
                    .any(|words| message.contains(words));
        if !is_unknown {
            return "";
        }
        let words = || message.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        if let Some(named) = sent.iter().find(|name| words().any(|word| word == **name)) {
            return named;
        }
        let is_unnamed = self.status == 501 || self.code == "NotImplemented";
        match (sent.as_slice(), checksum) {
            _ if !is_unnamed => "",
            (_, Some(checksum)) => checksum,
            ([condition @ ("if-none-match" | "if-match"), ..] | [condition], None) => condition,
            _ => "",
        }
    }

    /// Makes the error that reports this refusal of `what`, such as `PUT bucket/key`.
    pub(crate) fn into_error(self, what: &str) -> Error {
        let request_id = match self.request_id.as_str() {
            "" => String::new(),
            id => format!(" (request id {id})"),
        };
        let code = prefixed(" ", &self.code);
        let message = prefixed(": ", &self.message);
        let line = format!("{what}: {}{code}{message}{request_id}", self.status);
        let mut error = Error::new(self.kind(), line);
        if let Some(hint) = self.hint() {
            error = error.hint(hint);
        }
        error.caused_by(self)
    }

    fn hint(&self) -> Option<String> {
        let elsewhere = matches!(self.status, 300..=399)
            || matches!(
                self.code.as_str(),
                "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"
            );
        if elsewhere && !self.region.is_empty() {
            return Some(format!("the bucket is in the region {}: set that", self.region));
        }
        if !self.unknown_header.is_empty() {
            let header = &self.unknown_header;
            return Some(format!("this server does not know the header {header}: leave it out"));
        }
        let hint = match self.code.as_str() {
            "InvalidAccessKeyId" => "check the access key id: this server does not know it",
            "SignatureDoesNotMatch" => {
                "check the secret access key, and that the region and the signature version are the server's"
            }
            "RequestTimeTooSkewed" => "set this machine's clock",
            "ExpiredToken" => "fetch new temporary credentials",
            "AccessControlListNotSupported" => "this bucket has no ACLs: leave the acl out",
            "NoSuchBucket" => "check the bucket's name and the endpoint",
            _ if elsewhere => "redirects are not followed: set the bucket's own region or endpoint",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Finds an error of type `E` among `error` and its sources.
pub(crate) fn behind<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source())
        .find_map(|error| error.downcast_ref())
}

fn prefixed(prefix: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{prefix}{text}") }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use ferror::Kind;

    use super::Fault;
    use crate::Request;

    fn fault(status: u16, code: &str) -> Fault {
        let (message, request_id) = ("No".to_owned(), "R1".to_owned());
        Fault { status, code: code.to_owned(), message, request_id, ..Fault::default() }
    }

    #[test]
    fn an_unknown_header_is_the_one_that_the_server_names_else_the_condition() {
        let unnamed = "A header you provided implies functionality that is not implemented";
        let acl = "Header 'x-amz-acl' with value 'public-read' not implemented";
        let key_id = "Header 'x-amz-server-side-encryption-aws-kms-key-id' not implemented";
        let unsupported = "Unsupported header 'x-amz-tagging' received for this API call.";
        let refused_checksum = "Value for x-amz-checksum-crc64nvme header is invalid.";
        let with_checksum = ["if-none-match", "x-amz-acl", "x-amz-checksum-crc64nvme"];
        let begins = ["x-amz-acl", "x-amz-checksum-algorithm", "x-amz-checksum-type"];
        let all = [
            "content-type",
            "x-amz-acl",
            "x-amz-tagging",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "if-none-match",
        ];
        for (status, code, message, names, expected) in [
            (501, "NotImplemented", unnamed, &all[..], "if-none-match"),
            (400, "NotImplemented", unnamed, &all, "if-none-match"),
            (405, "NotImplemented", "", &all, "if-none-match"),
            (501, "", "", &all, "if-none-match"),
            (501, "NotImplemented", acl, &all, "x-amz-acl"),
            (501, "NotImplemented", key_id, &all, "x-amz-server-side-encryption-aws-kms-key-id"),
            (400, "InvalidArgument", unsupported, &all, "x-amz-tagging"),
            (501, "NotImplemented", "If-None-Match", &all, "if-none-match"),
            (501, "NotImplemented", unnamed, &with_checksum, "x-amz-checksum-crc64nvme"),
            (501, "NotImplemented", unnamed, &begins, "x-amz-checksum-algorithm"),
            (501, "NotImplemented", acl, &with_checksum, "x-amz-acl"),
            (400, "InvalidRequest", refused_checksum, &with_checksum, "x-amz-checksum-crc64nvme"),
            (200, "InvalidRequest", refused_checksum, &with_checksum, "x-amz-checksum-crc64nvme"),
            (400, "InvalidRequest", refused_checksum, &all, ""),
            (400, "BadDigest", refused_checksum, &with_checksum, ""),
            // Of those that may be left out there is one, or it is not known which is meant.
            (501, "NotImplemented", unnamed, &all[..2], "x-amz-acl"),
            (501, "NotImplemented", unnamed, &all[..3], ""),
            (501, "NotImplemented", unnamed, &all[..1], ""),
            (400, "InvalidArgument", "x-amz-acl is odd", &all, ""),
            (403, "AccessDenied", "x-amz-acl is not supported", &all, ""),
            (405, "MethodNotAllowed", "", &all, ""),
        ] {
            let headers = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
            let (path, query) = ("/k".to_owned(), Vec::new());
            let request = Request { method: "PUT", path, query, headers };
            let fault = Fault { message: message.to_owned(), ..fault(status, code) };
            assert_eq!(fault.unknown_header_of(&request), expected, "{status} {code} {message}");
        }
    }

    #[test]
    fn kinds_follow_the_code_first_and_then_the_status() {
        for (status, code, expected) in [
            (400, "RequestLimitExceeded", Kind::Throttled),
            (400, "ThrottlingException", Kind::Throttled),
            (429, "", Kind::Throttled),
            (503, "SlowDown", Kind::Throttled),
            (503, "", Kind::Throttled),
            (509, "", Kind::Throttled),
            (400, "RequestTimeout", Kind::Unavailable),
            (409, "OperationAborted", Kind::Unavailable),
            (408, "", Kind::Unavailable),
            (500, "InternalError", Kind::Unavailable),
            (502, "", Kind::Unavailable),
            (504, "", Kind::Unavailable),
            (400, "ExpiredToken", Kind::Denied),
            (401, "", Kind::Denied),
            (403, "AccessDenied", Kind::Denied),
            (403, "SignatureDoesNotMatch", Kind::Denied),
            (404, "NoSuchBucket", Kind::NotFound),
            (409, "ConditionalRequestConflict", Kind::Conflict),
            (412, "PreconditionFailed", Kind::Conflict),
            // A completion answers 200 before the work is done.
            (200, "PreconditionFailed", Kind::Conflict),
            (200, "ConditionalRequestConflict", Kind::Conflict),
            (200, "AccessDenied", Kind::Denied),
            (200, "InternalError", Kind::Unavailable),
            (301, "PermanentRedirect", Kind::Refused),
            (400, "BadDigest", Kind::Refused),
            (417, "", Kind::Refused),
            (501, "NotImplemented", Kind::Refused),
        ] {
            assert_eq!(fault(status, code).kind(), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn the_error_says_all_that_the_server_said_and_keeps_the_fault() {
        let error = fault(403, "InvalidAccessKeyId").into_error("PUT b/k");
        assert_eq!(error.to_string(), "PUT b/k: 403 InvalidAccessKeyId: No (request id R1)");
        assert!(error.hint_text().unwrap().contains("access key id"), "{:?}", error.hint_text());
        let source = error.source().unwrap().downcast_ref::<Fault>();
        assert_eq!(source, Some(&fault(403, "InvalidAccessKeyId")));

        let (message, request_id) = (String::new(), String::new());
        let bare = Fault { message, request_id, ..fault(502, "") }.into_error("HEAD b/k");
        assert_eq!((bare.to_string().as_str(), bare.hint_text()), ("HEAD b/k: 502", None));

        let region = "eu-west-1".to_owned();
        let moved = Fault { region, ..fault(301, "PermanentRedirect") }.into_error("PUT b/k");
        assert!(moved.hint_text().unwrap().contains("eu-west-1"), "{:?}", moved.hint_text());
    }
}
