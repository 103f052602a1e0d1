//! Receives a body, apart from the bucket, until it is known to be what its sender declared.
//!
//! `s3s` compares the body with `x-amz-content-sha256` and the signatures of chunks while it hands
//! it on; `Content-MD5` and the checksums, in headers or trailers, are compared here. What is
//! refused was a scratch file, which goes away.

use std::future::poll_fn;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Body as _;
use hyper::{HeaderMap, StatusCode};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, StdError, TrailingHeaders, s3_error};
use tokio::io::AsyncWriteExt as _;

use crate::record::{CHECKSUM, Headers, broken};
use crate::store::{Scratch, Store};

const WRITE_BYTES: usize = 256 * 1024;
/// S3's limit for one PUT and for one part: 5 GiB.
pub(crate) const MAX_BODY_BYTES: u64 = 5 << 30;

/// A body that is whole and as declared.
pub(crate) struct Taken {
    pub(crate) scratch: Scratch,
    pub(crate) size_bytes: u64,
    pub(crate) md5: [u8; 16],
    /// The checksums that were compared, as headers.
    pub(crate) checksums: Headers,
}

/// The length and the digests that a request declares for its body.
pub(crate) struct Declared {
    headers: HeaderMap,
    trailers: Option<TrailingHeaders>,
    md5: Option<Vec<u8>>,
}

impl Declared {
    /// Reads the headers of `request`; an impossible length or digest is refused before the body is read.
    pub(crate) fn of<T>(request: &mut S3Request<T>) -> S3Result<Self> {
        let headers = request.headers.clone();
        let length = headers.get("content-length").and_then(|value| value.to_str().ok());
        let length = length.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        if length > MAX_BODY_BYTES {
            return Err(s3_error!(EntityTooLarge, "A body is 5 GiB at most."));
        }
        let md5 = headers
            .get("content-md5")
            .map(|value| STANDARD.decode(value.as_bytes()).ok().filter(|md5| md5.len() == 16))
            .map(|md5| md5.ok_or_else(|| s3_error!(InvalidDigest, "Content-MD5 is no digest.")))
            .transpose()?;
        Ok(Self { headers, trailers: request.trailing_headers.take(), md5 })
    }

    /// Computes what will be compared: what is announced by name, by value or as a trailer.
    fn hasher(&self) -> ChecksumHasher {
        let trailer = self.headers.get_all("x-amz-trailer").iter();
        let trailer: Vec<_> = trailer.filter_map(|value| value.to_str().ok()).collect();
        let is_named = |algorithm: &str| {
            let header = format!("{CHECKSUM}{algorithm}");
            self.headers.contains_key(&header)
                || trailer.iter().any(|names| names.split(',').any(|name| name.trim() == header))
        };
        ChecksumHasher {
            crc32: is_named("crc32").then(Default::default),
            crc32c: is_named("crc32c").then(Default::default),
            crc64nvme: is_named("crc64nvme").then(Default::default),
            sha1: is_named("sha1").then(Default::default),
            sha256: is_named("sha256").then(Default::default),
        }
    }

    fn compare(&self, md5: [u8; 16], checksum: Checksum) -> S3Result<Headers> {
        if self.md5.as_ref().is_some_and(|declared| *declared != md5) {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified is not the body's."));
        }
        let trailers = self.trailers.as_ref().and_then(TrailingHeaders::take).unwrap_or_default();
        let mut compared = Headers::new();
        for (algorithm, computed) in [
            ("crc32", checksum.checksum_crc32),
            ("crc32c", checksum.checksum_crc32c),
            ("crc64nvme", checksum.checksum_crc64nvme),
            ("sha1", checksum.checksum_sha1),
            ("sha256", checksum.checksum_sha256),
        ] {
            let Some(computed) = computed else { continue };
            let name = format!("{CHECKSUM}{algorithm}");
            let declared = trailers.get(&name).or_else(|| self.headers.get(&name));
            if declared.is_none_or(|declared| declared.as_bytes() != computed.as_bytes()) {
                return Err(s3_error!(
                    BadDigest,
                    "The {algorithm} you specified is not the body's."
                ));
            }
            compared.insert(name, computed);
        }
        Ok(compared)
    }
}

/// Takes `body` in; nothing is kept of one that is not as `declared`.
pub(crate) async fn take_in(
    store: &Store,
    body: Option<StreamingBlob>,
    declared: Declared,
) -> S3Result<Taken> {
    let scratch = store.scratch();
    let file = tokio::fs::File::create(scratch.path()).await.map_err(broken)?;
    let mut file = tokio::io::BufWriter::with_capacity(WRITE_BYTES, file);
    let (mut md5, mut checksums, mut size_bytes) = (Md5::new(), declared.hasher(), 0);
    let mut body = body.map(s3s::Body::from).unwrap_or_default();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(bytes) = frame.map_err(|error| refusal(&error))?.into_data() else { continue };
        md5.update(&bytes);
        checksums.update(&bytes);
        size_bytes += bytes.len() as u64;
        file.write_all(&bytes).await.map_err(broken)?;
    }
    file.flush().await.map_err(broken)?;
    let md5 = md5.finalize();
    let checksums = declared.compare(md5, checksums.finalize())?;
    Ok(Taken { scratch, size_bytes, md5, checksums })
}

/// Returns S3's error for a body that breaks off or is not the one that was signed.
///
/// The types of these errors are private to `s3s`, so their text is what tells them apart; the
/// tests hold it.
fn refusal(error: &StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("UploadStreamError: Sha256Mismatch") {
        let code = S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
        let message =
            "The provided 'x-amz-content-sha256' header does not match what was computed.";
        let mut mismatch = S3Error::with_message(code, message);
        mismatch.set_status_code(StatusCode::BAD_REQUEST);
        mismatch
    } else if text.contains("AwsChunkedStreamError: SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "The signature of a chunk of the body does not match.")
    } else {
        s3_error!(IncompleteBody, "The body is not as long as was declared: {text}")
    }
}
