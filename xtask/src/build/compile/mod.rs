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
//! **A target folder of its own.** In plain cargo's folder, everything would be compiled again at each change
//! between the two sets of flags.

mod cargo_output;
mod debug_map;
mod environment;
mod failure;
mod freshness;
mod openssl;
mod pkg_config;
mod refused_flag;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context as _;
use ferror::Error;

use self::cargo_output::{Message, Progress};
use crate::build::macos_sdk::{self, Sdk};
use crate::build::toolchain::{Library, Toolchain};
use crate::model::native::Need;
use crate::model::plan::{Build, Step};
use crate::model::sources::SourceDigest;
use crate::system::env::Env;
use crate::system::file_lock::{self, FileLock};
use crate::system::ui::Ui;
use crate::system::{process, terminal};

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
    /// The files that cargo says it was made from, without those of dependencies from a registry or from git.
    pub sources: Vec<PathBuf>,
}

/// Builds the services of `step`, in their order. `lock_option` is `--locked`, or `--frozen` where
/// sources are vendored; `sources` reads the digests of all packages that lie in folders.
///
/// Fails with [`ferror::Kind::Failed`] when cargo does; cargo's reason is on stderr then.
pub fn build(
    toolchain: &Toolchain,
    step: &Step,
    profile: &str,
    lock_option: &str,
    sources: &dyn Fn() -> anyhow::Result<Vec<SourceDigest>>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<LockedBinaries> {
    std::fs::create_dir_all(&toolchain.target_dir)
        .with_context(|| format!("making {}", toolchain.target_dir.display()))?;
    let lock = lock(toolchain, ui)?;
    let digests = sources()?;
    let progress = Progress::start(step.platform, env.stderr_is_terminal, ui);
    let sdk = macos_sdk::prepare(toolchain, &digests, lock_option, env)?;
    let sdk_path = sdk.as_ref().map(|sdk| sdk.path.as_path());
    let mut variables = environment::linker_variables(toolchain, profile, sdk_path, env)?;
    // A person's own is a flag from outside the repository.
    if env.get_os("PKG_CONFIG").is_none() {
        variables.push(("PKG_CONFIG".into(), pkg_config::script(toolchain, env)?.into()));
    }
    let openssl = if step.builds.iter().any(|build| build.needs.contains(&Need::Openssl)) {
        Some(openssl::find_or_build(toolchain, &variables, env, ui)?)
    } else {
        None
    };
    let trims_paths = toolchain.compiler.can_trim_paths(env);
    if !trims_paths {
        let rustc = environment::rustc_without_paths(toolchain, env)?;
        variables.push(("RUSTC".into(), rustc.into()));
    }
    // Last before cargo, since what was known of the sources is lost where a later step fails.
    let freshness = freshness::clean_changed(toolchain, profile, lock_option, &digests, env)?;
    let call = |service: &Build| {
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
        let openssl = openssl.as_deref().filter(|_| service.needs.contains(&Need::Openssl));
        if let Some(home) = openssl {
            command.envs(openssl::variables(toolchain, home));
        }
        let binary = run(command, service, toolchain, openssl, &progress, env)?;
        let binary = keep(binary, service, step, toolchain)?;
        debug_map::remove(binary, toolchain, env, ui)
    };
    let binaries: anyhow::Result<_> = step.builds.iter().map(call).collect();
    freshness.write(&sources()?)?;
    Ok(LockedBinaries { binaries: binaries?, sdk, _lock: lock })
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

/// Runs cargo for one service, and returns the binary that it names.
fn run(
    mut command: Command,
    service: &Build,
    toolchain: &Toolchain,
    openssl: Option<&Path>,
    progress: &Progress,
    env: &Env,
) -> anyhow::Result<Binary> {
    let workspace_root = &toolchain.workspace_root;
    command.current_dir(workspace_root).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    show_progress(&mut command, env);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = process::spawn(&mut command)
        .map_err(|error| Error::config(format!("cannot run {program}")).caused_by(error))?;
    let stdout = child.take_stdout().context("cargo has no stdout")?;
    let stderr = child.take_stderr().context("cargo has no stderr")?;
    let said = thread::spawn(move || Progress::pass_on(stderr));
    let (mut path, mut refused, mut first_error, mut scripts) = (None, None, None, Vec::new());
    // Macros may print what is not UTF-8, between cargo's messages.
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("reading cargo's messages")?;
        match cargo_output::read(&String::from_utf8_lossy(&line)) {
            Some(Message::Diagnostic { text, refused_flag, error }) => {
                progress.show_diagnostic(&text);
                refused = refused.or(refused_flag);
                first_error = first_error.or(error);
            }
            Some(Message::Script(script)) => scripts.push(script),
            Some(Message::Crate(finished)) => {
                progress.count(&finished);
                if finished.package == service.package && finished.target == service.bin {
                    path = finished.executable.or(path);
                }
            }
            None => {}
        }
    }
    let name = &service.service;
    let said = said.join().unwrap_or_default();
    if !child.wait().context("waiting for cargo")?.success() {
        if let Some(flag) = refused {
            let mut cargo = Command::new(program);
            cargo.current_dir(workspace_root);
            return Err(refused_flag::error(&flag, name, &scripts, cargo, env).into());
        }
        let platform = toolchain.platform;
        let error = failure::error(name, platform, first_error.as_ref(), &said, &scripts, env);
        return Err(error.into());
    }
    let path = path.ok_or_else(|| {
        Error::config(format!("cargo made no binary `{}` of {name}", service.bin))
            .hint("its `required-features` have to be among the service's `features`")
    })?;
    // A build script or a macro may have it, and not the service.
    let links = |home: &Path| scripts.iter().any(|script| script.links_below(home));
    let sources = sources(&path.with_extension("d"), workspace_root)?;
    Ok(Binary { service: name.clone(), path, has_openssl: openssl.is_some_and(links), sources })
}

/// Reads the line `BINARY: FILE FILE...` that cargo writes beside each binary. A blank in a path has a `\` before it.
fn sources(dep_info: &Path, workspace_root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(dep_info)
        .with_context(|| format!("reading {}", dep_info.display()))?;
    let (_, paths) = text.trim_end().split_once(':').unwrap_or_default();
    let (mut sources, mut path) = (Vec::new(), String::new());
    for part in paths.split(' ') {
        if let Some(begin) = part.strip_suffix('\\') {
            path.push_str(begin);
            path.push(' ');
        } else if !(path.is_empty() && part.is_empty()) {
            path.push_str(part);
            // Relative ones are so by `build.dep-info-basedir`.
            sources.push(workspace_root.join(std::mem::take(&mut path)));
        }
    }
    Ok(sources)
}

/// Lets cargo show its progress on our terminal, though its stderr is a pipe to us. `CARGO_TERM_PROGRESS_WHEN`, a
/// terminal that cannot move its cursor, and CI count here as they do for cargo.
fn show_progress(command: &mut Command, env: &Env) {
    let is_set = |name: &str| env.get_os(name).is_some();
    let is_dumb = env.get("TERM").is_none_or(|term| term == "dumb");
    if !env.stderr_is_terminal || is_dumb || is_set("CI") {
        return;
    }
    if !is_set("CARGO_TERM_PROGRESS_WHEN") {
        let width = terminal::width_of_stderr().unwrap_or(80);
        command.env("CARGO_TERM_PROGRESS_WHEN", "always");
        command.env("CARGO_TERM_PROGRESS_WIDTH", width.to_string());
    }
    if env.colour() {
        command.env("CARGO_TERM_COLOR", "always");
    }
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
