//! Time limits and trust, against sockets of this machine.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ferror::Kind;

use super::{Timeouts, Transport};
use crate::Request;

#[test]
fn a_silent_server_is_given_up() {
    // It accepts (the kernel does) and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/k", silent.local_addr().unwrap());
    let request =
        Request { method: "GET", path: "/k".to_owned(), query: Vec::new(), headers: Vec::new() };
    let short = Duration::from_millis(100);
    let long = Duration::from_secs(60);
    for timeouts in [
        Timeouts { answer: short, connect: long, stall: long, whole: long },
        Timeouts { stall: short, connect: long, answer: long, whole: long },
        Timeouts { whole: short, connect: long, answer: long, stall: long },
    ] {
        let started = Instant::now();
        let transport = Transport::new(true, None, timeouts, 1).unwrap();
        let error = transport.send(&url, &request, None, 1, true).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{timeouts:?}: {error:?}");
        assert!(started.elapsed() < long / 2, "{timeouts:?} took {:?}", started.elapsed());
    }
}

#[test]
fn a_bundle_of_roots_has_to_hold_certificates() {
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (pem, reason) in [
        ("", "no certificate"),
        ("not a bundle", "no certificate"),
        (key, "other than certificates"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "not PEM"),
    ] {
        let made = Transport::new(false, Some(pem.as_bytes()), Timeouts::default(), 1);
        let error = made.err().expect("this bundle must be refused");
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains(reason), "{pem:?}: {error}");
    }
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    Transport::new(false, Some(certificate.as_bytes()), Timeouts::default(), 1).unwrap();
}

#[test]
fn an_answer_that_drips_is_given_up() {
    use std::io::{Read as _, Write as _};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/k", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").unwrap();
        // Each byte is in time by itself, and all of them would take hours.
        for _ in 0..1_000 {
            std::thread::sleep(Duration::from_millis(10));
            if stream.write_all(b"x").is_err() {
                break;
            }
        }
    });
    let long = Duration::from_secs(60);
    let whole = Duration::from_millis(200);
    let timeouts = Timeouts { connect: long, stall: long, answer: long, whole };
    let headers = Vec::new();
    let request = Request { method: "GET", path: "/k".to_owned(), query: Vec::new(), headers };
    let started = Instant::now();
    let transport = Transport::new(true, None, timeouts, 1).unwrap();
    let error = transport.send(&url, &request, None, 1_000, true).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
    assert!(started.elapsed() < long / 2, "it took {:?}", started.elapsed());
    server.join().unwrap();
}
