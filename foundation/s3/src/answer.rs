//! Reads a refusal or the headers of an object from an answer.

use std::collections::BTreeMap;

use ferror::Error;
use ftime::Epoch;

use crate::transport::Answer;
use crate::xml::{self, one_line};
use crate::{Fault, Head, Stored};

const METADATA_PREFIX: &str = "x-amz-meta-";

/// Reads the refusal in an answer. The answer to a HEAD has no body, so the code is empty.
pub(crate) fn fault(answer: &Answer) -> Fault {
    let body = xml::error_body(&answer.body).unwrap_or_default();
    let header = |name| one_line(&answer.header(name).unwrap_or_default());
    let first =
        |from_body: String, name| if from_body.is_empty() { header(name) } else { from_body };
    Fault {
        status: answer.status,
        code: body.code,
        // AWS and others name the header beside the message.
        message: match (body.message, body.header) {
            (message, header) if header.is_empty() => message,
            (message, header) => format!("{message} ({header})"),
        },
        request_id: first(body.request_id, "x-amz-request-id"),
        unknown_header: String::new(),
        region: first(body.region, "x-amz-bucket-region"),
    }
}

/// Reads what the server says about an object that it stored.
pub(crate) fn stored(answer: &Answer, etag: String, attempts: u32) -> Stored {
    Stored {
        etag,
        status: answer.status,
        version_id: version_id(answer),
        request_id: request_id(answer),
        attempts,
        resumed_bytes: 0,
    }
}

/// Returns the server's id for the request; may be empty.
pub(crate) fn request_id(answer: &Answer) -> String {
    one_line(&answer.header("x-amz-request-id").unwrap_or_default())
}

/// Returns the version of an object in a bucket that keeps versions.
fn version_id(answer: &Answer) -> Option<String> {
    answer.header("x-amz-version-id").map(|id| one_line(&id))
}

/// Reads the headers of an object of `size_bytes`.
pub(crate) fn head(answer: &Answer, size_bytes: u64) -> Head {
    let metadata: BTreeMap<_, _> = answer
        .headers()
        .filter_map(|(name, value)| Some((name.strip_prefix(METADATA_PREFIX)?.to_owned(), value)))
        .collect();
    let last_modified = answer.header("last-modified");
    Head {
        size_bytes,
        etag: answer.header("etag").unwrap_or_default(),
        last_modified: last_modified.and_then(|text| Epoch::parse_rfc1123(&text).ok()),
        metadata,
        version_id: version_id(answer),
    }
}

/// Reads the length from the answer to a HEAD.
pub(crate) fn declared_size(answer: &Answer) -> ferror::Result<u64> {
    let length = answer.header("content-length");
    length
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::invalid("the server does not say how long the object is"))
}
