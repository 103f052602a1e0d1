//! Runs cargo for each service of a step of the plan, and returns the binaries that it made.
//!
//! **One call a service.** Cargo unites the features of all packages that it builds in one call, so
//! a binary would depend on what is built beside it. One call for each package avoids that. A crate
//! that two services need with the same features is still compiled once, since cargo names its files by
//! features. Cargo's unstable `resolver.feature-unification = "package"` would do it in one call, but is
//! not right in all cases: a library that two services use with equal features gets its own
//! dependencies as the first of them has them, so the second may link another `http` than alone.
//!
//! **One linker for all calls.** cargo-zigbuild needs more time to find out how to run zig than cargo
//! needs to see that nothing changed. So it is asked once for each platform which environment it would
//! build in, and cargo is called in that environment.
//!
//! **No paths in binaries.** `trim-paths` makes cargo replace the workspace, cargo's home, its own
//! build folder and the library sources by names that are the same everywhere. Flags for rustc
//! would hide the team's own: cargo takes flags from exactly one of the environment, `target.*.rustflags`
//! and `build.rustflags`. Releases of rustc that refuse what cargo passes for it are run by a script that adds
//! `--remap-path-prefix`.
//!
//! **Unstable cargo, stable rustc.** `trim-paths` is unstable in the pinned cargo, which takes it
//! when a variable tells it that it is a nightly one; cargo-zigbuild sets the same variable. rustc does
//! not read it, so no crate sees unstable features. The distribution's library alone needs unstable
//! features of rustc.
//!
//! **In a sandbox.** Where the machine has one, cargo and all that it starts find the service's inputs and nothing
//! else, see [`sandbox`].
//!
//! **A target folder of its own.** In plain cargo's folder, everything would be compiled again at each change
//! between the two sets of flags.

mod cargo_output;
mod debug_map;
mod environment;
mod failure;
mod freshness;
mod history;
mod observed;
mod openssl;
mod pkg_config;
mod refused_flag;
mod refused_input;
mod sandbox;
mod service_build;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use ferror::{Error, Kind};

use self::cargo_output::Progress;
pub(crate) use self::environment::build_time;
use self::history::{History, Writers};
pub use self::observed::Observed;
pub use self::sandbox::Allowed;
use self::service_build::{Confined, ServiceBuild};
use crate::build::macos_sdk::{self, Sdk};
use crate::build::toolchain::{Library, Toolchain};
use crate::model::native::Need;
use crate::model::plan::{Build, Step};
use crate::model::sources::SourceDigest;
use crate::system::env::Env;
use crate::system::file_lock::{self, FileLock};
use crate::system::process;
use crate::system::sandbox::Machine;
use crate::system::ui::Ui;

/// The binaries of a step. While this is held, no other build in the same target folder begins: two
/// checkouts may share that folder, and cargo keeps one binary of a name there.
#[derive(Debug)]
pub struct LockedBinaries {
    /// The binaries, in the order of the step.
    pub binaries: Vec<Binary>,
    /// What stood in for an Apple SDK, where something did.
    pub sdk: Option<Sdk>,
    _lock: FileLock,
}

/// A linked binary, as cargo left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The service's name.
    pub service: String,
    /// The file, which the next build replaces.
    pub path: PathBuf,
    /// `true` where a crate that was compiled for it links the OpenSSL that `dist` built.
    pub has_openssl: bool,
    /// Whether it was compiled in the sandbox, in a folder to which only sandboxed builds have written.
    pub sandboxed: bool,
    /// What was read for it, where that is known.
    pub observed: Option<Observed>,
    /// The files that cargo says it was made from, without those of dependencies from a registry or from git.
    pub sources: BTreeSet<PathBuf>,
}

/// The sources of a build, and what its sandbox allows.
pub struct Sources<'a> {
    /// Reads the digests of all packages that lie in folders.
    pub digests: &'a dyn Fn() -> anyhow::Result<Vec<SourceDigest>>,
    /// What each service may read in the sandbox; of one that is built without it, why.
    pub allowed: &'a BTreeMap<String, Result<Allowed, String>>,
    /// What the machine has to keep builds from reading anything else; `None` where it has nothing.
    pub machine: Option<Machine>,
    /// Whether they are those of a commit.
    pub is_commit: bool,
}

/// Builds the services of `step`, in their order. `lock_option` is `--locked`, or `--frozen` where
/// sources are vendored.
///
/// Fails with [`ferror::Kind::Failed`] when cargo does; cargo's reason is on stderr then.
pub fn build(
    toolchain: &Toolchain,
    step: &Step,
    profile: &str,
    lock_option: &str,
    sources: &Sources<'_>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<LockedBinaries> {
    let lock = lock(toolchain, ui)?;
    let written = written_folders(toolchain, env);
    let histories: anyhow::Result<_> = written.iter().map(|it| History::open(it)).collect();
    let histories: RefCell<Vec<History>> = RefCell::new(histories?);
    let note = |writers| histories.borrow_mut().iter_mut().try_for_each(|it| it.add(writers));
    let digests = (sources.digests)()?;
    let progress = Progress::start(step.platform, env.stderr_is_terminal, ui);
    let sdk = macos_sdk::prepare(toolchain, &digests, lock_option, env)?;
    let sdk_path = sdk.as_ref().map(|sdk| sdk.path.as_path());
    let mut variables = environment::linker_variables(toolchain, profile, sdk_path, env)?;
    // A person's own is a flag from outside the repository.
    if env.get_os("PKG_CONFIG").is_none() {
        variables.push(("PKG_CONFIG".into(), pkg_config::script(toolchain, env)?.into()));
    }
    let openssl = if step.builds.iter().any(|build| build.needs.contains(&Need::Openssl)) {
        Some(openssl::find_or_build(toolchain, &variables, profile, sources.machine, env, ui)?)
    } else {
        None
    };
    let trims_paths = toolchain.compiler.can_trim_paths(env);
    if !trims_paths {
        let rustc = environment::rustc_without_paths(toolchain, env)?;
        variables.push(("RUSTC".into(), rustc.into()));
    }
    if sources.machine.is_some() {
        fetch(toolchain, lock_option, env)?;
    }
    // Last before cargo, since what was known of the sources is lost where a later step fails.
    let freshness = freshness::clean_changed(toolchain, profile, lock_option, &digests, env)?;
    let command = |service: &Build| -> anyhow::Result<Command> {
        let mut command = Command::new(toolchain.compiler.cargo());
        command.args(arguments(toolchain, service, profile, lock_option, env));
        if trims_paths {
            let setting = format!("profile.{profile}.trim-paths=\"all\"");
            command.args(["-Ztrim-paths", "--config", &setting]);
        }
        if toolchain.platform.musl && toolchain.library == Library::Distribution {
            // Only rustup's library comes with the files that start a program with musl; zig has its own.
            let setting = format!("profile.{profile}.rustflags=[\"-Clink-self-contained=no\"]");
            command.args(["-Zprofile-rustflags", "--config", &setting]);
            // Build scripts are for this machine, whose target may not know the option.
            let setting = format!("profile.{profile}.build-override.rustflags=[]");
            command.args(["--config", &setting]);
        }
        command.args(build_dir_option(toolchain)?);
        environment::set_variables(&mut command, toolchain, env);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        environment::set_tools(&mut command, toolchain, &service.needs, env)?;
        if let Some(home) = openssl.as_deref().filter(|_| service.needs.contains(&Need::Openssl)) {
            command.envs(openssl::variables(toolchain, home));
        }
        Ok(command)
    };
    let call = |service: &Build| {
        let openssl = openssl.as_deref().filter(|_| service.needs.contains(&Need::Openssl));
        let build =
            ServiceBuild { service, toolchain, profile, openssl, progress: &progress, env, ui };
        let command = || command(service);
        let open = || {
            note(Writers::Any)?;
            build.build_open(command()?)
        };
        let allowed = sources.allowed.get(&service.service).and_then(|it| it.as_ref().ok());
        let binary = match (sources.machine, allowed) {
            (Some(machine), Some(allowed)) => {
                let commit = Writers::SandboxedCommits;
                note(if sources.is_commit { commit } else { Writers::Sandboxed })?;
                let confined = Confined { of: &build, machine, allowed };
                let binary = confined.build(&command, &open)?;
                let sandboxed = histories.borrow()[0].writers() >= Writers::Sandboxed;
                Binary { sandboxed, ..binary }
            }
            _ => open()?,
        };
        let binary = keep(binary, service, step, toolchain)?;
        debug_map::remove(binary, toolchain, env, ui)
    };
    let binaries: anyhow::Result<_> = step.builds.iter().map(call).collect();
    freshness.write(&(sources.digests)()?)?;
    Ok(LockedBinaries { binaries: binaries?, sdk, _lock: lock })
}

/// Returns the folders to which builds write, of which the first is the build folder. In the sandbox they are the only
/// ones.
fn written_folders(toolchain: &Toolchain, env: &Env) -> Vec<PathBuf> {
    let mut folders = vec![toolchain.target_dir.clone()];
    folders.extend(environment::zig_caches(toolchain, env));
    folders
}

/// Returns whether only sandboxed builds of commits have written to what builds with this toolchain write to, since `dist`
/// made the folders on this machine.
pub fn is_only_of_commits(toolchain: &Toolchain, env: &Env) -> bool {
    let folders = written_folders(toolchain, env);
    folders.iter().all(|folder| history::writers(folder) == Writers::SandboxedCommits)
}

/// Has cargo download what the services depend on, and the standard library where that is built too: nothing can be
/// downloaded in a sandbox. Where this fails, the build does, and says why.
fn fetch(toolchain: &Toolchain, lock_option: &str, env: &Env) -> anyhow::Result<()> {
    let workspace = toolchain.workspace_root.clone();
    for folder in std::iter::once(workspace).chain(toolchain.library_sources()) {
        for network in [&["--offline"][..], &[]] {
            let mut command = Command::new(toolchain.compiler.cargo());
            command.args(["fetch", lock_option, "--quiet", "--manifest-path"]);
            command.arg(folder.join("Cargo.toml")).args(network);
            for triple in [toolchain.platform.triple(), &toolchain.compiler.host] {
                command.args(["--target", triple]);
            }
            environment::set_variables(&mut command, toolchain, env);
            // Cargo's configuration is that of the folder in which it runs.
            command.current_dir(&toolchain.workspace_root);
            if process::output(&mut command).context("running cargo fetch")?.status.success() {
                break;
            }
        }
    }
    Ok(())
}

/// Reads a linked binary. A build script may have put a link in its place, to a file that nobody wants packed.
pub fn read(binary: &Binary, toolchain: &Toolchain) -> anyhow::Result<Vec<u8>> {
    let path = &binary.path;
    let name = || format!("reading {}", path.display());
    let real = path.canonicalize().with_context(name)?;
    let folder = toolchain.target_dir.canonicalize().with_context(name)?;
    if !real.starts_with(&folder) {
        let message =
            format!("{} leads out of the build folder, to {}", path.display(), real.display());
        return Err(Error::new(Kind::Failed, message)
            .hint("look for the build script that made the link")
            .into());
    }
    std::fs::read(real).with_context(name)
}

/// Copies a binary to a place of its own, where another service of the step has one of the same name: cargo has one
/// place for both, and its next call replaces the file there.
fn keep(
    mut binary: Binary,
    service: &Build,
    step: &Step,
    toolchain: &Toolchain,
) -> anyhow::Result<Binary> {
    let of_the_name = step.builds.iter().filter(|build| build.bin == service.bin);
    if of_the_name.count() < 2 {
        return Ok(binary);
    }
    let kept = place_of_its_own(&service.service, "kept", toolchain)?;
    std::fs::copy(&binary.path, &kept)
        .with_context(|| format!("copying {} to {}", binary.path.display(), kept.display()))?;
    binary.path = kept;
    Ok(binary)
}

/// Returns a path for a changed or copied binary of a service, where cargo puts nothing.
fn place_of_its_own(service: &str, folder: &str, toolchain: &Toolchain) -> anyhow::Result<PathBuf> {
    let dir = toolchain.target_dir.join(toolchain.platform.triple()).join(folder);
    std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    Ok(dir.join(service))
}

/// Waits for other builds with the same linker: two at once would overwrite each other's linker scripts.
fn lock(toolchain: &Toolchain, ui: &Ui) -> anyhow::Result<FileLock> {
    let waiting = || ui.say("waiting", "for another build of this workspace");
    file_lock::lock(&toolchain.cache_dir.join("build.lock"), waiting)
}

/// Returns the option that puts all of cargo's files into our target folder, whatever `build.build-dir` of a
/// cargo configuration says.
///
/// As a variable, a cargo that a build script runs would inherit it, and wait for ever for the lock that this
/// one holds.
fn build_dir_option(toolchain: &Toolchain) -> anyhow::Result<[String; 2]> {
    let dir = &toolchain.target_dir;
    let text = dir.to_str().with_context(|| format!("{} is not UTF-8", dir.display()))?;
    // A string in JSON is one in TOML, too.
    let value = serde_json::Value::from(text);
    Ok(["--config".to_owned(), format!("build.build-dir={value}")])
}

fn arguments(
    toolchain: &Toolchain,
    service: &Build,
    profile: &str,
    lock_option: &str,
    env: &Env,
) -> Vec<OsString> {
    let format = if env.colour() { "json-diagnostic-rendered-ansi" } else { "json" };
    let mut arguments: Vec<OsString> = ["build", lock_option, "--message-format", format]
        .into_iter()
        .chain(["--package", &service.package, "--bin", &service.bin, "--profile", profile])
        .chain(["--target", toolchain.platform.triple(), "--target-dir"])
        .map(OsString::from)
        .collect();
    arguments.push(toolchain.target_dir.clone().into());
    if toolchain.library == Library::Distribution {
        // Both ways to panic are built, and the profile chooses one.
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
