//! The digests that S3 asks for, each in one call.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ferror::Error;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Writes `bytes` in lower-case hexadecimal, as manifests and `SigV4` have a digest.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes what it is given");
        text
    })
}

/// Reads a SHA-256 that is written in lower hex.
///
/// # Errors
/// [`ferror::Kind::Invalid`] with what was expected.
pub fn parse_digest(hex: &str) -> ferror::Result<[u8; 32]> {
    let wrong = || Error::invalid(format!("{hex:?} is not a SHA-256 in 64 lower-case hex digits"));
    let fits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if hex.len() != 64 || !hex.bytes().all(fits) {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Computes the HMAC with SHA-256 (RFC 2104): every step of `SigV4`.
pub(crate) fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Computes the HMAC with SHA-1 (RFC 2104), for `SigV2`.
pub(crate) fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Returns the MD5 of `bytes`, for `Content-MD5`.
pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::{hex, parse_digest, sha256};

    #[test]
    fn a_digest_is_64_lower_case_hex_digits() {
        let digest = hex(&sha256(b"two"));
        assert_eq!(hex(&parse_digest(&digest).unwrap()), digest);
        let (upper, long, odd) = (digest.to_uppercase(), format!("{digest}0"), "é".repeat(32));
        for wrong in ["", &digest[1..], &upper, &long, &odd] {
            let error = parse_digest(wrong).unwrap_err();
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
