//! Checks that no secret leaves the program. Credentials carry a mark, and however a run ends, the
//! mark must not be in its output, in files, or in the arguments and environment of child
//! processes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::bucket::Bucket;
use crate::support::{Repo, Run};

mod flags;
mod sources;

/// The mark: every secret contains it, and nothing else does.
const MARK: &str = "CANARYcanary0123";

/// Fills a folder with programs that note how they are started in `diary`, and then run the real
/// program of that name. Returns a `PATH` on which they come first.
fn spies(folder: &Path, diary: &Path, names: &[&str]) -> String {
    for name in names {
        let path = folder.join(name);
        let real = which(name);
        let text = format!(
            "#!/bin/sh\n{{ echo \"$0 $*\"; env; }} >> {}\nexec {} \"$@\"\n",
            diary.display(),
            real
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", folder.display())
}

fn which(name: &str) -> String {
    if name == "cargo" {
        return env!("CARGO").to_owned();
    }
    let path = std::env::var("PATH").unwrap();
    let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|p| p.exists());
    found.unwrap_or_else(|| panic!("no {name} on PATH")).display().to_string()
}

fn check_unmarked(text: &str, mark: &str, what: &str) {
    if let Some(at) = text.find(mark) {
        let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
        panic!("{what} shows a secret: {}", &text[start..at]);
    }
}

fn check_folder(folder: &Path, mark: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_folder(&path, mark);
        } else if path.is_file() {
            let text = fs::read(&path).unwrap();
            check_unmarked(&String::from_utf8_lossy(&text), mark, &path.display().to_string());
        }
    }
}

/// Sets the variables that hold secrets, each with the mark. The access key id is no secret and has
/// none.
fn marked(repo: &mut Repo) {
    let secret = format!("{MARK}/secret");
    for name in ["S3_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CIRCLE_OIDC_TOKEN_V2"]
    {
        repo.set(name, &secret);
    }
    repo.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    repo.set("RUST_BACKTRACE", "full");
    repo.set("RUST_LOG", "trace");
    repo.set("CARGO_LOG", "info");
    repo.set("CARGO_TERM_VERBOSE", "true");
}

#[test]
fn no_secret_is_shown_however_a_run_ends() {
    let (bucket, folder) = (Bucket::new(), tempfile::tempdir().unwrap());
    let diary = folder.path().join("diary");
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    let path = spies(&programs, &diary, &["git", "cargo", "rustc"]);
    let mut repo = bucket.serve(Repo::new(&["alpha"]));
    // Once with credentials that are right: those are secrets too.
    repo.xtask("dist").exits(0);
    for line in ["upload --json --verify --timings --explain", "upload --signature v2 --explain"] {
        let run = repo.xtask(line).exits(0);
        let secret = bucket.secret();
        assert!(!run.stdout.contains(&secret) && !run.stderr.contains(&secret), "{line}");
    }
    marked(&mut repo);
    repo.set("PATH", &path);
    repo.set("CARGO", &programs.join("cargo").display().to_string());
    repo.set("RUSTC_WRAPPER", "");

    let check = |run: Run| {
        check_unmarked(&run.stdout, MARK, "stdout");
        check_unmarked(&run.stderr, MARK, "stderr");
        run
    };
    let run = |line: &str, code: i32| check(repo.xtask(line).exits(code));
    run("dist --json", 0);
    run("upload --dry-run --json", 0);
    run("ship --dry-run", 0);
    run("upload --json --explain --timings", 1).says("SignatureDoesNotMatch");
    run("upload --signature v2", 1).says("SignatureDoesNotMatch");
    run("upload --bucket other-bucket", 1);
    run("upload --endpoint http://127.0.0.1:1", 1).says("attempt 6");
    let with_password = format!("upload --endpoint https://user:{MARK}@s3.example");
    run(&with_password, 3).says("the endpoint holds a user or a password");
    run("upload --endpoint http://s3.example", 3).says("plain http");
    run("stamp pkg/snapshot/alpha_linux_amd64.tar.gz", 0);
    run("upload --no-such-option", 2);
    run("--help", 0);

    // Secrets that no header can carry are refused unseen.
    for secret in [format!("{MARK} blank"), format!("{MARK}\r\nx-evil: 1"), format!("{MARK}é")] {
        repo.set("S3_SECRET", &secret);
        check(repo.xtask("upload").exits(3)).says("secret access key");
    }

    let started = fs::read_to_string(&diary).expect("git and cargo were started");
    for program in ["bin/git ", "bin/cargo ", "rustc"] {
        assert!(started.contains(program), "{program} was not started through its spy");
    }
    check_unmarked(&started, MARK, "what a child was given");
    check_folder(repo.path(), MARK);
}
