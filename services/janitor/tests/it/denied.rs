//! A bucket that denies some requests, as a policy of it may.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::bucket::{Bucket, run};

const POLICY: [&str; 6] = ["--once", "--delete", "--keep", "1", "--days", "30"];

#[test]
fn an_entry_or_a_receipt_whose_removal_is_denied_does_not_keep_the_next_one_from_going() {
    let bucket = Bucket::start();
    bucket.put_release("oddjob", "aaaaaa", 1);
    // Of releases that were removed before.
    let entry = bucket.put_entry("oddjob", "111111", "program");
    let [denied, removed] = ["verified/oddjob/111111", "verified/oddjob/222222"];
    for receipt in [denied, removed] {
        bucket.put(receipt, b"equal", 60);
    }
    let mut expected = bucket.keys();
    let deny = [format!("DELETE /builds/{entry} "), format!("DELETE /builds/{denied} ")];
    let mut janitor = bucket.janitor(&POLICY);
    janitor.env("AWS_ENDPOINT_URL", denying(&bucket.endpoint(), deny));
    let (code, out, log) = run(janitor);
    assert_eq!((code, out), (Some(0), format!("removed {removed}\n")), "{log}");
    assert!(expected.remove(removed));
    assert_eq!(bucket.keys(), expected);
    assert!(log.contains("\"skipped\":2") && log.contains("\"entries\":0"), "{log}");
    for key in [entry.as_str(), denied] {
        assert!(log.contains(&format!("\"object_key\":\"{key}\"")), "{key} is not in: {log}");
    }
}

#[test]
fn where_an_entry_is_denied_or_unreadable_each_release_with_that_binary_stays() {
    for is_denied in [true, false] {
        let bucket = Bucket::start();
        for (version, days, program) in [
            ("aaaaaa", 1, "program"),
            ("bbbbbb", 40, "program"),
            ("cccccc", 50, "program"),
            ("dddddd", 60, "another"),
        ] {
            bucket.put_built("oddjob", version, days, program);
        }
        let entry = bucket.put_entry("oddjob", "cccccc", "program");
        let mut janitor = bucket.janitor(&POLICY);
        if is_denied {
            let deny = [format!("GET /builds/{entry} ")];
            janitor.env("AWS_ENDPOINT_URL", denying(&bucket.endpoint(), deny));
        } else {
            bucket.put(&entry, br#"{"schema":2}"#, 60);
        }
        let (code, out, log) = run(janitor);
        let removed = "removed oddjob/oddjob_dddddd.json\nremoved oddjob/oddjob_dddddd.tar.gz\n";
        assert_eq!((code, out.as_str()), (Some(0), removed), "{log}");
        assert!(log.contains("\"unreadable\":1"), "{log}");
    }
}

/// Passes requests on to the server at `endpoint`, save those that begin with one of these: they are denied.
/// Returns the endpoint of this server.
fn denying<const N: usize>(endpoint: &str, denied: [String; N]) -> String {
    let server = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut client = BufReader::new(client);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                client.read_line(&mut head).unwrap();
            }
            let mut client = client.into_inner();
            if denied.iter().any(|start| head.starts_with(start)) {
                let body = "<Error><Code>AccessDenied</Code></Error>";
                let length = body.len();
                let head = "HTTP/1.1 403 No\r\nConnection: close";
                let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
                client.write_all(answer.as_bytes()).unwrap();
                continue;
            }
            let mut server = TcpStream::connect(&server).unwrap();
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(head.as_bytes()).unwrap();
            io::copy(&mut server, &mut client).unwrap();
        }
    });
    endpoint
}
