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
//! One with verbs of its own uses [`main_with`].
//!
//! Dependencies point down: `cli` reads the command line and calls one of the `verbs`; a verb joins
//! `build`, `bucket` and `repository`, which do not know each other; those stand on `model` and `system`.

use std::ffi::OsString;
use std::process::ExitCode;

pub use anyhow;
use ferror::{Error, Kind};

pub mod bucket;
pub mod build;
pub mod cli;
pub mod model;
pub mod repository;
pub mod system;
pub mod verbs;

use crate::cli::Command;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::undo;
use crate::system::{interrupt, open_files};
use crate::verbs::{
    adopt, ci, dist, fetch, init, list, new, plan, presign, promote, setup, ship, stamp, update,
    upload, vendor, verify,
};

/// Runs the program with the arguments and environment of this process, and returns its exit code.
pub fn main() -> ExitCode {
    main_with(|_, _| None)
}

/// Does what [`main`] does, but lets `own` take the command line first: it returns the result of a verb of its own, and
/// `None` where the first argument names none. An error is reported as one of ours is, with the exit code of its
/// [`ferror::Kind`], or 3; after a signal, the exit code is 130.
///
/// ```no_run
/// use std::ffi::OsString;
/// use std::process::{Command, ExitCode};
///
/// use xtask::anyhow;
/// use xtask::system::env::Env;
///
/// fn main() -> ExitCode {
///     xtask::main_with(|arguments, env| match arguments.first()?.to_str()? {
///         "migrate" => Some(migrate(&arguments[1..], env)),
///         // A verb of Bowline with options that this repository always uses.
///         "release" => Some(xtask::run(["ship", "--strict"].map(OsString::from), env)),
///         _ => None,
///     })
/// }
///
/// fn migrate(arguments: &[OsString], env: &Env) -> anyhow::Result<()> {
///     let status = Command::new("sqlx")
///         .args(["migrate", "run"])
///         .args(arguments)
///         .current_dir(&env.current_dir)
///         .status()?;
///     anyhow::ensure!(status.success(), "sqlx migrate: {status}");
///     Ok(())
/// }
/// ```
pub fn main_with(
    own: impl FnOnce(&[OsString], &Env) -> Option<anyhow::Result<()>> + Send + 'static,
) -> ExitCode {
    // Here and not in `run`: a limit is the whole process's, and a library leaves that alone.
    open_files::raise_limit();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let env = match Env::from_process() {
        Ok(env) => env,
        Err(error) => {
            eprintln!("error: the current folder cannot be found: {error}");
            return ExitCode::from(Kind::Config.exit_code());
        }
    };
    let worker_env = env.clone();
    let work = move || {
        let env = &worker_env;
        let result = own(&arguments, env).unwrap_or_else(|| run(arguments, env));
        match result {
            Ok(()) => ExitCode::SUCCESS,
            // Its reason is the signal, which is reported below.
            Err(_) if interrupt::is_requested() => ExitCode::from(interrupt::EXIT_CODE),
            Err(error) => {
                ui::report(&error, env);
                // An error that no one gave a kind is one of this machine: a file, a process.
                ExitCode::from(ui::ours(&error).map_or(Kind::Config, Error::kind).exit_code())
            }
        }
    };
    interrupt::run(work).unwrap_or_else(|signal| {
        ui::report(&Error::config(format!("interrupted by {signal}")).into(), &env);
        ExitCode::from(interrupt::EXIT_CODE)
    })
}

/// Runs one command line. `arguments` do not include the program's name.
///
/// A result that cannot be written to stdout does not stop the verb. It becomes the error of a verb
/// that succeeds otherwise.
pub fn run(arguments: impl IntoIterator<Item = OsString>, env: &Env) -> anyhow::Result<()> {
    let command = cli::parse(arguments)?;
    let env = &passing(env);
    let ui = Ui::new(env);
    if !matches!(
        command,
        Command::Print(_)
            | Command::Completions(_)
            | Command::CompletionsServices
            | Command::Reference
    ) {
        undo::take_back_around(&env.current_dir, &ui)?;
    }
    dispatch(command, env, &ui)?;
    Ok(ui.finish()?)
}

fn dispatch(command: Command, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    match command {
        Command::Print(text) => ui.print(&env.with_alias(&text)),
        Command::Completions(shell) => {
            ui.print(&cli::completions::script(shell, &env.alias()));
        }
        Command::CompletionsServices => {
            for service in repository::workspace::read(env)?.services {
                ui.result(service.name);
            }
        }
        Command::Reference => ui.print(&cli::reference::page()),
        Command::Dist(options) => {
            let ui = ui.with_json(options.json);
            dist::run(dist::Purpose::Any, |_, _| Ok(()), &options, env, &ui)?;
        }
        Command::Plan(options) => plan::run(&options, env, &ui.with_json(options.dist.json))?,
        Command::Upload(options) => upload::run(&options, env, &ui.with_json(options.json))?,
        Command::Ship(options) => ship::run(&options, env, &ui.with_json(options.dist.json))?,
        Command::List(options) => list::run(&options, env, &ui.with_json(options.json))?,
        Command::Presign(options) => presign::run(&options, env, &ui.with_json(options.json))?,
        Command::Fetch(options) => fetch::run(&options, env, &ui.with_json(options.json))?,
        Command::Promote(options) => promote::run(&options, env, &ui.with_json(options.json))?,
        Command::Verify(options) => verify::run(&options, env, &ui.with_json(options.json))?,
        Command::New(options) => new::run(&options, env, ui)?,
        Command::Adopt(options) => adopt::run(&options, env, ui)?,
        Command::Init(options) => init::run(&options, env, ui)?,
        Command::Setup(options) => setup::run(&options, env, ui)?,
        Command::Ci(options) => ci::run(options, env, ui)?,
        Command::Update(options) => update::run(&options, env, ui)?,
        Command::Vendor(options) => vendor::run(options, env, ui)?,
        Command::Stamp(options) if options.check => {
            stamp::run(&options, env, &ui.with_json(options.json))?;
        }
        Command::Stamp(options) => stamp::run(&options, env, ui)?,
    }
    Ok(())
}

/// Returns `env` with the credentials that the table's `pass-env` lets child processes have. A
/// table that cannot be read is ignored here: the verb that needs it reports it.
fn passing(env: &Env) -> Env {
    let mut env = env.clone();
    if let Ok(Some(table)) = repository::workspace::table(&env) {
        env.pass_env = table.config.pass_env;
    }
    env
}
