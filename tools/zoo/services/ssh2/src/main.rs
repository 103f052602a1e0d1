//! Asks libssh2 what it can do.

use ssh2::MethodType;

fn main() {
    let session = ssh2::Session::new().expect("a session");
    let ciphers = session.supported_algs(MethodType::CryptCs).expect("a list");
    println!("libssh2: aes256-ctr {}", ciphers.contains(&"aes256-ctr"));
}
