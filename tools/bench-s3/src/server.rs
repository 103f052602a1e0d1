//! The server that every tool uploads to: it counts bytes and keeps none.
//!
//! It costs the same for every tool and as little as it can: a thread a connection, no signature
//! looked at, no digest computed. What it remembers of an object is what a tool may ask for
//! afterwards: length, `ETag` and metadata.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::answers;
use crate::state::{Head, Seen, State};

/// How much of a body is read at a time.
const READ_BYTES: usize = 256 * 1024;
/// The buffer begins at a multiple of this, because AMD's Zen 3 copies four times slower to the first
/// bytes of a page, where an allocation of its own begins.
const ALIGNMENT: usize = 64;
/// The longest head of a request; S3 takes 8 KiB.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// A running server. It lives as long as the program.
pub(crate) struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts to listen on any free port of 127.0.0.1.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (port, state) = (listener.local_addr()?.port(), Arc::new(Mutex::new(State::default())));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A failed connection fails its client; what has arrived is counted.
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Ok(Self { port, state })
    }

    /// Returns the URL of the server, such as `http://127.0.0.1:40123`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns what was asked since the last call, and forgets all objects.
    pub(crate) fn take_seen(&self) -> Seen {
        std::mem::take(&mut *lock(&self.state)).seen
    }
}

/// Answers one request after the other, until the client is done or has gone.
fn serve(stream: &TcpStream, state: &Mutex<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut scratch) =
        (BufReader::with_capacity(16 * 1024, stream), vec![0; READ_BYTES + ALIGNMENT]);
    let start = scratch.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let scratch = &mut scratch[start..][..READ_BYTES];
    while let Some(head) = read_head(&mut reader)? {
        if head.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
            let mut writer = stream;
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let on_wire = read_body(&mut reader, &head, scratch)?;
        let decoded = head.header("x-amz-decoded-content-length");
        let size_bytes = decoded.and_then(|text| text.parse().ok()).unwrap_or(on_wire);
        let answer = {
            let mut state = lock(state);
            state.seen.count(&head, size_bytes);
            answers::answer(&mut state, &head, size_bytes)
        };
        let mut writer = stream;
        writer.write_all(&answer)?;
        if head.header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    Ok(())
}

/// Reads a head; nothing when the client has closed the connection.
fn read_head(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Head>> {
    let mut reader = reader.take(MAX_HEAD_BYTES);
    let (mut head, mut line) = (Head::default(), String::new());
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace();
    words.next().unwrap_or_default().clone_into(&mut head.method);
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    path.clone_into(&mut head.path);
    query.clone_into(&mut head.query);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(Some(head)) };
        head.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a body, drops it and returns its length.
fn read_body(reader: &mut impl io::BufRead, head: &Head, scratch: &mut [u8]) -> io::Result<u64> {
    if head.header("transfer-encoding").is_none() {
        let length = head.header("content-length").and_then(|text| text.parse().ok());
        return skip(reader, length.unwrap_or_default(), scratch);
    }
    let (mut total, mut line) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let digits = line.trim_end().split(';').next().unwrap_or_default();
        let length = u64::from_str_radix(digits, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no length of a chunk"))?;
        total += skip(reader, length, scratch)?;
        // The end of the chunk; of the last one, after its trailers.
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            if length > 0 || line.trim_end().is_empty() {
                break;
            }
        }
        if length == 0 {
            return Ok(total);
        }
    }
}

fn skip(reader: &mut impl Read, length: u64, scratch: &mut [u8]) -> io::Result<u64> {
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(scratch.len());
        let read = reader.read(&mut scratch[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= read as u64;
    }
    Ok(length)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends requests over one connection; the answers as one text.
    fn talk(server: &Server, text: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        stream.write_all(text.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    }

    #[test]
    fn every_kind_of_body_is_counted() {
        let server = Server::start().unwrap();
        for (request, bytes, payload) in [
            ("content-length: 5\n\nhello", 5, "not mentioned"),
            ("content-length: 0\nx-amz-content-sha256: UNSIGNED-PAYLOAD\n\n", 0, "unsigned"),
            (
                "transfer-encoding: chunked\n\n5\nhello\n6;a=b\n world\n0\na: b\n\n",
                11,
                "not mentioned",
            ),
            (
                "content-length: 10\nx-amz-decoded-content-length: 5\n\
                 x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n\n5\nhello\n",
                5,
                "signed in chunks",
            ),
        ] {
            let last = "GET /b/k HTTP/1.1\nconnection: close\n\n";
            let answers = talk(&server, &format!("PUT /b/k HTTP/1.1\n{request}{last}"));
            let seen = server.take_seen();
            assert_eq!((seen.body_bytes, seen.requests), (bytes, 2), "{request}: {answers}");
            assert!(seen.payloads.contains(payload), "{request}: {:?}", seen.payloads);
            assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{request}: {answers}");
            assert_eq!(answers.matches("HTTP/1.1 404").count(), 1, "{request}: {answers}");
        }
    }

    #[test]
    fn a_client_that_waits_for_100_gets_it_first() {
        let server = Server::start().unwrap();
        let head = "PUT /b/k HTTP/1.1\nexpect: 100-continue\ncontent-length: 1\n";
        let answers = talk(&server, &format!("{head}connection: close\n\nx"));
        assert!(answers.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), "{answers}");
    }

    #[test]
    fn a_multipart_upload_leaves_an_object_that_head_finds() {
        let server = Server::start().unwrap();
        let created =
            talk(&server, "POST /b/k?uploads HTTP/1.1\nx-amz-meta-a: 1\nconnection: close\n\n");
        let id = created.split("<UploadId>").nth(1).and_then(|it| it.split('<').next()).unwrap();
        let part = |number: i32| {
            format!("PUT /b/k?partNumber={number}&uploadId={id} HTTP/1.1\ncontent-length: 3\n\nabc")
        };
        let answers = talk(
            &server,
            &format!(
                "{}{}POST /b/k?uploadId={id} HTTP/1.1\ncontent-length: 0\n\n\
                 HEAD /b/k HTTP/1.1\nconnection: close\n\n",
                part(1),
                part(2)
            ),
        );
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 4, "{answers}");
        assert!(answers.contains("content-length: 6\r\n"), "{answers}");
        assert!(answers.contains("x-amz-meta-a: 1\r\n") && answers.contains("-2\""), "{answers}");
    }
}
