//! `SigV4` against a second implementation, the AWS SDK for Rust's: other people's reading of the same
//! specification, over thousands of generated requests.
//!
//! What is compared is the signature, which is equal only when every byte of the canonical request,
//! the string to sign and the key is. The SDK takes the path as it is on the wire, so the encoding of
//! object keys is compared by itself, with the function by which the SDK writes them.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use aws_smithy_http::label::{EncodingStrategy, fmt_string};
use ftime::Epoch;
use proptest::prelude::*;
use s3::{Credentials, Request, encode, sha256, sigv4};

use crate::generated::{config, headers, pairs, text};

/// Who signs, where and when.
#[derive(Debug, Clone)]
struct Signer {
    id: String,
    secret: String,
    session_token: Option<String>,
    region: String,
    secs: u32,
}

fn signer() -> impl Strategy<Value = Signer> {
    let token = prop::option::of("[!-~]{1,60}");
    ("[!-~]{1,20}", "[!-~]{1,40}", token, "[a-z0-9-]{1,12}", any::<u32>()).prop_map(
        |(id, secret, session_token, region, secs)| Signer {
            id,
            secret,
            session_token,
            region,
            secs,
        },
    )
}

impl Signer {
    fn credentials(&self) -> Credentials {
        Credentials::new(&*self.id, &*self.secret, self.session_token.clone()).unwrap()
    }

    fn now(&self) -> Epoch {
        Epoch::from_secs(i64::from(self.secs))
    }

    /// Returns what the SDK makes of the same request: the `Authorization` header, if there is one, and the
    /// signature.
    fn sdk(
        &self,
        request: &Request,
        body: SignableBody<'_>,
        settings: SigningSettings,
    ) -> (Option<String>, String) {
        let credentials = SdkCredentials::new(
            &*self.id,
            &*self.secret,
            self.session_token.clone(),
            None,
            "a generated one",
        );
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(self.secs.into()))
            .settings(settings)
            .build()
            .expect("all parameters are there")
            .into();
        let uri = url(request);
        let headers = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let signable = SignableRequest::new(request.method, uri, headers, body).expect("a request");
        let output = aws_sigv4::http_request::sign(signable, &parameters).expect("it signs");
        let authorization = output
            .output()
            .headers()
            .find(|(name, _)| *name == "authorization")
            .map(|(_, value)| value.replace(", ", ","));
        (authorization, output.signature().to_owned())
    }
}

/// Returns the request's URL; the host stands in its headers.
fn url(request: &Request) -> String {
    let query = encode::query(&request.query);
    let question_mark = if query.is_empty() { "" } else { "?" };
    let host = request.header("host").expect("a host");
    format!("https://{host}{}{question_mark}{query}", request.path)
}

/// Configures the SDK as S3 wants it: the path as it is sent, the digest of the body as a header.
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let mut excluded = settings.excluded_headers.take().unwrap_or_default();
    // The SDK signs before its HTTP client adds these; here, the caller may have added them.
    excluded.extend(["accept-encoding", "connection", "expect"].map(Into::into));
    settings.excluded_headers = Some(excluded);
    settings
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(&["GET", "PUT", "POST", "HEAD", "DELETE"][..]);
    let host = "[a-z][a-z0-9-]{0,9}[a-z0-9](\\.example)?(:[1-9][0-9]{1,3})?";
    let query = pairs(text().prop_filter("a name", |name| !name.is_empty()), text());
    (method, host, text(), query, headers()).prop_map(|(method, host, key, query, mut headers)| {
        headers.insert(0, ("host".to_owned(), host));
        Request { method, path: format!("/{}", encode::object_key(&key)), query, headers }
    })
}

proptest! {
    #![proptest_config(config(3000))]

    #[test]
    fn object_keys_are_written_as_the_sdk_writes_them(key in text()) {
        prop_assert_eq!(encode::object_key(&key), fmt_string(&key, EncodingStrategy::Greedy));
        prop_assert_eq!(encode::component(&key), fmt_string(&key, EncodingStrategy::Default));
    }

    #[test]
    fn headers_are_signed_as_the_sdk_signs_them(
        mut request in request(),
        body in prop::collection::vec(any::<u8>(), 0..40),
        signer in signer(),
    ) {
        let (expected, signature) = signer.sdk(&request, SignableBody::Bytes(&body), settings());
        sigv4::sign(&mut request, &signer.credentials(), &signer.region, &sha256(&body), signer.now());
        let authorization = request.header("authorization").expect("it is signed");
        prop_assert!(authorization.ends_with(&signature));
        prop_assert_eq!(Some(authorization), expected.as_deref());
    }

    #[test]
    fn queries_are_presigned_as_the_sdk_presigns_them(
        mut request in request(),
        signer in signer(),
        secs in 1_u64..=604_800,
    ) {
        request.headers.truncate(1);
        let mut settings = settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.expires_in = Some(Duration::from_secs(secs));
        let (_, expected) = signer.sdk(&request, SignableBody::UnsignedPayload, settings);
        let expires_in = Duration::from_secs(secs);
        sigv4::presign(&mut request, &signer.credentials(), &signer.region, signer.now(), expires_in)
            .expect("it can be signed for so long");
        let (name, signature) = request.query.pop().expect("a signature");
        prop_assert_eq!((name.as_str(), signature), ("X-Amz-Signature", expected));
    }
}
