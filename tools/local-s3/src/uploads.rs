//! Multipart uploads: a folder each, with what the object will be and one file a part.
//!
//! A part's file is named `<number>-<MD5>`, so a folder says all that has to be known, also to the
//! next run of the server. See
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>.

use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{CompletedPart, ETag};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use crate::conditions::Conditions;
use crate::intake::Taken;
use crate::record::{Headers, Record, broken, hex};
use crate::store::{Scratch, Store, copy};

const MAX_PARTS: i32 = 10_000;
/// Every part but the last has to have as much: 5 MiB.
const MIN_PART_BYTES: u64 = 5 << 20;
const RECORD: &str = "upload.json";

/// An upload under way.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) id: String,
    folder: PathBuf,
    bucket: String,
    pub(crate) record: Record,
}

/// A part that was taken in.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) number: i32,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified: SystemTime,
    path: PathBuf,
}

/// Begins an upload of an object with these headers; its id.
pub(crate) fn create(
    store: &Store,
    bucket: &str,
    object_key: &str,
    mut headers: Headers,
) -> S3Result<String> {
    store.places().bucket(bucket)?;
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(S3Error::internal_error)?;
    let id = hex(&bytes);
    let folder = store.places().uploads().join(&id);
    std::fs::create_dir(&folder).map_err(broken)?;
    headers.insert("bucket".to_owned(), bucket.to_owned());
    let record = Record { object_key: object_key.to_owned(), headers, ..Record::default() };
    record.write(&folder.join(RECORD), store.scratch().path()).map_err(broken)?;
    Ok(id)
}

/// Returns the upload with this id, of this object.
pub(crate) fn find(store: &Store, bucket: &str, object_key: &str, id: &str) -> S3Result<Upload> {
    store.places().bucket(bucket)?;
    let upload = all(store)?.into_iter().find(|upload| upload.id == id);
    upload
        .filter(|upload| upload.bucket == bucket && upload.record.object_key == object_key)
        .ok_or_else(no_such_upload)
}

/// Returns the uploads to `bucket` under way, by their object keys.
pub(crate) fn list(store: &Store, bucket: &str) -> S3Result<Vec<Upload>> {
    store.places().bucket(bucket)?;
    let mut uploads = all(store)?;
    uploads.retain(|upload| upload.bucket == bucket);
    uploads.sort_by(|a, b| (&a.record.object_key, &a.id).cmp(&(&b.record.object_key, &b.id)));
    Ok(uploads)
}

fn all(store: &Store) -> S3Result<Vec<Upload>> {
    let mut uploads = Vec::new();
    for entry in std::fs::read_dir(store.places().uploads()).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let folder = entry.path();
        let id = entry.file_name().to_string_lossy().into_owned();
        // One that is being made or removed has none.
        let Some(mut record) = Record::read(&folder.join(RECORD)) else { continue };
        let bucket = record.headers.remove("bucket").unwrap_or_default();
        uploads.push(Upload { id, folder, bucket, record });
    }
    Ok(uploads)
}

/// Refuses a number that no part can have.
pub(crate) fn check_number(number: i32) -> S3Result<()> {
    if (1..=MAX_PARTS).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}

/// Adds a part, or replaces the one with its number; its `ETag`.
pub(crate) fn add(store: &Store, upload: &Upload, number: i32, taken: Taken) -> S3Result<String> {
    let _writing = store.writing();
    let earlier: Vec<_> = parts(upload)?.into_iter().filter(|part| part.number == number).collect();
    let etag = hex(&taken.md5);
    let path = upload.folder.join(format!("{number:05}-{etag}"));
    taken.scratch.rename(&path).map_err(broken)?;
    for part in earlier.into_iter().filter(|part| part.path != path) {
        std::fs::remove_file(part.path).map_err(broken)?;
    }
    Ok(etag)
}

/// Returns the parts taken in so far, by their numbers.
pub(crate) fn parts(upload: &Upload) -> S3Result<Vec<Part>> {
    let entries = std::fs::read_dir(&upload.folder).map_err(|_| no_such_upload())?;
    let mut parts = Vec::new();
    for entry in entries {
        let path = entry.map_err(broken)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((number, etag)) = name.split_once('-') else { continue };
        let (Ok(number), etag) = (number.parse(), etag.to_owned()) else { continue };
        // One that is being replaced may be gone.
        let Ok(status) = path.metadata() else { continue };
        let modified = status.modified().map_err(broken)?;
        parts.push(Part { number, etag, size_bytes: status.len(), modified, path });
    }
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

/// Makes the parts in `list` the object, if `conditions` hold; its `ETag`. When it is refused, the
/// upload stays as it is.
pub(crate) fn complete(
    store: &Store,
    upload: &Upload,
    list: &[CompletedPart],
    conditions: &Conditions,
) -> S3Result<String> {
    let made = assemble(store, upload, list);
    let _writing = store.writing();
    // Whoever ended it in the meantime took its parts away, one after the other.
    if !upload.folder.exists() {
        return Err(no_such_upload());
    }
    let (record, body) = made?;
    store.replace_locked(&upload.bucket, &record, body, conditions)?;
    std::fs::remove_dir_all(&upload.folder).map_err(broken)?;
    Ok(record.etag)
}

/// Returns the parts in `list` in one file, and what the object will be.
fn assemble(store: &Store, upload: &Upload, list: &[CompletedPart]) -> S3Result<(Record, Scratch)> {
    let chosen = choose(parts(upload)?, list)?;
    let body = store.scratch();
    let mut file = File::create(body.path()).map_err(broken)?;
    let mut digests = Md5::new();
    for part in &chosen {
        let mut from = File::open(&part.path).map_err(|_| invalid_part(part.number))?;
        digests.update(&copy(&mut from, &mut file).map_err(broken)?);
    }
    let record = Record {
        etag: format!("{}-{}", hex(&digests.finalize()), chosen.len()),
        size_bytes: chosen.iter().map(|part| part.size_bytes).sum(),
        ..upload.record.clone()
    };
    Ok((record, body))
}

/// Ends an upload and removes its parts.
pub(crate) fn abort(store: &Store, upload: &Upload) -> S3Result<()> {
    let _writing = store.writing();
    std::fs::remove_dir_all(&upload.folder).map_err(|_| no_such_upload())
}

/// Returns the parts that `list` names, if it names them as S3 wants it.
fn choose(mut parts: Vec<Part>, list: &[CompletedPart]) -> S3Result<Vec<Part>> {
    if list.is_empty() {
        return Err(s3_error!(MalformedXML, "The list of parts names none."));
    }
    if !list.is_sorted_by(|a, b| a.part_number < b.part_number) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order by part number."
        ));
    }
    let mut chosen = Vec::with_capacity(list.len());
    for named in list {
        let number = named.part_number.unwrap_or_default();
        let etag = named.e_tag.as_ref().map(ETag::value).unwrap_or_default();
        let found = parts.iter().position(|part| part.number == number && part.etag == etag);
        chosen.push(parts.swap_remove(found.ok_or_else(|| invalid_part(number))?));
    }
    let all_but_last = &chosen[..chosen.len() - 1];
    if let Some(small) = all_but_last.iter().find(|part| part.size_bytes < MIN_PART_BYTES) {
        let (number, size) = (small.number, small.size_bytes);
        return Err(s3_error!(EntityTooSmall, "Part {number} has {size} bytes, not 5 MiB."));
    }
    Ok(chosen)
}

fn invalid_part(number: i32) -> S3Error {
    s3_error!(InvalidPart, "Part {number} was not uploaded, or its ETag is another one.")
}

fn no_such_upload() -> S3Error {
    let message = "The specified upload does not exist. It may have been aborted or completed.";
    S3Error::with_message(S3ErrorCode::NoSuchUpload, message)
}
