//! Makes the answers of S3 about objects, parts and uploads.

use std::io::{Seek as _, SeekFrom};

use hyper::HeaderMap;
use s3s::dto::{
    ETag, GetObjectOutput, GetObjectTaggingOutput, HeadObjectOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload, Range,
    StreamingBlob, Tag, Timestamp,
};
use s3s::{S3Response, S3Result, s3_error};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use crate::record::{Record, broken};
use crate::store::{Found, READ_BYTES};
use crate::uploads::{Part, Upload};

/// S3's longest list of parts.
const MAX_LISTED_PARTS: usize = 1000;

/// Returns the answer to a GET: the object, or a range of it.
pub(crate) fn object(
    mut found: Found,
    range: Option<Range>,
    request: &HeaderMap,
) -> S3Result<S3Response<GetObjectOutput>> {
    let cut = Cut::of(&found, range)?;
    found.file.seek(SeekFrom::Start(cut.first)).map_err(broken)?;
    let file = tokio::fs::File::from_std(found.file).take(cut.length);
    let output = GetObjectOutput {
        body: Some(StreamingBlob::wrap(ReaderStream::with_capacity(file, READ_BYTES))),
        content_length: i64::try_from(cut.length).ok(),
        last_modified: Some(Timestamp::from(found.modified)),
        e_tag: Some(ETag::Strong(found.record.etag.clone())),
        content_range: cut.header,
        ..GetObjectOutput::default()
    };
    let headers = found.record.answer(range.is_none() && wants_checksums(request));
    Ok(S3Response::with_headers(output, headers))
}

/// Returns the answer to a HEAD: what a GET with the same headers would say.
pub(crate) fn head(
    found: &Found,
    range: Option<Range>,
    request: &HeaderMap,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let cut = Cut::of(found, range)?;
    let output = HeadObjectOutput {
        content_length: i64::try_from(cut.length).ok(),
        last_modified: Some(Timestamp::from(found.modified)),
        e_tag: Some(ETag::Strong(found.record.etag.clone())),
        content_range: cut.header,
        ..HeadObjectOutput::default()
    };
    let headers = found.record.answer(range.is_none() && wants_checksums(request));
    Ok(S3Response::with_headers(output, headers))
}

/// Which bytes of an object are asked for.
struct Cut {
    first: u64,
    length: u64,
    /// `Content-Range`, when it is not all.
    header: Option<String>,
}

impl Cut {
    fn of(found: &Found, range: Option<Range>) -> S3Result<Self> {
        let size = found.record.size_bytes;
        let Some(range) = range else { return Ok(Self { first: 0, length: size, header: None }) };
        let bytes = range.check(size).ok().filter(|bytes| !bytes.is_empty()).ok_or_else(|| {
            s3_error!(InvalidRange, "The requested range is not satisfiable: {size} bytes.")
        })?;
        let header = format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1);
        Ok(Self { first: bytes.start, length: bytes.end - bytes.start, header: Some(header) })
    }
}

fn wants_checksums(request: &HeaderMap) -> bool {
    request.get("x-amz-checksum-mode").is_some_and(|mode| mode.as_bytes() == b"ENABLED")
}

/// Returns an object's tags.
pub(crate) fn tags(record: &Record) -> GetObjectTaggingOutput {
    let pairs = record.tags().split('&').filter(|pair| !pair.is_empty());
    let tags = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Tag { key: Some(decode(name)), value: Some(decode(value)) }
    });
    GetObjectTaggingOutput { tag_set: tags.collect(), version_id: None }
}

/// Reads one name or value of a query.
fn decode(text: &str) -> String {
    let bytes = text.replace('+', " ").into_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Returns the parts of an upload, a page of them.
pub(crate) fn parts(parts: Vec<Part>, asked: ListPartsInput) -> ListPartsOutput {
    let after = asked.part_number_marker.unwrap_or_default();
    let most = asked.max_parts.and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(MAX_LISTED_PARTS).min(MAX_LISTED_PARTS);
    let mut parts: Vec<_> = parts.into_iter().filter(|part| part.number > after).collect();
    let is_truncated = parts.len() > most;
    parts.truncate(most);
    ListPartsOutput {
        next_part_number_marker: parts.last().map(|part| part.number),
        is_truncated: Some(is_truncated),
        parts: Some(parts.into_iter().map(part).collect()),
        max_parts: i32::try_from(most).ok(),
        part_number_marker: asked.part_number_marker,
        bucket: Some(asked.bucket),
        key: Some(asked.key),
        upload_id: Some(asked.upload_id),
        ..ListPartsOutput::default()
    }
}

fn part(part: Part) -> s3s::dto::Part {
    s3s::dto::Part {
        part_number: Some(part.number),
        size: i64::try_from(part.size_bytes).ok(),
        last_modified: Some(Timestamp::from(part.modified)),
        e_tag: Some(ETag::Strong(part.etag)),
        ..s3s::dto::Part::default()
    }
}

/// Returns the uploads under way, in one answer.
pub(crate) fn uploads(
    uploads: Vec<Upload>,
    asked: ListMultipartUploadsInput,
) -> ListMultipartUploadsOutput {
    let prefix = asked.prefix.clone().unwrap_or_default();
    let uploads =
        uploads.into_iter().filter(|upload| upload.record.object_key.starts_with(&prefix));
    let uploads = uploads.map(|upload| MultipartUpload {
        key: Some(upload.record.object_key),
        upload_id: Some(upload.id),
        ..MultipartUpload::default()
    });
    ListMultipartUploadsOutput {
        uploads: Some(uploads.collect()),
        is_truncated: Some(false),
        bucket: Some(asked.bucket),
        prefix: asked.prefix,
        ..ListMultipartUploadsOutput::default()
    }
}
