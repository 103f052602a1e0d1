//! Checks built services as a service manager uses them: started, asked, and ended by a signal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run;

/// Checks that a web service answers, and ends when it is asked to.
pub(crate) fn serves(mut service: Command, expected: &str) {
    service.args(["--listen", "127.0.0.1:0"]);
    let mut child =
        service.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let address = line.trim().trim_start_matches("listening on http://").to_owned();
    for (path, expected) in [("/", expected), ("/healthz", "ok\n")] {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{path}: {answer}");
    }
    ends(child);
}

/// Checks that a worker does its work, and ends when it is asked to.
pub(crate) fn works(mut worker: Command) {
    let mut child = worker.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let did_it = stderr.lines().map_while(Result::ok).take(5).any(|line| line.contains("worked"));
    assert!(did_it, "it says nothing of its work");
    ends(child);
}

/// Checks that SIGTERM ends a service with exit code 0.
fn ends(mut child: std::process::Child) {
    let id = child.id().to_string();
    run(Command::new("kill").args(["-TERM", &id]), "kill").exits(0);
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("its state") {
            assert!(status.success(), "{status}");
            return;
        }
        if begun.elapsed() > Duration::from_secs(10) {
            child.kill().expect("it is ours");
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
