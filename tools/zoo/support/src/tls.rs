//! A handshake of TLS in memory.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Shakes hands with itself. Returns the protocol and the cipher suite that both sides agreed upon.
pub fn handshake(
    provider: CryptoProvider,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> String {
    let provider = Arc::new(provider);
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a server");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a trusted certificate");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).expect("bytes of the client");
        server.read_tls(&mut &sent[..]).expect("bytes for the server");
        server.process_new_packets().expect("the server goes on");
        let mut sent = Vec::new();
        server.write_tls(&mut sent).expect("bytes of the server");
        client.read_tls(&mut &sent[..]).expect("bytes for the client");
        client.process_new_packets().expect("the client goes on");
    }
    let suite = client.negotiated_cipher_suite().expect("a cipher suite").suite();
    format!("{:?} {suite:?}", client.protocol_version().expect("a protocol"))
}
