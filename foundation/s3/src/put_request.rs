//! What a single PUT and a multipart upload have in common: the headers that describe the object, the
//! condition, and how a refused condition is understood.
//!
//! A conditional PUT whose answer was lost and that is sent again finds its own object in the way
//! and is answered 412. So a client that does not know whether an earlier attempt was carried out
//! looks at the object: if it has the digest and the length of the upload, that attempt stored it.

use ferror::{Error, Kind};

use crate::attributes::{self, DIGEST_NAME, is_metadata_name, is_spaced_words};
use crate::crc64::Crc64;
use crate::exchange::{Operation, Reply};
use crate::meter::Activity;
use crate::{Client, Fault, Precondition, Put, PutOutcome, Request, Stored, digest};

/// Adds the headers that describe the object: content type, digest, metadata and attributes.
pub(crate) fn push_object_headers(
    request: &mut Request,
    put: &Put<'_>,
    sha256: &[u8; 32],
) -> ferror::Result<()> {
    attributes::check_words("the content type", put.content_type)?;
    request.push_header("content-type", put.content_type);
    request.push_header(format!("x-amz-meta-{DIGEST_NAME}"), digest::hex(sha256));
    for (name, value) in put.metadata {
        check_metadata(name, value)?;
        request.push_header(format!("x-amz-meta-{name}"), *value);
    }
    if let Some(attributes) = put.attributes {
        attributes.check()?;
        for (name, value) in attributes.headers() {
            // Two headers of one name would be joined, and mean something else.
            if request.header(&name).is_some() {
                let name = name.trim_start_matches("x-amz-meta-");
                let message = format!("the metadata {name} is set by the program itself");
                return Err(Error::config(message).hint("choose another name for it"));
            }
            request.push_header(name, value);
        }
    }
    Ok(())
}

/// Refuses metadata that HTTP or a signature would change on the way.
fn check_metadata(name: &str, value: &str) -> ferror::Result<()> {
    if !is_metadata_name(name) || name == DIGEST_NAME {
        return Err(Error::invalid(format!(
            "the metadata name {name:?} has to be lower-case letters, digits and hyphens, and not {DIGEST_NAME}"
        )));
    }
    if !is_spaced_words(value) {
        return Err(Error::invalid(format!(
            "the value of the metadata {name:?} has to be ASCII words with single spaces between them"
        )));
    }
    Ok(())
}

/// Strips the quotes from an `ETag`: some servers quote it in one answer and not in another.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// Adds the header with the checksum of a body, or of the object that its parts become.
pub(crate) fn push_checksum(request: &mut Request, checksum: Option<Crc64>) {
    if let Some(checksum) = checksum {
        request.push_header("x-amz-checksum-crc64nvme", checksum.base64());
    }
}

impl Client {
    /// Computes the checksum of a body, if checksums are sent
    /// ([`ClientOptions::crc64nvme`](crate::ClientOptions::crc64nvme)).
    pub(crate) fn checksum_of(&self, bytes: &[u8]) -> Option<Crc64> {
        self.0.crc64nvme.then(|| self.meter().time(Activity::Hashing, || Crc64::of(bytes)))
    }

    /// Adds the header that makes the request conditional. For a server that knows none, looks whether
    /// the condition holds now, and returns false if it does not.
    pub(crate) fn push_condition(
        &self,
        operation: &mut Operation<'_>,
        object_key: &str,
        precondition: Precondition<'_>,
    ) -> ferror::Result<bool> {
        let header = match precondition {
            Precondition::None => return Ok(true),
            Precondition::Absent => ("if-none-match", "*"),
            Precondition::Matches(etag) => ("if-match", etag),
        };
        if self.has_conditional_writes() {
            operation.request.push_header(header.0, header.1);
            return Ok(true);
        }
        let found = self.head(object_key).map_err(|error| match error.kind() {
            Kind::Denied => error
                .context("without conditional writes, an object is looked at before it is written")
                .hint("allow these credentials to get objects and to list the bucket"),
            _ => error,
        })?;
        Ok(match precondition {
            Precondition::Matches(etag) => {
                found.is_some_and(|found| unquoted(&found.etag) == unquoted(etag))
            }
            _ => found.is_none(),
        })
    }

    /// Decides what a refused upload means: the condition did not hold, an earlier attempt of this
    /// upload had stored the object already, or the refusal is an error.
    pub(crate) fn interpret_refusal(
        &self,
        object_key: &str,
        put: &Put<'_>,
        reply: &Reply,
        fault: &Fault,
        size_bytes: u64,
        sha256: &[u8; 32],
    ) -> ferror::Result<PutOutcome> {
        // The code first: a 200 may carry an error.
        let unmet = match (fault.code.as_str(), fault.status) {
            // A conflict with other writes is one until the last attempt when it comes here.
            ("PreconditionFailed" | "ConditionalRequestConflict", _)
            | (_, 412)
            | ("" | "ConcurrentModification", 409) => true,
            // No object exists that could have the ETag.
            ("NoSuchKey", _) => matches!(put.precondition, Precondition::Matches(_)),
            _ => false,
        };
        // A completed multipart upload no longer exists as an upload.
        let gone = fault.code == "NoSuchUpload";
        if reply.maybe_applied
            && (unmet || gone)
            && let Some(mut stored) = self.find_own_object(object_key, size_bytes, sha256)
        {
            stored.attempts = reply.attempts;
            return Ok(PutOutcome::Stored(stored));
        }
        // An upload that a conflict ended is gone; the caller looks at the object that won.
        if (unmet || gone && reply.maybe_applied) && put.precondition != Precondition::None {
            return Ok(PutOutcome::PreconditionFailed);
        }
        Err(reply.error(fault))
    }

    /// Returns whether another upload has made the condition false. A HEAD that is refused counts as
    /// "no".
    pub(crate) fn condition_already_fails(
        &self,
        object_key: &str,
        precondition: Precondition<'_>,
    ) -> bool {
        match (precondition, self.head(object_key)) {
            (Precondition::Absent, Ok(Some(_))) => true,
            (Precondition::Matches(etag), Ok(Some(found))) => {
                unquoted(&found.etag) != unquoted(etag)
            }
            _ => false,
        }
    }

    /// Finds the object if it has the digest and the length of this upload. A HEAD that is refused
    /// counts as "not found".
    pub(crate) fn find_own_object(
        &self,
        object_key: &str,
        size_bytes: u64,
        sha256: &[u8; 32],
    ) -> Option<Stored> {
        let head = self.head(object_key).ok().flatten()?;
        let own = head.size_bytes == size_bytes
            && head.metadata.get(DIGEST_NAME) == Some(&digest::hex(sha256));
        own.then(|| Stored {
            etag: head.etag,
            status: 200,
            version_id: head.version_id,
            request_id: String::new(),
            attempts: 1,
            resumed_bytes: 0,
        })
    }
}
