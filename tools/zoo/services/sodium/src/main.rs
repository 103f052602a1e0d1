//! Hashes with libsodium.

use std::ffi::CStr;

fn main() {
    let mut digest = [0_u8; 32];
    // SAFETY: the lengths are those of the buffers; the version is a C string that is always there.
    let version = unsafe {
        assert!(libsodium_sys::sodium_init() >= 0, "libsodium starts");
        let (text, key) = (b"bowline", std::ptr::null());
        let done = libsodium_sys::crypto_generichash(
            digest.as_mut_ptr(),
            digest.len(),
            text.as_ptr(),
            text.len() as u64,
            key,
            0,
        );
        assert_eq!(done, 0, "a digest");
        CStr::from_ptr(libsodium_sys::sodium_version_string())
    };
    println!("libsodium {}: {:02x?}", version.to_string_lossy(), &digest[..4]);
}
