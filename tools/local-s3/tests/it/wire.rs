//! A server of one test, and requests to it byte by byte.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use ftime::Epoch;
use local_s3::{LocalS3, Options, REGION};
use s3::{Credentials, Request, Signature};

pub(crate) const BUCKET: &str = "artifacts";
pub(crate) const BOTH: [Signature; 2] = [Signature::V4, Signature::V2];

/// How long a test waits for an answer before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server with an empty bucket, gone at the end of the test.
pub(crate) struct Wire {
    pub(crate) server: LocalS3,
    pub(crate) credentials: Credentials,
    // After the server: fields are dropped in this order, and the server writes below it.
    root: tempfile::TempDir,
}

/// A request as a test writes it down: signed by [`Wire::sign`], sent by [`Wire::send`].
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) bucket: &'static str,
    pub(crate) object_key: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            root: root.path().join("root"),
            buckets: vec![BUCKET.to_owned()],
            ..Options::default()
        };
        let server = LocalS3::start(&options).unwrap();
        let pair = server.credentials();
        let credentials =
            Credentials::new(&pair.access_key_id, &pair.secret_access_key, None).unwrap();
        Self { server, credentials, root }
    }

    /// Returns where an object has to lie.
    pub(crate) fn file(&self, object_key: &str) -> PathBuf {
        self.root.path().join("root").join(BUCKET).join(object_key)
    }

    /// Returns the names of all that lies in the bucket's folder and below, folders with a `/`.
    pub(crate) fn files(&self) -> Vec<String> {
        let (bucket, mut found) = (self.file(""), Vec::new());
        let mut folders = vec![bucket.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    found.push(name + "/");
                    folders.push(path);
                } else {
                    found.push(name);
                }
            }
        }
        found.sort();
        found
    }

    /// Returns whether a body on its way in has left something behind.
    pub(crate) fn staging_is_empty(&self) -> bool {
        let staging = self.server.root().join(".local-s3/staging");
        std::fs::read_dir(staging).unwrap().next().is_none()
    }

    /// Returns the ids of the uploads that have a folder.
    pub(crate) fn uploads(&self) -> Vec<String> {
        let uploads = std::fs::read_dir(self.server.root().join(".local-s3/uploads")).unwrap();
        uploads.map(|upload| upload.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Signs and sends in one go, with the right credentials and time.
    pub(crate) fn ask(&self, signature: Signature, ask: &Ask) -> Answer {
        self.send(&self.sign(signature, ask, &self.credentials, Epoch::now()), &ask.body)
    }

    /// Returns the signed request for `ask`.
    pub(crate) fn sign(
        &self,
        signature: Signature,
        ask: &Ask,
        credentials: &Credentials,
        now: Epoch,
    ) -> Request {
        let mut request = self.unsigned(ask);
        match signature {
            Signature::V4 => {
                s3::sigv4::sign(&mut request, credentials, REGION, &s3::sha256(&ask.body), now);
            }
            Signature::V2 => s3::sigv2::sign(&mut request, credentials, None, now),
        }
        request
    }

    /// Returns the request for `ask`, valid for a minute from `now` for whoever has its URL.
    pub(crate) fn presign(&self, signature: Signature, ask: &Ask, now: Epoch) -> Request {
        let (mut request, minute) = (self.unsigned(ask), Duration::from_mins(1));
        match signature {
            Signature::V4 => {
                s3::sigv4::presign(&mut request, &self.credentials, REGION, now, minute)
            }
            Signature::V2 => s3::sigv2::presign(&mut request, &self.credentials, None, now, minute),
        }
        .unwrap();
        request
    }

    /// Returns the request for `ask` without a signature.
    pub(crate) fn unsigned(&self, ask: &Ask) -> Request {
        let mut headers = ask.headers.clone();
        headers.push(("host".to_owned(), self.host()));
        Request {
            method: ask.method,
            path: format!("/{}/{}", ask.bucket, s3::encode::object_key(&ask.object_key)),
            query: ask.query.clone(),
            headers,
        }
    }

    /// Sends `request` with `body` and reads the answer.
    pub(crate) fn send(&self, request: &Request, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(head_of(request, body.len()).as_bytes()).unwrap();
        // A server that refuses early may stop reading: what counts is its answer.
        let _ = stream.write_all(body);
        Answer::read(stream, request.method)
    }

    /// Gets a path with its query, as they stand in a URL.
    pub(crate) fn get(&self, path_and_query: &str) -> Answer {
        let mut stream = self.connect();
        let head = format!("GET {path_and_query} HTTP/1.1\r\nhost: {}\r\n", self.host());
        stream.write_all((head + "connection: close\r\n\r\n").as_bytes()).unwrap();
        Answer::read(stream, "GET")
    }

    /// Announces `announced` bytes, sends `body` and hangs up; returns when the server has, too.
    pub(crate) fn send_truncated(&self, request: &Request, body: &[u8], announced: usize) {
        let mut stream = self.connect();
        stream.write_all(head_of(request, announced).as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }

    fn host(&self) -> String {
        self.server.endpoint().trim_start_matches("http://").to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Ask {
    pub(crate) fn new(method: &'static str, object_key: &str) -> Self {
        Self {
            method,
            bucket: BUCKET,
            object_key: object_key.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn put(object_key: &str, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::new("PUT", object_key) }
    }

    /// Returns a listing of the bucket, with the parameters of `query`.
    pub(crate) fn list(query: &[(&str, &str)]) -> Self {
        let mut ask = Self::new("GET", "");
        ask.query = [("list-type", "2")]
            .iter()
            .chain(query)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        ask
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bucket(mut self, bucket: &'static str) -> Self {
        self.bucket = bucket;
        self
    }
}

impl Answer {
    /// Reads until the server hangs up; every request says `Connection: close`.
    fn read(mut stream: TcpStream, method: &str) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the server answers and hangs up");
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let answer = Self { status, headers, body: bytes[end + 4..].to_vec() };
        if method != "HEAD" && !matches!(status, 204 | 304) {
            let announced = answer.header("content-length").map(|length| length.parse().unwrap());
            assert_eq!(announced, Some(answer.body.len()), "a whole body in {answer:?}");
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Returns the texts of all elements of that name in an XML body, in their order.
    pub(crate) fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let after_open = self.text().split(&open).skip(1);
        after_open.map(|rest| rest.split(&close).next().unwrap()).collect()
    }

    /// Returns the status, and S3's code where there is one.
    pub(crate) fn outcome(&self) -> (u16, &str) {
        (self.status, self.elements("Code").first().copied().unwrap_or_default())
    }
}

fn head_of(request: &Request, content_length: usize) -> String {
    let query = s3::encode::query(&request.query);
    let question_mark = if query.is_empty() { "" } else { "?" };
    let mut lines =
        vec![format!("{} {}{question_mark}{query} HTTP/1.1", request.method, request.path)];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if matches!(request.method, "PUT" | "POST") {
        lines.push(format!("content-length: {content_length}"));
    }
    lines.push("connection: close\r\n\r\n".to_owned());
    lines.join("\r\n")
}
