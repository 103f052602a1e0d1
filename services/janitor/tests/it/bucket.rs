//! A bucket on loopback whose objects have any age, and the binary that works on it.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use catalog::{Artifact, Manifest, manifest_key};
use local_s3::{LocalS3, Options};
use s3::{Body, Client, Put};
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
        let put = Put { metadata, ..Put::new(Body::Bytes(bytes), "application/octet-stream") };
        self.client.put(object_key, &put).unwrap_or_else(|error| panic!("{error:#}"));
        let path = self.server.root().join("builds").join(object_key);
        let file = File::options().write(true).open(&path).expect("an object is a file");
        let then = SystemTime::now() - Duration::from_hours(24) * days;
        file.set_modified(then).expect("its time can be set");
    }

    /// Stores a release: two archives and the manifest object that names them.
    pub(crate) fn put_release(&self, service: &str, version: &str, days: u32) {
        let stem = format!("{service}/{service}_{version}");
        let keys = [format!("{stem}.tar.gz"), format!("{stem}_linux_arm64.tar.gz")];
        for key in &keys {
            self.put(key, b"archive", days);
        }
        let artifacts = [("linux_amd64", keys[0].as_str()), ("linux_arm64", &keys[1])];
        self.put_manifest(service, version, days, &artifacts, None);
    }

    /// Stores a release of one archive with this program, which may be offered to others.
    pub(crate) fn put_built(&self, service: &str, version: &str, days: u32, program: &str) {
        let archive = format!("{service}/{service}_{version}.tar.gz");
        self.put(&archive, b"archive", days);
        self.put_manifest(service, version, days, &[("linux_amd64", &archive)], Some(program));
    }

    /// Stores the entry of the index that names a release for a program, and returns its key.
    pub(crate) fn put_entry(&self, service: &str, version: &str, program: &str) -> String {
        let [build_key, unstamped] = [build_key(program), digest(program)];
        let entry = serde_json::json!({
            "schema": 1, "service": service, "platform": "linux_amd64", "version": version,
            "commit": format!("{version:0<40}"), "sha256": digest("archive"),
        });
        let object_key = catalog::index_key("", &build_key, &unstamped);
        self.put(&object_key, entry.to_string().as_bytes(), 60);
        object_key
    }

    /// Stores a release whose archive has a key that a template gave. The manifest object names
    /// `others` too, as if they were archives of the release.
    pub(crate) fn put_templated(&self, service: &str, version: &str, days: u32, others: &[&str]) {
        let archive = format!("builds/{service}/{version}/linux_amd64.tgz");
        self.put_with(&[("version", version)], &archive, b"archive", days);
        let keys = [archive.as_str()].into_iter().chain(others.iter().copied());
        let artifacts: Vec<_> = keys.map(|key| ("linux_amd64", key)).collect();
        self.put_manifest(service, version, days, &artifacts, None);
    }

    /// Stores the manifest object of a release with these platforms and object keys, and with this program.
    fn put_manifest(
        &self,
        service: &str,
        version: &str,
        days: u32,
        artifacts: &[(&str, &str)],
        program: Option<&str>,
    ) {
        let artifact = |(platform, object_key): &(&str, &str)| Artifact {
            service: service.to_owned(),
            platform: (*platform).to_owned(),
            file: "f".to_owned(),
            size_bytes: 7,
            sha256: digest("archive"),
            object_key: (*object_key).to_owned(),
            build_key: program.map(build_key),
            unstamped_sha256: program.map(digest).unwrap_or_default(),
            ..Artifact::default()
        };
        let manifest = Manifest {
            version: version.to_owned(),
            artifacts: artifacts.iter().map(artifact).collect(),
            ..Manifest::default()
        };
        self.put(&manifest_key("", service, version), manifest.to_json().as_bytes(), days);
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

/// Returns the digest of a text.
fn digest(text: &str) -> String {
    s3::hex(&s3::sha256(text.as_bytes()))
}

/// Returns the build key of a program.
fn build_key(program: &str) -> String {
    digest(&format!("inputs of {program}"))
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
