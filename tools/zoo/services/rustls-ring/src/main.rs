//! Shakes hands with itself by rustls on ring.

use rustls::pki_types::PrivatePkcs8KeyDer;

fn main() {
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = rustls::crypto::ring::default_provider();
    let agreed = zoo_support::tls::handshake(provider, made.cert.der().clone(), key.into());
    println!("rustls with ring: {agreed}");
}
