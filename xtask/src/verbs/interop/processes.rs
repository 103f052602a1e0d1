//! The processes of a server: started with a log and a note of their id, ended whatever happens.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Kind};

use crate::system::child_env;
use crate::system::env::Env;
use crate::system::process;

/// A server that does not listen by then will not.
const START: Duration = Duration::from_secs(60);
/// What a server may take to end by itself before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// One command that prepares or asks something.
const COMMAND: Duration = Duration::from_secs(2 * 60);
const PAUSE: Duration = Duration::from_millis(20);

/// Processes that end with this value.
pub(super) struct Processes {
    folder: PathBuf,
    children: Vec<(String, Child)>,
    env: Env,
}

impl Processes {
    /// Logs and ids go into `folder`.
    pub(super) fn new(folder: &Path, env: &Env) -> Self {
        Self { folder: folder.to_owned(), children: Vec::new(), env: env.clone() }
    }

    /// Starts a process that stays. Its command line must name the folder, by which a later run
    /// knows it again.
    pub(super) fn start(&mut self, name: &str, command: &mut Command) -> anyhow::Result<()> {
        let log = self.log_of(name);
        let open = || -> std::io::Result<(File, File)> {
            let file = File::create(&log)?;
            Ok((file.try_clone()?, file))
        };
        let (stdout, stderr) = open().with_context(|| format!("making {}", log.display()))?;
        child_env::clean(command, &self.env);
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let child =
            child.with_context(|| format!("running `{}`", process::command_line(command)))?;
        let note = self.folder.join(format!("{name}.pid"));
        let id = child.id().to_string();
        self.children.push((name.to_owned(), child));
        fs::write(&note, id).with_context(|| format!("writing {}", note.display()))
    }

    /// Waits until the last process that was started listens on `port`.
    pub(super) fn wait_for(&mut self, port: u16) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        let Some((name, child)) = self.children.last_mut() else { return Ok(()) };
        let why = loop {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                break format!("ended ({status})");
            }
            if Instant::now() > deadline {
                break format!("does not listen after {} s", START.as_secs());
            }
            thread::sleep(PAUSE);
        };
        let name = name.clone();
        let log = String::from_utf8_lossy(&fs::read(self.log_of(&name)).unwrap_or_default())
            .lines()
            .rev()
            .take(5)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let said = log.into_iter().rev().collect::<Vec<_>>().join("; ");
        Err(Error::new(Kind::Unavailable, format!("{name} {why}: {said}")).into())
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
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
        signal("-TERM", &ids, &self.env);
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline && self.children.iter_mut().any(|(_, child)| running(child))
        {
            thread::sleep(PAUSE);
        }
        for (_, child) in &mut self.children {
            // One that ended is not there to be killed, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command to its end and returns what it printed.
pub(super) fn run(command: &mut Command, env: &Env) -> ferror::Result<String> {
    child_env::clean(command, env);
    let output = process::run(command, COMMAND)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::config(format!("`{}`: {}", process::command_line(command), output.reason())))
}

/// Ends what a killed run left: the processes that `folder` notes, as far as they are still those.
pub(super) fn end_those_of(folder: &Path, env: &Env) {
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
    signal("-KILL", &ids, env);
}

/// Ports of loopback that nobody uses in this moment.
pub(super) fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
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

/// Sends a signal, where there is a program that does: the standard library only kills children.
fn signal(signal: &str, ids: &[u32], env: &Env) {
    if ids.is_empty() || env.find_program("kill").is_none() {
        return;
    }
    let mut command = Command::new("kill");
    command.arg(signal).args(ids.iter().map(u32::to_string));
    child_env::clean(&mut command, env);
    let _ = process::run(&mut command, STOP);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Processes, end_those_of, free_ports};
    use crate::system::env::Env;

    fn sleeper(folder: &std::path::Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec sleep 60", &folder.to_string_lossy()]);
        command
    }

    #[test]
    fn processes_end_with_their_value_and_a_dead_one_is_named_with_its_log() {
        let env = Env::for_test(&[("PATH", &std::env::var("PATH").unwrap())]);
        let folder = tempfile::tempdir().unwrap();
        let mut processes = Processes::new(folder.path(), &env);
        processes.start("one", &mut sleeper(folder.path())).unwrap();
        let id = std::fs::read_to_string(folder.path().join("one.pid")).unwrap();
        let mut dead = Command::new("sh");
        processes.start("two", dead.args(["-c", "echo why it ended; exit 3"])).unwrap();
        let error = processes.wait_for(free_ports::<1>().unwrap()[0]).unwrap_err();
        assert!(error.to_string().contains("why it ended"), "{error}");
        drop(processes);
        assert!(!std::path::Path::new("/proc").join(id).exists(), "it runs on");
    }

    #[test]
    fn only_processes_of_the_folder_are_ended() {
        let env = Env::for_test(&[("PATH", &std::env::var("PATH").unwrap())]);
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
                std::thread::sleep(super::PAUSE);
                false
            }));
            end_those_of(folder.path(), &env);
            let gone = (0..100).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(if ended { 20 } else { 0 }));
                child.try_wait().unwrap().is_some()
            });
            assert_eq!(gone, ended, "ended: {ended}");
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
