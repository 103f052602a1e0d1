//! The XML bodies that matter here: an error, what an operation answers, and pages of listings (those of
//! unfinished uploads are in `uploads`).
//!
//! What is read comes from a peer: its size is capped before it gets here, a DTD (and with it every
//! entity of its own) is an error, and so is a document with very many nodes. roxmltree does not
//! recurse, so no nesting overflows the stack.

use ferror::{Error, Kind};
use ftime::Epoch;
use roxmltree::{Document, Node, ParsingOptions};

use crate::ListedObject;

pub(crate) mod uploads;

/// A page has at most 1,000 objects of some twenty nodes each.
const MAX_NODES: u32 = 100_000;

/// What an error body says; what is missing is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: String,
    /// The bucket's region, where the request went to another one.
    pub(crate) region: String,
}

/// One page of `ListObjectsV2`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ListPage {
    pub(crate) objects: Vec<ListedObject>,
    /// Where the next page begins; `None` after the last.
    pub(crate) continuation_token: Option<String>,
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
        request_id: field("RequestId"),
        region: field("Region"),
    })
}

/// Reads a page of a listing.
pub(crate) fn list_page(bytes: &[u8]) -> ferror::Result<ListPage> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed("it is not UTF-8").caused_by(error))?;
    let document = parse(text)?;
    let root = document.root_element();
    if root.tag_name().name() != "ListBucketResult" {
        let name = one_line(root.tag_name().name());
        return Err(malformed(&format!("it begins with <{name}>, not with <ListBucketResult>")));
    }
    let objects = children(root, "Contents").map(listed_object).collect::<Result<_, _>>()?;
    let continuation_token = match text_of(root, "IsTruncated") {
        Some("true") => {
            let token = text_of(root, "NextContinuationToken").filter(|token| !token.is_empty());
            let missing =
                || malformed("it is truncated, but does not say where the next page begins");
            Some(token.ok_or_else(missing)?.to_owned())
        }
        _ => None,
    };
    Ok(ListPage { objects, continuation_token })
}

/// The id in the answer to the beginning of a multipart upload.
pub(crate) fn upload_id(bytes: &[u8]) -> ferror::Result<String> {
    result_field(bytes, "InitiateMultipartUploadResult", "UploadId")
}

/// The `ETag` in the answer to a copy or to the end of a multipart upload, whose root is `root`.
pub(crate) fn result_etag(bytes: &[u8], root: &'static str) -> ferror::Result<String> {
    result_field(bytes, root, "ETag")
}

/// The body that ends a multipart upload: the parts' `ETag`s, in order.
pub(crate) fn part_list(etags: &[String]) -> String {
    let parts = etags.iter().zip(1..).map(|(etag, number): (_, usize)| {
        let etag = etag.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    });
    let parts: Vec<_> = parts.collect();
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat())
}

/// Access key id, secret access key, session token and expiration of an answer of STS. An error
/// shows nothing of it.
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

/// Code and message of a refusal of STS, as they came; `None` when it is not one.
pub(crate) fn sts_error(bytes: &[u8]) -> Option<(String, String)> {
    let document = parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let error = children(document.root_element(), "Error").next()?;
    let field = |name| text_of(error, name).unwrap_or_default().trim().to_owned();
    Some((field("Code"), field("Message")))
}

/// `text` in one line of at most 500 characters, without control characters: fit to be shown.
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

/// A field that has to be there, of an answer whose root has to be `root`.
fn result_field(bytes: &[u8], root: &'static str, field: &'static str) -> ferror::Result<String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed("it is not UTF-8").caused_by(error))?;
    let document = parse(text)?;
    let found = document.root_element();
    if found.tag_name().name() != root {
        let name = one_line(found.tag_name().name());
        return Err(malformed(&format!("it begins with <{name}>, not with <{root}>")));
    }
    match text_of(found, field) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(malformed(&format!("it has no <{field}>"))),
    }
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

/// The text of the first child of that name; empty for an empty element.
fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = node.children().find(|child| child.tag_name().name() == name)?;
    Some(child.text().unwrap_or_default())
}

fn malformed(why: &str) -> Error {
    Error::new(Kind::Invalid, format!("the server's answer cannot be read: {why}"))
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use ferror::Kind;

    use super::{ErrorBody, error_body, list_page, one_line};

    const DENIED: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>R1</RequestId><HostId>x</HostId></Error>"#;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>true</IsTruncated>
<NextContinuationToken>t+/=</NextContinuationToken>
<Contents><Key>a&amp;b/ c+%41</Key><LastModified>2013-05-24T00:00:00.500Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>18446744073709551615</Size></Contents>
<Contents><Key>d</Key><LastModified>2013-05-24T00:00:00Z</LastModified><Size>0</Size></Contents></ListBucketResult>"#;

    #[test]
    fn an_error_body_is_read_and_anything_else_is_not_one() {
        let expected = ErrorBody {
            code: "AccessDenied".to_owned(),
            message: "Access Denied".to_owned(),
            request_id: "R1".to_owned(),
            region: String::new(),
        };
        assert_eq!(error_body(DENIED.as_bytes()), Some(expected));
        let moved = b"<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(error_body(moved).unwrap().region, "eu-west-1");
        assert_eq!(error_body(b"<Error/>"), Some(ErrorBody::default()));
        let late = format!(" \r\n  {DENIED}");
        assert_eq!(error_body(late.as_bytes()), error_body(DENIED.as_bytes()));
        for not_one in [
            &b""[..],
            b"<html><body>Bad Gateway</body></html>",
            b"<Error><Code>AccessDenied",
            b"\xff\xfe<Error/>",
            b"<!DOCTYPE Error [<!ENTITY e \"x\">]><Error><Code>&e;</Code></Error>",
            b"<Error><Code>&e;</Code></Error>",
        ] {
            assert_eq!(error_body(not_one), None, "{:?}", String::from_utf8_lossy(not_one));
        }
    }

    #[test]
    fn what_is_shown_is_one_short_line() {
        let body = "<Error><Code>Bad\n\tCode</Code><Message>\u{85}a\u{7f}b&#13;c</Message></Error>";
        let body = error_body(body.as_bytes()).unwrap();
        assert_eq!((body.code.as_str(), body.message.as_str()), ("Bad  Code", "a b c"));
        assert_eq!(one_line(&"é".repeat(9_999)).chars().count(), 500);
        assert_eq!(one_line("\u{1b}[31mred\u{7}"), "[31mred");
    }

    #[test]
    fn a_page_is_read_as_it_is_meant() {
        let page = list_page(PAGE.as_bytes()).unwrap();
        assert_eq!(page.continuation_token.as_deref(), Some("t+/="));
        let [first, second] = page.objects.as_slice() else { panic!("{:?}", page.objects) };
        assert_eq!(first.object_key, "a&b/ c+%41");
        assert_eq!(first.size_bytes, u64::MAX);
        assert_eq!(first.etag, "\"e1\"");
        assert_eq!(first.last_modified.millis(), 1_369_353_600_500);
        assert_eq!((second.object_key.as_str(), second.etag.as_str()), ("d", ""));
        let last = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        let last = list_page(last).unwrap();
        assert_eq!((last.objects.len(), last.continuation_token), (0, None));
    }

    #[test]
    fn a_page_that_cannot_be_trusted_is_an_error_that_says_why() {
        for (from, to, reason) in [
            ("<IsTruncated>", "<IsTruncated", "well-formed"),
            ("t+/=", "", "next page"),
            ("<Key>d</Key>", "", "no <Key>"),
            ("<Size>0</Size>", "", "no <Size>"),
            ("<Size>0</Size>", "<Size>-1</Size>", "<Size> is \"-1\""),
            ("2013-05-24T00:00:00Z", "yesterday", "<LastModified>"),
            ("ListBucketResult", "html", "<html>"),
            ("b</Name>", "&lol;</Name>", "well-formed"),
        ] {
            let page = PAGE.replace(from, to);
            assert_ne!(page, PAGE, "{from:?} is not in the page");
            let error = list_page(page.as_bytes()).expect_err("this page must be refused");
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains(reason), "{error} does not say {reason:?}");
        }
    }

    #[test]
    fn no_input_panics() {
        for end in 0..PAGE.len() {
            let _ = error_body(&PAGE.as_bytes()[..end]);
            assert!(list_page(&PAGE.as_bytes()[..end]).is_err(), "cut at {end}, it is no page");
        }
        for huge in ["<a>".repeat(1_000_000), "<a/>".repeat(200_000), "<".repeat(1_000_000)] {
            assert!(list_page(format!("<ListBucketResult>{huge}").as_bytes()).is_err());
        }
        let many = format!("<ListBucketResult>{}</ListBucketResult>", "<a/>".repeat(200_000));
        assert!(list_page(many.as_bytes()).is_err(), "too many nodes are refused");
    }
}
