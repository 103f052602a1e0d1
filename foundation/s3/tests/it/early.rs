//! A refusal that comes before the body was asked for, on a connection that stays open.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use s3::{
    Body, Client, ClientOptions, Credentials, Location, Patience, Precondition, Put, Signature,
};

use crate::server::{read_head, refusal};

#[test]
fn an_early_refusal_is_read_though_the_connection_stays_open() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (done, held) = mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let seen = read_head(&mut BufReader::new(stream.try_clone().unwrap())).unwrap();
        assert_eq!(seen.header("expect"), Some("100-continue"));
        let body = refusal("AccessDenied");
        let length = body.len();
        let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {length}\r\n\r\n{body}");
        // In one piece, as small answers travel; then the connection is held until the client is done.
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = held.recv();
    });
    let location = Location {
        bucket: "bucket".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        path_style: None,
        signature: Signature::V4,
    };
    let patience = Patience { attempts: 1, ..Patience::default() };
    let options = ClientOptions { patience, ..ClientOptions::default() };
    let credentials = Credentials::new("id", "secret", None).unwrap();
    let client = Client::with_options(location, credentials, options).unwrap();
    let bytes = vec![b'x'; 2 * 1024 * 1024];
    let put = Put {
        body: Body::Bytes(&bytes),
        content_type: "text/plain",
        metadata: &[],
        attributes: None,
        precondition: Precondition::None,
    };
    let error = client.put("key", &put).unwrap_err();
    assert!(error.to_string().contains("403 AccessDenied"), "{error}");
    drop(done);
    server.join().unwrap();
}
