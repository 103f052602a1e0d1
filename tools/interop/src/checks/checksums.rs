//! The CRC64NVME of objects: compared and kept by the servers that know it.

use s3::{Client, ClientOptions, Precondition, PutOutcome, sha256};

use super::bucket::{Answer, Bucket, Own, key_of, put};
use super::large::{large, put_file};
use crate::servers::Answered;

const CRC64NVME: &str = "x-amz-checksum-crc64nvme";
const FULL_OBJECT: (&str, &str) = ("x-amz-checksum-type", "FULL_OBJECT");
/// Of [`large`], as AWS's own implementation computes it (awscrt 0.38.1), and of `small`.
const OF_LARGE: &str = "nWD2ZXQdb3Q=";
const OF_SMALL: &str = "oSWzL9WeJr4=";
/// Of no bytes.
const OF_NOTHING: &str = "AAAAAAAAAAA=";

fn client(bucket: &Bucket) -> Client {
    let options = ClientOptions { crc64nvme: true, ..ClientOptions::default() };
    bucket.client_with(bucket.location(), bucket.credentials(), options)
}

/// Returns the checksum that the server has of an object; empty if it has none.
fn kept(bucket: &Bucket, object_key: &str) -> String {
    let headers = &[("x-amz-checksum-mode", "ENABLED")];
    let answer = bucket.send(&Own { method: "HEAD", object_key, headers, ..Own::default() });
    assert_eq!(answer.status, 200, "{object_key}");
    answer.header(CRC64NVME).to_owned()
}

pub(super) fn objects_and_their_parts_come_with_a_crc64nvme(bucket: &Bucket) {
    let client = client(bucket);
    let [small, whole] = ["small", "large"].map(|name| key_of("checksums", name));
    put(&client, &small, "small", Precondition::None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = (folder.path().join("large"), large());
    std::fs::write(&path, &bytes).unwrap();
    let outcome = put_file(&client, &whole, &path, sha256(&bytes), Precondition::None).unwrap();
    assert!(matches!(outcome, PutOutcome::Stored(_)), "{outcome:?}");
    let object = client.get(&whole, bytes.len() as u64).unwrap().expect("it was stored");
    assert!(object.bytes == bytes, "the bytes come back");
    // A server that keeps it compares it with the object that the parts became.
    let is_kept = bucket.expected.wrong_whole_crc64nvme != Answered::Done;
    let expected = if is_kept { [OF_SMALL, OF_LARGE] } else { ["", ""] };
    assert_eq!([kept(bucket, &small), kept(bucket, &whole)], expected);
}

pub(super) fn a_crc64nvme_of_other_bytes_is_refused_where_the_server_compares_it(bucket: &Bucket) {
    let key = &key_of("checksums", "wrong");
    let said = |expected| match expected {
        Answered::Done => "200 ".to_owned(),
        other => other.to_string(),
    };
    let expected = said(bucket.expected.wrong_crc64nvme);
    let send = |method, query: &[_], headers: &[_], body: &[u8]| {
        bucket.send(&Own { method, object_key: key, query, headers, body, ..Own::default() })
    };
    let answer = send("PUT", &[], &[(CRC64NVME, OF_NOTHING)], b"small");
    assert_eq!(answer.said(), expected);
    if bucket.expected.wrong_crc64nvme == Answered::Done {
        return;
    }
    assert_eq!(bucket.client().head(key).unwrap(), None, "nothing was stored");

    let algorithm = ("x-amz-checksum-algorithm", "CRC64NVME");
    let begun = send("POST", &[("uploads", "")], &[algorithm, FULL_OBJECT], b"");
    assert_eq!(begun.said(), "200 ");
    let id = field(&begun, "UploadId");
    let part = [("partNumber", "1"), ("uploadId", id.as_str())];
    assert_eq!(send("PUT", &part, &[(CRC64NVME, OF_NOTHING)], b"small").said(), expected);
    let stored = send("PUT", &part, &[(CRC64NVME, OF_SMALL)], b"small");
    assert_eq!(stored.said(), "200 ");
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag><ChecksumCRC64NVME>{OF_SMALL}</ChecksumCRC64NVME></Part></CompleteMultipartUpload>",
        stored.header("etag")
    );
    let complete = |whole| {
        let headers = &[(CRC64NVME, whole), FULL_OBJECT];
        send("POST", &part[1..], headers, list.as_bytes()).said()
    };
    let expected = said(bucket.expected.wrong_whole_crc64nvme);
    assert_eq!(complete(OF_NOTHING), expected);
    if bucket.expected.wrong_whole_crc64nvme != Answered::Done {
        assert_eq!(complete(OF_SMALL), "200 ");
        assert_eq!(kept(bucket, key), OF_SMALL);
    }
}

fn field(answer: &Answer, name: &str) -> String {
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let rest = text.split(&format!("<{name}>")).nth(1).unwrap_or_else(|| panic!("{text}"));
    rest.split('<').next().unwrap_or_default().to_owned()
}
