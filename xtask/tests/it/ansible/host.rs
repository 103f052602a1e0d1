//! A host for tests: a folder of its own, a supervisor that runs in it, and the playbook that is
//! played on it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::greeter::{NAME, Releases};
use super::supervisor;
use super::tools::Tools;
use crate::support::{Run, root, run};

const PAUSE: Duration = Duration::from_millis(50);
/// What a supervisor takes to start, or to end with all that it started.
const LIMIT: Duration = Duration::from_secs(20);

/// A host with a supervisor that knows the service and has not started it.
pub(super) struct Host {
    folder: TempDir,
    tools: Tools,
    supervisor: Child,
    port: u16,
    variables: Value,
}

/// The result of a playbook.
pub(super) struct Played {
    pub(super) run: Run,
    /// The host's line of the recap.
    pub(super) recap: String,
}

impl Host {
    /// Starts a host's supervisor, whose environment has none of this process's variables.
    pub(super) fn new() -> Self {
        let (tools, folder) = (Tools::install(), tempfile::tempdir().unwrap());
        let path = folder.path();
        let port = supervisor::free_port();
        let supervisor = supervisor::start(&tools, path);
        let host =
            Self { variables: variables(path, &tools, port), folder, tools, supervisor, port };
        let socket = host.folder.path().join("supervisor.sock");
        wait_until("the supervisor listens", || socket.exists());
        host
    }

    /// Sets a variable of the role, and returns what it was.
    pub(super) fn set(&mut self, name: &str, value: Value) -> Value {
        std::mem::replace(&mut self.variables[name], value)
    }

    /// Removes a variable of the role, so that its default holds.
    pub(super) fn unset(&mut self, name: &str) {
        self.variables.as_object_mut().unwrap().remove(name).expect(name);
    }

    /// Deploys `version`.
    pub(super) fn deploy(&self, releases: &Releases, version: &str) -> Played {
        self.play(releases, &["--extra-vars", &format!("service_version={version}")])
    }

    /// Plays the example playbook, with the credentials of the bucket in the controller's
    /// environment, and looks for them in what it says.
    pub(super) fn play(&self, releases: &Releases, arguments: &[&str]) -> Played {
        let mut variables = self.variables.clone();
        variables["service_repository"] = json!(releases.repo.path());
        let inventory = json!({ NAME: { "hosts": { "host1": variables } } });
        let file = self.path("inventory.yml");
        std::fs::write(&file, inventory.to_string()).unwrap();
        let mut command = releases.repo.prepare(&self.tools.program("ansible-playbook"), arguments);
        self.tools.set_up(&mut command, self.folder.path());
        command
            .args(["-vvv", "--inventory"])
            .arg(file)
            .arg(root().join("deploy/ansible/deploy.yml"));
        let line = format!("ansible-playbook {}", arguments.join(" "));
        let run = run(&mut command, &line);
        check(releases, run.stdout.as_bytes(), &line);
        check(releases, run.stderr.as_bytes(), &line);
        // The form in which Ansible logs a module that it writes to a file of the host, with its
        // arguments.
        assert!(
            !run.stdout.contains("AnsiballZ_get_url"),
            "the URL is written down: {}",
            run.stdout
        );
        let recap =
            run.stdout.lines().find(|line| line.starts_with("host1 ") && line.contains("ok="));
        let recap = recap.unwrap_or_default().to_owned();
        eprintln!("{line}\n  {recap}");
        Played { run, recap }
    }

    /// Asserts that no file of this host, and no process on it, knows a secret of the controller.
    pub(super) fn knows_no_secret(&self, releases: &Releases) {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if path.is_file() {
                    files.push(path);
                }
            }
        }
        // Only Linux shows the environment and the arguments of a process as files.
        let is_shown = cfg!(target_os = "linux");
        for id in [self.pid(), self.supervisor.id()].into_iter().filter(|_| is_shown) {
            files.extend(["environ", "cmdline"].map(|name| format!("/proc/{id}/{name}").into()));
        }
        assert!(files.iter().any(|path| path.ends_with("environment")), "{files:?}");
        for path in files {
            check(releases, &std::fs::read(&path).unwrap(), &path.display().to_string());
        }
    }

    /// Returns what the process on the service's port answers, whichever process that is; empty if
    /// nothing listens there.
    pub(super) fn get(&self) -> String {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return String::new();
        };
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
    }

    /// Returns the address at which the service listens.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the name of the release that the link `current` leads to.
    pub(super) fn current(&self) -> Option<String> {
        let link = std::fs::read_link(self.path("opt/current")).ok()?;
        Some(link.strip_prefix("releases").unwrap().display().to_string())
    }

    /// Lists the installed releases, sorted.
    pub(super) fn releases(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path("opt/releases")) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns a path in the host's folder; the role writes below `opt`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the id of the service's process; 0 if there is none.
    pub(super) fn pid(&self) -> u32 {
        let mut command = supervisor::control(&self.tools, self.folder.path());
        let said = run(command.args(["pid", NAME]), "supervisorctl pid").stdout;
        said.trim().parse().unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The supervisor ends the processes that it started before it ends.
        let mut shutdown = supervisor::control(&self.tools, self.folder.path());
        let _ = shutdown.arg("shutdown").output();
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline && matches!(self.supervisor.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}

impl Played {
    /// Asserts that it went well.
    #[track_caller]
    pub(super) fn succeeds(self) -> Self {
        Self { run: self.run.exits(0), ..self }
    }

    /// Asserts that it said `text`.
    #[track_caller]
    pub(super) fn says(self, text: &str) -> Self {
        Self { run: self.run.prints(text), ..self }
    }

    /// Asserts that it failed, and that it said why.
    #[track_caller]
    pub(super) fn fails(self, texts: &[&str]) -> Self {
        let mut run = self.run.exits(2);
        // The message is a string of JSON, in which a quote has a backslash.
        run.stdout = run.stdout.replace("\\\"", "\"");
        for text in texts {
            run = run.prints(text);
        }
        Self { run, ..self }
    }

    /// Asserts that the output shows neither a setting of the service nor the file that has all
    /// settings.
    #[track_caller]
    pub(super) fn hides(self, setting: &str) -> Self {
        for text in [setting, "eyJ2ZXJzaW9uIjo"] {
            assert!(!self.run.stdout.contains(text), "{text} is shown: {}", self.run.stdout);
        }
        self
    }

    /// Asserts that the recap contains `text`.
    #[track_caller]
    pub(super) fn counts(self, text: &str) -> Self {
        let counts: Vec<_> = self.recap.split_whitespace().collect();
        assert!(counts.contains(&text), "no {text} in {:?}\n{}", self.recap, self.run.stdout);
        self
    }
}

#[track_caller]
fn check(releases: &Releases, bytes: &[u8], what: &str) {
    let text = String::from_utf8_lossy(bytes);
    for secret in releases.secrets() {
        if let Some(at) = text.find(&secret) {
            let start = text[..at].rfind('\n').map_or(0, |line| line + 1);
            panic!("{what} shows a secret: {}", &text[start..at]);
        }
    }
}

/// Returns the variables with which the role is played on this host.
fn variables(folder: &Path, tools: &Tools, port: u16) -> Value {
    let supervisorctl = |words: &[&str]| {
        let configuration = folder.join("supervisord.conf").display().to_string();
        let program = tools.program("supervisorctl");
        let all = [&[program.as_str(), "--configuration", &configuration], words].concat();
        json!(all)
    };
    json!({
        "ansible_connection": "local",
        "ansible_python_interpreter": tools.python(),
        "ansible_become": false,
        "service_name": NAME,
        "service_xtask": [env!("CARGO_BIN_EXE_xtask")],
        "service_root": folder.join("opt"),
        "service_environment": { "LISTEN": format!("127.0.0.1:{port}"), "GREETING": "it's \"$5\"" },
        "service_user_create": false,
        "service_manager": "other",
        "service_restart_command": supervisorctl(&["restart", NAME]),
        "service_stop_command": supervisorctl(&["stop", NAME]),
        "service_pid_command": supervisorctl(&["pid", NAME]),
        "service_health_url": format!("http://127.0.0.1:{port}/healthz"),
        "service_health_retries": 3,
    })
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "not after {LIMIT:?}: {what}");
        thread::sleep(PAUSE);
    }
}
