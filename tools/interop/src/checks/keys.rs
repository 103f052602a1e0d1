//! Object keys that are easy to spell wrongly: what is signed, what is sent and what the server
//! reads must be one thing.

use s3::Precondition;

use super::bucket::refusal;
use super::bucket::{Bucket, put};

/// Every one is a valid object key of S3.
const KEYS: [&str; 26] = [
    "keys/plain",
    "keys/with space",
    "keys/ leading and trailing ",
    "keys/two  spaces",
    "keys/plus+plus",
    "keys/percent%2Fslash",
    "keys/percent%zz",
    "keys/%",
    "keys/tilde~dash-dot.underscore_",
    "keys/star*bang!quote'parens()",
    "keys/question?mark",
    "keys/hash#mark",
    "keys/amper&sand=equals;semi,comma:colon@at$dollar",
    "keys/back\\slash",
    "keys/quote\"<angle>&amp;",
    "keys/[brackets]{braces}|pipe^caret`tick",
    "keys/Grüße",
    "keys/日本語/ファイル",
    "keys/combining-e\u{301}",
    "keys/emoji-\u{1f980}",
    "keys/double//slash",
    "keys/folder/",
    "keys/./dot",
    "keys/../dots",
    "/keys/leading slash",
    "keys/?acl",
];

pub(super) fn every_object_key_is_one_thing_for_client_and_server(bucket: &Bucket) {
    let client = bucket.client();
    let mut wrong = Vec::new();
    for key in KEYS {
        let known = bucket.expected.refused_keys.iter().find(|(refused, _)| *refused == key);
        let expected = known.map_or("done".to_owned(), |(_, answered)| answered.to_string());
        let found = match put(&client, key, key, Precondition::None) {
            Ok(_) => "done".to_owned(),
            Err(error) => refusal(&error),
        };
        if found != expected {
            wrong.push(format!("PUT {key:?}: {found}, not {expected}"));
        }
        if found != "done" {
            continue;
        }
        match (problem(bucket, key), bucket.expected.renamed_keys.contains(&key)) {
            (Some(problem), false) => wrong.push(format!("{key:?}: {problem}")),
            (None, true) => wrong.push(format!("{key:?} is listed as it is")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns what is wrong with the object at `key`, whose content is `key` itself, and removes it.
fn problem(bucket: &Bucket, key: &str) -> Option<String> {
    let client = bucket.client();
    let got = client.get(key, 1 << 20).map(|object| object.map(|object| object.bytes));
    if !matches!(&got, Ok(Some(bytes)) if bytes == key.as_bytes()) {
        return Some(format!("GET: {got:?}"));
    }
    let head = client.head(key).map(|head| head.map(|head| head.size_bytes));
    if !matches!(head, Ok(Some(size)) if size == key.len() as u64) {
        return Some(format!("HEAD: {head:?}"));
    }
    let listed = client.list(key, 10).map(|listing| {
        listing.objects.into_iter().map(|object| object.object_key).collect::<Vec<_>>()
    });
    if !matches!(&listed, Ok(keys) if keys.iter().any(|listed| listed == key)) {
        return Some(format!("list: {listed:?}"));
    }
    let now = ftime::Epoch::now();
    let url = client.presign_get(key, now, std::time::Duration::from_mins(1)).unwrap().url;
    let presigned = bucket.get_url(&url);
    if presigned.body != key.as_bytes() {
        return Some(format!("presigned: {} {}", presigned.status, presigned.code()));
    }
    if let Err(error) = client.delete(key) {
        return Some(format!("DELETE: {error}"));
    }
    match client.get(key, 1 << 20) {
        Ok(None) => None,
        other => Some(format!("GET after DELETE: {other:?}")),
    }
}
