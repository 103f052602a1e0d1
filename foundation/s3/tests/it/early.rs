//! The question before a large body (`Expect: 100-continue`): a refusal that comes instead of the word
//! to go on, on a connection that stays open; and servers that will not or cannot be asked.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use s3::{Body, Client, ClientOptions, Credentials, Location, Put, RetryPolicy, Signature};

use crate::server::{ONCE, Script, Server, answer, client_with, read_head, refusal};

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
    let retry_policy = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    let options = ClientOptions { retry_policy, ..ClientOptions::default() };
    let credentials = Credentials::new("id", "secret", None).unwrap();
    let client = Client::with_options(location, credentials, options).unwrap();
    let bytes = vec![b'x'; 2 * 1024 * 1024];
    let error = client.put("key", &put(&bytes)).unwrap_err();
    assert!(error.to_string().contains("403 AccessDenied"), "{error}");
    drop(done);
    server.join().unwrap();
}

#[test]
fn a_server_that_will_not_be_asked_first_is_not() {
    let body = vec![b'x'; 2 * 1024 * 1024];
    let refused = Script::Early(answer("417 Expectation Failed", &[], ""));
    let server =
        Server::start(vec![refused, Script::Answer(answer("200 OK", &["etag: \"e1\""], ""))]);
    let client = client_with(&server.endpoint, Signature::V4, ONCE);
    for _ in 0..2 {
        client.put("k", &put(&body)).unwrap();
    }
    let asked: Vec<_> = (0..3).map(|_| server.seen().header("expect").is_some()).collect();
    assert_eq!(asked, [true, false, false]);
}

#[test]
fn a_server_that_does_not_hear_the_question_is_asked_once() {
    let body = vec![b'x'; 2 * 1024 * 1024];
    let asked = |scripts: Vec<Script>, times: usize| {
        let server = Server::start(scripts);
        let client = client_with(&server.endpoint, Signature::V4, ONCE);
        for _ in 0..times {
            let _ = client.put("k", &put(&body));
        }
        (0..times).map(|_| server.seen().header("expect").is_some()).collect::<Vec<_>>()
    };
    let taken = || Script::Deaf(answer("200 OK", &["etag: \"e1\""], ""));
    assert_eq!(asked(vec![taken()], 5), [true, false, false, false, false]);
    // Only a body that was taken says that it need not be asked: a refusal may come early next time.
    let refused = Script::Deaf(answer("403 Forbidden", &[], &refusal("AccessDenied")));
    assert_eq!(asked(vec![refused, taken()], 3), [true, true, false]);
    assert_eq!(
        asked(vec![Script::Answer(answer("200 OK", &["etag: \"e1\""], ""))], 3),
        [true, true, true],
        "one that answers"
    );
}

fn put(bytes: &[u8]) -> Put<'_> {
    Put::new(Body::Bytes(bytes), "text/plain")
}
