//! Signs with OpenSSL, which the crate builds.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::{Signer, Verifier};

fn main() {
    let key = PKey::generate_ed25519().expect("a key");
    let mut signer = Signer::new_without_digest(&key).expect("a signer");
    let signature = signer.sign_oneshot_to_vec(b"bowline").expect("a signature");
    let mut verifier = Verifier::new_without_digest(&key).expect("a verifier");
    let is_right = verifier.verify_oneshot(&signature, b"bowline").expect("a result");
    let digest = openssl::hash::hash(MessageDigest::sha256(), b"bowline").expect("a digest");
    println!(
        "{}: signature {is_right}, SHA-256 {:02x?}",
        openssl::version::version(),
        &digest[..4]
    );
}
