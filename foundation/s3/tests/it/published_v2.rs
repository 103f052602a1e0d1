//! `SigV2` against published values, each step by itself: the first test that fails names the wrong one.

use std::time::Duration;

use ftime::Epoch;
use s3::{Credentials, Request, sigv2};
use serde_json::Value;

use crate::published_v4::{method, pairs, rows, text};

fn published() -> Value {
    serde_json::from_str(include_str!("../data/sigv2.json")).expect("the data is JSON")
}

fn request(row: &Value) -> Request {
    Request {
        method: method(row),
        path: text(row, "path").to_owned(),
        query: pairs(row, "query"),
        headers: pairs(row, "headers"),
    }
}

fn bucket(row: &Value) -> Option<&str> {
    row["virtual_host_bucket"].as_str()
}

/// Returns what the published string to sign has after the Date slot.
fn after_the_date(row: &Value) -> String {
    let lines: Vec<_> = text(row, "string_to_sign").split('\n').skip(4).collect();
    lines.join("\n")
}

#[test]
fn step_1_canonicalized_amz_headers_and_resources() {
    let data = published();
    for row in rows(&data, "by_header").iter().chain(rows(&data, "presigned")) {
        let request = request(row);
        let headers = sigv2::canonicalized_amz_headers(&request);
        let resource = sigv2::canonicalized_resource(&request, bucket(row));
        let expected = after_the_date(row);
        assert!(expected.starts_with(&headers), "{}: amz headers {headers:?}", row["name"]);
        assert_eq!(resource, expected[headers.len()..], "{}: resource", row["name"]);
    }
}

#[test]
fn step_2_strings_to_sign() {
    let data = published();
    for row in rows(&data, "by_header") {
        let request = request(row);
        let date_slot = match request.header("x-amz-date") {
            Some(_) => "",
            None => request.header("date").expect("a date"),
        };
        let to_sign = sigv2::string_to_sign(&request, bucket(row), date_slot);
        assert_eq!(to_sign, text(row, "string_to_sign"), "{}", row["name"]);
    }
    for row in rows(&data, "presigned") {
        let to_sign =
            sigv2::string_to_sign(&request(row), bucket(row), &row["expires"].to_string());
        assert_eq!(to_sign, text(row, "string_to_sign"), "{}", row["name"]);
    }
}

#[test]
fn step_3_signatures() {
    let data = published();
    let secret = text(&data, "secret_access_key");
    for row in rows(&data, "by_header").iter().chain(rows(&data, "presigned")) {
        let signature = sigv2::signature(secret, text(row, "string_to_sign"));
        assert_eq!(signature, text(row, "signature"), "{}", row["name"]);
    }
    // Of these, only this step was printed right.
    for row in rows(&data, "misprinted") {
        let signature = sigv2::signature(secret, text(row, "printed_string_to_sign"));
        assert_eq!(signature, text(row, "printed_signature"), "{}", row["name"]);
    }
}

#[test]
fn all_steps_by_query() {
    let data = published();
    let (id, secret) = (text(&data, "access_key_id"), text(&data, "secret_access_key"));
    let credentials = Credentials::new(id, secret, None).unwrap();
    for row in rows(&data, "presigned") {
        let expires = row["expires"].as_i64().expect("seconds since 1970");
        let now = Epoch::from_secs(expires - 60);
        let mut request = request(row);
        let minute = Duration::from_secs(60);
        sigv2::presign(&mut request, &credentials, bucket(row), now, minute).unwrap();
        let expected = [
            ("AWSAccessKeyId", id.to_owned()),
            ("Expires", expires.to_string()),
            ("Signature", text(row, "signature").to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        assert_eq!(request.query, expected, "{}", row["name"]);
    }
}

/// Signs each example with its date in `x-amz-date`, as `sign` always does. Of the published
/// examples only DELETE does that, so the steps tested above compute the expected signatures.
#[test]
fn all_steps_by_header() {
    let data = published();
    let (id, secret) = (text(&data, "access_key_id"), text(&data, "secret_access_key"));
    let credentials = Credentials::new(id, secret, None).unwrap();
    for row in rows(&data, "by_header") {
        let mut request = request(row);
        request.headers.retain(|(name, _)| name != "date" && name != "x-amz-date");
        let now = Epoch::parse_rfc2822("Tue, 27 Mar 2007 21:20:26 +0000").unwrap();
        sigv2::sign(&mut request, &credentials, bucket(row), now);
        assert_eq!(request.header("x-amz-date"), Some("Tue, 27 Mar 2007 21:20:26 GMT"));
        let to_sign = sigv2::string_to_sign(&request, bucket(row), "");
        assert!(to_sign.contains("\nx-amz-date:Tue, 27 Mar 2007 21:20:26 GMT\n"), "{to_sign}");
        let expected = sigv2::authorization_header(id, &sigv2::signature(secret, &to_sign));
        assert_eq!(request.header("authorization"), Some(expected.as_str()), "{}", row["name"]);
    }
}
