//! `SigV2`, step by step. (AWS, "Signing and authenticating REST requests (AWS signature version 2)".)
//!
//! It covers neither the host nor the body: so `Content-MD5`, which it does cover, has to be there
//! whenever there is a body, and the client never uses it over plain http beyond loopback.

use std::collections::BTreeMap;
use std::time::Duration;

use ferror::Error;
use ftime::Epoch;

use crate::digest::{base64, hmac_sha1};
use crate::{Credentials, Request};

/// Parameters that name a part of a resource, and so belong to the canonicalized resource; sorted.
const SUB_RESOURCES: [&str; 24] = [
    "acl",
    "cors",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Signs `request` in place: adds `x-amz-date`, the session token and `Authorization`.
/// `virtual_host_bucket` is the bucket when it stands in the host name and not in the path.
pub fn sign(
    request: &mut Request,
    credentials: &Credentials,
    virtual_host_bucket: Option<&str>,
    now: Epoch,
) {
    // Not `date`: proxies rewrite it. With `x-amz-date`, the Date slot stays empty.
    request.push_header("x-amz-date", now.to_rfc1123());
    if let Some(session_token) = credentials.session_token() {
        request.push_header("x-amz-security-token", session_token);
    }
    let to_sign = string_to_sign(request, virtual_host_bucket, "");
    let signature = signature(credentials.secret_access_key(), &to_sign);
    let authorization = authorization_header(credentials.access_key_id(), &signature);
    request.push_header("authorization", authorization);
}

/// Signs `request` by its query: whoever has the URL may make it until `expires_in` (at least a
/// second) after `now`.
pub fn presign(
    request: &mut Request,
    credentials: &Credentials,
    virtual_host_bucket: Option<&str>,
    now: Epoch,
    expires_in: Duration,
) -> ferror::Result<()> {
    if expires_in.as_secs() == 0 {
        return Err(Error::usage(format!(
            "a presigned URL can be valid for 1 second or more, not for {expires_in:?}"
        )));
    }
    let expires = now.saturating_add(expires_in).secs().to_string();
    if let Some(session_token) = credentials.session_token() {
        request.push_query("x-amz-security-token", session_token);
    }
    let to_sign = string_to_sign(request, virtual_host_bucket, &expires);
    request.push_query("AWSAccessKeyId", credentials.access_key_id());
    request.push_query("Expires", expires);
    request.push_query("Signature", signature(credentials.secret_access_key(), &to_sign));
    Ok(())
}

/// Returns everything that is signed, in one text. `date` fills the Date slot: the `Date`
/// header's value, nothing when there is an `x-amz-date`, the time of expiry in a presigned URL.
pub fn string_to_sign(request: &Request, virtual_host_bucket: Option<&str>, date: &str) -> String {
    format!(
        "{}\n{}\n{}\n{date}\n{}{}",
        request.method,
        request.header("content-md5").unwrap_or_default(),
        request.header("content-type").unwrap_or_default(),
        canonicalized_amz_headers(request),
        canonicalized_resource(request, virtual_host_bucket),
    )
}

/// Returns one line for each `x-amz-*` header, sorted; values trimmed, those of one name joined by `,`.
/// A parameter of that name counts as a header, as it does in a presigned URL.
pub fn canonicalized_amz_headers(request: &Request) -> String {
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in request.headers.iter().chain(&request.query) {
        if name.starts_with("x-amz-") {
            lines.entry(name).or_default().push(value.trim());
        }
    }
    lines
        .iter()
        .fold(String::new(), |text, (name, values)| text + name + ":" + &values.join(",") + "\n")
}

/// Returns the bucket if it is in the host name, the path as it is sent, and the sorted sub-resources.
pub fn canonicalized_resource(request: &Request, virtual_host_bucket: Option<&str>) -> String {
    let bucket = virtual_host_bucket.map(|bucket| format!("/{bucket}")).unwrap_or_default();
    let mut sub_resources: Vec<String> = request
        .query
        .iter()
        .filter(|(name, _)| SUB_RESOURCES.contains(&name.as_str()))
        // Values as they are meant, not as they are encoded.
        .map(
            |(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") },
        )
        .collect();
    sub_resources.sort();
    let question_mark = if sub_resources.is_empty() { "" } else { "?" };
    format!("{bucket}{}{question_mark}{}", request.path, sub_resources.join("&"))
}

/// Computes the signature, in base64.
pub fn signature(secret_access_key: &str, string_to_sign: &str) -> String {
    base64(&hmac_sha1(secret_access_key.as_bytes(), string_to_sign.as_bytes()))
}

/// Returns the value of `Authorization`.
pub fn authorization_header(access_key_id: &str, signature: &str) -> String {
    format!("AWS {access_key_id}:{signature}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ftime::Epoch;

    use super::{canonicalized_amz_headers, canonicalized_resource, presign, sign, string_to_sign};
    use crate::{Credentials, Request};

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn request(query: &[(&str, &str)], headers: &[(&str, &str)]) -> Request {
        let (query, headers) = (pairs(query), pairs(headers));
        Request { method: "PUT", path: "/k".to_owned(), query, headers }
    }

    #[test]
    fn the_resource_has_sub_resources_alone_and_sorted() {
        for (query, bucket, expected) in [
            (&[][..], None, "/k"),
            (&[], Some("b"), "/b/k"),
            (&[("prefix", "p"), ("list-type", "2")], Some("b"), "/b/k"),
            (&[("uploads", "")], Some("b"), "/b/k?uploads"),
            (
                &[("uploadId", "a/b+c="), ("partNumber", "2")],
                None,
                "/k?partNumber=2&uploadId=a/b+c=",
            ),
        ] {
            let resource = canonicalized_resource(&request(query, &[]), bucket);
            assert_eq!(resource, expected, "query {query:?}");
        }
    }

    #[test]
    fn amz_headers_are_sorted_trimmed_and_joined() {
        let request = request(
            &[],
            &[("x-amz-meta-b", " 2 "), ("host", "h"), ("x-amz-acl", "a"), ("x-amz-meta-b", "3")],
        );
        assert_eq!(canonicalized_amz_headers(&request), "x-amz-acl:a\nx-amz-meta-b:2,3\n");
    }

    #[test]
    fn the_session_token_is_signed_in_the_header_form_and_in_the_query_form() {
        let credentials = Credentials::new("id", "secret", Some("token".to_owned())).unwrap();
        let mut by_header = request(&[], &[("content-md5", "MD5"), ("content-type", "text/plain")]);
        sign(&mut by_header, &credentials, None, Epoch::from_secs(1_175_024_202));
        assert_eq!(
            string_to_sign(&by_header, None, ""),
            "PUT\nMD5\ntext/plain\n\nx-amz-date:Tue, 27 Mar 2007 19:36:42 GMT\nx-amz-security-token:token\n/k",
        );
        let mut by_query = request(&[], &[("host", "h")]);
        presign(&mut by_query, &credentials, None, Epoch::ZERO, Duration::from_secs(9)).unwrap();
        assert_eq!(
            string_to_sign(&by_query, None, "9"),
            "PUT\n\n\n9\nx-amz-security-token:token\n/k",
        );
        assert!(by_query.query.contains(&("Expires".to_owned(), "9".to_owned())));
    }
}
