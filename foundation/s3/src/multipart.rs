//! Storing a large file in parts that are sent in parallel. (AWS, "Uploading and copying objects
//! using multipart upload in Amazon S3".)
//!
//! The file is read once, from front to back: each part into a buffer of the pool, where it is
//! hashed for its own signature while the whole file is hashed for the declared digest. An upload
//! that fails is aborted, so that no parts stay in the bucket that have to be paid for. An upload
//! whose process died is resumed by the next run from its journal: the file is read and hashed
//! again, and only the missing parts are sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use ferror::{Error, ResultExt as _};
use sha2::{Digest as _, Sha256};

use crate::crc64::Crc64;
use crate::exact_file::{ExactFile, check_digest};
use crate::exchange::Operation;
use crate::journal::{Journal, Record, SentPart, UploadIdentity};
use crate::meter::Activity;
use crate::part_size::part_bytes;
use crate::payload::Payload;
use crate::pool::Buffer;
use crate::put_request::{push_checksum, push_object_headers, unquoted};
use crate::{Client, Fault, Precondition, Put, PutOutcome, Stored, answer, digest, xml};

/// Says that the object has one checksum, not one that is made of those of its parts.
const CHECKSUM_TYPE: (&str, &str) = ("x-amz-checksum-type", "FULL_OBJECT");

/// The file to send, and the folder of journals that an earlier run may have written to.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: [u8; 32],
    /// `None`: the upload keeps no journal and cannot be resumed.
    pub(crate) journals: Option<&'a Path>,
}

/// Stores a file in parts.
pub(crate) fn put(
    client: &Client,
    object_key: &str,
    put: &Put<'_>,
    source: Source<'_>,
) -> ferror::Result<PutOutcome> {
    ExactFile::open(source.path, source.size_bytes)?;
    // The server checks the condition only when all parts are there. If an object exists already, as
    // after a run that died, looking first saves sending them.
    if put.precondition == Precondition::Absent
        && client.condition_already_fails(object_key, put.precondition)
    {
        return Ok(PutOutcome::PreconditionFailed);
    }
    let mut upload = Upload::resume_or_begin(client, object_key, put, source)?;
    loop {
        let error = match upload.send_and_complete(put) {
            Ok(PutOutcome::Stored(stored)) => {
                upload.journal.remove();
                let resumed_bytes = upload.resumed_bytes();
                return Ok(PutOutcome::Stored(Stored { resumed_bytes, ..stored }));
            }
            Ok(PutOutcome::PreconditionFailed) => {
                // The outcome is known; failing to remove the parts does not change it.
                let _ = upload.abort();
                return Ok(PutOutcome::PreconditionFailed);
            }
            Err(error) => error,
        };
        let code = fault_code(&error);
        // The process that publishes the object aborts the other uploads of it, since they can no
        // longer become it. While a server aborts one, parts of it may be missing first.
        let parts_are_gone =
            ["NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"].contains(&code);
        if parts_are_gone && client.condition_already_fails(object_key, put.precondition) {
            let _ = upload.abort();
            return Ok(PutOutcome::PreconditionFailed);
        }
        // The server no longer has what an earlier run had sent: send all of it again.
        if upload.was_resumed && parts_are_gone {
            upload = upload.restart(put)?;
            continue;
        }
        return Err(match upload.abort() {
            Ok(()) => error,
            Err(abort_error) => upload.with_cleanup_hint(error, &abort_error),
        });
    }
}

/// Writes the list of parts that completes an upload.
fn part_list(parts: &[StoredPart]) -> String {
    let parts = parts.iter().zip(1..).map(|(part, number): (_, usize)| {
        let etag = part.etag.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let checksum = part.checksum.map_or_else(String::new, |checksum| {
            format!("<ChecksumCRC64NVME>{}</ChecksumCRC64NVME>", checksum.base64())
        });
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{checksum}</Part>")
    });
    let parts: Vec<_> = parts.collect();
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat())
}

/// Returns S3's code of the refusal that an error reports; empty if no server refused.
fn fault_code(error: &Error) -> &str {
    Fault::of(error).map_or("", |fault| &fault.code)
}

/// Describes the request that begins an upload.
fn create_operation<'a>(
    client: &Client,
    object_key: &str,
    put: &Put<'_>,
    sha256: &[u8; 32],
) -> ferror::Result<Operation<'a>> {
    let mut operation = client.operation("POST", object_key)?;
    operation.what.push_str("?uploads");
    operation.request.push_query("uploads", "");
    push_object_headers(&mut operation.request, put, sha256)
        .with_context(|| operation.what.clone())?;
    if client.0.crc64nvme {
        operation.request.push_header("x-amz-checksum-algorithm", "CRC64NVME");
        operation.request.push_header(CHECKSUM_TYPE.0, CHECKSUM_TYPE.1);
    }
    Ok(operation)
}

/// A part that the server has.
struct StoredPart {
    /// As the server gave it.
    etag: String,
    /// If checksums are sent.
    checksum: Option<Crc64>,
}

/// An upload that has begun, now or in an earlier run.
struct Upload<'a> {
    client: &'a Client,
    object_key: &'a str,
    source: Source<'a>,
    identity: UploadIdentity,
    id: String,
    journal: Journal,
    was_resumed: bool,
    /// The parts that an earlier run sent and the server still has, by their numbers.
    reusable_parts: BTreeMap<u64, SentPart>,
    resumed_bytes: AtomicU64,
}

impl<'a> Upload<'a> {
    /// Resumes the same upload of an earlier run, or begins one.
    fn resume_or_begin(
        client: &'a Client,
        object_key: &'a str,
        put: &Put<'_>,
        source: Source<'a>,
    ) -> ferror::Result<Self> {
        let operation = create_operation(client, object_key, put, &source.sha256)?;
        let headers = operation.request.headers.iter();
        let headers: Vec<_> = headers.map(|(name, value)| format!("{name}:{value}\n")).collect();
        let identity = UploadIdentity {
            destination: client.destination(),
            object_key: object_key.to_owned(),
            sha256: digest::hex(&source.sha256),
            size_bytes: source.size_bytes,
            part_bytes: part_bytes(source.size_bytes),
            headers_sha256: digest::hex(&digest::sha256(headers.concat().as_bytes())),
        };
        let (journal, record) = match source.journals {
            Some(folder) => Journal::open(folder, &identity.destination, object_key, true),
            None => (Journal::none(), None),
        };
        let mut upload = Self {
            client,
            object_key,
            source,
            identity,
            id: String::new(),
            journal,
            was_resumed: false,
            reusable_parts: BTreeMap::new(),
            resumed_bytes: AtomicU64::new(0),
        };
        if let Some(record) = &record
            && let Some(reusable_parts) = upload.find_reusable_parts(record)?
        {
            upload.id.clone_from(&record.upload_id);
            upload.reusable_parts = reusable_parts;
            upload.was_resumed = true;
            return Ok(upload);
        }
        if let Err(error) = upload.begin(&operation) {
            // An earlier journal stays: its upload may still be resumed, or has to be aborted.
            if record.is_none() {
                upload.journal.remove();
            }
            return Err(error);
        }
        // The new journal replaces that of the earlier upload, which nothing else would abort. If
        // the server refuses, the upload is gone or left to a lifecycle rule.
        if let Some(record) = record {
            let _ = client.abort_upload(object_key, &record.upload_id);
        }
        Ok(upload)
    }

    /// Returns the parts of `record` that the server still has; `None` if the record is of another
    /// upload or the server does not know it.
    fn find_reusable_parts(
        &self,
        record: &Record,
    ) -> ferror::Result<Option<BTreeMap<u64, SentPart>>> {
        if record.identity != self.identity {
            return Ok(None);
        }
        let listed = self.client.parts_of(self.object_key, &record.upload_id, self.part_count());
        let listed = match listed {
            Ok(listed) => listed,
            // The upload may be found by a later run, so it is not given up now.
            Err(error) if error.is_retryable() => return Err(error),
            Err(_) => return Ok(None),
        };
        let sent = record.parts.iter().map(|part| (part.number, part.clone()));
        let mut reusable_parts: BTreeMap<_, _> = sent.collect();
        reusable_parts.retain(|number, part| {
            listed.get(number).is_some_and(|listed| {
                listed.size_bytes == self.part_size(*number)
                    && unquoted(&listed.etag) == unquoted(&part.etag)
            })
        });
        Ok(Some(reusable_parts))
    }

    fn begin(&mut self, operation: &Operation<'_>) -> ferror::Result<()> {
        let answer = self.client.exchange(operation)?.or_refused()?;
        self.id = xml::upload_id(&answer.body).with_context(|| operation.what.clone())?;
        self.journal.begin(&self.id, &self.identity);
        Ok(())
    }

    /// Aborts a resumed upload and begins a new one without any parts.
    fn restart(mut self, put: &Put<'_>) -> ferror::Result<Self> {
        let operation = create_operation(self.client, self.object_key, put, &self.source.sha256)?;
        let old_id = std::mem::take(&mut self.id);
        self.begin(&operation)?;
        let _ = self.client.abort_upload(self.object_key, &old_id);
        self.client.meter().subtract_resumed(self.resumed_bytes());
        self.resumed_bytes = AtomicU64::new(0);
        self.reusable_parts.clear();
        self.was_resumed = false;
        Ok(self)
    }

    fn part_count(&self) -> u64 {
        self.source.size_bytes.div_ceil(self.identity.part_bytes)
    }

    /// Returns the size of the part with this number, from 1; zero beyond the last.
    fn part_size(&self, number: u64) -> u64 {
        let part_bytes = self.identity.part_bytes;
        let before = part_bytes.saturating_mul(number.saturating_sub(1));
        self.source.size_bytes.saturating_sub(before).min(part_bytes)
    }

    fn resumed_bytes(&self) -> u64 {
        self.resumed_bytes.load(Ordering::Relaxed)
    }

    /// Sends the missing parts and completes the upload.
    fn send_and_complete(&self, put: &Put<'_>) -> ferror::Result<PutOutcome> {
        let file = ExactFile::open(self.source.path, self.source.size_bytes)?;
        let (parts, found) = self.send_parts(file)?;
        check_digest(self.source.path, &found, &self.source.sha256)?;
        self.complete(put, &parts)
    }

    /// Sends the missing parts. Returns all parts in order, and the digest of the whole file.
    fn send_parts(&self, mut file: ExactFile) -> ferror::Result<(Vec<StoredPart>, [u8; 32])> {
        const UNPOISONED: &str = "no thread panics while it holds this lock";
        let count = usize::try_from(self.part_count()).expect("at most 10,000 parts");
        let parts: Vec<Mutex<Option<StoredPart>>> = (0..count).map(|_| Mutex::default()).collect();
        let (failed, first_error) = (AtomicBool::new(false), Mutex::new(None));
        let mut whole = Sha256::new();
        let read = thread::scope(|scope| {
            for (number, part) in (1..).zip(&parts) {
                let size = usize::try_from(self.part_size(number))
                    .map_err(|_| Error::config("a part does not fit into this machine's memory"))?;
                // Waiting for a buffer also bounds the number of threads.
                let mut buffer = self.client.0.pool.take(size);
                if failed.load(Ordering::Relaxed) {
                    break;
                }
                let meter = self.client.meter();
                meter.time(Activity::Reading, || file.fill(&mut buffer))?;
                let (failed, first_error) = (&failed, &first_error);
                let buffer = Arc::new(buffer);
                let sent = Arc::clone(&buffer);
                scope.spawn(move || match self.send_part(number, &sent) {
                    Ok(found) => *part.lock().expect(UNPOISONED) = Some(found),
                    Err(error) => {
                        failed.store(true, Ordering::Relaxed);
                        first_error.lock().expect(UNPOISONED).get_or_insert(error);
                    }
                });
                meter.time(Activity::Hashing, || whole.update(&**buffer));
            }
            Ok(())
        });
        if let Some(error) = first_error.into_inner().expect(UNPOISONED) {
            return Err(error);
        }
        read?;
        let parts = parts.into_iter().map(|part| part.into_inner().expect(UNPOISONED));
        let parts = parts.collect::<Option<_>>().expect("every part was sent, or one failed");
        Ok((parts, whole.finalize().into()))
    }

    /// Sends the part with this number, from 1, unless the server has the same bytes. A part that
    /// is sent twice is stored once.
    fn send_part(&self, number: u64, buffer: &Buffer<'_>) -> ferror::Result<StoredPart> {
        let meter = self.client.meter();
        let payload =
            meter.time(Activity::Hashing, || Payload::new(buffer, digest::sha256(buffer)));
        let sha256 = digest::hex(&payload.sha256);
        let checksum = self.client.checksum_of(buffer);
        if let Some(part) = self.reusable_parts.get(&number)
            && part.sha256 == sha256
        {
            let bytes = buffer.len() as u64;
            meter.resumed(bytes);
            self.resumed_bytes.fetch_add(bytes, Ordering::Relaxed);
            return Ok(StoredPart { etag: part.etag.clone(), checksum });
        }
        let mut operation = self.client.operation("PUT", self.object_key)?;
        operation.what = format!("{} (part {number})", operation.what);
        operation.request.push_query("partNumber", number.to_string());
        operation.request.push_query("uploadId", self.id.as_str());
        push_checksum(&mut operation.request, checksum);
        operation.payload = Some(payload);
        let answer = self.client.exchange(&operation)?.or_refused()?;
        let missing = || Error::invalid("the server confirms the part without an ETag");
        let etag = answer.header("etag").ok_or_else(missing).context(operation.what)?;
        self.journal.sent(&SentPart { number, sha256, etag: etag.clone() });
        Ok(StoredPart { etag, checksum })
    }

    /// Combines the checksums of the parts, if they have any, into that of the object.
    fn whole_checksum(&self, parts: &[StoredPart]) -> Option<Crc64> {
        (1..).zip(parts).try_fold(Crc64::EMPTY, |whole, (number, part)| {
            Some(whole.followed_by(part.checksum?, self.part_size(number)))
        })
    }

    /// Asks the server to make the parts an object.
    fn complete(&self, put: &Put<'_>, parts: &[StoredPart]) -> ferror::Result<PutOutcome> {
        let Source { size_bytes, sha256, .. } = self.source;
        let mut operation = self.client.operation("POST", self.object_key)?;
        operation.what.push_str("?uploadId");
        operation.request.push_query("uploadId", self.id.as_str());
        operation.request.push_header("content-type", "application/xml");
        if !self.client.push_condition(&mut operation, self.object_key, put.precondition)? {
            return Ok(PutOutcome::PreconditionFailed);
        }
        let checksum = self.whole_checksum(parts);
        push_checksum(&mut operation.request, checksum);
        if checksum.is_some() {
            operation.request.push_header(CHECKSUM_TYPE.0, CHECKSUM_TYPE.1);
        }
        let list = part_list(parts);
        operation.payload = Some(Payload::new(list.as_bytes(), digest::sha256(list.as_bytes())));
        let reply = self.client.exchange(&operation)?;
        let answer = match &reply.result {
            Ok(answer) => answer,
            Err(fault) => {
                let (client, key) = (self.client, self.object_key);
                return client.interpret_refusal(key, put, &reply, fault, size_bytes, &sha256);
            }
        };
        match xml::result_etag(&answer.body, "CompleteMultipartUploadResult") {
            Ok(etag) => Ok(PutOutcome::Stored(answer::stored(answer, etag, reply.attempts))),
            // A 200 without a result: only the object itself shows whether it was stored.
            Err(error) => {
                let own = self.client.find_own_object(self.object_key, size_bytes, &sha256);
                own.map(PutOutcome::Stored).ok_or_else(|| error.context(operation.what.clone()))
            }
        }
    }

    /// Removes the parts from the bucket, and the journal.
    fn abort(&self) -> ferror::Result<()> {
        self.client.abort_upload(self.object_key, &self.id)?;
        self.journal.remove();
        Ok(())
    }

    /// Adds a hint to `error` that says what to do about parts that could not be removed.
    fn with_cleanup_hint(&self, error: Error, abort_error: &Error) -> Error {
        let (id, key) = (xml::one_line(&self.id), self.object_key);
        error.hint(if self.journal.is_kept() {
            format!("the parts that were sent may have stayed in the bucket: run it again here, which sends only the others, or abort the multipart upload {id} of {key} ({abort_error})")
        } else {
            format!("the parts that were sent may have stayed in the bucket: abort the multipart upload {id} of {key}, or let a lifecycle rule do it ({abort_error})")
        })
    }
}
