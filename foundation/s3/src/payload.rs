//! A body with the digests that a signature covers, computed once however often it is sent.

use crate::{Signature, digest};

/// A body to send.
#[derive(Debug, Clone)]
pub(crate) struct Payload<'a> {
    pub(crate) bytes: &'a [u8],
    /// What `SigV4` signs.
    pub(crate) sha256: [u8; 32],
    /// What `SigV2` signs: the MD5 in base64. `SigV4` needs none.
    pub(crate) md5: Option<String>,
}

impl<'a> Payload<'a> {
    /// Makes the body of `bytes`, with the digests that `signature` needs.
    pub(crate) fn new(bytes: &'a [u8], sha256: [u8; 32], signature: Signature) -> Self {
        let md5 = (signature == Signature::V2).then(|| digest::base64(&digest::md5(bytes)));
        Self { bytes, sha256, md5 }
    }

    /// Returns the digest of a body, or of no bytes if there is none.
    pub(crate) fn sha256_of(payload: Option<&Self>) -> [u8; 32] {
        payload.map_or_else(|| digest::sha256(b""), |payload| payload.sha256)
    }
}
