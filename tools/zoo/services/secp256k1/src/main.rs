//! Signs with libsecp256k1.

use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

fn main() {
    let secp = Secp256k1::new();
    let secret = SecretKey::from_slice(&[1; 32]).expect("a key");
    let message = Message::from_digest([2; 32]);
    let signature = secp.sign_ecdsa(&message, &secret);
    let public = PublicKey::from_secret_key(&secp, &secret);
    let is_right = secp.verify_ecdsa(&message, &signature, &public).is_ok();
    println!("libsecp256k1: signature {is_right}, public key {public}");
}
