//! Checks the same for every other source of credentials, for the verbs besides `upload`, and for a
//! run that is killed while it sends a large file.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;

use super::{MARK, check_folder, check_unmarked, spies};
use crate::support::bucket::{BUCKET, Bucket};
use crate::support::front::{Front, Verdict, wait_until};
use crate::support::release::Release;
use crate::support::snapshot::snapshot;
use crate::support::sts::{Pair, ROLE, Sts};
use crate::support::{Repo, Run};

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Variables,
    WebIdentity,
    ProfileKeys,
    ProfileProcess,
}

const SOURCES: [Source; 4] =
    [Source::Variables, Source::WebIdentity, Source::ProfileKeys, Source::ProfileProcess];

/// A job whose credentials have the mark, or are real and searched for like the mark.
struct Job {
    bucket: Bucket,
    repo: Repo,
    /// A folder outside the repository, with the programs that note how they are started, their
    /// notes, and the files that may hold secrets.
    beside: TempDir,
    secrets: Vec<String>,
}

impl Job {
    /// Makes a bucket with one release of alpha, and a snapshot that is not published.
    fn new(bytes: &[u8]) -> Self {
        let bucket = Bucket::new();
        Release::of_alpha("bbbbbb").publish(&bucket);
        let beside = tempfile::tempdir().unwrap();
        let programs = beside.path().join("bin");
        fs::create_dir(&programs).unwrap();
        let path = spies(&programs, &beside.path().join("diary"), &["git", "cargo", "cat", "sh"]);
        let mut repo = snapshot(&[("beta", bytes)]);
        for (name, value) in [
            ("S3_BUCKET", BUCKET),
            ("AWS_ENDPOINT_URL_S3", &bucket.endpoint()),
            ("PATH", &path),
            ("USER", "ann"),
            ("RUST_BACKTRACE", "full"),
            ("RUST_LOG", "trace"),
            // CI sets this in every job, whatever credentials are used.
            ("CIRCLE_OIDC_TOKEN_V2", &format!("{MARK}.claims.signature")),
        ] {
            repo.set(name, value);
        }
        Self { bucket, repo, beside, secrets: vec![MARK.to_owned()] }
    }

    /// Provides credentials by `source`: the bucket's own, or wrong ones.
    fn with(mut self, source: Source, are_right: bool) -> Self {
        let secret = if are_right { self.bucket.secret() } else { format!("{MARK}/secret") };
        let (id, session_token) = (self.bucket.access_key_id(), format!("{MARK}/session"));
        self.secrets.push(secret.clone());
        match source {
            Source::Variables => {
                self.repo.set("AWS_ACCESS_KEY_ID", &id);
                self.repo.set("AWS_SECRET_ACCESS_KEY", &secret);
                self.repo.set("AWS_SESSION_TOKEN", &session_token);
            }
            Source::WebIdentity => {
                let pair = Pair { id: &id, secret: &secret, session_token: &session_token };
                self.ask(&Sts::giving(&pair));
            }
            Source::ProfileKeys => self.profile(&format!(
                "aws_access_key_id = {id}\naws_secret_access_key = {secret}\naws_session_token = {session_token}\n"
            )),
            Source::ProfileProcess => {
                let document = json!({
                    "Version": 1, "AccessKeyId": id, "SecretAccessKey": secret,
                    "SessionToken": session_token, "Expiration": "2199-01-01T00:00:00Z",
                });
                let path = self.beside.path().join("document");
                fs::write(&path, document.to_string()).unwrap();
                let program = self.beside.path().join("bin/cat");
                let (program, path) = (program.display(), path.display());
                self.profile(&format!("credential_process = {program} {path}\n"));
            }
        }
        self
    }

    fn profile(&mut self, lines: &str) {
        let path = self.beside.path().join("credentials");
        fs::write(&path, format!("[default]\n{lines}")).unwrap();
        self.repo.set("AWS_SHARED_CREDENTIALS_FILE", &path.display().to_string());
    }

    fn ask(&mut self, sts: &Sts) {
        self.repo.set("AWS_ROLE_ARN", ROLE);
        self.repo.set("AWS_ENDPOINT_URL_STS", &sts.endpoint);
    }

    fn run(&self, line: &str, code: i32) -> Run {
        let run = self.repo.xtask(line).exits(code);
        self.check_text(&run.stderr, line);
        // A URL that was presigned with a session's credentials contains the session token, and
        // does not work without it.
        let token = format!("{MARK}%2Fsession");
        self.check_text(&run.stdout.replace(&token, ""), line);
        assert!(line.starts_with("presign") || !run.stdout.contains(&token), "{line}");
        self.check_left(line);
        run
    }

    fn check_text(&self, text: &str, what: &str) {
        for secret in &self.secrets {
            check_unmarked(text, secret, what);
        }
    }

    /// Checks the files that were written and the processes that were started.
    fn check_left(&self, line: &str) {
        for secret in &self.secrets {
            check_folder(self.repo.path(), secret);
        }
        self.check_text(&self.diary(), &format!("{line}: what a child was given"));
    }

    /// Returns the programs that were started so far, with their arguments and variables.
    fn diary(&self) -> String {
        fs::read_to_string(self.beside.path().join("diary")).unwrap_or_default()
    }
}

#[test]
fn no_verb_shows_credentials_of_any_source() {
    for source in SOURCES {
        let job = Job::new(b"small").with(source, true);
        job.run("upload --json --verify --explain --timings", 0);
        job.run("upload --explain", 0).says(match source {
            Source::Variables => "AWS_ACCESS_KEY_ID: used",
            Source::WebIdentity => "web identity: used",
            Source::ProfileKeys | Source::ProfileProcess => "profile: used",
        });
        job.run("list --json", 0).prints("bbbbbb");
        job.run("list", 0).prints("bbbbbb");
        let id = job.bucket.access_key_id();
        for line in ["presign alpha --version bbbbbb", "presign alpha --version bbbbbb --json"] {
            job.run(line, 0).prints(&id).prints("X-Amz-Signature=").prints("X-Amz-Security-Token=");
        }
        job.run("fetch alpha --version bbbbbb", 0).prints("alpha_linux_amd64/alpha");
        job.run("promote alpha bbbbbb --to stable --json", 0);
        let has_process = job.diary().contains("bin/cat ");
        assert_eq!(has_process, source == Source::ProfileProcess, "{source:?}: {}", job.diary());
    }
}

#[test]
fn no_verb_shows_credentials_that_are_refused() {
    for source in SOURCES {
        let job = Job::new(b"small").with(source, false);
        for line in [
            "upload --json --explain --timings",
            "list",
            "presign alpha --version bbbbbb",
            "fetch alpha --version bbbbbb",
            "promote alpha bbbbbb --to stable",
        ] {
            job.run(line, 1).says("SignatureDoesNotMatch");
        }
    }
}

#[test]
fn an_answer_that_refuses_credentials_is_shown_without_the_token() {
    let mut job = Job::new(b"small");
    let echo = format!("the token {MARK}.claims.signature of alice is not welcome");
    job.ask(&Sts::refusing("AccessDenied", &echo));
    job.run("upload --explain", 1).says("AccessDenied").says("of alice is not welcome");

    // A complaint is shown, but no word of it that is as long as a token is.
    let mut job = Job::new(b"small");
    let complaint = job.beside.path().join("complaint");
    fs::write(&complaint, format!("no session: {}\n", MARK.repeat(8))).unwrap();
    let program = job.beside.path().join("bin/sh");
    let failing = format!("'cat {} >&2; exit 1'", complaint.display());
    job.profile(&format!("credential_process = {} -c {failing}\n", program.display()));
    for line in ["upload --explain", "list"] {
        job.run(line, 3).says("credential_process").says("no session");
    }
    assert!(job.diary().contains("bin/sh -c cat "), "{}", job.diary());
    // What it prints instead of credentials is not shown, however short it is.
    let mut job = Job::new(b"small");
    let document = job.beside.path().join("document");
    for text in [MARK.to_owned(), format!("{{\"Version\": 1, \"AccessKeyId\": \"{MARK}\"}}")] {
        fs::write(&document, text).unwrap();
        let program = job.beside.path().join("bin/cat");
        job.profile(&format!(
            "credential_process = {} {}\n",
            program.display(),
            document.display()
        ));
        job.run("upload --explain", 3).says("credential_process");
    }
}

#[test]
fn a_run_that_is_killed_leaves_a_journal_without_secrets() {
    const PART: usize = 8 * 1024 * 1024;
    for source in SOURCES {
        let mut job = Job::new(&vec![7; 3 * PART]).with(source, true);
        let mut parts = 0;
        let front = Front::start(&job.bucket.endpoint(), move |line| {
            parts += usize::from(line.contains("partNumber="));
            if parts > 1 { Verdict::Hold } else { Verdict::Pass }
        });
        job.repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
        let mut command = job.repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload", "--explain"]);
        let (stdout, stderr) = (job.beside.path().join("stdout"), job.beside.path().join("stderr"));
        command.stdout(create(&stdout)).stderr(create(&stderr));
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let journals = job.repo.path().join("pkg/snapshot/.uploads");
        wait_until("a journal of a confirmed part", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            let journal = fs::read_dir(&journals).into_iter().flatten().next();
            let journal = journal.map(|entry| fs::read_to_string(entry.unwrap().path()));
            journal.is_some_and(|text| text.unwrap_or_default().lines().count() == 2)
        });
        job.check_left("upload");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(fs::read_dir(&journals).unwrap().next().is_some(), "the journal is gone");
        job.check_left("upload");
        for path in [stdout, stderr] {
            job.check_text(&fs::read_to_string(&path).unwrap(), &path.display().to_string());
        }
    }
}

fn create(path: &PathBuf) -> Stdio {
    fs::File::create(path).unwrap().into()
}
