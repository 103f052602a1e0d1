//! Reads the XML bodies of S3 and STS: errors, results and pages of listings.
//!
//! What is read comes from a peer: its size is capped before it gets here, a DTD (and with it every
//! entity of its own) is an error, and so is a document with very many nodes. roxmltree does not
//! recurse, so no nesting overflows the stack.

use ferror::{Error, Kind};
use ftime::Epoch;
use roxmltree::{Document, Node, ParsingOptions};

use crate::ListedObject;

/// A page has at most 1,000 objects of some twenty nodes each.
const MAX_NODES: u32 = 100_000;

/// The fields of an error body; a missing one is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The header that the server does not implement.
    pub(crate) header: String,
    pub(crate) request_id: String,
    /// The bucket's region, where the request went to another one.
    pub(crate) region: String,
}

/// One page of `ListObjectsV2`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ListPage {
    pub(crate) objects: Vec<ListedObject>,
    /// What the object keys that the delimiter cuts off begin with, up to it.
    pub(crate) folders: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub(crate) continuation_token: Option<String>,
}

/// One part that the server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedPart {
    pub(crate) number: u64,
    pub(crate) size_bytes: u64,
    pub(crate) etag: String,
}

/// One page of `ListParts`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartsPage {
    pub(crate) parts: Vec<ListedPart>,
    /// The number after which the next page begins; `None` after the last.
    pub(crate) next_marker: Option<u64>,
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedUpload {
    pub(crate) object_key: String,
    pub(crate) id: String,
}

/// One page of `ListMultipartUploads`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct UploadsPage {
    pub(crate) uploads: Vec<ListedUpload>,
    /// Object key and upload id after which the next page begins; `None` after the last.
    pub(crate) next_markers: Option<(String, String)>,
}

/// Reads an error body; `None` when it is not one, as from a proxy that answers in HTML.
pub(crate) fn error_body(bytes: &[u8]) -> Option<ErrorBody> {
    let text = std::str::from_utf8(bytes).ok()?;
    let document = parse(text).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "Error" {
        return None;
    }
    let field = |name| one_line(text_of(root, name).unwrap_or_default());
    Some(ErrorBody {
        code: field("Code"),
        message: field("Message"),
        header: field("Header"),
        request_id: field("RequestId"),
        region: field("Region"),
    })
}

/// Reads a page of a listing.
pub(crate) fn list_page(bytes: &[u8]) -> ferror::Result<ListPage> {
    let document = rooted(utf8(bytes)?, "ListBucketResult")?;
    let root = document.root_element();
    let objects = children(root, "Contents").map(listed_object).collect::<Result<_, _>>()?;
    let folder = |it| text_of(it, "Prefix").unwrap_or_default().to_owned();
    let folders = children(root, "CommonPrefixes").map(folder).collect();
    let continuation_token = match text_of(root, "IsTruncated") {
        Some("true") => {
            let token = text_of(root, "NextContinuationToken").filter(|token| !token.is_empty());
            let missing =
                || malformed("it is truncated, but does not say where the next page begins");
            Some(token.ok_or_else(missing)?.to_owned())
        }
        _ => None,
    };
    Ok(ListPage { objects, folders, continuation_token })
}

/// Reads a page of an upload's parts.
pub(crate) fn parts_page(bytes: &[u8]) -> ferror::Result<PartsPage> {
    let document = rooted(utf8(bytes)?, "ListPartsResult")?;
    let root = document.root_element();
    let number = |text: Option<&str>, what: &str| -> ferror::Result<u64> {
        let text = text.ok_or_else(|| malformed(&format!("{what} is not there")))?;
        let wrong = |_| malformed(&format!("{what} is {:?}", one_line(text)));
        text.trim().parse().map_err(wrong)
    };
    let parts = children(root, "Part").map(|part| {
        Ok(ListedPart {
            number: number(text_of(part, "PartNumber"), "a part's <PartNumber>")?,
            size_bytes: number(text_of(part, "Size"), "a part's <Size>")?,
            etag: text_of(part, "ETag").unwrap_or_default().to_owned(),
        })
    });
    let parts = parts.collect::<ferror::Result<_>>()?;
    let next_marker = match text_of(root, "IsTruncated") {
        Some("true") => {
            let marker = text_of(root, "NextPartNumberMarker");
            Some(number(marker, "<NextPartNumberMarker> of a page that is truncated")?)
        }
        _ => None,
    };
    Ok(PartsPage { parts, next_marker })
}

/// Reads a page of the uploads to a bucket.
pub(crate) fn uploads_page(bytes: &[u8]) -> ferror::Result<UploadsPage> {
    let document = rooted(utf8(bytes)?, "ListMultipartUploadsResult")?;
    let root = document.root_element();
    let uploads = children(root, "Upload").map(|upload| {
        let field = |name: &str| {
            let found = text_of(upload, name).filter(|text| !text.is_empty());
            found.ok_or_else(|| malformed(&format!("an upload has no <{name}>")))
        };
        Ok(ListedUpload { object_key: field("Key")?.to_owned(), id: field("UploadId")?.to_owned() })
    });
    let uploads = uploads.collect::<ferror::Result<_>>()?;
    let next_markers = match text_of(root, "IsTruncated") {
        Some("true") => {
            let key = text_of(root, "NextKeyMarker").filter(|key| !key.is_empty());
            let missing =
                || malformed("it is truncated, but does not say where the next page begins");
            let id = text_of(root, "NextUploadIdMarker").unwrap_or_default();
            Some((key.ok_or_else(missing)?.to_owned(), id.to_owned()))
        }
        _ => None,
    };
    Ok(UploadsPage { uploads, next_markers })
}

/// Reads the id in the answer to the beginning of a multipart upload.
pub(crate) fn upload_id(bytes: &[u8]) -> ferror::Result<String> {
    result_field(bytes, "InitiateMultipartUploadResult", "UploadId")
}

/// Reads the `ETag` in the answer to a copy or to the end of a multipart upload, whose root is `root`.
pub(crate) fn result_etag(bytes: &[u8], root: &'static str) -> ferror::Result<String> {
    result_field(bytes, root, "ETag")
}

/// Reads access key id, secret access key, session token and expiration from an answer of STS. An
/// error shows nothing of it.
pub(crate) fn sts_credentials(bytes: &[u8]) -> ferror::Result<[String; 4]> {
    let unreadable = || malformed("it is not well-formed XML");
    let text = std::str::from_utf8(bytes).map_err(|_| unreadable())?;
    let document = parse(text).map_err(|_| unreadable())?;
    let credentials = document
        .root_element()
        .children()
        .find_map(|result| children(result, "Credentials").next())
        .ok_or_else(|| malformed("it has no <Credentials>"))?;
    let field = |name: &str| match text_of(credentials, name).map(str::trim) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(malformed(&format!("it has no <{name}>"))),
    };
    Ok([
        field("AccessKeyId")?,
        field("SecretAccessKey")?,
        field("SessionToken")?,
        field("Expiration")?,
    ])
}

/// Reads code and message of a refusal of STS; `None` if it is not one.
pub(crate) fn sts_error(bytes: &[u8]) -> Option<(String, String)> {
    let document = parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let error = children(document.root_element(), "Error").next()?;
    let field = |name| text_of(error, name).unwrap_or_default().trim().to_owned();
    Some((field("Code"), field("Message")))
}

/// Makes `text` fit to be shown: one line of at most 500 characters, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500);
    shown.collect::<String>().trim().to_owned()
}

fn listed_object(contents: Node<'_, '_>) -> ferror::Result<ListedObject> {
    let field = |name: &str| {
        text_of(contents, name).ok_or_else(|| malformed(&format!("an object has no <{name}>")))
    };
    let size = field("Size")?;
    let size_bytes = size
        .parse()
        .map_err(|_| malformed(&format!("an object's <Size> is {:?}", one_line(size))))?;
    Ok(ListedObject {
        object_key: field("Key")?.to_owned(),
        size_bytes,
        etag: text_of(contents, "ETag").unwrap_or_default().to_owned(),
        last_modified: Epoch::parse_rfc3339(field("LastModified")?).map_err(|error| {
            malformed("an object's <LastModified> is not a time").caused_by(error)
        })?,
    })
}

/// Reads a required field of an answer whose root has to be `root`.
fn result_field(bytes: &[u8], root: &'static str, field: &'static str) -> ferror::Result<String> {
    let document = rooted(utf8(bytes)?, root)?;
    match text_of(document.root_element(), field) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(malformed(&format!("it has no <{field}>"))),
    }
}

fn utf8(bytes: &[u8]) -> ferror::Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| malformed("it is not UTF-8").caused_by(error))
}

/// Parses a document whose root has to be `root`.
fn rooted<'a>(text: &'a str, root: &str) -> ferror::Result<Document<'a>> {
    let document = parse(text)?;
    let found = one_line(document.root_element().tag_name().name());
    if found != root {
        return Err(malformed(&format!("it begins with <{found}>, not with <{root}>")));
    }
    Ok(document)
}

fn parse(text: &str) -> ferror::Result<Document<'_>> {
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    // S3 keeps a slow answer alive with blanks before it.
    Document::parse_with_options(text.trim_start(), options)
        .map_err(|error| malformed("it is not well-formed XML").caused_by(error))
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    // By local name: AWS puts a namespace on its answers, some other servers do not.
    node.children().filter(move |child| child.tag_name().name() == name)
}

/// Returns the text of the first child of that name; empty for an empty element.
fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.tag_name().name() == name)?;
    Some(child.text().unwrap_or_default())
}

fn malformed(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the server's answer cannot be read: {why}"))
}

#[cfg(test)]
mod tests;
