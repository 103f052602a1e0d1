//! Cargo, per platform: from a step of the plan to the binaries that cargo says it made.
//!
//! **One call a service.** Cargo unites the features of all packages that it builds in one call, so
//! a binary would depend on what is built beside it. Called for one package at a time, it cannot;
//! and what two services need with the same features is still compiled once, since cargo names its
//! files by features. Why not its unstable `resolver.feature-unification = "package"`, which
//! promises the same in one call: a library that two services use with equal features gets its own
//! dependencies as the first of them has them, so the second may link another `http` than alone.
//!
//! **One linker for all calls.** cargo-zigbuild spends more time on finding out how to run zig than
//! cargo on seeing that nothing changed. So it is asked once a platform what environment it would
//! build in, and cargo is called in that.
//!
//! **No paths in binaries.** `trim-paths` makes cargo replace the workspace, cargo's home, its own
//! build folder and the library sources by names that are the same everywhere. Why not flags for
//! rustc: cargo takes those from exactly one of environment, `target.*.rustflags` and
//! `build.rustflags`; adding to one hides the next. This way the team's own flags, wherever they
//! stand, hold as in a plain build.
//!
//! **Unstable cargo, stable rustc.** `trim-paths` is unstable in the pinned cargo, which takes it
//! when it is told that it is a nightly one. cargo-zigbuild tells it the same, by the same variable.
//! rustc is not told, so no crate sees unstable features. Only the distribution's library needs an
//! unstable rustc, to be built at all.
//!
//! **A folder of our own.** Plain cargo's target folder would be recompiled at every change between
//! the two sets of flags.

mod environment;
mod messages;
mod progress;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use ferror::{Error, Kind};

use self::messages::Message;
use self::progress::Progress;
use crate::build::toolchain::{Buildable, Library};
use crate::model::plan::{Build, Step};
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::files;
use crate::system::ui::Ui;

/// What a build left behind. While it is held, no other build in the same target folder begins: two
/// checkouts may share one, and cargo has one place there for a binary of a name.
#[derive(Debug)]
pub struct Built {
    /// The binaries, in the order of the step.
    pub binaries: Vec<Binary>,
    _lock: File,
}

/// A linked binary, as cargo left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The service that it is.
    pub service: String,
    /// The file; the next build replaces it.
    pub path: PathBuf,
}

/// Builds the services of `step`, in their order. `lock_option` is `--locked`, or `--frozen` where
/// sources are vendored.
///
/// Fails with [`Kind::Failed`] when cargo does, which has then said why on stderr.
pub fn build(
    buildable: &Buildable,
    step: &Step,
    profile: &str,
    lock_option: &str,
    env: &Env,
    ui: Ui,
) -> anyhow::Result<Built> {
    check_names(step)?;
    std::fs::create_dir_all(&buildable.target_dir)
        .with_context(|| format!("making {}", buildable.target_dir.display()))?;
    let lock = lock(buildable, ui)?;
    let progress = Progress::start(step.platform, env.stderr_is_terminal, ui);
    let variables = environment::with_linker(buildable, profile, env)?;
    let call = |service: &Build| {
        let mut command = Command::new(buildable.compiler.cargo());
        command.args(arguments(buildable, service, profile, lock_option, env));
        environment::set(&mut command, buildable, env);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        run(command, service, &buildable.workspace_root, &progress, env)
    };
    let binaries = step.builds.iter().map(call).collect::<Result<_, _>>()?;
    Ok(Built { binaries, _lock: lock })
}

/// Cargo has one place for a binary of a name.
fn check_names(step: &Step) -> ferror::Result<()> {
    for (index, build) in step.builds.iter().enumerate() {
        if let Some(other) = step.builds[..index].iter().find(|other| other.bin == build.bin) {
            let (one, two, bin) = (&other.service, &build.service, &build.bin);
            return Err(Error::config(format!("{one} and {two} both have a binary `{bin}`"))
                .hint("give each service's binary a name of its own"));
        }
    }
    Ok(())
}

/// Two builds at once would write the linker's scripts under each other's hands.
fn lock(buildable: &Buildable, ui: Ui) -> anyhow::Result<File> {
    let waiting = || ui.say("waiting", "for another build of this workspace");
    files::lock(&buildable.cache_dir.join("build.lock"), waiting)
}

/// Runs cargo for one service, to the binary that it names.
fn run(
    mut command: Command,
    service: &Build,
    workspace_root: &Path,
    progress: &Progress,
    env: &Env,
) -> anyhow::Result<Binary> {
    command.current_dir(workspace_root).stdin(Stdio::null()).stdout(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .spawn()
        .map_err(|error| Error::config(format!("cannot run {program}")).caused_by(error))?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let mut path = None;
    for line in BufReader::new(stdout).lines() {
        match messages::read(&line.context("reading cargo's messages")?) {
            Some(Message::Said(text)) => progress.pass_on(&text),
            Some(Message::Made(made)) => {
                progress.made(&made);
                if made.package == service.service && made.target == service.bin {
                    path = made.executable.or(path);
                }
            }
            None => {}
        }
    }
    let name = &service.service;
    if !child.wait().context("waiting for cargo")?.success() {
        return Err(Error::new(Kind::Failed, format!("cargo could not build {name}"))
            .hint(child_env::build_hint(env))
            .into());
    }
    let path = path.ok_or_else(|| {
        Error::config(format!("cargo made no binary `{}` of {name}", service.bin))
            .hint("its `required-features` have to be among the service's `features`")
    })?;
    Ok(Binary { service: name.clone(), path })
}

fn arguments(
    buildable: &Buildable,
    service: &Build,
    profile: &str,
    lock_option: &str,
    env: &Env,
) -> Vec<OsString> {
    let format = if env.colour() { "json-diagnostic-rendered-ansi" } else { "json" };
    let mut arguments: Vec<OsString> = ["build", lock_option, "--message-format", format]
        .into_iter()
        .chain(["--package", &service.service, "--bin", &service.bin, "--profile", profile])
        .chain(["--target", buildable.platform.triple(), "--target-dir"])
        .map(OsString::from)
        .collect();
    let trim_paths = format!("profile.{profile}.trim-paths=\"all\"");
    arguments.push(buildable.target_dir.clone().into());
    arguments.extend(["-Ztrim-paths", "--config", &trim_paths].map(OsString::from));
    if buildable.library == Library::Distribution {
        // Both ways to panic: the profile picks one.
        arguments.push("-Zbuild-std=std,panic_abort,panic_unwind".into());
    }
    if !env.stderr_is_terminal {
        arguments.push("--quiet".into());
    }
    if service.no_default_features {
        arguments.push("--no-default-features".into());
    }
    for feature in &service.features {
        arguments.extend(["--features".into(), feature.into()]);
    }
    arguments
}
