//! Storing an object, exactly once.
//!
//! A conditional PUT whose answer was lost and that is sent again finds its own object in the way
//! and is answered 412. So a client that does not know what became of an earlier attempt looks at
//! the object: its own digest and length mean that the earlier attempt did it.

use std::path::Path;

use ferror::{Error, ResultExt as _};

use crate::exact_file::{ExactFile, check_digest};
use crate::exchange::Reply;
use crate::meter::Spent;
use crate::multipart::Source;
use crate::{
    Body, Client, Fault, Precondition, Put, PutOutcome, Request, Stored, answer, attributes,
    digest, multipart,
};

/// A file of at most this many bytes is one PUT, a larger one a multipart upload. Its three requests
/// more are worth it where parts at the same time gain more than that. Measured with 30 ms to the
/// server: 8 MiB is never faster in parts; 16 MiB takes 0.6 of the time in parts at 15 MB/s a
/// connection and 0.8 at 50, and 90 ms more where the way is faster than that.
pub(crate) const SINGLE_MAX_BYTES: u64 = 16 * 1024 * 1024;

impl Client {
    /// Stores an object, whole or not at all: in one request, or for a large file in parts.
    ///
    /// A [`Body::File`] is read once and hashed on the way; one that turns out to differ from its
    /// declared length or digest is a [`Kind::Invalid`](ferror::Kind::Invalid), and nothing is stored. Every object gets
    /// its digest as `x-amz-meta-sha256`.
    pub fn put(&self, object_key: &str, put: &Put<'_>) -> ferror::Result<PutOutcome> {
        self.put_from(object_key, put, None)
    }

    /// As [`Client::put`]; of a large file, what was sent is written down in the folder `journals`
    /// (made where it is missing), so that after a process that died the same call sends only what
    /// the server has not got. The journal is removed when the upload has ended, with or without
    /// success; where its parts could not be ended, it stays beside them.
    ///
    /// Where an object is in the way, an earlier journal is left for the call that replaces it, or
    /// for [`Client::abort_uploads`].
    pub fn put_resumable(
        &self,
        object_key: &str,
        put: &Put<'_>,
        journals: &Path,
    ) -> ferror::Result<PutOutcome> {
        self.put_from(object_key, put, Some(journals))
    }

    fn put_from(
        &self,
        object_key: &str,
        put: &Put<'_>,
        journals: Option<&Path>,
    ) -> ferror::Result<PutOutcome> {
        match self.put_as_it_is(object_key, put, journals)? {
            PutOutcome::PreconditionFailed => {}
            stored @ PutOutcome::Stored(_) => return Ok(stored),
        }
        // Ceph compares a quoted ETag with its own without the quotes, so that no condition holds.
        // Where the object still has the very ETag, that is what happened.
        if let Precondition::Matches(etag) = put.precondition
            && let Some(bare) = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
            && self.head(object_key).ok().flatten().is_some_and(|head| head.etag == etag)
        {
            let put = Put { precondition: Precondition::Matches(bare), ..*put };
            return self.put_as_it_is(object_key, &put, journals);
        }
        Ok(PutOutcome::PreconditionFailed)
    }

    fn put_as_it_is(
        &self,
        object_key: &str,
        put: &Put<'_>,
        journals: Option<&Path>,
    ) -> ferror::Result<PutOutcome> {
        match put.body {
            Body::Bytes(bytes) => {
                let sha256 = self.meter().time(Spent::Hashing, || digest::sha256(bytes));
                self.put_bytes(object_key, put, bytes, sha256)
            }
            Body::File { path, size_bytes, sha256 } if size_bytes <= SINGLE_MAX_BYTES => {
                let size = usize::try_from(size_bytes).expect("a small file fits into memory");
                let mut buffer = self.0.pool.take(size);
                let mut file = ExactFile::open(path, size_bytes)?;
                self.meter()
                    .time(Spent::Reading, || file.fill(&mut buffer))
                    .with_context(|| format!("PUT {object_key}"))?;
                let found = self.meter().time(Spent::Hashing, || digest::sha256(&buffer));
                check_digest(path, &found, &sha256)?;
                self.put_bytes(object_key, put, &buffer, sha256)
            }
            Body::File { path, size_bytes, sha256 } => {
                let source = Source { path, size_bytes, sha256, journals };
                multipart::put(self, object_key, put, source)
            }
        }
    }

    fn put_bytes(
        &self,
        object_key: &str,
        put: &Put<'_>,
        bytes: &[u8],
        sha256: [u8; 32],
    ) -> ferror::Result<PutOutcome> {
        let mut ask = self.ask("PUT", object_key)?;
        describe(&mut ask.request, put, &sha256).with_context(|| ask.what.clone())?;
        condition(&mut ask.request, put.precondition);
        ask.payload = Some(self.payload(bytes, sha256));
        let reply = self.exchange(&ask)?;
        let answer = match &reply.result {
            Ok(answer) => answer,
            Err(fault) => {
                let size_bytes = bytes.len() as u64;
                return self.unmet_or_refused(object_key, put, &reply, fault, size_bytes, &sha256);
            }
        };
        // Whatever answers without one is no S3 server, and may have stored nothing.
        let etag = answer.header("etag").ok_or_else(|| {
            Error::invalid(format!("{}: {} without an ETag", ask.what, answer.status))
                .hint("check the endpoint: something other than an S3 server answers there")
        })?;
        Ok(PutOutcome::Stored(answer::stored(answer, etag, reply.attempts)))
    }

    /// What a refusal of a conditional request means: the condition did not hold, or an earlier
    /// attempt of ours had made it so, or it is a refusal like others.
    pub(crate) fn unmet_or_refused(
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
            ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, 412) => true,
            // Nothing is there that could have the ETag.
            ("NoSuchKey", _) => matches!(put.precondition, Precondition::Matches(_)),
            _ => false,
        };
        // Of a multipart upload, a completion that took effect leaves no upload behind.
        let gone = fault.code == "NoSuchUpload";
        if reply.in_doubt
            && (unmet || gone)
            && let Some(mut stored) = self.find_own(object_key, size_bytes, sha256)
        {
            stored.attempts = reply.attempts;
            return Ok(PutOutcome::Stored(stored));
        }
        // An upload that a conflict ended is gone, and what won is for the caller to look at.
        if (unmet || gone && reply.in_doubt) && put.precondition != Precondition::None {
            return Ok(PutOutcome::PreconditionFailed);
        }
        Err(reply.error(fault))
    }

    /// Whether another upload has made the condition false. A refused look decides nothing.
    pub(crate) fn is_outrun(&self, object_key: &str, precondition: Precondition<'_>) -> bool {
        match (precondition, self.head(object_key)) {
            (Precondition::Absent, Ok(Some(_))) => true,
            (Precondition::Matches(etag), Ok(Some(found))) => bare(&found.etag) != bare(etag),
            _ => false,
        }
    }

    /// The object, if it has our digest and length. A refused look decides nothing.
    pub(crate) fn find_own(
        &self,
        object_key: &str,
        size_bytes: u64,
        sha256: &[u8; 32],
    ) -> Option<Stored> {
        let head = self.head(object_key).ok().flatten()?;
        let own = head.size_bytes == size_bytes
            && head.metadata.get("sha256") == Some(&digest::hex(sha256));
        own.then(|| Stored {
            etag: head.etag,
            status: 200,
            version_id: head.version_id,
            request_id: String::new(),
            attempts: 1,
            resumed_bytes: 0,
        })
    }

    pub(crate) fn meter(&self) -> &crate::meter::Meter {
        self.0.wire.transport.meter()
    }
}

/// Headers that say what the object is.
pub(crate) fn describe(
    request: &mut Request,
    put: &Put<'_>,
    sha256: &[u8; 32],
) -> ferror::Result<()> {
    attributes::check_words("the content type", put.content_type)?;
    request.push_header("content-type", put.content_type);
    request.push_header("x-amz-meta-sha256", digest::hex(sha256));
    request.headers.extend(answer::metadata_headers(put.metadata)?);
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

/// The header that says on which condition it is stored.
pub(crate) fn condition(request: &mut Request, precondition: Precondition<'_>) {
    match precondition {
        Precondition::None => {}
        Precondition::Absent => request.push_header("if-none-match", "*"),
        Precondition::Matches(etag) => request.push_header("if-match", etag),
    }
}

/// An `ETag` without quotes: some servers put it into quotes here and not there.
pub(crate) fn bare(etag: &str) -> &str {
    etag.trim_matches('"')
}
