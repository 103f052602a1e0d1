//! Taking a body in, apart from the bucket, until it is known to be what its sender declared.
//!
//! `s3s-fs` knows every digest that S3 knows (Content-MD5, five checksums, in headers and trailers),
//! but compares them after it has replaced the object. So it stores each body twice: first in a
//! throw-away storage of its own, where a refusal harms nothing, then, checked, in the bucket.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::StatusCode;
use s3s::dto::{PutObjectInput, StreamingBlob};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio_util::io::ReaderStream;

use crate::objects::request;

const READ_BYTES: usize = 64 * 1024;

/// The folder for bodies on their way in.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    next: AtomicU64,
}

impl Staging {
    /// Uses `folder`, which is there and ours alone.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, next: AtomicU64::new(0) }
    }

    /// Takes the body of `put` in and replaces it by a body that is whole and checked.
    ///
    /// The guard keeps the bytes until the new body has been read.
    pub(crate) async fn take_in(&self, put: &mut S3Request<PutObjectInput>) -> S3Result<Guard> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let guard = Guard(self.folder.join(number.to_string()));
        std::fs::create_dir_all(guard.0.join("b")).map_err(S3Error::internal_error)?;
        let storage = FileSystem::new(&guard.0).map_err(S3Error::from)?;

        let mut staged = request(declared(&mut put.input));
        staged.trailing_headers = put.trailing_headers.take();
        let checked = storage.put_object(staged).await.map_err(refusal)?.output;

        // The checksums that were compared are kept with the object, whether they came in headers or
        // in trailers; the rest of the declarations has done its work.
        put.input.checksum_crc32 = checked.checksum_crc32;
        put.input.checksum_crc32c = checked.checksum_crc32c;
        put.input.checksum_crc64nvme = checked.checksum_crc64nvme;
        put.input.checksum_sha1 = checked.checksum_sha1;
        put.input.checksum_sha256 = checked.checksum_sha256;
        put.input.body = Some(read(&guard.0.join("b/o")).await?);
        Ok(guard)
    }
}

/// The folder of one body; removed with all it holds when this is dropped.
pub(crate) struct Guard(PathBuf);

impl Drop for Guard {
    fn drop(&mut self) {
        // What stays is removed at the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The body and what was declared about it, moved out of `input`.
fn declared(input: &mut PutObjectInput) -> PutObjectInput {
    PutObjectInput {
        bucket: "b".to_owned(),
        key: "o".to_owned(),
        body: input.body.take(),
        content_length: input.content_length,
        content_md5: input.content_md5.take(),
        checksum_algorithm: input.checksum_algorithm.take(),
        checksum_crc32: input.checksum_crc32.take(),
        checksum_crc32c: input.checksum_crc32c.take(),
        checksum_crc64nvme: input.checksum_crc64nvme.take(),
        checksum_sha1: input.checksum_sha1.take(),
        checksum_sha256: input.checksum_sha256.take(),
        ..PutObjectInput::default()
    }
}

async fn read(file: &Path) -> S3Result<StreamingBlob> {
    let file = tokio::fs::File::open(file).await.map_err(S3Error::internal_error)?;
    Ok(StreamingBlob::wrap(ReaderStream::with_capacity(file, READ_BYTES)))
}

/// What S3 answers to a body that breaks off or is not what was declared.
///
/// `s3s` finds this while it hands the body on, and `s3s-fs` calls every failure to read a body an
/// internal error. The types behind it are private, so their text is what tells them apart; the
/// tests hold it.
fn refusal(error: S3Error) -> S3Error {
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    if text.contains("UploadStreamError: Sha256Mismatch") {
        let code = S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
        let message =
            "The provided 'x-amz-content-sha256' header does not match what was computed.";
        let mut mismatch = S3Error::with_message(code, message);
        mismatch.set_status_code(StatusCode::BAD_REQUEST);
        mismatch
    } else if text.contains("AwsChunkedStreamError: SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "The signature of a chunk of the body does not match.")
    } else if text.contains("UploadStreamError") || text.contains("AwsChunkedStreamError") {
        s3_error!(IncompleteBody, "The body is not as long as was declared.")
    } else if *error.code() == S3ErrorCode::InvalidArgument {
        s3_error!(InvalidDigest, "The Content-MD5 or checksum you specified is not valid.")
    } else {
        error
    }
}
