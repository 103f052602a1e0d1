//! A bucket on loopback whose objects have any age, and the binary that works on it.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use local_s3::{LocalS3, Options};
use s3::{Body, Client, Precondition, Put};
use serde_json::json;
use tempfile::TempDir;

/// A bucket named `builds`.
pub(crate) struct Bucket {
    server: LocalS3,
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

    /// Stores an object that was uploaded so many days ago: local-s3 keeps objects as files, and a
    /// file's time is its object's.
    pub(crate) fn put(&self, object_key: &str, bytes: &[u8], days: u32) {
        self.put_with(&[], object_key, bytes, days);
    }

    fn put_with(&self, metadata: &[(&str, &str)], object_key: &str, bytes: &[u8], days: u32) {
        let put = Put {
            body: Body::Bytes(bytes),
            content_type: "application/octet-stream",
            metadata,
            attributes: None,
            precondition: Precondition::None,
        };
        self.client.put(object_key, &put).unwrap_or_else(|error| panic!("{error:#}"));
        let path = self.server.root().join("builds").join(object_key);
        let file = File::options().write(true).open(&path).expect("an object is a file");
        let then = SystemTime::now() - Duration::from_hours(24) * days;
        file.set_modified(then).expect("its time can be set");
    }

    /// Stores a release: two archives and the manifest object that names them.
    pub(crate) fn put_release(&self, service: &str, version: &str, days: u32) {
        let stem = format!("{service}/{service}_{version}");
        let artifacts = [("linux_amd64", ".tar.gz"), ("linux_arm64", "_linux_arm64.tar.gz")].map(
            |(platform, end)| {
                let object_key = format!("{stem}{end}");
                self.put(&object_key, b"archive", days);
                json!({"platform": platform, "file": "f", "size_bytes": 7, "sha256": "",
                    "object_key": object_key})
            },
        );
        let manifest = json!({
            "schema": 1, "service": service, "version": version, "commit": "", "dirty": false,
            "committed_at": 0, "platforms": ["linux_amd64", "linux_arm64"], "artifacts": artifacts,
        });
        self.put(&format!("{stem}.json"), manifest.to_string().as_bytes(), days);
    }

    /// Stores a release whose archive has a key that a template gave. The manifest object names
    /// `others` too, as if they were archives of the release.
    pub(crate) fn put_templated(&self, service: &str, version: &str, days: u32, others: &[&str]) {
        let sha256 = s3::hex(&s3::sha256(b"archive"));
        let archive = format!("builds/{service}/{version}/linux_amd64.tgz");
        self.put_with(&[("version", version)], &archive, b"archive", days);
        let artifacts: Vec<_> = [archive.as_str()]
            .iter()
            .chain(others)
            .map(|object_key| {
                json!({"platform": "linux_amd64", "file": "f", "size_bytes": 7, "sha256": sha256,
                    "object_key": object_key})
            })
            .collect();
        let manifest = json!({
            "schema": 1, "service": service, "version": version, "commit": "", "dirty": false,
            "committed_at": 0, "prefix": "", "platforms": ["linux_amd64"], "artifacts": artifacts,
        });
        let key = format!("{service}/{service}_{version}.json");
        self.put(&key, manifest.to_string().as_bytes(), days);
    }

    /// Returns where the server listens.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Returns all object keys.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        let listing = self.client.list("", 1000).expect("the bucket can be listed");
        listing.objects.into_iter().map(|object| object.object_key).collect()
    }

    /// Returns the worker on this bucket.
    pub(crate) fn janitor(&self, args: &[&str]) -> Command {
        let mut command = janitor(args);
        command
            .env("S3_BUCKET", "builds")
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("S3_KEY", &self.server.credentials().access_key_id)
            .env("S3_SECRET", &self.server.credentials().secret_access_key);
        command
    }
}

/// Returns the worker without any environment.
pub(crate) fn janitor(args: &[&str]) -> Command {
    let mut command = Command::new(crate::PROGRAM);
    command.args(args).env_clear().env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns exit code, stdout and stderr.
pub(crate) fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("the binary that cargo has just built starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
