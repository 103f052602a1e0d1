//! Buckets to look at: a real one on loopback, and one that answers when it is told to.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use local_s3::{LocalS3, Options};
use s3::{Body, Client, Put};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A bucket named `builds` on a real server.
pub(crate) struct Bucket {
    pub(crate) server: LocalS3,
    client: Client,
    _folder: TempDir,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let options = Options {
            root: folder.path().to_owned(),
            buckets: vec!["builds".to_owned()],
            ..Options::default()
        };
        let server = LocalS3::start(&options).expect("an S3 server on loopback");
        let client = server.client("builds").expect("a client");
        Self { server, client, _folder: folder }
    }

    pub(crate) fn put(&self, object_key: &str, bytes: &[u8]) {
        let put = Put::new(Body::Bytes(bytes), "application/octet-stream");
        self.client.put(object_key, &put).unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Returns what the service needs to read `bucket` on this server.
    pub(crate) fn env(&self, bucket: &str) -> Vec<(&'static str, String)> {
        env(bucket, &self.server.endpoint(), self.server.credentials())
    }
}

/// Returns a manifest object of one archive for `linux_amd64`, at its usual object key.
pub(crate) fn manifest(prefix: &str, service: &str, version: &str, size_bytes: usize) -> Value {
    json!({
        "schema": 1, "service": service, "version": version, "dirty": false,
        "commit": format!("{version:0<40}"), "committed_at": 1_369_353_600,
        "platforms": ["linux_amd64"],
        "artifacts": [{
            "service": service, "platform": "linux_amd64", "triple": "x86_64-unknown-linux-gnu",
            "file": format!("{service}_linux_amd64.tar.gz"), "size_bytes": size_bytes,
            "sha256": "ab".repeat(32), "binary_sha256": "cd".repeat(32),
            "unstamped_sha256": "ef".repeat(32), "rustc": "1.95.0",
            "object_key": format!("{prefix}{service}/{service}_{version}.tar.gz"),
        }],
    })
}

/// Returns the environment for a bucket.
pub(crate) fn env(
    bucket: &str,
    endpoint: &str,
    credentials: &local_s3::Credentials,
) -> Vec<(&'static str, String)> {
    vec![
        ("S3_BUCKET", bucket.to_owned()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("S3_KEY", credentials.access_key_id.clone()),
        ("S3_SECRET", credentials.secret_access_key.clone()),
    ]
}

/// An empty bucket that keeps every request waiting until it is told to answer.
pub(crate) struct SlowBucket {
    pub(crate) endpoint: String,
    asked: Receiver<String>,
    answer: Sender<()>,
}

impl SlowBucket {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (ask, asked) = channel();
        let (answer, may_answer) = channel();
        let may_answer = Arc::new(Mutex::new(may_answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (ask, may_answer) = (ask.clone(), Arc::clone(&may_answer));
                thread::spawn(move || serve(stream, &ask, &may_answer));
            }
        });
        Self { endpoint, asked, answer }
    }

    /// Waits until a request has arrived, and returns its first line.
    pub(crate) fn wait_for_request(&self) -> String {
        self.asked.recv_timeout(Duration::from_secs(30)).expect("the service asks the bucket")
    }

    /// Returns how many requests have arrived that no one waited for.
    pub(crate) fn more_requests(&self) -> usize {
        self.asked.try_iter().count()
    }

    /// Lets one request be answered.
    pub(crate) fn answer(&self) {
        self.answer.send(()).expect("the bucket runs");
    }
}

fn serve(mut stream: TcpStream, ask: &Sender<String>, may_answer: &Mutex<Receiver<()>>) {
    const LISTING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
        <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Name>builds</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>\
        </ListBucketResult>";
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&request);
    let _ = ask.send(head.lines().next().unwrap_or_default().to_owned());
    if may_answer.lock().expect("no one panics").recv().is_err() {
        return;
    }
    let length = LISTING.len();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{LISTING}"
    );
}
