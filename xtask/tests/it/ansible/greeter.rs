//! Makes releases of a service that behaves as a file in its archive says: healthy, or not.
//!
//! All releases have the same program, so that it is compiled once.

use std::path::PathBuf;

use crate::support::bucket::Bucket;
use crate::support::release::{Release, suffix};
use crate::support::{Repo, host};

/// The service.
pub(super) const NAME: &str = "greeter";

/// The text that every secret of the controller contains, except for the access key that signs its
/// requests.
const MARK: &str = "CANARYcanary0123";

const PROGRAM: &str = r#"
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

fn main() {
    if std::env::args().any(|argument| argument == "--version") {
        return println!("{}", stamp::line("greeter"));
    }
    let beside = std::env::current_exe().unwrap().with_file_name("behaviour");
    let behaviour = std::fs::read_to_string(beside).unwrap();
    match behaviour.as_str() {
        "ends" => panic!("it does not start"),
        "fades" => {
            std::thread::sleep(Duration::from_millis(1500));
            panic!("it does not stay");
        }
        _ => {}
    }
    let listener = TcpListener::bind(std::env::var("LISTEN").unwrap()).unwrap();
    let greeting = std::env::var("GREETING").unwrap_or_default();
    for mut stream in listener.incoming().map(Result::unwrap) {
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap_or_default();
        let is_health = request[..length].starts_with(b"GET /healthz");
        let status = if is_health && behaviour == "refuses" { "503 no" } else { "200 OK" };
        let body = format!("{greeting} {}", stamp::version());
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
    }
}
"#;

/// A repository with the service, and the bucket of its releases.
pub(super) struct Releases {
    pub(super) repo: Repo,
    pub(super) bucket: Bucket,
}

impl Releases {
    /// Prepares the repository of the service and an empty bucket, with secrets in the environment
    /// that can be recognised. No release is made yet.
    pub(super) fn new() -> Self {
        let bucket = Bucket::new();
        let mut repo = bucket.serve(Repo::new(&[NAME]));
        for name in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CIRCLE_OIDC_TOKEN_V2"] {
            repo.set(name, MARK);
        }
        repo.add_service(NAME, "[package.metadata.xtask]\ninclude = [\"behaviour\"]");
        repo.write(&format!("services/{NAME}/src/main.rs"), PROGRAM);
        repo.lock();
        Self { repo, bucket }
    }

    /// Builds and uploads a release, and returns its version. Its program behaves as `behaviour`
    /// says: it is `healthy`, `refuses` to be healthy, `ends` at once, or `fades` (ends after a
    /// second and a half).
    pub(super) fn publish(&self, behaviour: &str) -> String {
        self.repo.write(&format!("services/{NAME}/behaviour"), behaviour);
        let commit = self.repo.commit(behaviour);
        self.repo.xtask(&format!("dist --platforms {}", host())).exits(0);
        self.repo.xtask("upload").exits(0);
        commit[..6].to_owned()
    }

    /// Publishes the archive of `version` as that of another one.
    pub(super) fn publish_as(&self, version: &str, another: &str) {
        let packed = std::fs::read(self.archive(version)).unwrap();
        let platforms = [host().as_str()];
        Release { service: NAME, platforms: &platforms, ..Release::of_alpha(another) }
            .publish_with(&self.bucket, Some(&packed));
    }

    /// Returns the secrets, and the parameter that makes a URL a signed one. None of them may
    /// appear on a host or in output.
    pub(super) fn secrets(&self) -> [String; 3] {
        [MARK.to_owned(), self.bucket.secret(), "X-Amz-Signature".to_owned()]
    }

    /// Returns the file in which the bucket stores an archive of this machine's platform.
    pub(super) fn archive(&self, version: &str) -> PathBuf {
        self.bucket.object(&format!("{NAME}/{NAME}_{version}{}.tar.gz", suffix(host().as_str())))
    }
}
