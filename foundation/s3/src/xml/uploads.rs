//! What a server has of uploads that nobody completed: pages of parts, and pages of uploads.
//!
//! Both come from a peer, as listings of objects do, and are bounded and refused in the same way.

use roxmltree::Document;

use super::{children, malformed, one_line, parse, text_of};

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

/// Reads a page of an upload's parts.
pub(crate) fn parts_page(bytes: &[u8]) -> ferror::Result<PartsPage> {
    let text = utf8(bytes)?;
    let document = rooted(text, "ListPartsResult")?;
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
    let text = utf8(bytes)?;
    let document = rooted(text, "ListMultipartUploadsResult")?;
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

fn utf8(bytes: &[u8]) -> ferror::Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| malformed("it is not UTF-8").caused_by(error))
}

/// A document whose root has to be `root`.
fn rooted<'a>(text: &'a str, root: &str) -> ferror::Result<Document<'a>> {
    let document = parse(text)?;
    let found = one_line(document.root_element().tag_name().name());
    if found != root {
        return Err(malformed(&format!("it begins with <{found}>, not with <{root}>")));
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use ferror::Kind;

    use super::{ListedPart, ListedUpload, parts_page, uploads_page};

    const PARTS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><UploadId>u</UploadId><NextPartNumberMarker>3</NextPartNumberMarker><IsTruncated>true</IsTruncated>
<Part><PartNumber>1</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>10485760</Size></Part>
<Part><PartNumber>3</PartNumber><ETag>e3</ETag><Size>7</Size></Part></ListPartsResult>"#;

    const UPLOADS: &str = r#"<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<IsTruncated>true</IsTruncated><NextKeyMarker>a&amp;b</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker>
<Upload><Key>a&amp;b</Key><UploadId>u1</UploadId><Initiator><ID>i</ID></Initiator></Upload></ListMultipartUploadsResult>"#;

    #[test]
    fn pages_are_read_as_they_are_meant() {
        let page = parts_page(PARTS.as_bytes()).unwrap();
        let part = |number, size_bytes, etag: &str| ListedPart {
            number,
            size_bytes,
            etag: etag.to_owned(),
        };
        assert_eq!(page.parts, [part(1, 10_485_760, "\"e1\""), part(3, 7, "e3")]);
        assert_eq!(page.next_marker, Some(3));
        assert_eq!(parts_page(b"<ListPartsResult/>").unwrap(), super::PartsPage::default());

        let page = uploads_page(UPLOADS.as_bytes()).unwrap();
        let upload = ListedUpload { object_key: "a&b".to_owned(), id: "u1".to_owned() };
        assert_eq!(page.uploads, [upload]);
        assert_eq!(page.next_markers, Some(("a&b".to_owned(), "u1".to_owned())));
        let last = UPLOADS.replace("true", "false");
        assert_eq!(uploads_page(last.as_bytes()).unwrap().next_markers, None);
    }

    #[test]
    fn a_page_that_cannot_be_trusted_is_an_error_that_says_why() {
        for (from, to, reason) in [
            ("ListPartsResult", "html", "<html>"),
            ("<PartNumber>1</PartNumber>", "", "<PartNumber> is not there"),
            ("<Size>7</Size>", "<Size>-7</Size>", "<Size> is \"-7\""),
            ("<NextPartNumberMarker>3<", "<NextPartNumberMarker><", "truncated is \"\""),
            ("</ListPartsResult>", "", "well-formed"),
        ] {
            let page = PARTS.replace(from, to);
            assert_ne!(page, PARTS, "{from:?} is not in the page");
            let error = parts_page(page.as_bytes()).expect_err("this page must be refused");
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains(reason), "{error} does not say {reason:?}");
        }
        for (from, to, reason) in [
            ("ListMultipartUploadsResult", "ListPartsResult", "<ListPartsResult>"),
            ("<Key>a&amp;b</Key>", "", "no <Key>"),
            ("<UploadId>u1</UploadId>", "<UploadId/>", "no <UploadId>"),
            ("a&amp;b</NextKeyMarker>", "</NextKeyMarker>", "next page"),
        ] {
            let page = UPLOADS.replace(from, to);
            assert_ne!(page, UPLOADS, "{from:?} is not in the page");
            let error = uploads_page(page.as_bytes()).expect_err("this page must be refused");
            assert!(error.to_string().contains(reason), "{error} does not say {reason:?}");
        }
    }
}
