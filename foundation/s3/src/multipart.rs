//! A large file, in parts that travel at the same time. (AWS, "Uploading and copying objects using
//! multipart upload in Amazon S3", and its limits: parts of 5 MiB to 5 GiB, at most 10,000.)
//!
//! The file is read once, from front to back: each part into a buffer of the pool, where it is
//! hashed for its own signature while the whole is hashed for the manifest's digest. What fails is
//! aborted, so that no parts stay behind that someone pays for.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ferror::{Error, ResultExt as _};
use sha2::{Digest as _, Sha256};

use crate::exact_file::ExactFile;
use crate::meter::Spent;
use crate::pool::Buffer;
use crate::put::{SINGLE_MAX_BYTES, check_digest, condition, describe};
use crate::{Client, Precondition, Put, PutOutcome, answer, digest, xml};

const MIB: u64 = 1024 * 1024;
/// The size of a part, where 10,000 of them suffice: large enough that a request's fixed cost is
/// small beside it, small enough that four are under way within the default memory.
const PART_BYTES: u64 = 8 * MIB;
const MAX_PARTS: u64 = 10_000;

/// The size of the parts of an object, in bytes: whole MiB, and never more than 10,000 parts.
pub(crate) const fn part_bytes(size_bytes: u64) -> u64 {
    let least = size_bytes.div_ceil(MAX_PARTS).div_ceil(MIB) * MIB;
    if least > PART_BYTES { least } else { PART_BYTES }
}

/// How many bodies a file of that size is sent in: one, or as many as it has parts.
pub fn bodies_of(size_bytes: u64) -> usize {
    let parts = size_bytes.div_ceil(part_bytes(size_bytes));
    if size_bytes <= SINGLE_MAX_BYTES { 1 } else { usize::try_from(parts).unwrap_or(usize::MAX) }
}

/// Stores the file at `path` in parts.
pub(crate) fn put(
    client: &Client,
    object_key: &str,
    put: &Put<'_>,
    path: &Path,
    size_bytes: u64,
    sha256: [u8; 32],
) -> ferror::Result<PutOutcome> {
    let file = ExactFile::open(path, size_bytes)?;
    // The condition is looked at by the server when all parts are there. An object that stands in
    // the way now, as after a run that died, spares sending them; a refused look decides nothing.
    if put.precondition == Precondition::Absent
        && client.head(object_key).is_ok_and(|it| it.is_some())
    {
        return Ok(PutOutcome::PreconditionFailed);
    }
    let upload = Upload { client, object_key, id: create(client, object_key, put, &sha256)? };
    let done = upload.send_parts(file, size_bytes).and_then(|(parts, found)| {
        check_digest(path, &found, &sha256)?;
        upload.complete(put, &parts, size_bytes, &sha256)
    });
    match done {
        Ok(PutOutcome::Stored(stored)) => Ok(PutOutcome::Stored(stored)),
        Ok(PutOutcome::PreconditionFailed) => {
            upload.abort()?;
            Ok(PutOutcome::PreconditionFailed)
        }
        Err(error) => Err(match upload.abort() {
            Ok(()) => error,
            Err(left) => {
                let id = xml::one_line(&upload.id);
                error.hint(format!(
                    "the parts that were sent may have stayed in the bucket: abort the multipart upload {id} of {object_key}, or let a lifecycle rule do it ({left})"
                ))
            }
        }),
    }
}

/// Begins an upload; its id.
fn create(
    client: &Client,
    object_key: &str,
    put: &Put<'_>,
    sha256: &[u8; 32],
) -> ferror::Result<String> {
    let mut ask = client.ask("POST", object_key)?;
    ask.what.push_str("?uploads");
    ask.request.push_query("uploads", "");
    describe(&mut ask.request, put, sha256).with_context(|| ask.what.clone())?;
    let answer = client.exchange(&ask)?.or_refused()?;
    xml::upload_id(&answer.body).context(ask.what)
}

/// An upload that has begun.
struct Upload<'a> {
    client: &'a Client,
    object_key: &'a str,
    id: String,
}

impl Upload<'_> {
    /// Sends all parts; their `ETag`s in order, and the digest of the whole file.
    fn send_parts(
        &self,
        mut file: ExactFile,
        size_bytes: u64,
    ) -> ferror::Result<(Vec<String>, [u8; 32])> {
        let part_bytes = part_bytes(size_bytes);
        let count = usize::try_from(size_bytes.div_ceil(part_bytes)).expect("at most 10,000 parts");
        let etags: Vec<Mutex<Option<String>>> = (0..count).map(|_| Mutex::default()).collect();
        let (failed, first_error) = (AtomicBool::new(false), Mutex::new(None));
        let mut whole = Sha256::new();
        let read = thread::scope(|scope| {
            let mut left = size_bytes;
            for (index, etag) in etags.iter().enumerate() {
                let size = usize::try_from(left.min(part_bytes))
                    .map_err(|_| Error::config("a part does not fit into this machine's memory"))?;
                left -= size as u64;
                // The pool's bound is what bounds the threads.
                let mut buffer = self.client.0.pool.take(size);
                if failed.load(Ordering::Relaxed) {
                    break;
                }
                let meter = self.client.meter();
                meter.time(Spent::Reading, || file.fill(&mut buffer.bytes, size))?;
                let (failed, first_error) = (&failed, &first_error);
                let buffer = std::sync::Arc::new(buffer);
                let sent = std::sync::Arc::clone(&buffer);
                scope.spawn(move || match self.send_part(index + 1, &sent) {
                    Ok(found) => *etag.lock().expect("nobody panics with it") = Some(found),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        first_error.lock().expect("nobody panics with it").get_or_insert(error);
                    }
                });
                meter.time(Spent::Hashing, || whole.update(&buffer.bytes));
            }
            Ok(())
        });
        if let Some(error) = first_error.into_inner().expect("nobody panics with it") {
            return Err(error);
        }
        read?;
        let etags = etags.into_iter().map(|etag| etag.into_inner().expect("nobody panics with it"));
        let etags = etags.collect::<Option<_>>().expect("every part was sent, or one failed");
        Ok((etags, whole.finalize().into()))
    }

    /// Sends one part, numbered from 1; its `ETag`. A part that is sent twice is stored once.
    fn send_part(&self, number: usize, buffer: &Buffer<'_>) -> ferror::Result<String> {
        let mut ask = self.client.ask("PUT", self.object_key)?;
        ask.what = format!("{} (part {number})", ask.what);
        ask.request.push_query("partNumber", number.to_string());
        ask.request.push_query("uploadId", self.id.as_str());
        let meter = self.client.meter();
        let payload = meter.time(Spent::Hashing, || {
            self.client.payload(&buffer.bytes, digest::sha256(&buffer.bytes))
        });
        ask.payload = Some(payload);
        let answer = self.client.exchange(&ask)?.or_refused()?;
        let missing = || Error::invalid("the server confirms the part without an ETag");
        answer.header("etag").ok_or_else(missing).context(ask.what)
    }

    /// Makes the parts an object.
    fn complete(
        &self,
        put: &Put<'_>,
        etags: &[String],
        size_bytes: u64,
        sha256: &[u8; 32],
    ) -> ferror::Result<PutOutcome> {
        let mut ask = self.client.ask("POST", self.object_key)?;
        ask.what.push_str("?uploadId");
        ask.request.push_query("uploadId", self.id.as_str());
        ask.request.push_header("content-type", "application/xml");
        condition(&mut ask.request, put.precondition);
        let list = xml::part_list(etags);
        ask.payload = Some(self.client.payload(list.as_bytes(), digest::sha256(list.as_bytes())));
        let reply = self.client.exchange(&ask)?;
        let answer = match &reply.result {
            Ok(answer) => answer,
            Err(fault) => {
                let (client, key) = (self.client, self.object_key);
                return client.unmet_or_refused(key, put, &reply, fault, size_bytes, sha256);
            }
        };
        match xml::result_etag(&answer.body, "CompleteMultipartUploadResult") {
            Ok(etag) => Ok(PutOutcome::Stored(answer::stored(answer, etag, reply.attempts))),
            // A 200 that says nothing: only the object itself can tell.
            Err(error) => {
                let own = self.client.find_own(self.object_key, size_bytes, sha256);
                own.map(PutOutcome::Stored).ok_or_else(|| error.context(ask.what.clone()))
            }
        }
    }

    /// Throws the parts away.
    fn abort(&self) -> ferror::Result<()> {
        let mut ask = self.client.ask("DELETE", self.object_key)?;
        ask.what.push_str("?uploadId");
        ask.request.push_query("uploadId", self.id.as_str());
        let reply = self.client.exchange(&ask)?;
        match &reply.result {
            Err(fault) if fault.status == 404 => Ok(()),
            _ => reply.or_refused().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MIB, PART_BYTES, part_bytes};

    #[test]
    fn ten_thousand_parts_always_suffice() {
        let gib = 1024 * MIB;
        for (size_bytes, expected) in [
            (0, PART_BYTES),
            (gib, PART_BYTES),
            (10_000 * PART_BYTES, PART_BYTES),
            (10_000 * PART_BYTES + 1, PART_BYTES + MIB),
            (1024 * gib, 105 * MIB),
            (5 * 1024 * gib, 525 * MIB),
        ] {
            let part = part_bytes(size_bytes);
            assert_eq!(part, expected, "{size_bytes}");
            assert!(size_bytes.div_ceil(part) <= 10_000, "{size_bytes} in parts of {part}");
        }
    }
}
