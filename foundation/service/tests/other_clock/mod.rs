//! A server of S3 whose clock and this machine's differ, for the tests of all services that read a bucket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use ftime::Epoch;

/// Passes requests on to the server at `endpoint`, save the first: that one is refused because of its time, with
/// that of a clock which is `ahead` seconds ahead of this machine's. Returns the endpoint of this server.
pub(crate) fn with_another_clock(endpoint: &str, ahead: i64) -> String {
    let server = endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            let mut client = BufReader::new(client);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                client.read_line(&mut head).unwrap();
            }
            let mut client = client.into_inner();
            if number == 0 {
                let then = Epoch::from_secs(Epoch::now().secs() + ahead);
                let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
                let (date, length) = (then.to_rfc1123(), body.len());
                let head = format!(
                    "HTTP/1.1 403 No\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close"
                );
                client.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
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
