//! The answers of the counting server: as much of S3 as the tools ask for while they upload.
//!
//! An `ETag` is the Content-MD5 that the client declared, which rclone compares afterwards, or else a
//! number, which the other tools accept.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::state::{Head, Object, State};

const XMLNS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// Returns the whole answer to a request whose body had this length.
pub(crate) fn answer(state: &mut State, head: &Head, size_bytes: u64) -> Vec<u8> {
    let key = head.path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let upload = head.parameter("uploadId");
    match (head.method.as_str(), upload) {
        ("PUT", Some(id)) => part(state, head, id, size_bytes),
        ("PUT" | "HEAD", None) if key.is_empty() => text(200, &[], ""), // A bucket.
        ("PUT", None) => put(state, head, size_bytes),
        ("POST", None) if head.parameter("uploads").is_some() => create(state, head, key),
        ("POST", Some(id)) => complete(state, head, id, key),
        ("DELETE", id) => {
            let _ = id.map(|id| state.uploads.remove(id));
            text(204, &[], "")
        }
        ("HEAD", _) => found(state.objects.get(&head.path)),
        ("GET", _) if key.is_empty() && head.parameter("location").is_some() => {
            text(200, &[], &format!("<LocationConstraint {XMLNS}></LocationConstraint>"))
        }
        ("GET", _) if key.is_empty() => text(
            200,
            &[],
            &format!(
                "<ListBucketResult {XMLNS}><Name>b</Name><Prefix></Prefix><KeyCount>0</KeyCount>\
                 <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"
            ),
        ),
        ("GET", _) => error(404, "NoSuchKey"),
        _ => error(501, "NotImplemented"),
    }
}

fn put(state: &mut State, head: &Head, size_bytes: u64) -> Vec<u8> {
    let etag = etag(state, head);
    let metadata = head.headers("x-amz-meta-");
    let object = Object { size_bytes, etag: etag.clone(), parts: 0, metadata };
    state.objects.insert(head.path.clone(), object);
    text(200, &[("etag", etag)], "")
}

fn create(state: &mut State, head: &Head, key: &str) -> Vec<u8> {
    state.next += 1;
    let id = format!("upload{}", state.next);
    let metadata = head.headers("x-amz-meta-");
    state.uploads.insert(id.clone(), Object { metadata, ..Object::default() });
    text(
        200,
        &[],
        &format!(
            "<InitiateMultipartUploadResult {XMLNS}><Bucket>b</Bucket><Key>{key}</Key>\
             <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ),
    )
}

fn part(state: &mut State, head: &Head, id: &str, size_bytes: u64) -> Vec<u8> {
    let etag = etag(state, head);
    let Some(upload) = state.uploads.get_mut(id) else { return error(404, "NoSuchUpload") };
    upload.size_bytes += size_bytes;
    upload.parts += 1;
    text(200, &[("etag", etag)], "")
}

fn complete(state: &mut State, head: &Head, id: &str, key: &str) -> Vec<u8> {
    let etag = etag(state, head);
    let Some(mut object) = state.uploads.remove(id) else { return error(404, "NoSuchUpload") };
    object.etag = format!("{}-{}\"", etag.trim_end_matches('"'), object.parts);
    let body = format!(
        "<CompleteMultipartUploadResult {XMLNS}><Bucket>b</Bucket><Key>{key}</Key>\
         <ETag>{}</ETag></CompleteMultipartUploadResult>",
        object.etag.replace('"', "&quot;")
    );
    state.objects.insert(head.path.clone(), object);
    text(200, &[], &body)
}

fn found(object: Option<&Object>) -> Vec<u8> {
    let Some(object) = object else { return text(404, &[], "") };
    let mut headers = vec![
        ("content-length", object.size_bytes.to_string()),
        ("etag", object.etag.clone()),
        ("last-modified", DATE.to_owned()),
    ];
    headers.extend(object.metadata.iter().map(|(name, value)| (name.as_str(), value.clone())));
    text(200, &headers, "")
}

/// Makes the `ETag` of what the request uploads, with its quotes.
fn etag(state: &mut State, head: &Head) -> String {
    state.next += 1;
    let md5 = head.header("content-md5").and_then(|text| STANDARD.decode(text).ok());
    let md5 = md5.map(|md5| s3::hex(&md5));
    format!("\"{}\"", md5.unwrap_or_else(|| format!("{:032x}", state.next)))
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    text(status, &[], &body)
}

fn text(status: u16, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let reason = if status < 300 { "OK" } else { "No" };
    let mut answer =
        format!("HTTP/1.1 {status} {reason}\r\nx-amz-request-id: 1\r\ndate: {DATE}\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-length") && status != 204 {
        let _ = write!(answer, "content-length: {}\r\n", body.len());
    }
    if !body.is_empty() {
        answer.push_str("content-type: application/xml\r\n");
    }
    for (name, value) in headers {
        let _ = write!(answer, "{name}: {value}\r\n");
    }
    let _ = write!(answer, "\r\n{body}");
    answer.into_bytes()
}
