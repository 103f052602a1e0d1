//! Signs with blst, in assembly.

use blst::BLST_ERROR;
use blst::min_pk::SecretKey;

fn main() {
    let key = SecretKey::key_gen(&[1; 32], &[]).expect("a key");
    let signature = key.sign(b"bowline", b"zoo", &[]);
    let result = signature.verify(true, b"bowline", b"zoo", &[], &key.sk_to_pk(), true);
    println!("blst: signature {}", result == BLST_ERROR::BLST_SUCCESS);
}
