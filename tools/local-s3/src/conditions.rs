//! `If-Match` and `If-None-Match`, on what is there at the moment they are asked.
//!
//! See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>.

use hyper::HeaderMap;
use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Error, S3Result, s3_error};

/// The conditions of a request on an object's `ETag`.
#[derive(Debug)]
pub(crate) struct Conditions {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
}

impl Conditions {
    /// Returns the conditions on the object that a request names.
    pub(crate) fn of(headers: &HeaderMap) -> S3Result<Self> {
        Self::read(headers, "if-match", "if-none-match")
    }

    /// Returns the conditions on the object that a request copies.
    pub(crate) fn of_copy_source(headers: &HeaderMap) -> S3Result<Self> {
        Self::read(headers, "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match")
    }

    fn read(headers: &HeaderMap, if_match: &str, if_none_match: &str) -> S3Result<Self> {
        let read = |name: &str| {
            headers
                .get(name)
                .map(|value| ETagCondition::parse_http_header(value.as_bytes()))
                .transpose()
                .map_err(|_| s3_error!(InvalidArgument, "{name} takes an ETag in quotes, or *."))
        };
        Ok(Self { if_match: read(if_match)?, if_none_match: read(if_none_match)? })
    }

    /// Refuses conditions that S3 does not support for writing, before a body is read.
    pub(crate) fn for_writing(self) -> S3Result<Self> {
        if matches!(self.if_none_match, Some(ETagCondition::ETag(_))) {
            return Err(s3_error!(NotImplemented, "If-None-Match takes * alone."));
        }
        Ok(self)
    }

    /// Checks a write onto an object with this `ETag`, or onto nothing.
    pub(crate) fn check_write(&self, present: Option<&str>) -> S3Result<()> {
        match (&self.if_match, present) {
            (Some(_), None) => {
                return Err(s3_error!(NoSuchKey, "There is no object that If-Match could match."));
            }
            (Some(condition), Some(etag)) if !matches(condition, etag) => return Err(unmet()),
            _ => {}
        }
        if self.if_none_match.is_some() && present.is_some() { Err(unmet()) } else { Ok(()) }
    }

    /// Checks reading an object with this `ETag`.
    pub(crate) fn check_read(&self, etag: &str) -> S3Result<()> {
        if self.if_match.as_ref().is_some_and(|condition| !matches(condition, etag)) {
            return Err(unmet());
        }
        if self.if_none_match.as_ref().is_some_and(|condition| matches(condition, etag)) {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }

    /// Checks copying an object with this `ETag`: there is no 304 for a copy.
    pub(crate) fn check_copy(&self, etag: &str) -> S3Result<()> {
        self.check_read(etag).map_err(|_| unmet())
    }
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.strong_cmp(&ETag::Strong(etag.to_owned())),
    }
}

fn unmet() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the preconditions you specified did not hold.")
}
