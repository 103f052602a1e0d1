//! The digests of a body that the two signatures sign.

use ferror::Error;

use crate::exact_file::ExactFile;
use crate::{Body, digest};

/// What `SigV4` signs of a body.
pub(crate) fn sha256(body: Body<'_>) -> [u8; 32] {
    match body {
        Body::Bytes(bytes) => digest::sha256(bytes),
        Body::File { sha256, .. } => sha256,
    }
}

/// What `SigV2` signs of a body: its MD5 in base64.
///
/// `SigV2` has no place for the digest that a caller declares of a file. It is compared here, since
/// the file has to be read for its MD5 anyway.
pub(crate) fn content_md5(body: Body<'_>) -> ferror::Result<String> {
    let (path, size_bytes, declared) = match body {
        Body::Bytes(bytes) => return Ok(digest::base64(&digest::md5(bytes))),
        Body::File { path, size_bytes, sha256 } => (path, size_bytes, sha256),
    };
    let file = ExactFile::open(path, size_bytes)?;
    // The reader's errors are ours, wrapped for `Read`.
    let (md5, sha256) = digest::md5_and_sha256(file).map_err(|error| {
        error.downcast::<Error>().unwrap_or_else(|error| {
            Error::config(format!("cannot read {}", path.display())).caused_by(error)
        })
    })?;
    if sha256 != declared {
        let (path, sha256) = (path.display(), digest::hex(&sha256));
        let declared = digest::hex(&declared);
        return Err(Error::invalid(format!(
            "{path} has the digest {sha256}, not the {declared} that it should have"
        )));
    }
    Ok(digest::base64(&md5))
}
