//! A server in front of one of S3 that refuses some requests, for the tests of all services that read a bucket: as one whose
//! clock and this machine's differ does, or otherwise.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use ftime::Epoch;

/// Passes requests on to the server at `endpoint`, save the first: that one is refused because of its time, with
/// that of a clock which is `ahead` seconds ahead of this machine's. Returns the endpoint of this server.
pub(crate) fn with_another_clock(endpoint: &str, ahead: i64) -> String {
    refusing(endpoint, move |number, _| {
        let then = Epoch::from_secs(Epoch::now().secs() + ahead);
        let head = format!("403 No\r\nDate: {}", then.to_rfc1123());
        (number == 0).then_some((head, "RequestTimeTooSkewed"))
    })
}

/// Passes requests on to the server at `endpoint`, save those for whose number and head `refusal` returns a status, which
/// headers may follow, and S3's code. Returns the endpoint of this server.
pub(crate) fn refusing(
    endpoint: &str,
    refusal: impl Fn(usize, &str) -> Option<(String, &'static str)> + Send + 'static,
) -> String {
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
            if let Some((status, code)) = refusal(number, &head) {
                let body = format!("<Error><Code>{code}</Code></Error>");
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close");
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
