//! The journal of a multipart upload, from which a later run resumes it.
//!
//! A journal is one file in a folder that the caller names: a line that says what is uploaded where,
//! then a line for each part that the server confirmed, appended when it did. A process that dies
//! leaves it behind. A run that resumes it still asks the server for its parts and hashes the file again.
//! It holds no secret, since an upload id is useless without credentials.
//!
//! A journal is locked while it is written. A second upload of the same object, a folder that cannot be
//! written or a full disk mean that there is no journal; they never fail the upload.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::digest::{hex, sha256};
use crate::file_lock::try_lock;

/// The version of the file format; other versions are not read.
const FORMAT: u64 = 1;
/// The longest file that is read; 10,000 parts take some two MB.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Identifies what is uploaded. An upload is resumed only if all of this is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadIdentity {
    /// The endpoint and the bucket.
    pub(crate) destination: String,
    pub(crate) object_key: String,
    /// Of the whole file, in lower hex.
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
    pub(crate) part_bytes: u64,
    /// The digest of the headers with which the upload began.
    pub(crate) headers_sha256: String,
}

/// A part that the server confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentPart {
    /// From 1.
    pub(crate) number: u64,
    /// Of its bytes, in lower hex.
    pub(crate) sha256: String,
    /// As the server gave it.
    pub(crate) etag: String,
}

/// The content of the journal of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) upload_id: String,
    pub(crate) identity: UploadIdentity,
    /// In the order in which they were sent; of two with one number, the later holds.
    pub(crate) parts: Vec<SentPart>,
}

/// A journal that is open for writing, or none.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    /// Locked until it is dropped.
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Makes a journal that records nothing.
    pub(crate) fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// Opens the journal in `folder` of the object at `destination`, and reads what an earlier run
    /// wrote. With `make`, a missing one is created.
    pub(crate) fn open(
        folder: &Path,
        destination: &str,
        object_key: &str,
        make: bool,
    ) -> (Self, Option<Record>) {
        let path = folder.join(file_name(destination, object_key));
        let Some((file, bytes)) = locked(folder, &path, make) else { return (Self::none(), None) };
        let (record, whole_bytes) = match parse(&bytes) {
            Some((record, whole_bytes)) => (Some(record), whole_bytes),
            None => (None, 0),
        };
        // A line that was torn must not become the beginning of the next one.
        let open = file.set_len(whole_bytes as u64).is_ok().then_some(Open { file, path });
        (Self(Mutex::new(open)), record)
    }

    /// Records that an upload has begun, in place of what was recorded before.
    pub(crate) fn begin(&self, upload_id: &str, identity: &UploadIdentity) {
        let mut open = self.lock();
        let line = begin_line(upload_id, identity);
        let written = open.as_mut().map(|open| {
            open.file.set_len(0)?;
            open.file.write_all(line.as_bytes())
        });
        if !matches!(written, Some(Ok(()))) {
            *open = None;
        }
    }

    /// Records that the server confirmed a part.
    pub(crate) fn sent(&self, part: &SentPart) {
        let mut open = self.lock();
        let line = part_line(part);
        let written = open.as_mut().map(|open| open.file.write_all(line.as_bytes()));
        // After half a line, another one could be misread.
        if !matches!(written, Some(Ok(()))) {
            *open = None;
        }
    }

    /// Removes the journal, and its folder if that is empty.
    pub(crate) fn remove(&self) {
        let Some(open) = self.lock().take() else { return };
        // What cannot be removed is found useless by the next run.
        let _ = fs::remove_file(&open.path);
        if let Some(folder) = open.path.parent() {
            let _ = fs::remove_dir(folder);
        }
    }

    /// Returns whether there is a journal from which a later run can resume.
    pub(crate) fn is_kept(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a file name that is unique for the object, whatever its key contains.
fn file_name(destination: &str, object_key: &str) -> String {
    let name = hex(&sha256(format!("{destination}\n{object_key}").as_bytes()));
    format!("{}.upload", &name[..32])
}

/// Opens, locks and reads the file; `None` if it must not be written.
fn locked(folder: &Path, path: &Path, make: bool) -> Option<(File, Vec<u8>)> {
    // The folder may have come from elsewhere: what a link names is not written to.
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
    if is_link(folder) || is_link(path) {
        return None;
    }
    if make {
        fs::create_dir_all(folder).ok()?;
    }
    let mut file = File::options().create(make).read(true).append(true).open(path).ok()?;
    try_lock(&file).ok()?;
    let status = file.metadata().ok()?;
    // Its holder may have removed it before we had it; a second name would be another's file.
    if !status.is_file() || status.nlink() != 1 || status.len() > MAX_BYTES {
        return None;
    }
    let mut bytes = Vec::new();
    (&mut file).take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some((file, bytes))
}

fn begin_line(upload_id: &str, identity: &UploadIdentity) -> String {
    let UploadIdentity { destination, object_key, sha256, size_bytes, part_bytes, headers_sha256 } =
        identity;
    let line = json!({
        "format": FORMAT,
        "upload_id": upload_id,
        "destination": destination,
        "object_key": object_key,
        "sha256": sha256,
        "size_bytes": size_bytes,
        "part_bytes": part_bytes,
        "told": headers_sha256,
    });
    format!("{line}\n")
}

fn part_line(part: &SentPart) -> String {
    let SentPart { number, sha256, etag } = part;
    format!("{}\n", json!({ "part": number, "sha256": sha256, "etag": etag }))
}

/// Parses a journal; returns its content and the length of its complete lines.
fn parse(bytes: &[u8]) -> Option<(Record, usize)> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let first = lines.next()?;
    let mut record = parse_begin(&value(first)?)?;
    let mut whole_bytes = first.len();
    // What comes after a line that cannot be read may belong to anything.
    for line in lines {
        let Some(part) = value(line).as_ref().and_then(parse_part) else { break };
        record.parts.push(part);
        whole_bytes += line.len();
    }
    Some((record, whole_bytes))
}

/// Parses a complete line.
fn value(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

fn parse_begin(line: &Value) -> Option<Record> {
    let text = |name: &str| line.get(name)?.as_str().map(str::to_owned);
    let number = |name: &str| line.get(name)?.as_u64();
    if number("format")? != FORMAT {
        return None;
    }
    let identity = UploadIdentity {
        destination: text("destination")?,
        object_key: text("object_key")?,
        sha256: text("sha256")?,
        size_bytes: number("size_bytes")?,
        part_bytes: number("part_bytes")?,
        headers_sha256: text("told")?,
    };
    let upload_id = text("upload_id").filter(|id| !id.is_empty())?;
    Some(Record { upload_id, identity, parts: Vec::new() })
}

fn parse_part(line: &Value) -> Option<SentPart> {
    let text = |name: &str| line.get(name)?.as_str().map(str::to_owned);
    Some(SentPart {
        number: line.get("part")?.as_u64()?,
        sha256: text("sha256")?,
        etag: text("etag")?,
    })
}

#[cfg(test)]
mod tests;
