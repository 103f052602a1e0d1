//! A real S3 server with one bucket, in the test's own process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ftime::Epoch;
use local_s3::{LocalS3, Options, REGION};
use s3::{Credentials, Request};
use tempfile::TempDir;

use crate::support::Repo;

/// The bucket's name.
pub(crate) const BUCKET: &str = "builds";

/// A server with one empty bucket, whose objects are files.
pub(crate) struct Bucket {
    server: LocalS3,
    root: TempDir,
}

impl Bucket {
    /// Starts a server.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            root: root.path().to_owned(),
            buckets: vec![BUCKET.to_owned()],
            port: 0,
            verbose: false,
        };
        Self { server: LocalS3::start(&options).unwrap(), root }
    }

    /// Sets the variables by which `repo` uses this bucket, as a CI job would have them.
    pub(crate) fn serve(&self, mut repo: Repo) -> Repo {
        for (name, value) in self.variables() {
            repo.set(name, &value);
        }
        repo
    }

    /// Sets this bucket's variables for one command.
    pub(crate) fn name_in(&self, command: &mut Command) {
        command.envs(self.variables());
    }

    /// Removes this bucket's variables from one command's environment.
    pub(crate) fn hide(&self, command: &mut Command) {
        for (name, _) in self.variables() {
            command.env_remove(name);
        }
    }

    /// Returns a client for the bucket.
    pub(crate) fn client(&self) -> s3::Client {
        self.server.client(BUCKET).unwrap()
    }

    /// Returns the secret access key for the bucket.
    pub(crate) fn secret(&self) -> String {
        self.server.credentials().secret_access_key.clone()
    }

    /// Returns the access key id for the bucket.
    pub(crate) fn access_key_id(&self) -> String {
        self.server.credentials().access_key_id.clone()
    }

    /// Returns the whole answer to a GET of an object, with the headers that the client does not
    /// return.
    pub(crate) fn get(&self, key: &str, query: &[(&str, &str)]) -> String {
        let host = self.endpoint().trim_start_matches("http://").to_owned();
        let mut request = Request {
            method: "GET",
            path: format!("/{BUCKET}/{}", s3::encode::object_key(key)),
            query: query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            headers: vec![("host".to_owned(), host.clone())],
        };
        let pair = Credentials::new(self.access_key_id(), self.secret(), None).unwrap();
        s3::sigv4::sign(&mut request, &pair, REGION, &s3::sha256(b""), Epoch::now());
        let headers = request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!(
            "GET {}?{} HTTP/1.1\r\nconnection: close\r\n{}\r\n",
            request.path,
            s3::encode::query(&request.query),
            headers.collect::<String>()
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Returns the endpoint of the server.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Returns the path of the file in which the server stores an object.
    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.root.path().join(BUCKET).join(key)
    }

    /// Counts the multipart uploads that are neither completed nor aborted: the server has a folder
    /// for each.
    pub(crate) fn unfinished(&self) -> usize {
        std::fs::read_dir(self.root.path().join(".local-s3/uploads")).unwrap().count()
    }

    /// Returns all object keys in the bucket, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let base = self.root.path().join(BUCKET);
        let mut keys = Vec::new();
        let mut folders = vec![base.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    keys.push(path.strip_prefix(&base).unwrap().display().to_string());
                }
            }
        }
        keys.sort();
        keys
    }

    /// Makes an object look as if it was stored so many seconds ago: a listing knows whole seconds.
    pub(crate) fn age(&self, key: &str, secs: u64) {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(secs);
        let file = std::fs::File::options().append(true).open(self.object(key)).unwrap();
        file.set_modified(time).unwrap();
    }

    /// Returns the object keys that end in `.json`: those of the manifest objects and channels.
    pub(crate) fn manifest_objects(&self) -> Vec<String> {
        let is_json = |key: &String| Path::new(key).extension().is_some_and(|it| it == "json");
        self.keys().into_iter().filter(is_json).collect()
    }

    fn variables(&self) -> [(&'static str, String); 4] {
        let credentials = self.server.credentials();
        [
            ("S3_BUCKET", BUCKET.to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.server.endpoint()),
            ("S3_KEY", credentials.access_key_id.clone()),
            ("S3_SECRET", credentials.secret_access_key.clone()),
        ]
    }
}
