//! A scripted HTTP server: gives the answers it was told, in order, and reports what it was sent.
//!
//! It is no S3: it understands nothing. What a client does with an odd answer can only be seen with
//! a server that gives one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use s3::{Client, ClientOptions, Credentials, Location, RetryPolicy, Signature};

pub(crate) const SECRET: &str = "hidden-secret";
pub(crate) const TOKEN: &str = "hidden-token";

/// No second attempt but for a repair.
pub(crate) const ONCE: RetryPolicy = RetryPolicy {
    attempts: 1,
    transient_wait: Duration::from_millis(1),
    throttle_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(1),
    budget: Duration::from_secs(1),
    budget_renewed_every: None,
};

/// Longer than any of this takes; a test that hangs ends here.
pub(crate) const RETRY_POLICY: Duration = Duration::from_secs(20);

/// Of a client that has two attempts and hardly waits.
pub(crate) const TWICE: RetryPolicy = RetryPolicy {
    attempts: 2,
    transient_wait: Duration::from_millis(1),
    throttle_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(1),
    budget: Duration::from_secs(5),
    budget_renewed_every: None,
};

/// What an endless answer sends at most, should the client not hang up.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

#[derive(Clone)]
pub(crate) enum Script {
    /// Read the whole request, answer, hang up.
    Answer(String),
    /// The same, without a word to `Expect`.
    Deaf(String),
    /// Answer after the request's head, read nothing more.
    Early(String),
    /// Answer, then send `x` without end.
    Endless(String),
}

/// A request as it came.
pub(crate) struct Seen {
    /// Such as `PUT /bucket/key HTTP/1.1`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    seen: mpsc::Receiver<Seen>,
}

impl Server {
    pub(crate) fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port of loopback");
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, seen) = mpsc::channel();
        thread::spawn(move || {
            // The last one is for whoever asks again.
            let Some(last) = scripts.last().cloned() else { return };
            for script in scripts.into_iter().chain(std::iter::repeat_n(last, 16)) {
                let (stream, _) = listener.accept().expect("a connection");
                stream.set_read_timeout(Some(RETRY_POLICY)).unwrap();
                stream.set_write_timeout(Some(RETRY_POLICY)).unwrap();
                // What the client made of the answer is the test's matter, so nobody is told
                // that it hung up early.
                let _ = serve(stream, &script, &sender);
            }
        });
        Self { endpoint, seen }
    }

    /// Returns a server that gives one answer, of that status line's rest, headers and body.
    pub(crate) fn answering(status: &str, headers: &[&str], body: &str) -> Self {
        Self::start(vec![Script::Answer(answer(status, headers, body))])
    }

    pub(crate) fn client(&self, signature: Signature) -> Client {
        client_at(&self.endpoint, signature)
    }

    /// Counts the requests since the last one that was looked at. They are counted before they are answered.
    pub(crate) fn requests(&self) -> usize {
        self.seen.try_iter().count()
    }

    /// Returns the first lines of those.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.try_iter().map(|seen| seen.line).collect()
    }

    /// Returns the next request; it is an error when there is none.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.recv_timeout(RETRY_POLICY).expect("the client should have sent one more request")
    }
}

/// Returns a client that tries once: what one answer means is the test's matter.
pub(crate) fn client_at(endpoint: &str, signature: Signature) -> Client {
    client_with(endpoint, signature, RetryPolicy { attempts: 1, ..RetryPolicy::default() })
}

pub(crate) fn client_with(
    endpoint: &str,
    signature: Signature,
    retry_policy: RetryPolicy,
) -> Client {
    let location = Location {
        bucket: "builds".to_owned(),
        region: s3::DEFAULT_REGION.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        path_style: None,
        signature,
    };
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, Some(TOKEN.to_owned()));
    let options = ClientOptions { retry_policy, ..ClientOptions::default() };
    Client::with_options(location, credentials.unwrap(), options).unwrap()
}

/// Returns a client that sends the CRC64NVME of each object.
pub(crate) fn client_with_checksums(endpoint: &str, signature: Signature) -> Client {
    let location = client_at(endpoint, signature).location().clone();
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, None);
    let options =
        ClientOptions { retry_policy: TWICE, crc64nvme: true, ..ClientOptions::default() };
    Client::with_options(location, credentials.unwrap(), options).unwrap()
}

pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: Vec<_> = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let (headers, length) = (headers.concat(), body.len());
    let length = if headers.contains("content-length") {
        String::new()
    } else {
        format!("content-length: {length}\r\n")
    };
    format!("HTTP/1.1 {status}\r\n{headers}{length}connection: close\r\n\r\n{body}")
}

/// Returns S3's error body.
pub(crate) fn refusal(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Because.</Message><RequestId>R1</RequestId></Error>"
    )
}

fn serve(stream: TcpStream, script: &Script, sender: &mpsc::Sender<Seen>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut seen = read_head(&mut reader)?;
    let text = match script {
        Script::Early(text) => text,
        Script::Answer(text) | Script::Endless(text) | Script::Deaf(text) => {
            if seen.header("expect").is_some() && !matches!(script, Script::Deaf(_)) {
                writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            let length = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
            reader.take(length).read_to_end(&mut seen.body)?;
            text
        }
    };
    // Told before it is answered: whoever has the answer finds the request here.
    let _ = sender.send(seen);
    writer.write_all(text.as_bytes())?;
    if matches!(script, Script::Endless(_)) {
        let block = [b'x'; 8 * 1024];
        for _ in 0..ENDLESS_BYTES / block.len() {
            writer.write_all(&block)?;
        }
    }
    Ok(())
}

pub(crate) fn read_head(reader: &mut BufReader<TcpStream>) -> std::io::Result<Seen> {
    let mut lines = Vec::new();
    for line in reader.by_ref().lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let line = lines.first().cloned().unwrap_or_default();
    Ok(Seen { line, headers, body: Vec::new() })
}
