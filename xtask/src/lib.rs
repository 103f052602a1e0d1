//! Build automation for a service repository: `dist` builds every service, stamps the commit into
//! the linked binaries and packs reproducible archives; `upload` publishes them in a bucket.
//!
//! A repository uses it by three lines:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     xtask::main()
//! }
//! ```
//!
//! Modules stand in reading order: words first, then what is pure, then what touches the outside,
//! then the verbs, and the door last.

use std::ffi::OsString;
use std::process::ExitCode;

use ferror::{Error, Kind};

pub mod names;
pub mod nearest;
pub mod placeholders;
pub mod platform;

pub mod cargo_toml;
pub mod config;
pub mod lockfile;
pub mod plan;
pub mod templates;

pub mod archive;
pub mod ask;
pub mod blueprint;
pub mod compile;
pub mod destination;
pub mod download;
pub mod env;
pub mod files;
pub mod git;
pub mod gzip;
pub mod keeper;
pub mod local;
pub mod nested;
pub mod origin;
pub mod parallel;
pub mod pins;
pub mod progress;
pub mod publish;
pub mod resources;
pub mod shelf;
pub mod stamp;
pub mod timings;
pub mod toolchain;
pub mod ui;
pub mod unpack;
pub mod vendored;
pub mod workspace;

pub mod ci;
pub mod dist;
pub mod fetch;
pub mod init;
pub mod interop;
pub mod list;
pub mod new;
pub mod presign;
pub mod promote;
pub mod setup;
pub mod ship;
pub mod show_stamp;
pub mod update;
pub mod upload;
pub mod vendor;

pub mod cli;
pub mod help;

use crate::cli::Command;
use crate::env::Env;
use crate::ui::Ui;

/// The whole program: this process's arguments and environment in, its exit code out.
pub fn main() -> ExitCode {
    let result = Env::from_process()
        .map_err(anyhow::Error::from)
        .and_then(|env| run(std::env::args_os().skip(1), &env));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::report(&error);
            // An error that no one gave a kind is one of this machine: a file, a process.
            ExitCode::from(ui::ours(&error).map_or(Kind::Config, Error::kind).exit_code())
        }
    }
}

/// Runs one command line. `arguments` come without the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, env: &Env) -> anyhow::Result<()> {
    match cli::parse(arguments)? {
        Command::Help(text) => ui::print(text),
        Command::Version => ui::print(concat!("bowline-xtask ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Dist(options) => {
            dist::run(&options, env, Ui::new(env, options.json))?;
        }
        Command::Upload(options) => upload::run(&options, env, Ui::new(env, options.json))?,
        Command::Ship(options) => ship::run(&options, env, Ui::new(env, options.json))?,
        Command::List(options) => list::run(&options, env, Ui::new(env, options.place.json))?,
        Command::Presign(options) => {
            presign::run(&options, env, Ui::new(env, options.place.json))?;
        }
        Command::Fetch(options) => fetch::run(&options, env, Ui::new(env, options.place.json))?,
        Command::Promote(options) => {
            promote::run(&options, env, Ui::new(env, options.place.json))?;
        }
        Command::New(options) => new::run(&options, env, Ui::new(env, false))?,
        Command::Init(options) => init::run(&options, env, Ui::new(env, false))?,
        Command::Setup(options) => setup::run(&options, env, Ui::new(env, false))?,
        Command::Ci { all } => ci::run(all, env, Ui::new(env, false))?,
        Command::Interop { servers } => {
            interop::run(&servers, interop::Missing::Fails, env, Ui::new(env, false))?;
        }
        Command::Update(options) => update::run(&options, env, Ui::new(env, false))?,
        Command::Vendor(mode) => vendor::run(mode, env, Ui::new(env, false))?,
        Command::Stamp { files, json } => ui::print(&show_stamp::run(&files, json)?),
    }
    Ok(())
}
