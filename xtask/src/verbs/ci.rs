//! `ci`: runs the checks of continuous integration, in CI and at home alike.
//!
//! The checks are formatting, clippy and tests, the fastest first. Everything else that is checked (layering,
//! layout, the CI file, documentation) is a test. With `--all` the slow tests run after the others have
//! passed.

use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use ferror::{Error, Kind};

use crate::repository::{vendored, workspace};
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::{child_env, process};

/// One check: its name and cargo's arguments.
type Check = (&'static str, &'static [&'static str]);

const FORMAT: Check = ("formatting", &["fmt", "--all", "--check"]);
const CLIPPY: Check =
    ("clippy", &["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
/// Runs to the end, so that it shows the failing tests of every crate.
const TESTS: Check = ("tests", &["test", "--locked", "--workspace", "--no-fail-fast"]);
/// Runs the tests marked `#[ignore]`, which are slow, install toolchains, or install and start servers. No
/// example in the documentation is one of them. Four run at once, also on two cores, because they often wait:
/// for another's cargo in the shared target folder, for a service to be healthy, or for the network.
const SLOW_TESTS: Check = (
    "slow tests",
    &[
        "test",
        "--locked",
        "--workspace",
        "--tests",
        "--no-fail-fast",
        "--",
        "--ignored",
        "--test-threads=4",
    ],
);

/// The components of rustup that a minimal toolchain lacks, and a cargo command that needs each.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "fmt"), ("clippy", "clippy")];

/// The options of `ci`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// `--all`.
    pub all: bool,
}

/// Runs every check; the first that fails ends the run with [`Kind::Failed`].
pub fn run(options: Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?
        .ok_or_else(|| Error::config("no workspace here").hint("run it inside the repository"))?;
    for (component, command) in COMPONENTS {
        install_component(component, command, env, ui)?;
    }
    let slow = options.all.then_some(SLOW_TESTS);
    for (name, arguments) in [FORMAT, CLIPPY, TESTS].into_iter().chain(slow) {
        let arguments = vendored::with_lock_option(arguments, &root.dir);
        let line = format!("cargo {}", arguments.join(" "));
        ui.say("checking", format_args!("{name}: {line}"));
        let start = Instant::now();
        let status = process::spawn(child_env::cargo(env).args(&arguments).current_dir(&root.dir))
            .and_then(process::Running::wait)
            .with_context(|| format!("running `{line}`"))?;
        if !status.success() {
            let message = format!("{name}: `{line}` failed ({status})");
            return Err(Error::new(Kind::Failed, message).hint(child_env::build_hint(env)).into());
        }
        ui.say("passed", format_args!("{name} in {}", ui::seconds(start.elapsed())));
    }
    Ok(())
}

/// Installs a component by rustup, and says so, where the toolchain lacks it.
fn install_component(component: &str, command: &str, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let probe = child_env::cargo(env).args([command, "--version"]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    ui.say("installing", format_args!("{component}: rustup component add {component}"));
    let mut rustup = Command::new("rustup");
    child_env::clean(&mut rustup, env);
    match rustup.args(["component", "add", component]).status() {
        Ok(status) if status.success() => Ok(()),
        _ => {
            Err(Error::config(format!("{component} is not installed, and rustup could not add it"))
                .hint(format!(
                    "run `rustup component add {component}`, or install your system's package of it"
                ))
                .into())
        }
    }
}
