//! The built service, asked over a socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Ends the service, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_answers() {
    let mut service = Command::new(env!("CARGO_BIN_EXE_@NAME@"));
    service.args(["--listen", "127.0.0.1:0"]);
    let started = service.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut running = Running(started.expect("it starts"));
    let stdout = running.0.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines();
    let line = lines.next().expect("a line").expect("text");
    let address = line.trim_start_matches("listening on http://");
    for (path, expected) in [("/", "@ANSWER@"), ("/healthz", "ok\n")] {
        assert_eq!(get(address, path), expected, "GET {path}");
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!("Host: {address}\r\nConnection: close");
    let request = format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "GET {path}: {head}");
    body.to_owned()
}
