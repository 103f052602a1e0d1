//! What several services of the zoo need to prove that a library works.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

#[cfg(feature = "tls")]
pub mod tls;

/// Answers one request by plain HTTP on the loopback interface. Returns the port.
pub fn serve_http(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        // What begins like a handshake of TLS has no lines: it is answered at once.
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        if reader.fill_buf().is_ok_and(|bytes| bytes.starts_with(b"GET")) {
            let lines = reader.lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
        }
        let length = text.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close");
        let _ = stream.write_all(format!("{head}\r\n\r\n{text}").as_bytes());
    });
    port
}
