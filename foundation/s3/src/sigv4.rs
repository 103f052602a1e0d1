//! `SigV4`, step by step. (AWS, "Authenticating Requests (AWS Signature Version 4)".)
//!
//! canonical request, string to sign, signing key, signature; then either the `Authorization`
//! header ([`sign`]) or query parameters ([`presign`]). The payload hash is always the body's real
//! digest, never "unsigned", save in a presigned URL, which has no body.

use std::time::Duration;

use ferror::Error;
use ftime::Epoch;

use crate::digest::{hex, hmac_sha256, sha256};
use crate::{Credentials, Request, encode};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The text in a presigned URL's canonical request in place of the payload hash.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The longest that a presigned URL can be valid: seven days.
pub const MAX_EXPIRES_IN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Headers that a proxy or the transport may add or change on the way.
const NEVER_SIGNED: [&str; 6] =
    ["accept-encoding", "authorization", "connection", "expect", "transfer-encoding", "user-agent"];

/// Signs `request` in place: adds `x-amz-date`, `x-amz-content-sha256`, the session token and
/// `Authorization`. `payload_sha256` is the digest of the body, of no bytes when there is none.
pub fn sign(
    request: &mut Request,
    credentials: &Credentials,
    region: &str,
    payload_sha256: &[u8; 32],
    now: Epoch,
) {
    let payload_hash = hex(payload_sha256);
    request.push_header("x-amz-date", now.to_compact());
    request.push_header("x-amz-content-sha256", payload_hash.as_str());
    if let Some(session_token) = credentials.session_token() {
        request.push_header("x-amz-security-token", session_token);
    }
    let scope = credential_scope(now, region, "s3");
    let to_sign = string_to_sign(now, &scope, &canonical_request(request, &payload_hash));
    let key = signing_key(credentials.secret_access_key(), now, region, "s3");
    let authorization = authorization_header(
        credentials.access_key_id(),
        &scope,
        &signed_headers(request),
        &signature(&key, &to_sign),
    );
    request.push_header("authorization", authorization);
}

/// Signs `request` by its query: whoever has the URL may make it until `expires_in` has passed,
/// in whole seconds from 1 to [`MAX_EXPIRES_IN`]. Only the headers that are there are signed, so
/// give it `host` and no more.
pub fn presign(
    request: &mut Request,
    credentials: &Credentials,
    region: &str,
    now: Epoch,
    expires_in: Duration,
) -> ferror::Result<()> {
    if expires_in.as_secs() == 0 || expires_in > MAX_EXPIRES_IN {
        return Err(Error::usage(format!(
            "a presigned URL can be valid for 1 second to 7 days, not for {expires_in:?}"
        )));
    }
    let scope = credential_scope(now, region, "s3");
    request.push_query("X-Amz-Algorithm", ALGORITHM);
    request.push_query("X-Amz-Credential", format!("{}/{scope}", credentials.access_key_id()));
    request.push_query("X-Amz-Date", now.to_compact());
    request.push_query("X-Amz-Expires", expires_in.as_secs().to_string());
    request.push_query("X-Amz-SignedHeaders", signed_headers(request));
    if let Some(session_token) = credentials.session_token() {
        request.push_query("X-Amz-Security-Token", session_token);
    }
    let to_sign = string_to_sign(now, &scope, &canonical_request(request, UNSIGNED_PAYLOAD));
    let key = signing_key(credentials.secret_access_key(), now, region, "s3");
    request.push_query("X-Amz-Signature", signature(&key, &to_sign));
    Ok(())
}

/// Returns everything that is signed, in one text.
pub fn canonical_request(request: &Request, payload_hash: &str) -> String {
    let headers = canonical_headers(request)
        .iter()
        .fold(String::new(), |text, (name, value)| text + name + ":" + value + "\n");
    [
        request.method,
        &request.path,
        &encode::query(&request.query),
        &headers,
        &signed_headers(request),
        payload_hash,
    ]
    .join("\n")
}

/// Returns the names of the headers that are signed, sorted.
pub fn signed_headers(request: &Request) -> String {
    let names: Vec<_> = canonical_headers(request).into_iter().map(|(name, _)| name).collect();
    names.join(";")
}

/// Returns the scope of a signature: a day, a region and a service.
pub fn credential_scope(now: Epoch, region: &str, service: &str) -> String {
    format!("{}/{region}/{service}/aws4_request", now.date_stamp())
}

/// Returns the digest of the canonical request with its time and scope.
pub fn string_to_sign(now: Epoch, credential_scope: &str, canonical_request: &str) -> String {
    let digest = hex(&sha256(canonical_request.as_bytes()));
    format!("{ALGORITHM}\n{}\n{credential_scope}\n{digest}", now.to_compact())
}

/// Derives the key that signs within one credential scope.
pub fn signing_key(secret_access_key: &str, now: Epoch, region: &str, service: &str) -> [u8; 32] {
    let seed = format!("AWS4{secret_access_key}");
    let day = hmac_sha256(seed.as_bytes(), now.date_stamp().as_bytes());
    let day_region = hmac_sha256(&day, region.as_bytes());
    let day_region_service = hmac_sha256(&day_region, service.as_bytes());
    hmac_sha256(&day_region_service, b"aws4_request")
}

/// Computes the signature, in lower-case hexadecimal.
pub fn signature(signing_key: &[u8; 32], string_to_sign: &str) -> String {
    hex(&hmac_sha256(signing_key, string_to_sign.as_bytes()))
}

/// Returns the value of `Authorization`.
pub fn authorization_header(
    access_key_id: &str,
    credential_scope: &str,
    signed_headers: &str,
    signature: &str,
) -> String {
    format!(
        "{ALGORITHM} Credential={access_key_id}/{credential_scope},SignedHeaders={signed_headers},Signature={signature}"
    )
}

/// Sorts headers by name; values are trimmed, their inner spaces collapsed, values of one name joined by `,`.
fn canonical_headers(request: &Request) -> Vec<(String, String)> {
    let mut sorted: Vec<&(String, String)> =
        request.headers.iter().filter(|(name, _)| !NEVER_SIGNED.contains(&name.as_str())).collect();
    // Stable: values of one name stay in the order in which they are sent.
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut canonical: Vec<(String, String)> = Vec::with_capacity(sorted.len());
    for (name, value) in sorted {
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        match canonical.last_mut() {
            Some((last, values)) if last == name => *values = format!("{values},{value}"),
            _ => canonical.push((name.clone(), value)),
        }
    }
    canonical
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ftime::Epoch;

    use super::{canonical_request, presign, sign, signed_headers};
    use crate::{Credentials, Request};

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Request { method: "GET", path: "/k".to_owned(), query: Vec::new(), headers }
    }

    #[test]
    fn values_are_trimmed_and_collapsed_and_one_name_is_one_line() {
        let request = request(&[
            ("x-amz-meta-b", "  two   words "),
            ("host", "h"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-b", "third"),
        ]);
        assert_eq!(
            canonical_request(&request, "HASH"),
            "GET\n/k\n\nhost:h\nx-amz-meta-a:1\nx-amz-meta-b:two words,third\n\nhost;x-amz-meta-a;x-amz-meta-b\nHASH",
        );
    }

    #[test]
    fn what_changes_on_the_way_is_not_signed() {
        let request = request(&[
            ("accept-encoding", "gzip"),
            ("connection", "close"),
            ("content-type", "text/plain"),
            ("expect", "100-continue"),
            ("host", "h"),
            ("if-none-match", "*"),
            ("transfer-encoding", "chunked"),
            ("user-agent", "u"),
        ]);
        assert_eq!(signed_headers(&request), "content-type;host;if-none-match");
    }

    #[test]
    fn the_session_token_is_a_signed_header() {
        let credentials = Credentials::new("id", "secret", Some("token".to_owned())).unwrap();
        let mut request = request(&[("host", "h")]);
        sign(&mut request, &credentials, "us-east-1", &[0; 32], Epoch::ZERO);
        let authorization = request.header("authorization").unwrap();
        assert!(
            authorization.contains(
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
            ),
            "{authorization}"
        );
        assert_eq!(request.header("x-amz-security-token"), Some("token"));
        assert_eq!(request.header("x-amz-date"), Some("19700101T000000Z"));
        assert_eq!(request.header("x-amz-content-sha256"), Some("0".repeat(64).as_str()));
    }

    #[test]
    fn a_presigned_url_lives_from_a_second_to_seven_days() {
        let credentials = Credentials::new("id", "secret", None).unwrap();
        for (secs, fits) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
            let mut request = request(&[("host", "h")]);
            let expires_in = Duration::from_secs(secs);
            let signed = presign(&mut request, &credentials, "r", Epoch::ZERO, expires_in);
            assert_eq!(signed.is_ok(), fits, "{secs} s");
        }
    }
}
