//! Shakes hands with itself by the system's TLS, or OpenSSL on Linux.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use native_tls::{Identity, TlsAcceptor, TlsConnector};

fn main() {
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = made.signing_key.serialize_pem();
    let identity =
        Identity::from_pkcs8(made.cert.pem().as_bytes(), key.as_bytes()).expect("an identity");
    let acceptor = TlsAcceptor::new(identity).expect("an acceptor");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut stream = acceptor.accept(stream).expect("a handshake");
        stream.write_all(b"knots").expect("a write");
        stream.shutdown().expect("an end");
    });
    let connector =
        TlsConnector::builder().danger_accept_invalid_certs(true).build().expect("a connector");
    let stream = TcpStream::connect(address).expect("a connection");
    let mut stream = connector.connect("localhost", stream).expect("a handshake");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a text");
    server.join().expect("the server");
    println!("native-tls: {text} by TLS");
}
