//! `interop`: the S3 client against real servers that others wrote, on loopback.
//!
//! Each server is installed where it is missing, started with its state below the target folder,
//! tested with both signatures over http and TLS, stopped, and removed with all that it stored. The
//! tests themselves are the S3 crate's; this verb gives them a server.

mod ceph;
mod certificates;
mod processes;
mod run_tests;
mod swift;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use ferror::{Error, Kind};

use self::processes::Processes;
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::file_lock;
use crate::system::ui::{self, Ui};

/// A server that others wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// `OpenStack` Swift with its S3 interface and its own accounts (`s3api`, `tempauth`).
    Swift,
    /// Ceph's RADOS gateway.
    Ceph,
}

/// What becomes of a server that cannot be installed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The run fails, after the other servers.
    Fails,
    /// It is said.
    Warns,
}

/// A server that runs. Dropping it ends its processes.
struct Running {
    /// First, so that they end before the folder that they write into is removed.
    _processes: Processes,
    http_port: u16,
    tls_port: u16,
    /// The certificate authority that signed the server's certificate, in PEM.
    ca_bundle: PathBuf,
    /// Made up for this run, and good for nothing but this server's made-up objects.
    access_key_id: String,
    secret_access_key: String,
}

/// The region that both servers are told to be in.
const REGION: &str = "us-east-1";
/// How many objects a page of a listing has, so that a few objects are several pages.
const PAGE_OBJECTS: u32 = 5;

/// Runs the tests against `servers`, or against all when that is empty.
///
/// Fails with [`Kind::Config`] where the tests are not in this workspace or a server cannot be
/// installed, with [`Kind::Failed`] where a test fails.
pub fn run(servers: &[Server], missing: Missing, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?
        .ok_or_else(|| Error::config("no workspace here").hint("run it inside the repository"))?;
    if !run_tests::are_in(&root.dir) {
        let message = format!("no {}: the tests belong to Bowline's repository", run_tests::MAIN);
        if missing == Missing::Warns {
            ui.say("skipping", format_args!("interop: {message}"));
            return Ok(());
        }
        return Err(Error::config(message).hint("run it in a clone of that").into());
    }
    let folder = root.target_dir.join("interop");
    let _lock = file_lock::lock(&folder.join("lock"), || ui.say("waiting", "for another interop"))?;
    let (mut not_installed, mut failed) = (Vec::new(), Vec::new());
    for &server in if servers.is_empty() { &Server::ALL } else { servers } {
        match server.install(&folder, env, ui) {
            Err(error) if missing == Missing::Warns => {
                ui.warn(format_args!("{server} is not tested: {error:#}"));
            }
            Err(error) => {
                ui.warn(format_args!("{server} cannot be installed: {error:#}"));
                let hint = ui::ours(&error).and_then(Error::hint_text).map(str::to_owned);
                not_installed.push((server, hint));
            }
            Ok(()) => match test(server, &root.dir, &folder, env, ui) {
                Ok(tests) => failed.extend(tests),
                // The other servers have their turn all the same.
                Err(error) => {
                    ui.warn(format_args!("{server}: {error:#}"));
                    failed.push(server.to_string());
                }
            },
        }
    }
    if !failed.is_empty() {
        return Err(Error::new(Kind::Failed, format!("failed: {}", failed.join(", "))).into());
    }
    if let Some((_, hint)) = not_installed.first() {
        let names: Vec<_> = not_installed.iter().map(|(server, _)| server.to_string()).collect();
        let error = Error::config(format!("not tested, not installed: {}", names.join(", ")));
        return Err(match hint {
            Some(hint) => error.hint(hint.clone()).into(),
            None => error.into(),
        });
    }
    Ok(())
}

/// Starts a server, runs the tests against it and removes it; returns what failed.
fn test(
    server: Server,
    workspace: &Path,
    folder: &Path,
    env: &Env,
    ui: Ui,
) -> anyhow::Result<Vec<String>> {
    let state = State::fresh(folder.join(format!("{server}-state")), env)?;
    run_tests::build(workspace, env, ui)?;
    let running = server.start(folder, &state.0, env, ui)?;
    let failed = run_tests::all(server, &running, workspace, env, ui)?;
    drop(running);
    ui.say("stopped", server);
    Ok(failed)
}

/// A folder that is empty at first and gone at last.
struct State(PathBuf);

impl State {
    fn fresh(folder: PathBuf, env: &Env) -> anyhow::Result<Self> {
        processes::end_those_of(&folder, env);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("emptying {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // What is left is removed at the start of the next run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Server {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Swift, Self::Ceph];

    fn install(self, folder: &Path, env: &Env, ui: Ui) -> anyhow::Result<()> {
        certificates::install(env, ui)?;
        match self {
            Self::Swift => swift::install(folder, env, ui),
            Self::Ceph => ceph::install(env, ui),
        }
    }

    fn start(self, folder: &Path, state: &Path, env: &Env, ui: Ui) -> anyhow::Result<Running> {
        let started = std::time::Instant::now();
        let running = match self {
            Self::Swift => swift::start(folder, state, env),
            Self::Ceph => ceph::start(state, env),
        }
        .with_context(|| format!("starting {self}"))?;
        ui.say("started", format_args!("{self} in {}", ui::seconds(started.elapsed())));
        Ok(running)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Swift => "swift",
            Self::Ceph => "ceph",
        })
    }
}

impl FromStr for Server {
    type Err = Error;

    fn from_str(text: &str) -> ferror::Result<Self> {
        Self::ALL.into_iter().find(|server| server.to_string() == text).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(ToString::to_string).collect();
            Error::usage(format!("unknown server `{text}`: the servers are {}", all.join(", ")))
        })
    }
}

/// 32 hex digits that nobody knows beforehand: keyed hashes, keyed anew for every value.
fn random_hex() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
