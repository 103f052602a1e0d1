//! The S3 client against real servers that others wrote, on loopback.
//!
//! Installs each server where it is missing, starts it with its state below the target folder, runs
//! the checks with every signature over http and TLS, stops it, and removes all that it stored.
//!
//! A server of our own cannot show a mistake that it shares with the client. What these servers do
//! differently from S3, and from each other, stands as data in the table of [`servers`], so a new
//! version that behaves otherwise fails.

mod checks;
mod install;
mod processes;
mod servers;

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use ferror::{Error, Kind};

use crate::servers::{SERVERS, Server};

const HELP: &str = "\
Usage: cargo run -p interop [-- [SERVER]... [--skip-missing] [--folder DIR]]

Installs, starts, tests, stops and removes real S3 servers that others wrote, on loopback: each with
every signature that it knows, over http and over TLS. Without SERVER: all.

  --skip-missing  a server that cannot be installed is a warning, not an error
  --folder DIR    where servers are installed and keep their state (default: interop in the target
                  folder)

Servers:
";

/// What the command line asks for.
struct Options {
    servers: Vec<&'static Server>,
    skip_missing: bool,
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let result = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => run(options),
        Ok(None) => {
            print!("{HELP}");
            for Server { name, about, .. } in &SERVERS {
                println!("  {name:<7} {about}");
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("error: {error:#}");
    if let Some(hint) = hint(&error) {
        eprintln!("hint: {hint}");
    }
    let ours = error.chain().find_map(|error| error.downcast_ref::<Error>());
    ExitCode::from(ours.map_or(Kind::Config, Error::kind).exit_code())
}

/// Reads the command line; nothing where it asks for help.
fn parse(mut parser: lexopt::Parser) -> ferror::Result<Option<Options>> {
    use lexopt::prelude::*;

    let usage = |error: lexopt::Error| {
        Error::usage(error.to_string()).hint("run `cargo run -p interop -- --help` for the options")
    };
    let mut options = Options { servers: Vec::new(), skip_missing: false, folder: None };
    while let Some(argument) = parser.next().map_err(usage)? {
        match argument {
            Value(name) => options.servers.push(server_named(&name.to_string_lossy())?),
            Long("skip-missing") => options.skip_missing = true,
            Long("folder") => options.folder = Some(parser.value().map_err(usage)?.into()),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(usage(other.unexpected())),
        }
    }
    if options.servers.is_empty() {
        options.servers = SERVERS.iter().collect();
    }
    Ok(Some(options))
}

fn server_named(name: &str) -> ferror::Result<&'static Server> {
    SERVERS.iter().find(|server| server.name == name).ok_or_else(|| {
        let all = SERVERS.map(|server| server.name).join(", ");
        Error::usage(format!("unknown server `{name}`: the servers are {all}"))
    })
}

/// Tests each server. A server that fails, or cannot be installed, does not keep the others from
/// their turn.
///
/// Fails with [`Kind::Config`] where a server cannot be installed, with [`Kind::Failed`] where it
/// does not start or a check fails.
fn run(options: Options) -> anyhow::Result<()> {
    let folder = match options.folder {
        Some(folder) => std::path::absolute(folder)?,
        None => default_folder()?,
    };
    let _lock = lock(&folder)?;
    let (mut missing, mut failed) = (Vec::new(), Vec::new());
    for server in options.servers {
        let name = server.name;
        match servers::install(server, &folder) {
            Err(error) if options.skip_missing => {
                say("warning", format_args!("{name} is not tested: {error:#}"));
            }
            Err(error) => {
                say("warning", format_args!("{name} cannot be installed: {error:#}"));
                missing.push((name, hint(&error).map(str::to_owned)));
            }
            Ok(()) => match test(server, &folder) {
                Ok(checks) => failed.extend(checks),
                Err(error) => {
                    say("warning", format_args!("{name}: {error:#}"));
                    failed.push(name.to_owned());
                }
            },
        }
    }
    if !failed.is_empty() {
        return Err(Error::new(Kind::Failed, format!("failed: {}", failed.join(", "))).into());
    }
    if let Some((_, hint)) = missing.first() {
        let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
        let error = Error::config(format!("not tested, not installed: {}", names.join(", ")));
        let hint = hint.clone().unwrap_or_else(|| "the warnings above say why".to_owned());
        return Err(error.hint(hint).into());
    }
    Ok(())
}

/// Starts a server, runs the checks against it and removes it; returns what failed.
fn test(server: &Server, folder: &Path) -> anyhow::Result<Vec<String>> {
    let state = State::fresh(folder.join(format!("{}-state", server.name)))?;
    let started = Instant::now();
    let running =
        (server.start)(folder, &state.0).with_context(|| format!("starting {}", server.name))?;
    say("started", format_args!("{} in {:.1} s", server.name, started.elapsed().as_secs_f64()));
    let failed = checks::run_all(server, &running)?;
    // Its processes end before the folder that they write into is removed.
    drop(running);
    say("stopped", server.name);
    Ok(failed)
}

/// Returns the folder `interop` in the target folder that this program was built into.
fn default_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program's own path")?;
    let target = program.ancestors().nth(2).context("this program lies in no target folder")?;
    Ok(target.join("interop"))
}

/// Keeps other runs away from `folder` for as long as the file is open.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let open = || {
        fs::create_dir_all(folder)?;
        let file = File::options().create(true).append(true).open(folder.join("lock"))?;
        if file.try_lock().is_err() {
            say("waiting", format_args!("for another run in {}", folder.display()));
            file.lock()?;
        }
        std::io::Result::Ok(file)
    };
    open().with_context(|| format!("locking {}", folder.display()))
}

/// The folder that a server writes into: empty at first, removed at the end.
struct State(PathBuf);

impl State {
    fn fresh(folder: PathBuf) -> anyhow::Result<Self> {
        processes::kill_those_of(&folder);
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("emptying {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // The next run removes what is left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn hint(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|error| error.downcast_ref::<Error>()?.hint_text())
}

/// Says on stderr what is being done.
fn say(verb: &str, what: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{verb:>12} {what}");
}
