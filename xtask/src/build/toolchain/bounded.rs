//! Child processes that end: each has a time limit, and is killed by its own id when it is over.
//!
//! Installers talk to servers, and a server that never answers must not hang a build. Why not
//! xshell: it waits for as long as the child likes.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ferror::{Error, Kind};

/// What a child said, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// The last lines of what it said to a person, in one: installers say the reason last.
    pub(crate) fn reason(&self) -> String {
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

/// Runs `command` without input, and kills it after `limit`.
///
/// Fails with [`Kind::Config`] when the program cannot be started, with [`Kind::Unavailable`] when
/// its time is over.
pub(crate) fn run(command: &mut Command, limit: Duration) -> ferror::Result<Output> {
    let shown = show(command);
    let deadline = Instant::now() + limit;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Error::config(format!("cannot run `{shown}`")).caused_by(error))?;
    let (sender, streams) = mpsc::channel();
    // Both streams at once: a child that fills one while we read the other would wait for ever.
    let stdout = child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    let stderr = child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
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
                // A child's own children may hold the streams open, so their readers are left alone.
                // One that runs as root may not be killed; waiting for it would have no bound.
                if child.kill().is_ok() {
                    let _ = child.wait();
                }
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

/// The command line as a person would type it.
pub(crate) fn show(command: &Command) -> String {
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
    fn both_streams_are_read_whole_and_the_reason_is_the_last_that_was_said() {
        // More than a pipe holds, on both streams.
        let script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo out of order $i; \
                      echo error number $i >&2; done; exit 7";
        let output = run(&mut sh(script), Duration::from_mins(1)).unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert_eq!((output.stdout.lines().count(), output.stderr.lines().count()), (3000, 3000));
        assert!(output.reason().ends_with("error number 3000"), "{}", output.reason());
    }

    #[test]
    fn a_child_whose_time_is_over_is_killed_and_named() {
        let before = Instant::now();
        let error = run(&mut sh("exec sleep 60"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("sleep 60"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(30), "the child was waited for");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program"), Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
    }
}
