//! Runs child processes, which end when a signal ends this one, and some with a time limit.
//!
//! Installers connect to servers, and a server that never answers must not hang a build. xshell has
//! no time limit.

use std::io::{self, Read};
use std::process::{self, Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ferror::{Error, Kind};

use crate::system::interrupt;

/// The output of a process that has ended.
#[derive(Debug)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to stdout; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// What it wrote to stderr, likewise.
    pub stderr: String,
}

impl Output {
    /// Returns the last three lines that it wrote, joined by `; `: installers print the reason last.
    pub fn reason(&self) -> String {
        let printed = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<_> =
            printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

/// A child process. It does not outlive this value, and is ended when a signal ends ours.
#[derive(Debug)]
pub struct Running(Child);

/// Starts `command`.
pub fn spawn(command: &mut Command) -> io::Result<Running> {
    interrupt::spawn(command).map(Running)
}

impl Running {
    /// Returns its stdout, if that is piped and was not taken yet.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Returns its stderr, if that is piped and was not taken yet.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.0.stderr.take()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        interrupt::wait(&mut self.0)
    }

    /// Waits for its end, and returns what it wrote to the streams that are piped.
    pub fn output(mut self) -> io::Result<process::Output> {
        let (stdout, stderr) = (self.0.stdout.take(), self.0.stderr.take());
        let stderr = thread::spawn(move || read_to_end(stderr));
        let stdout = read_to_end(stdout)?;
        let stderr = stderr.join().unwrap_or_else(|_| Ok(Vec::new()))?;
        Ok(process::Output { status: self.wait()?, stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error cannot be returned here. A child that runs as root cannot be killed, and waiting for it could
        // take for ever.
        match self.0.kill() {
            Ok(()) => drop(interrupt::wait(&mut self.0)),
            Err(_) => interrupt::forget(&self.0),
        }
    }
}

fn read_to_end(stream: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.map(|mut stream| stream.read_to_end(&mut bytes)).transpose()?;
    Ok(bytes)
}

/// Runs `command` without input to its end, and returns what it wrote.
pub fn output(command: &mut Command) -> io::Result<process::Output> {
    spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?.output()
}

/// Runs `command` without input, and kills it after `limit`.
///
/// Fails with [`Kind::Config`] when the program cannot be started, and with [`Kind::Unavailable`] when
/// it runs longer than `limit`.
pub fn run(command: &mut Command, limit: Duration) -> ferror::Result<Output> {
    let shown = command_line(command);
    let deadline = Instant::now() + limit;
    let mut child =
        spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
            .map_err(|error| Error::config(format!("cannot run `{shown}`")).caused_by(error))?;
    let (sender, streams) = mpsc::channel();
    // Both streams are read at once: a child that fills the one that nobody reads would wait for ever.
    let stdout = child.0.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    let stderr = child.0.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    for (name, stream) in [("stdout", stdout), ("stderr", stderr)] {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
            let _ = sender.send((name, String::from_utf8_lossy(&bytes).into_owned()));
        });
    }
    let (mut out, mut err) = (String::new(), String::new());
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(Instant::now());
        match streams.recv_timeout(left) {
            Ok(("stdout", text)) => out = text,
            Ok((_, text)) => err = text,
            Err(_) => {
                // The child is killed. The threads that read are not joined: its own children may hold the
                // streams open.
                return Err(Error::new(
                    Kind::Unavailable,
                    format!("`{shown}` did not end within {} s", limit.as_secs()),
                ));
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| Error::config(format!("waiting for `{shown}`")).caused_by(error))?;
    Ok(Output { status, stdout: out, stderr: err })
}

/// Returns the command line as a person would type it.
pub fn command_line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use ferror::Kind;

    use super::run;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_read_to_their_end_and_the_reason_is_the_last_lines() {
        // More than a pipe holds, on both streams.
        let script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo out of order $i; \
                      echo error number $i >&2; done; exit 7";
        let output = run(&mut sh(script), Duration::from_secs(60)).unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert_eq!((output.stdout.lines().count(), output.stderr.lines().count()), (3000, 3000));
        assert!(output.reason().ends_with("error number 3000"), "{}", output.reason());
    }

    #[test]
    fn a_child_over_its_time_limit_is_killed_and_named_in_the_error() {
        let before = Instant::now();
        let error = run(&mut sh("exec sleep 60"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("sleep 60"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(30), "the child was waited for");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named_in_the_error() {
        let error = run(&mut Command::new("no-such-program"), Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
    }
}
