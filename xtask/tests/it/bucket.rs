//! A real S3 server with one bucket, in the test's own process.

use std::path::{Path, PathBuf};
use std::process::Command;

use local_s3::{LocalS3, Options};
use tempfile::TempDir;

use crate::support::Repo;

/// Its name.
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

    /// A repository whose environment names this bucket, as CI's would.
    pub(crate) fn serve(&self, mut repo: Repo) -> Repo {
        for (name, value) in self.variables() {
            repo.set(name, &value);
        }
        repo
    }

    /// Names this bucket in one command's environment.
    pub(crate) fn name_in(&self, command: &mut Command) {
        command.envs(self.variables());
    }

    /// Takes the bucket out of one command's environment again.
    pub(crate) fn hide(&self, command: &mut Command) {
        for (name, _) in self.variables() {
            command.env_remove(name);
        }
    }

    /// A client for it.
    pub(crate) fn client(&self) -> s3::Client {
        self.server.client(BUCKET).unwrap()
    }

    /// The secret access key of its credentials.
    pub(crate) fn secret(&self) -> String {
        self.server.credentials().secret_access_key.clone()
    }

    /// Where its server listens.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// The file that is an object.
    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.root.path().join(BUCKET).join(key)
    }

    /// How many multipart uploads nobody has completed or aborted: the server has a folder for each.
    pub(crate) fn unfinished(&self) -> usize {
        std::fs::read_dir(self.root.path().join(".local-s3/uploads")).unwrap().count()
    }

    /// The object keys of everything in it, sorted.
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

    /// The object keys of the manifest objects.
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
