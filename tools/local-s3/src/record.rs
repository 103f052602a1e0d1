//! The properties of an object that its file does not hold: object key, `ETag` and headers. One JSON file an object; an object without one was put there by hand, and is served too.

use std::collections::BTreeMap;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use s3s::{S3Error, S3Result, s3_error};
use serde_json::{Value, json};

/// The headers of a PUT that belong to the object, besides its metadata.
const KEPT: [&str; 11] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    STORAGE_CLASS,
    TAGGING,
    "x-amz-website-redirect-location",
];
const METADATA: &str = "x-amz-meta-";
const STORAGE_CLASS: &str = "x-amz-storage-class";
const TAGGING: &str = "x-amz-tagging";
/// What every header with a checksum begins with.
pub(crate) const CHECKSUM: &str = "x-amz-checksum-";

const STORAGE_CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
];

/// An object's headers, by their names.
pub(crate) type Headers = BTreeMap<String, String>;

/// One object, or one upload that will become it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) object_key: String,
    /// Without quotes; empty for an upload.
    pub(crate) etag: String,
    /// Tells a record from one that belonged to a file replaced by hand.
    pub(crate) size_bytes: u64,
    pub(crate) headers: Headers,
}

impl Record {
    /// Reads the record at `path`; `None` when there is none, or none of ours.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let headers = value["headers"].as_object()?.iter();
        Some(Self {
            object_key: value["object_key"].as_str()?.to_owned(),
            etag: value["etag"].as_str()?.to_owned(),
            size_bytes: value["size_bytes"].as_u64()?,
            headers: headers
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        })
    }

    /// Writes the record to `path`, by way of `scratch`: it is there whole or not at all.
    pub(crate) fn write(&self, path: &Path, scratch: &Path) -> std::io::Result<()> {
        let value = json!({
            "object_key": self.object_key,
            "etag": self.etag,
            "size_bytes": self.size_bytes,
            "headers": self.headers,
        });
        std::fs::write(scratch, value.to_string())?;
        std::fs::rename(scratch, path)
    }

    /// Returns the headers of an answer about the object; its checksums only when they are asked for.
    pub(crate) fn answer(&self, with_checksums: bool) -> HeaderMap {
        let mut answer = HeaderMap::new();
        let mut insert = |name: &str, value: &str| {
            // They came in as headers.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
            {
                answer.insert(name, value);
            }
        };
        insert("accept-ranges", "bytes");
        insert("content-type", "binary/octet-stream");
        for (name, value) in &self.headers {
            match name.as_str() {
                TAGGING => insert("x-amz-tagging-count", &value.split('&').count().to_string()),
                STORAGE_CLASS if value == "STANDARD" => {}
                name if name.starts_with(CHECKSUM) && !with_checksums => {}
                name => insert(name, value),
            }
        }
        answer
    }

    /// Returns the object's tags as they were sent: an encoded query.
    pub(crate) fn tags(&self) -> &str {
        self.headers.get(TAGGING).map_or("", String::as_str)
    }
}

/// Returns the headers of a request that the object keeps.
pub(crate) fn kept(request: &HeaderMap) -> S3Result<Headers> {
    let mut headers = Headers::new();
    for (name, value) in request {
        let name = name.as_str();
        if !KEPT.contains(&name) && !name.starts_with(METADATA) {
            continue;
        }
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| s3_error!(InvalidArgument, "The header {name} is not UTF-8."))?;
        // The transport's own, not the object's.
        let value = if name == "content-encoding" {
            value.trim_start_matches("aws-chunked").trim_start_matches([',', ' '])
        } else {
            value
        };
        if value.is_empty() && name == "content-encoding" {
            continue;
        }
        let same_name = headers.entry(name.to_owned()).or_default();
        *same_name =
            if same_name.is_empty() { value.to_owned() } else { format!("{same_name},{value}") };
    }
    check(&headers)?;
    Ok(headers)
}

/// Returns the headers of a copy: the source's, but for what a copy does not take over and what the
/// request sets, see <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
pub(crate) fn kept_by_copy(source: &Headers, request: &HeaderMap) -> S3Result<Headers> {
    let asks = |directive: &str| {
        request.get(directive).is_some_and(|value| value.as_bytes() == b"REPLACE")
    };
    let (new_metadata, new_tags) =
        (asks("x-amz-metadata-directive"), asks("x-amz-tagging-directive"));
    let mut headers = source.clone();
    headers.retain(|name, _| match name.as_str() {
        TAGGING => !new_tags,
        name if is_storage(name) => false,
        name => name.starts_with(CHECKSUM) || !new_metadata,
    });
    headers.extend(kept(request)?.into_iter().filter(|(name, _)| match name.as_str() {
        TAGGING => new_tags,
        name => is_storage(name) || new_metadata,
    }));
    Ok(headers)
}

/// Returns whether a header says how an object is stored, rather than what it is.
fn is_storage(name: &str) -> bool {
    name == STORAGE_CLASS || name.starts_with("x-amz-server-side-encryption")
}

fn check(headers: &Headers) -> S3Result<()> {
    if let Some(class) = headers.get(STORAGE_CLASS)
        && !STORAGE_CLASSES.contains(&class.as_str())
    {
        return Err(s3_error!(InvalidStorageClass, "There is no storage class {class}."));
    }
    let encryption = headers.get("x-amz-server-side-encryption").map_or("AES256", String::as_str);
    if !["AES256", "aws:kms", "aws:kms:dsse"].contains(&encryption) {
        return Err(s3_error!(
            InvalidEncryptionAlgorithmError,
            "No such encryption: {encryption}."
        ));
    }
    let metadata = headers.iter().filter_map(|(name, value)| {
        name.strip_prefix(METADATA).map(|name| name.len() + value.len())
    });
    if metadata.sum::<usize>() > 2048 {
        return Err(s3_error!(MetadataTooLarge, "Metadata is 2 KiB at most."));
    }
    Ok(())
}

/// Returns an internal error, from whatever the file system says.
pub(crate) fn broken(error: std::io::Error) -> S3Error {
    S3Error::internal_error(error)
}

/// Formats bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
