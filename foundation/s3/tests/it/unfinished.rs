//! Ending the unfinished uploads of an object: what is made of good, odd and hostile lists of them.

use ferror::Kind;
use s3::Signature;

use crate::server::{Script, Server, answer, refusal};

/// Returns a page with these uploads; `next`: where the next one begins.
fn page(uploads: &[(&str, &str)], next: Option<(&str, &str)>) -> Script {
    let upload = |(key, id): &(&str, &str)| {
        format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
    };
    let next = next.map_or(String::new(), |(key, id)| {
        format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
             <NextUploadIdMarker>{id}</NextUploadIdMarker>"
        )
    });
    let uploads: String = uploads.iter().map(upload).collect();
    let body = format!("<ListMultipartUploadsResult>{next}{uploads}</ListMultipartUploadsResult>");
    Script::Answer(answer("200 OK", &[], &body))
}

fn gone() -> Script {
    Script::Answer(answer("204 No Content", &[], ""))
}

/// Ends the uploads of `a b`; what came of it, and the first lines of all requests.
fn abort(scripts: Vec<Script>) -> (ferror::Result<usize>, Vec<String>) {
    let server = Server::start(scripts);
    let ended = server.client(Signature::V4).abort_uploads("a b", None);
    (ended, server.lines())
}

#[test]
fn all_pages_are_looked_at_and_only_the_very_key_is_ended() {
    let (ended, lines) = abort(vec![
        page(&[("a b", "u+1"), ("a b", "u2")], Some(("a b", "u2"))),
        page(&[("a b", "u3"), ("a b.tar", "u4")], Some(("a b.tar", "u4"))),
        page(&[("a b/c", "u5")], Some(("a b/c", "u5"))),
        gone(),
        // One that ended by itself meanwhile.
        Script::Answer(answer("404 Not Found", &[], &refusal("NoSuchUpload"))),
        gone(),
    ]);
    assert_eq!(ended.unwrap(), 3);
    let expected = [
        "GET /builds/?prefix=a%20b&uploads= HTTP/1.1",
        "GET /builds/?key-marker=a%20b&prefix=a%20b&upload-id-marker=u2&uploads= HTTP/1.1",
        "GET /builds/?key-marker=a%20b.tar&prefix=a%20b&upload-id-marker=u4&uploads= HTTP/1.1",
        "DELETE /builds/a%20b?uploadId=u%2B1 HTTP/1.1",
        "DELETE /builds/a%20b?uploadId=u2 HTTP/1.1",
        "DELETE /builds/a%20b?uploadId=u3 HTTP/1.1",
    ];
    assert_eq!(lines, expected);
    let (ended, lines) = abort(vec![page(&[], None)]);
    assert_eq!((ended.unwrap(), lines.len()), (0, 1));
}

#[test]
fn a_list_without_end_ends() {
    let same = page(&[("a b", "u1")], Some(("a b", "u1")));
    let (ended, lines) = abort(vec![same.clone(), same, gone()]);
    assert_eq!((ended.unwrap(), lines.len()), (2, 4), "{lines:?}");
    let other = |number: usize| {
        let id = format!("u{number}");
        page(&[("a b", &id)], Some(("a b", &id)))
    };
    let (ended, lines) = abort((0..10).map(other).chain([gone()]).collect());
    assert_eq!((ended.unwrap(), lines.len()), (10, 20), "{lines:?}");
    let endless = answer("200 OK", &["content-length: 99999999999"], "");
    let (ended, _) = abort(vec![Script::Endless(endless)]);
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("a page is larger than"), "{error}");
}

#[test]
fn what_cannot_be_read_or_is_refused_is_an_error_that_says_so() {
    for (status, body, kind, part) in [
        ("403 Forbidden", refusal("AccessDenied"), Kind::Denied, "AccessDenied"),
        ("501 Not Implemented", refusal("NotImplemented"), Kind::Refused, "NotImplemented"),
        ("200 OK", "<html/>".to_owned(), Kind::Invalid, "<html>"),
        ("200 OK", refusal("InternalError"), Kind::Invalid, "<Error>"),
        ("200 OK", "<ListMultipartUploadsResult>".to_owned(), Kind::Invalid, "well-formed"),
    ] {
        let (ended, lines) = abort(vec![Script::Answer(answer(status, &[], &body))]);
        let error = ended.unwrap_err();
        assert_eq!((error.kind(), lines.len()), (kind, 1), "{error}");
        for expected in ["GET builds?uploads", part] {
            assert!(error.to_string().contains(expected), "{error} does not say {expected}");
        }
    }
}
