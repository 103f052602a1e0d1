//! The program: its one line, its end, its exit codes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A started program; killed if the test ends before it does.
struct Program(Child);

impl Program {
    fn start(root: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-s3"));
        command.arg("--root").arg(root).args(["--bucket", "artifacts"]).args(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Reads the announcement; the receiver gets what else is on stdout, once it is closed.
    fn announcement(&mut self) -> (serde_json::Value, mpsc::Receiver<String>) {
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        let (line_in, line) = mpsc::channel();
        let (rest_in, rest) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_line(&mut text).unwrap();
            line_in.send(std::mem::take(&mut text)).unwrap();
            stdout.read_to_string(&mut text).unwrap();
            let _ = rest_in.send(text);
        });
        let line = line.recv_timeout(PATIENCE).expect("a line on stdout");
        (serde_json::from_str(&line).expect("the line is JSON"), rest)
    }

    /// Waits for the end; the exit code and what is on stderr.
    fn end(mut self, rest: &mpsc::Receiver<String>) -> (Option<i32>, String) {
        let rest = rest.recv_timeout(PATIENCE).expect("the program ends");
        assert_eq!(rest, "", "one line on stdout is all");
        let mut stderr = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.0.wait().unwrap().code(), stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_announces_itself_and_ends_with_its_stdin() {
    let root = tempfile::tempdir().unwrap();
    let mut program = Program::start(root.path(), &[]);
    let (line, rest) = program.announcement();
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name}: {line}"));
    assert!(text("endpoint").starts_with("http://127.0.0.1:"), "{line}");
    assert_eq!(text("region"), "us-east-1");
    assert_eq!(Path::new(text("root")), root.path().canonicalize().unwrap());
    assert!(!text("access_key_id").is_empty() && !text("secret_access_key").is_empty());
    assert!(root.path().join("artifacts").is_dir(), "the bucket's folder is there");

    drop(program.0.stdin.take());
    assert_eq!(program.end(&rest), (Some(0), String::new()), "silent, and a success");
}

#[test]
fn it_ends_in_good_order_on_either_signal() {
    for (signal, more) in [("-TERM", &["--stay"][..]), ("-INT", &["--stay"]), ("-TERM", &[])] {
        let root = tempfile::tempdir().unwrap();
        let mut program = Program::start(root.path(), more);
        let (_, rest) = program.announcement();
        if !more.is_empty() {
            drop(program.0.stdin.take());
        }
        let pid = program.0.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        assert_eq!(program.end(&rest), (Some(0), String::new()), "{signal} {more:?}");
    }
}

#[test]
fn verbose_shows_requests_and_no_secret() {
    let root = tempfile::tempdir().unwrap();
    let mut program = Program::start(root.path(), &["--verbose"]);
    let (line, rest) = program.announcement();
    let host = line["endpoint"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /artifacts/k?X-Amz-Signature=s3cr3t HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();

    drop(program.0.stdin.take());
    let (code, stderr) = program.end(&rest);
    assert_eq!(code, Some(0));
    assert!(stderr.contains("GET /artifacts/k 4"), "the request is shown: {stderr:?}");
    for secret in ["s3cr3t", line["secret_access_key"].as_str().unwrap()] {
        assert!(!stderr.contains(secret), "{secret} is shown: {stderr:?}");
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    for (arguments, expected, word) in [
        (&[][..], 2, "--root"),
        (&["--root", root], 2, "--bucket"),
        (&["--root", root, "--bucket", "Not_A_Bucket"], 2, "Not_A_Bucket"),
        (&["--root", root, "--bucket", "artifacts", "--port", "x"], 2, "x"),
        (&["--root", root, "--bucket", "artifacts", "--secret", "x"], 2, "--secret"),
        (&["--root", root, "--bucket", "artifacts", "--port", &taken], 3, &taken),
        (&["--root", "/dev/null/x", "--bucket", "artifacts"], 3, "/dev/null/x"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-s3"));
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {stderr}");
        assert!(stderr.contains(word), "{arguments:?} does not name {word:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?} announces a server");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    for (option, beginning) in [
        ("--help", "An S3 server on 127.0.0.1"),
        ("-h", "An S3 server on 127.0.0.1"),
        ("--version", concat!("local-s3 ", env!("CARGO_PKG_VERSION"), "\n")),
        ("-V", "local-s3 "),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-s3"));
        let output = command.arg(option).stdin(Stdio::null()).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{option}");
        assert!(stdout.starts_with(beginning), "{option}: {stdout}");
    }
}
