//! A large file, in parts that travel at the same time. (AWS, "Uploading and copying objects using
//! multipart upload in Amazon S3", and its limits: parts of 5 MiB to 5 GiB, at most 10,000.)
//!
//! The file is read once, from front to back: each part into a buffer of the pool, where it is
//! hashed for its own signature while the whole is hashed for the manifest's digest. What fails is
//! aborted, so that no parts stay behind that someone pays for. What dies is taken up by the next run
//! from its journal: the file is read and hashed all the same, and only what is missing is sent.

mod parts;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ferror::{Error, ResultExt as _};

use crate::exact_file::ExactFile;
use crate::exchange::Ask;
use crate::journal::{Journal, Purpose, Record, SentPart};
use crate::put::{SINGLE_MAX_BYTES, bare, describe};
use crate::{Client, Fault, Precondition, Put, PutOutcome, Stored, digest, xml};

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

/// What is sent, and where an earlier run may have left off.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: [u8; 32],
    /// The folder of journals, where there is one.
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
    // The condition is looked at by the server when all parts are there. An object that stands in
    // the way now, as after a run that died, spares sending them; a refused look decides nothing.
    if put.precondition == Precondition::Absent && client.is_outrun(object_key, put.precondition) {
        return Ok(PutOutcome::PreconditionFailed);
    }
    let mut upload = Upload::take_up_or_begin(client, object_key, put, source)?;
    loop {
        let error = match upload.carry_out(put) {
            Ok(PutOutcome::Stored(stored)) => {
                upload.journal.remove();
                let resumed_bytes = upload.resumed_bytes();
                return Ok(PutOutcome::Stored(Stored { resumed_bytes, ..stored }));
            }
            Ok(PutOutcome::PreconditionFailed) => {
                // What is there counts, not whether its leftovers may be ended.
                let _ = upload.end();
                return Ok(PutOutcome::PreconditionFailed);
            }
            Err(error) => error,
        };
        let code = fault_code(&error);
        // Whoever publishes the object ends the other uploads of it: they cannot become it. A server
        // that is about to end one may miss parts of it first.
        let in_vain = ["NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"];
        if in_vain.contains(&code) && client.is_outrun(object_key, put.precondition) {
            let _ = upload.end();
            return Ok(PutOutcome::PreconditionFailed);
        }
        // What an earlier run had sent is not there after all: all of it once more.
        if upload.was_taken_up && in_vain.contains(&code) {
            upload = upload.begin_anew(put)?;
            continue;
        }
        return Err(match upload.end() {
            Ok(()) => error,
            Err(left) => upload.left_behind(error, &left),
        });
    }
}

/// S3's code of the refusal that an error reports; empty where no server refused.
fn fault_code(error: &Error) -> &str {
    Fault::of(error).map_or("", |fault| &fault.code)
}

/// The request that begins an upload.
fn create<'a>(
    client: &Client,
    object_key: &str,
    put: &Put<'_>,
    sha256: &[u8; 32],
) -> ferror::Result<Ask<'a>> {
    let mut ask = client.ask("POST", object_key)?;
    ask.what.push_str("?uploads");
    ask.request.push_query("uploads", "");
    describe(&mut ask.request, put, sha256).with_context(|| ask.what.clone())?;
    Ok(ask)
}

/// An upload that has begun, now or in an earlier run.
struct Upload<'a> {
    client: &'a Client,
    object_key: &'a str,
    source: Source<'a>,
    purpose: Purpose,
    id: String,
    journal: Journal,
    was_taken_up: bool,
    /// What an earlier run had sent and the server has, by the parts' numbers.
    there: BTreeMap<u64, SentPart>,
    resumed_bytes: AtomicU64,
}

impl<'a> Upload<'a> {
    /// Takes up what an earlier run of the same upload left behind, or begins one.
    fn take_up_or_begin(
        client: &'a Client,
        object_key: &'a str,
        put: &Put<'_>,
        source: Source<'a>,
    ) -> ferror::Result<Self> {
        let ask = create(client, object_key, put, &source.sha256)?;
        let told = ask.request.headers.iter().map(|(name, value)| format!("{name}:{value}\n"));
        let told = told.collect::<Vec<_>>().concat();
        let purpose = Purpose {
            destination: client.destination(),
            object_key: object_key.to_owned(),
            sha256: digest::hex(&source.sha256),
            size_bytes: source.size_bytes,
            part_bytes: part_bytes(source.size_bytes),
            told: digest::hex(&digest::sha256(told.as_bytes())),
        };
        let (journal, record) = match source.journals {
            Some(folder) => Journal::open(folder, &purpose.destination, object_key, true),
            None => (Journal::none(), None),
        };
        let there = BTreeMap::new();
        let resumed_bytes = AtomicU64::new(0);
        let mut upload = Self {
            client,
            object_key,
            source,
            purpose,
            id: String::new(),
            journal,
            was_taken_up: false,
            there,
            resumed_bytes,
        };
        if let Some(record) = &record
            && let Some(there) = upload.what_is_there(record)?
        {
            (upload.id, upload.there, upload.was_taken_up) =
                (record.upload_id.clone(), there, true);
            return Ok(upload);
        }
        if let Err(error) = upload.begin(&ask) {
            // What an earlier run wrote may still be of use, or has to be ended one day.
            if record.is_none() {
                upload.journal.remove();
            }
            return Err(error);
        }
        // Nobody would end it any more. What is refused now is not there, or for a lifecycle rule.
        if let Some(record) = record {
            let _ = client.abort_upload(object_key, &record.upload_id);
        }
        Ok(upload)
    }

    /// The parts of `record` that the server has as well; `None` where it is of something else, or
    /// the server knows nothing of it.
    fn what_is_there(&self, record: &Record) -> ferror::Result<Option<BTreeMap<u64, SentPart>>> {
        if record.purpose != self.purpose {
            return Ok(None);
        }
        let listed = self.client.parts_of(self.object_key, &record.upload_id, self.count());
        let listed = match listed {
            Ok(listed) => listed,
            // Another time it may be there: it is not given up for this.
            Err(error) if error.is_retryable() => return Err(error),
            Err(_) => return Ok(None),
        };
        let sent = record.parts.iter().map(|part| (part.number, part.clone()));
        let mut there: BTreeMap<_, _> = sent.collect();
        there.retain(|number, part| {
            listed.get(number).is_some_and(|listed| {
                listed.size_bytes == self.size_of(*number) && bare(&listed.etag) == bare(&part.etag)
            })
        });
        Ok(Some(there))
    }

    fn begin(&mut self, ask: &Ask<'_>) -> ferror::Result<()> {
        let answer = self.client.exchange(ask)?.or_refused()?;
        self.id = xml::upload_id(&answer.body).with_context(|| ask.what.clone())?;
        self.journal.begin(&self.id, &self.purpose);
        Ok(())
    }

    /// Gives up what was taken up, and begins from the front.
    fn begin_anew(mut self, put: &Put<'_>) -> ferror::Result<Self> {
        let ask = create(self.client, self.object_key, put, &self.source.sha256)?;
        let given_up = std::mem::take(&mut self.id);
        self.begin(&ask)?;
        let _ = self.client.abort_upload(self.object_key, &given_up);
        self.client.meter().resumed_in_vain(self.resumed_bytes());
        self.resumed_bytes = AtomicU64::new(0);
        self.there.clear();
        self.was_taken_up = false;
        Ok(self)
    }

    /// How many parts there are.
    fn count(&self) -> u64 {
        self.source.size_bytes.div_ceil(self.purpose.part_bytes)
    }

    /// The size of the part of that number, from 1; zero beyond the last.
    fn size_of(&self, number: u64) -> u64 {
        let part_bytes = self.purpose.part_bytes;
        let before = part_bytes.saturating_mul(number.saturating_sub(1));
        self.source.size_bytes.saturating_sub(before).min(part_bytes)
    }

    fn resumed_bytes(&self) -> u64 {
        self.resumed_bytes.load(Ordering::Relaxed)
    }

    /// Throws the parts away; there is nothing to be taken up any more.
    fn end(&self) -> ferror::Result<()> {
        self.client.abort_upload(self.object_key, &self.id)?;
        self.journal.remove();
        Ok(())
    }

    /// `error`, with what can be done about parts that could not be thrown away.
    fn left_behind(&self, error: Error, left: &Error) -> Error {
        let (id, key) = (xml::one_line(&self.id), self.object_key);
        error.hint(if self.journal.is_kept() {
            format!("the parts that were sent may have stayed in the bucket: run it again here, which sends only the others, or abort the multipart upload {id} of {key} ({left})")
        } else {
            format!("the parts that were sent may have stayed in the bucket: abort the multipart upload {id} of {key}, or let a lifecycle rule do it ({left})")
        })
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
