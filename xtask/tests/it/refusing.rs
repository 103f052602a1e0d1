//! A server in front of a bucket's that refuses to write channels, and passes all else on.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Longer than any answer takes here.
const LIMIT: Duration = Duration::from_secs(20);

/// Starts it in front of `endpoint`; a PUT of a channel is answered with `status` and S3's `code`.
/// Returns its own endpoint. It ends with the process.
pub(crate) fn channels(endpoint: &str, status: u16, code: &'static str) -> String {
    let server = endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = server.clone();
            thread::spawn(move || answer(client, &server, status, code));
        }
    });
    own
}

/// One request, one answer, and the end of the connection.
fn answer(mut client: TcpStream, server: &str, status: u16, code: &str) -> Option<()> {
    client.set_read_timeout(Some(LIMIT)).ok()?;
    let head = head(&mut client)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    client.read_exact(&mut body).ok()?;
    if head.starts_with("PUT ") && head.contains("/channels/") {
        let xml = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        let length = xml.len();
        let answer = format!(
            "HTTP/1.1 {status} No\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{xml}"
        );
        return client.write_all(answer.as_bytes()).ok();
    }
    let mut upstream = TcpStream::connect(server).ok()?;
    upstream.set_read_timeout(Some(LIMIT)).ok()?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(head.as_bytes()).ok()?;
    upstream.write_all(&body).ok()?;
    std::io::copy(&mut upstream, &mut client).ok().map(drop)
}

/// All up to and with the empty line.
fn head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
