//! `SigV2` against a second reading of its description, over thousands of generated requests.
//!
//! No kept crate signs S3 requests this way any more, so the second implementation is written out
//! here, line by line as the description has it, and shares no code with the first: it finds slips
//! of one, not misreadings that both share. The published values are in `published_v2`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ftime::Epoch;
use proptest::prelude::*;
use s3::{Credentials, Request, encode, sigv2};
use sha1::{Digest as _, Sha1};

use crate::generated::{config, headers, pairs, text};

/// The sub-resources among the parameters that are generated.
const PARAMETERS: [(&str, bool); 12] = [
    ("acl", true),
    ("continuation-token", false),
    ("delimiter", false),
    ("list-type", false),
    ("max-keys", false),
    ("partNumber", true),
    ("prefix", false),
    ("response-content-type", true),
    ("tagging", true),
    ("uploadId", true),
    ("uploads", true),
    ("versionId", true),
];

fn string_to_sign(request: &Request, bucket: Option<&str>) -> String {
    let one = |wanted: &str| {
        let found = request.headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let mut text = String::new();
    text.push_str(request.method);
    text.push('\n');
    text.push_str(&one("content-md5"));
    text.push('\n');
    text.push_str(&one("content-type"));
    // The date is in a header of its own, so its line is empty.
    text.push_str("\n\n");

    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &request.headers {
        if name.starts_with("x-amz-") && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    for wanted in names {
        let all = request.headers.iter().filter(|(name, _)| name == wanted);
        let values: Vec<_> = all.map(|(_, value)| value.trim()).collect();
        text.push_str(wanted);
        text.push(':');
        text.push_str(&values.join(","));
        text.push('\n');
    }

    if let Some(bucket) = bucket {
        text.push('/');
        text.push_str(bucket);
    }
    text.push_str(&request.path);
    let mut separator = '?';
    let mut query = request.query.clone();
    query.sort();
    for (name, value) in query {
        if PARAMETERS.contains(&(name.as_str(), true)) {
            text.push(separator);
            text.push_str(&name);
            if !value.is_empty() {
                text.push('=');
                text.push_str(&value);
            }
            separator = '&';
        }
    }
    text
}

/// Computes the HMAC of RFC 2104, with the SHA-1 of the one crate that both sides need.
fn hmac_sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let hash = |pad: u8, text: &[u8]| {
        let padded: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        Sha1::digest([&padded, text].concat()).to_vec()
    };
    hash(0x5c, &hash(0x36, text))
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(&["GET", "PUT", "POST", "HEAD", "DELETE"][..]);
    let name = prop::sample::select(&PARAMETERS[..]).prop_map(|(name, _)| name.to_owned());
    let query = pairs(name, prop_oneof![Just(String::new()), text()]);
    (method, text(), query, headers()).prop_map(|(method, key, query, headers)| Request {
        method,
        path: format!("/{}", encode::object_key(&key)),
        query,
        headers,
    })
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn both_readings_of_the_description_agree(
        mut request in request(),
        bucket in prop::option::of("[a-z][a-z0-9.-]{1,9}[a-z0-9]"),
        secret in "[!-~]{1,80}",
        session_token in prop::option::of("[!-~]{1,40}"),
        secs in any::<u32>(),
    ) {
        let now = Epoch::from_secs(i64::from(secs));
        let mut expected = request.clone();
        expected.headers.push(("x-amz-date".to_owned(), now.to_rfc1123()));
        expected.headers.extend(session_token.clone().map(|token| ("x-amz-security-token".to_owned(), token)));
        let expected = string_to_sign(&expected, bucket.as_deref());

        let credentials = Credentials::new("id", &*secret, session_token).unwrap();
        sigv2::sign(&mut request, &credentials, bucket.as_deref(), now);
        prop_assert_eq!(sigv2::string_to_sign(&request, bucket.as_deref(), ""), expected.clone());
        let signature = STANDARD.encode(hmac_sha1(secret.as_bytes(), expected.as_bytes()));
        let authorization = format!("AWS id:{signature}");
        prop_assert_eq!(request.header("authorization"), Some(authorization.as_str()));
    }
}
