//! A body with its digests, computed once however often it is sent.

use std::cell::OnceCell;

use crate::digest;

/// A body to send.
#[derive(Debug, Clone)]
pub(crate) struct Payload<'a> {
    pub(crate) bytes: &'a [u8],
    /// What `SigV4` signs.
    pub(crate) sha256: [u8; 32],
    /// In base64. It takes three times as long as the SHA-256, so it is computed when it is sent.
    md5: OnceCell<String>,
}

impl<'a> Payload<'a> {
    /// Makes the body of `bytes`, which have this digest.
    pub(crate) fn new(bytes: &'a [u8], sha256: [u8; 32]) -> Self {
        Self { bytes, sha256, md5: OnceCell::new() }
    }

    /// Returns the value of `Content-MD5`.
    pub(crate) fn md5(&self) -> &str {
        self.md5.get_or_init(|| digest::base64(&digest::md5(self.bytes)))
    }

    /// Returns the digest of a body, or of no bytes if there is none.
    pub(crate) fn sha256_of(payload: Option<&Self>) -> [u8; 32] {
        payload.map_or_else(|| digest::sha256(b""), |payload| payload.sha256)
    }
}
