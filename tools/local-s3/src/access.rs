//! Authentication: the accepted credentials, and the checks that `s3s` leaves out.
//!
//! `s3s` compares the signatures themselves, `SigV4` and `SigV2`, in headers and presigned; it checks
//! the date of `SigV4` and the expiry of presigned requests. The date of `SigV2` headers and the
//! completeness of `SigV4`'s signed headers are checked here, after the signature: only then are the
//! headers known to be the sender's.

use std::time::Duration;

use ftime::Epoch;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, DATE, HOST};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use crate::Credentials;

/// The account that owns the buckets: what `x-amz-expected-bucket-owner` has to say, if anything.
pub const OWNER: &str = "123456789012";

/// How far a request's date may be from ours: S3's fifteen minutes.
const MAX_SKEW: Duration = Duration::from_mins(15);

/// Returns the secret access key of the only access key id.
pub(crate) struct OnePair(pub(crate) Credentials);

#[async_trait::async_trait]
impl S3Auth for OnePair {
    async fn get_secret_key(&self, access_key_id: &str) -> S3Result<SecretKey> {
        if access_key_id == self.0.access_key_id {
            return Ok(SecretKey::from(self.0.secret_access_key.as_str()));
        }
        Err(s3_error!(
            InvalidAccessKeyId,
            "The access key id you provided does not exist in our records."
        ))
    }
}

/// Admits requests that are signed completely and recently.
pub(crate) struct Gate;

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "The request is not signed."));
        }
        let owner = cx.headers().get("x-amz-expected-bucket-owner");
        if owner.is_some_and(|owner| owner.as_bytes() != OWNER.as_bytes()) {
            return Err(s3_error!(AccessDenied, "Another account owns the bucket."));
        }
        check_headers(cx.headers(), Epoch::now())
    }
}

/// Checks the headers of a request whose signature is right. A presigned request has no
/// Authorization header, and needs no further check.
fn check_headers(headers: &HeaderMap, now: Epoch) -> S3Result<()> {
    let Some(authorization) = headers.get(AUTHORIZATION) else { return Ok(()) };
    let authorization = authorization.to_str().unwrap_or_default();
    if authorization.starts_with("AWS ") {
        check_v2_date(headers, now)
    } else {
        check_v4_signed_headers(headers, authorization)
    }
}

fn check_v2_date(headers: &HeaderMap, now: Epoch) -> S3Result<()> {
    // Where both are sent, x-amz-date is the one that is signed.
    let text = headers.get("x-amz-date").or_else(|| headers.get(DATE));
    let text = text.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let date = Epoch::parse_rfc1123(text)
        .or_else(|_| Epoch::parse_rfc2822(text))
        .or_else(|_| Epoch::parse_compact(text))
        .map_err(|_| s3_error!(AccessDenied, "A valid Date or x-amz-date header is required."))?;
    let skew = now.since(date).or_else(|| date.since(now)).unwrap_or(Duration::MAX);
    if skew > MAX_SKEW {
        return Err(s3_error!(
            RequestTimeTooSkewed,
            "The difference between the request time and the server's time is too large."
        ));
    }
    Ok(())
}

fn check_v4_signed_headers(headers: &HeaderMap, authorization: &str) -> S3Result<()> {
    let signed = authorization.split_once("SignedHeaders=").map_or("", |(_, rest)| rest);
    let signed = signed.split(',').next().unwrap_or_default().trim();
    let has_to_be_signed = |name: &str| name == HOST || name.starts_with("x-amz-");
    for name in headers.keys().map(hyper::header::HeaderName::as_str) {
        if has_to_be_signed(name) && !signed.split(';').any(|other| other == name) {
            return Err(s3_error!(
                AccessDenied,
                "There were headers present in the request which were not signed: {name}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2007-03-27T19:36:42Z.
    const NOW: Epoch = Epoch::from_secs(1_175_024_202);

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], expected: Option<&str>) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (hyper::header::HeaderName::from_static(name), value.parse().unwrap())
            })
            .collect();
        let found = check_headers(&map, NOW).err().map(|error| error.code().as_str().to_owned());
        assert_eq!(found.as_deref(), expected, "{headers:?}");
    }

    #[test]
    fn v2_dates_in_every_form_and_their_bounds() {
        let v2 = ("authorization", "AWS id:signature");
        check(&[v2, ("date", "Tue, 27 Mar 2007 19:36:42 GMT")], None);
        check(&[v2, ("date", "Tue, 27 Mar 2007 19:36:42 +0000")], None);
        check(&[v2, ("date", "Tue, 27 Mar 2007 19:21:42 GMT")], None);
        check(&[v2, ("date", "Tue, 27 Mar 2007 19:51:42 GMT")], None);
        check(&[v2, ("date", "Tue, 27 Mar 2007 19:21:41 GMT")], Some("RequestTimeTooSkewed"));
        check(&[v2, ("date", "Tue, 27 Mar 2007 19:51:43 GMT")], Some("RequestTimeTooSkewed"));
        check(&[v2, ("x-amz-date", "20070327T193642Z")], None);
        check(&[v2, ("date", "yesterday")], Some("AccessDenied"));
        check(&[v2], Some("AccessDenied"));
    }

    #[test]
    fn of_two_v2_dates_the_signed_one_counts() {
        let (v2, fresh) = (("authorization", "AWS id:signature"), "Tue, 27 Mar 2007 19:36:42 GMT");
        let stale = "Tue, 27 Mar 2007 09:36:42 GMT";
        check(&[v2, ("x-amz-date", fresh), ("date", stale)], None);
        check(&[v2, ("x-amz-date", stale), ("date", fresh)], Some("RequestTimeTooSkewed"));
    }

    #[test]
    fn v4_signs_host_and_every_amz_header() {
        let v4 = "AWS4-HMAC-SHA256 Credential=c,SignedHeaders=host;x-amz-date,Signature=s";
        let signed = [("authorization", v4), ("host", "h"), ("x-amz-date", "d"), ("range", "r")];
        check(&signed, None);
        check(&[&signed[..], &[("x-amz-meta-a", "b")]].concat(), Some("AccessDenied"));
        let hostless = "AWS4-HMAC-SHA256 Credential=c, SignedHeaders=x-amz-date, Signature=s";
        check(&[("authorization", hostless), ("x-amz-date", "d")], None);
        check(&[("authorization", hostless), ("host", "h")], Some("AccessDenied"));
    }

    #[test]
    fn a_presigned_request_is_judged_by_its_query_alone() {
        check(&[("host", "h"), ("date", "yesterday")], None);
    }
}
