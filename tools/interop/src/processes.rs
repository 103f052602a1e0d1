//! Child processes: servers, which are ended whatever happens, and commands with a time limit.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Kind, Result};

/// A server that does not listen by then will not.
const START: Duration = Duration::from_mins(1);
/// What a server may take to end by itself before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// One command that prepares or asks something.
const COMMAND: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(20);

/// The processes of one server; dropping this ends them.
pub(crate) struct Processes {
    folder: PathBuf,
    children: Vec<(String, Child)>,
}

impl Processes {
    /// Logs and process ids go into `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), children: Vec::new() }
    }

    /// Starts a process and waits until it listens on all of `ports`. Its command line must name the
    /// folder: [`kill_those_of`] knows it by that.
    pub(crate) fn start(
        &mut self,
        name: &str,
        command: &mut Command,
        ports: &[u16],
    ) -> anyhow::Result<()> {
        let log = self.folder.join(format!("{name}.log"));
        let open = || -> std::io::Result<(File, File)> {
            let file = File::create(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (stdout, stderr) = open().with_context(|| format!("making {}", log.display()))?;
        without_credentials(command);
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let child = child.with_context(|| format!("running `{}`", show(command)))?;
        let (id, at) = (child.id(), self.children.len());
        self.children.push((name.to_owned(), child));
        let note = self.folder.join(format!("{name}.pid"));
        fs::write(&note, id.to_string()).with_context(|| format!("writing {}", note.display()))?;
        let child = &mut self.children[at].1;
        for &port in ports {
            wait_for(child, port).map_err(|why| {
                let said = last_lines(&fs::read(&log).unwrap_or_default(), 5);
                Error::new(Kind::Unavailable, format!("{name} {why}: {said}"))
            })?;
        }
        Ok(())
    }
}

/// Waits until a process listens on a port of loopback; says why it does not.
fn wait_for(child: &mut Child, port: u16) -> std::result::Result<(), String> {
    let deadline = Instant::now() + START;
    loop {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("ended ({status})"));
        }
        if Instant::now() > deadline {
            return Err(format!("does not listen after {} s", START.as_secs()));
        }
        thread::sleep(PAUSE);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let running = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        let ids: Vec<_> = self
            .children
            .iter_mut()
            .filter_map(|(_, child)| running(child).then(|| child.id()))
            .collect();
        signal("-TERM", &ids);
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline && self.children.iter_mut().any(|(_, child)| running(child))
        {
            thread::sleep(PAUSE);
        }
        for (_, child) in &mut self.children {
            // Fails for one that has ended, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command to its end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    run_within(command, COMMAND)
}

/// Runs `command` as [`run`] does, but kills it after `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<String> {
    let shown = show(command);
    let cannot_run =
        |error: std::io::Error| Error::config(format!("cannot run `{shown}`")).caused_by(error);
    // Files, because a pipe that nobody reads holds the child up.
    let (mut stdout, mut stderr) =
        (tempfile::tempfile().map_err(cannot_run)?, tempfile::tempfile().map_err(cannot_run)?);
    without_credentials(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone().map_err(cannot_run)?)
        .stderr(stderr.try_clone().map_err(cannot_run)?)
        .spawn()
        .map_err(cannot_run)?;
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(cannot_run)? {
            break status;
        }
        if Instant::now() > deadline {
            // One that runs as root may not be killed; waiting for it would have no bound.
            if child.kill().is_ok() {
                let _ = child.wait();
            }
            let message = format!("`{shown}` did not end within {} s", limit.as_secs());
            return Err(Error::new(Kind::Unavailable, message));
        }
        thread::sleep(PAUSE);
    };
    let mut printed = [Vec::new(), Vec::new()];
    for (file, bytes) in [&mut stdout, &mut stderr].into_iter().zip(&mut printed) {
        file.rewind().and_then(|()| file.read_to_end(bytes)).map_err(cannot_run)?;
    }
    let [stdout, stderr] = printed;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = if stderr.trim_ascii().is_empty() { stdout } else { stderr };
    Err(Error::config(format!("`{shown}` ({status}): {}", last_lines(&said, 3))))
}

/// Kills what a killed run left: the processes that `folder` notes, as far as they are still those.
pub(crate) fn kill_those_of(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut ids = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|ending| ending != "pid") {
            continue;
        }
        let note = fs::read_to_string(&path).unwrap_or_default();
        let Ok(id) = note.parse::<u32>() else { continue };
        // Another program may have that id by now: ours has the folder in its command line.
        let command_line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command_line).contains(&*folder.to_string_lossy()) {
            ids.push(id);
        }
    }
    signal("-KILL", &ids);
}

/// Finds ports of loopback that are free at this moment.
pub(crate) fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
    // All are held until the last is found, so that they differ.
    let held: Vec<_> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<std::io::Result<_>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Sends a signal by the program `kill`: the standard library only kills children.
fn signal(signal: &str, ids: &[u32]) {
    if !ids.is_empty() {
        let mut command = Command::new("kill");
        // One that ended meanwhile cannot be signalled, which is fine.
        let _ = run_within(command.arg(signal).args(ids.iter().map(u32::to_string)), STOP);
    }
}

/// Takes the credentials of this process out of a child's environment: other people's programs
/// need none.
fn without_credentials(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if ["S3_", "AWS_", "CIRCLE_OIDC_"].iter().any(|prefix| shown.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Shows a command line as a person would type it.
fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Returns the last lines that say something, as one line.
fn last_lines(bytes: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use std::time::{Duration, Instant};

    use ferror::Kind;

    use super::{PAUSE, Processes, free_ports, kill_those_of, run, run_within};

    fn sleeper(folder: &std::path::Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec sleep 60", &folder.to_string_lossy()]);
        command
    }

    #[test]
    fn processes_end_with_their_value_and_a_dead_one_is_named_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut processes = Processes::new(folder.path());
        processes.start("one", &mut sleeper(folder.path()), &[]).unwrap();
        let id = std::fs::read_to_string(folder.path().join("one.pid")).unwrap();
        let mut dead = Command::new("sh");
        dead.args(["-c", "echo why it ended; exit 3"]);
        let error = processes.start("two", &mut dead, &free_ports::<1>().unwrap()).unwrap_err();
        assert!(error.to_string().contains("why it ended"), "{error}");
        drop(processes);
        assert!(!std::path::Path::new("/proc").join(id).exists(), "it runs on");
    }

    #[test]
    fn only_processes_of_the_folder_are_killed() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (of, ended) in [(other.path(), false), (folder.path(), true)] {
            let mut command = Command::new("sleep");
            // `sh` keeps its words where `sleep` would refuse a folder's name.
            if ended {
                command = Command::new("sh");
                command.args(["-c", "sleep 60; :", &of.to_string_lossy()]);
            } else {
                command.arg("60");
            }
            let mut child = command.spawn().unwrap();
            std::fs::write(folder.path().join("a.pid"), child.id().to_string()).unwrap();
            // A process that has just begun has no command line for a moment.
            let shown = format!("/proc/{}/cmdline", child.id());
            let has_begun = || !std::fs::read(&shown).unwrap().is_empty();
            assert!((0..1000).any(|_| has_begun() || {
                std::thread::sleep(PAUSE);
                false
            }));
            kill_those_of(folder.path());
            let gone = (0..100).any(|_| {
                std::thread::sleep(Duration::from_millis(if ended { 20 } else { 0 }));
                child.try_wait().unwrap().is_some()
            });
            assert_eq!(gone, ended, "ended: {ended}");
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    #[test]
    fn a_command_that_fails_or_takes_too_long_is_named_with_what_it_said() {
        let mut sh = Command::new("sh");
        let error = run(sh.args(["-c", "echo one; echo two >&2; exit 7"])).unwrap_err();
        assert!(error.to_string().contains("exit 7` (exit status: 7): two"), "{error}");
        let before = Instant::now();
        let mut sleep = Command::new("sleep");
        let error = run_within(sleep.arg("60"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("`sleep 60`"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(30), "it was waited for");
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("`no-such-program`"), "{error}");
    }
}
