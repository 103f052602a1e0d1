//! Storing an object exactly once: in one PUT, or for a large file by a multipart upload.

use std::path::Path;

use ferror::{Error, ResultExt as _};

use crate::exact_file::{ExactFile, check_digest};
use crate::meter::Activity;
use crate::multipart::{self, Source};
use crate::part_size::MAX_SINGLE_PUT_BYTES;
use crate::payload::Payload;
use crate::put_request::{push_checksum, push_object_headers};
use crate::{Body, Client, Precondition, Put, PutOutcome, answer, digest};

impl Client {
    /// Stores an object, whole or not at all: in one request, or for a large file in parts.
    ///
    /// A [`Body::File`] is read once and hashed while it is read. If its length or its digest differ
    /// from the declared ones, that is a [`Kind::Invalid`](ferror::Kind::Invalid) and nothing is
    /// stored. Every object gets its digest as `x-amz-meta-sha256`.
    pub fn put(&self, object_key: &str, put: &Put<'_>) -> ferror::Result<PutOutcome> {
        self.put_with_journals(object_key, put, None)
    }

    /// Stores an object as [`Client::put`] does, and records the parts of a large file that were sent
    /// in the folder `journals`, which is created when it is missing. After a process that died, the
    /// same call sends only the parts that the server lacks. The journal is removed when the upload
    /// has ended, with or without success; it stays if the parts could not be removed.
    ///
    /// When [`Precondition`] fails because an object exists, an earlier journal is left for the call
    /// that replaces the object, or for [`Client::abort_uploads`].
    pub fn put_resumable(
        &self,
        object_key: &str,
        put: &Put<'_>,
        journals: &Path,
    ) -> ferror::Result<PutOutcome> {
        self.put_with_journals(object_key, put, Some(journals))
    }

    fn put_with_journals(
        &self,
        object_key: &str,
        put: &Put<'_>,
        journals: Option<&Path>,
    ) -> ferror::Result<PutOutcome> {
        match self.put_once(object_key, put, journals)? {
            PutOutcome::PreconditionFailed => {}
            stored @ PutOutcome::Stored(_) => return Ok(stored),
        }
        // Ceph compares a quoted ETag with its own without the quotes, so that no condition holds.
        // If the object still has exactly this ETag, that is what happened.
        if let Precondition::Matches(etag) = put.precondition
            && let Some(bare) = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
            && self.head(object_key).ok().flatten().is_some_and(|head| head.etag == etag)
        {
            let put = Put { precondition: Precondition::Matches(bare), ..*put };
            return self.put_once(object_key, &put, journals);
        }
        Ok(PutOutcome::PreconditionFailed)
    }

    /// Stores the object under the precondition exactly as given.
    fn put_once(
        &self,
        object_key: &str,
        put: &Put<'_>,
        journals: Option<&Path>,
    ) -> ferror::Result<PutOutcome> {
        match put.body {
            Body::Bytes(bytes) => {
                let sha256 = self.meter().time(Activity::Hashing, || digest::sha256(bytes));
                self.put_bytes(object_key, put, bytes, sha256)
            }
            Body::File { path, size_bytes, sha256 } if size_bytes <= MAX_SINGLE_PUT_BYTES => {
                let size = usize::try_from(size_bytes).expect("a small file fits into memory");
                let mut buffer = self.0.pool.take(size);
                let mut file = ExactFile::open(path, size_bytes)?;
                self.meter()
                    .time(Activity::Reading, || file.fill(&mut buffer))
                    .with_context(|| format!("PUT {object_key}"))?;
                let found = self.meter().time(Activity::Hashing, || digest::sha256(&buffer));
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
        let mut operation = self.operation("PUT", object_key)?;
        push_object_headers(&mut operation.request, put, &sha256)
            .with_context(|| operation.what.clone())?;
        if !self.push_condition(&mut operation, object_key, put.precondition)? {
            return Ok(PutOutcome::PreconditionFailed);
        }
        push_checksum(&mut operation.request, self.checksum_of(bytes));
        operation.payload = Some(Payload::new(bytes, sha256));
        let reply = self.exchange(&operation)?;
        let answer = match &reply.result {
            Ok(answer) => answer,
            Err(fault) => {
                let size_bytes = bytes.len() as u64;
                return self.interpret_refusal(object_key, put, &reply, fault, size_bytes, &sha256);
            }
        };
        // Every S3 server answers with an ETag; anything else may have stored nothing.
        let etag = answer.header("etag").ok_or_else(|| {
            Error::invalid(format!("{}: {} without an ETag", operation.what, answer.status))
                .hint("check the endpoint: something other than an S3 server answers there")
        })?;
        Ok(PutOutcome::Stored(answer::stored(answer, etag, reply.attempts)))
    }
}
