//! Cargo, per platform: from a step of the plan to the binaries that cargo says it made.
//!
//! **One call a platform.** All services of a step are built by one `cargo zigbuild`, with cargo's
//! `resolver.feature-unification = "package"`: features are resolved for each package as if it were
//! built alone, so a binary does not depend on what is built beside it, and a dependency that two
//! services need with the same features is compiled once. Services without their default features
//! are a second call, since that switch holds for a whole call.
//!
//! **No paths in binaries.** `trim-paths` makes cargo replace the workspace, cargo's home, its own
//! build folder and the library sources by names that are the same everywhere. Why not flags for
//! rustc: cargo takes those from exactly one of environment, `target.*.rustflags` and
//! `build.rustflags`; adding to one hides the next. This way the team's own flags, wherever they
//! stand, hold as in a plain build.
//!
//! **Unstable cargo, stable rustc.** Both settings are unstable in the pinned cargo, which takes
//! them when it is told that it is a nightly one. cargo-zigbuild tells it the same, by the same
//! variable. rustc is not told, so no crate sees unstable features. Only the distribution's library
//! needs an unstable rustc, to be built at all.
//!
//! **A folder of our own.** Plain cargo's target folder would be recompiled at every change between
//! the two sets of flags.

mod environment;
mod messages;
mod progress;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use ferror::{Error, Kind};

use self::messages::Message;
use self::progress::Progress;
use crate::env::Env;
use crate::plan::{Build, Step};
use crate::platform::Os;
use crate::toolchain::{Buildable, Library};
use crate::ui::Ui;

/// A linked binary, as cargo left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The service that it is.
    pub service: String,
    /// The file; the next build may replace it.
    pub path: PathBuf,
}

/// Builds the services of `step`, in their order.
///
/// Fails with [`Kind::Failed`] when cargo does, which has then said why on stderr.
pub fn build(
    buildable: &Buildable,
    step: &Step,
    profile: &str,
    env: &Env,
    ui: Ui,
) -> anyhow::Result<Vec<Binary>> {
    check_names(step)?;
    std::fs::create_dir_all(&buildable.target_dir)
        .with_context(|| format!("making {}", buildable.target_dir.display()))?;
    let _lock = lock(buildable, ui)?;
    let progress = Progress::start(step.platform, env.stderr_is_terminal, ui);
    let mut binaries = Vec::new();
    for no_default_features in [false, true] {
        let builds: Vec<&Build> = step
            .builds
            .iter()
            .filter(|build| build.no_default_features == no_default_features)
            .collect();
        if !builds.is_empty() {
            binaries.extend(call(buildable, &builds, profile, env, &progress)?);
        }
    }
    let position = |binary: &Binary| step.builds.iter().position(|b| b.service == binary.service);
    binaries.sort_by_key(position);
    Ok(binaries)
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
    let path = buildable.target_dir.join("build.lock");
    let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    if file.try_lock().is_err() {
        ui.say("Waiting", "for another build of this workspace");
        file.lock().with_context(|| format!("waiting for {}", path.display()))?;
    }
    Ok(file)
}

fn call(
    buildable: &Buildable,
    builds: &[&Build],
    profile: &str,
    env: &Env,
    progress: &Progress,
) -> anyhow::Result<Vec<Binary>> {
    let mut command = Command::new(&buildable.linker.cargo_zigbuild);
    command
        .args(arguments(buildable, builds, profile, env))
        .current_dir(&buildable.workspace_root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    environment::set(&mut command, buildable, env);
    let program = buildable.linker.cargo_zigbuild.display();
    let mut child = command.spawn().map_err(|error| {
        Error::config(format!("cannot run {program}"))
            .hint("run `cargo xtask setup`")
            .caused_by(error)
    })?;
    let mut executables = Vec::new();
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    for line in BufReader::new(stdout).lines() {
        match messages::read(&line.context("reading cargo's messages")?) {
            Some(Message::Said(text)) => progress.pass_on(&text),
            Some(Message::Made(made)) => {
                progress.made(&made);
                executables.extend(made.executable.map(|path| (made.package, made.target, path)));
            }
            None => {}
        }
    }
    let status = child.wait().context("waiting for cargo")?;
    let names: Vec<_> = builds.iter().map(|build| build.service.as_str()).collect();
    let (platform, names) = (buildable.platform, names.join(", "));
    if !status.success() {
        let message = format!("{platform}: cargo could not build {names}");
        return Err(Error::new(Kind::Failed, message)
            .hint("cargo's messages above say why")
            .into());
    }
    let found = |build: &&Build| {
        let is_it = |(package, target, _): &&(String, String, PathBuf)| {
            *package == build.service && *target == build.bin
        };
        let path = executables.iter().find(is_it).map(|(_, _, path)| path.clone());
        path.map(|path| Binary { service: build.service.clone(), path }).ok_or_else(|| {
            let message = format!("{platform}: cargo names no binary `{}`", build.bin);
            Error::new(Kind::Bug, message).into()
        })
    };
    builds.iter().map(found).collect()
}

fn arguments(buildable: &Buildable, builds: &[&Build], profile: &str, env: &Env) -> Vec<String> {
    let triple = buildable.platform.triple();
    let target = match buildable.platform.os {
        Os::Linux => format!("{triple}.{}", buildable.glibc),
        Os::Darwin => triple.to_owned(),
    };
    let format = if env.colour() { "json-diagnostic-rendered-ansi" } else { "json" };
    let target_dir = buildable.target_dir.to_string_lossy();
    let mut arguments: Vec<String> = [
        "zigbuild",
        "--locked",
        "--profile",
        profile,
        "--target",
        &target,
        "--target-dir",
        &target_dir,
        "--message-format",
        format,
        "-Zfeature-unification",
        "--config",
        "resolver.feature-unification=\"package\"",
        "-Ztrim-paths",
        "--config",
        &format!("profile.{profile}.trim-paths=\"all\""),
    ]
    .map(str::to_owned)
    .into();
    if buildable.library == Library::Distribution {
        // Both ways to panic: the profile picks one.
        arguments.push("-Zbuild-std=std,panic_abort,panic_unwind".to_owned());
    }
    if !env.stderr_is_terminal {
        arguments.push("--quiet".to_owned());
    }
    for build in builds {
        arguments.extend(["--package", &build.service, "--bin", &build.bin].map(str::to_owned));
        for feature in &build.features {
            arguments.extend(["--features".to_owned(), format!("{}/{feature}", build.service)]);
        }
    }
    if builds.iter().any(|build| build.no_default_features) {
        arguments.push("--no-default-features".to_owned());
    }
    arguments
}
