//! The binary, started and watched. Every wait has an end.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes, on a slow machine too.
const AT_MOST: Duration = Duration::from_secs(30);

/// Returns the service with these arguments and this environment alone.
fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(crate::PROGRAM);
    command
        .args(args)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Runs the service to its end: for what ends by itself.
pub(crate) fn output(args: &[&str], env: &[(&str, &str)]) -> Output {
    command(args, env).output().expect("the binary that cargo has just built starts")
}

/// A service that listens. Dropping it kills it.
pub(crate) struct Running {
    /// Such as `http://127.0.0.1:40123`.
    pub(crate) url: String,
    pid: Pid,
    log: Receiver<String>,
    ended: Receiver<ExitStatus>,
}

/// An answer to a GET.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Running {
    /// Starts the service on a free port and waits until it says where it listens.
    pub(crate) fn start(env: &[(&str, &str)]) -> Self {
        let mut child = command(&["--listen", "127.0.0.1:0"], env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary that cargo has just built starts");
        let log = lines(child.stderr.take().expect("stderr is piped"));
        let said = lines(child.stdout.take().expect("stdout is piped"));
        let pid = Pid::from_child(&child);
        let ended = end_of(child);
        let Ok(first) = said.recv_timeout(AT_MOST) else {
            panic!(
                "the service says nothing on stdout; its log: {:?}",
                log.iter().collect::<Vec<_>>()
            );
        };
        let url =
            first.strip_prefix("listening on ").expect("the first line says where").to_owned();
        Self { url, pid, log, ended }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        get(&format!("{}{path}", self.url))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("the service runs");
    }

    /// Waits for a line of the log that contains `text`, and returns the lines up to it.
    pub(crate) fn wait_for_log(&self, text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(AT_MOST) {
            let found = line.contains(text);
            seen.push(line);
            if found {
                return seen;
            }
        }
        panic!("no line with {text:?} in the log: {seen:#?}");
    }

    /// Waits for the end, at most so long.
    pub(crate) fn end_within(&self, limit: Duration) -> ExitStatus {
        self.ended.recv_timeout(limit).unwrap_or_else(|_| panic!("it still runs after {limit:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails when the service has ended, which is as good.
        let _ = kill_process(self.pid, Signal::KILL);
    }
}

/// Gets a URL; every status is an answer.
pub(crate) fn get(url: &str) -> Answer {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(AT_MOST))
        .build();
    let mut response = ureq::Agent::new_with_config(config)
        .get(url)
        .call()
        .unwrap_or_else(|error| panic!("GET {url}: {error}"));
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().read_to_string().expect("the body is text"),
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Reading goes on when no one listens: a full pipe would stop the service.
            let _ = send.send(line);
        }
    });
    receive
}

fn end_of(mut child: Child) -> Receiver<ExitStatus> {
    let (send, receive) = channel();
    thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = send.send(status);
        }
    });
    receive
}
