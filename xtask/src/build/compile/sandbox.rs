//! Decides what a build finds in its sandbox: its inputs, the toolchain, the sources of crates and the libraries of
//! the system; a build folder; and the variables that count in it.
//!
//! What is readable here and may change a binary has to be in the build key.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::environment;
use crate::build::outside_flags;
use crate::build::toolchain::Toolchain;
use crate::system::env::Env;
use crate::system::files;
use crate::system::sandbox::{Machine, Rules, Sandbox};

/// Programs and libraries of the system, and the few settings that its compilers, perl and Python read.
const SYSTEM: [&str; 13] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/perl",
    "/etc/localtime",
];
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random"];

/// Variables that every build gets where a person has set them: they say how output looks, how much is done at once
/// and where cargo has its crates.
const PASSED: [&str; 8] = [
    "PATH",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "RUST_BACKTRACE",
    "RUST_LOG",
];
/// Beginnings of further ones. They say where crates come from, which Cargo.lock has checked.
const PASSED_PREFIXES: [&str; 3] = ["CARGO_TERM_", "CARGO_SOURCE_", "CARGO_REGISTRIES_"];
/// Ends of those that hold secrets, or name a program that tells them.
const SECRET: [&str; 3] = ["_TOKEN", "_SECRET_KEY", "_CREDENTIAL_PROVIDER"];

/// The files and variables that the build of one service finds, besides those that every build finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Files, and folders of which everything below counts.
    pub paths: Vec<PathBuf>,
    /// Folders whose names may be listed.
    pub folders: Vec<PathBuf>,
    /// Variables.
    pub variables: BTreeSet<String>,
}

/// Makes the sandbox of a service's build, with an empty scratch folder.
pub(super) fn prepare(
    machine: Machine,
    toolchain: &Toolchain,
    allowed: &Allowed,
    profile: &str,
    env: &Env,
) -> anyhow::Result<Sandbox> {
    let mut rules = rules(toolchain, profile, env)?;
    rules.read.extend(allowed.paths.iter().cloned());
    rules.list.extend(allowed.folders.iter().cloned());
    rules.write.push(toolchain.target_dir.clone());
    Ok(machine.sandbox(rules))
}

/// Makes a sandbox that has no inputs, and writes below `folder`.
pub(super) fn prepare_in(
    machine: Machine,
    toolchain: &Toolchain,
    folder: &Path,
    profile: &str,
    env: &Env,
) -> anyhow::Result<Sandbox> {
    let mut rules = rules(toolchain, profile, env)?;
    rules.write.extend([folder.to_owned(), scratch(toolchain)]);
    Ok(machine.sandbox(rules))
}

/// Returns what every build finds, and empties its scratch folder.
fn rules(toolchain: &Toolchain, profile: &str, env: &Env) -> anyhow::Result<Rules> {
    let scratch = scratch(toolchain);
    files::remove_folder_if_there(&scratch)?;
    let mut write: Vec<_> = environment::zig_caches(toolchain, env).into();
    for folder in write.iter().chain(&["tmp", "home"].map(|name| scratch.join(name))) {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    write.sort();
    let closed = closed(toolchain, env);
    let mut read: Vec<_> =
        SYSTEM.into_iter().flat_map(|folder| without(Path::new(folder), &closed)).collect();
    let compiler = &toolchain.compiler;
    read.extend([compiler.sysroot.clone(), toolchain.tools_dir().to_owned()]);
    // Its programs may be links into another toolchain.
    for program in [compiler.cargo(), compiler.rustc()] {
        let program = program.canonicalize().unwrap_or(program);
        let sysroot = program.ancestors().nth(2).filter(|folder| !holds_home(folder, env));
        read.extend(sysroot.map(Path::to_owned));
        read.push(program);
    }
    // It may be a link to a folder elsewhere.
    read.push(toolchain.cache_dir.clone());
    // zig finds its libraries beside itself.
    let zig = toolchain.linker.zig.canonicalize().unwrap_or_default();
    read.extend(zig.parent().filter(|folder| !holds_home(folder, env)).map(Path::to_owned));
    read.extend([zig, toolchain.linker.cargo_zigbuild.clone()]);
    if let Some(home) = env.cargo_home() {
        read.extend([home.join("registry"), home.join("git")]);
    }
    // A person's own tools and libraries, by the variables that name them.
    for (name, value) in env.variables() {
        let is_path = Path::new(&value).is_absolute() && !holds_home(Path::new(&value), env);
        if is_path && name.to_str().is_some_and(|name| outside_flags::changes_bytes(name, profile))
        {
            read.push(value.into());
        }
    }
    Ok(Rules { read, list: Vec::new(), devices: DEVICES.map(PathBuf::from).into(), write })
}

/// Returns the folders that a build does not find below those of the system either: homes, and the repository, of which
/// it finds its inputs.
fn closed(toolchain: &Toolchain, env: &Env) -> Vec<PathBuf> {
    let root = &toolchain.workspace_root;
    let top = root.ancestors().filter(|folder| folder.join(".git").exists()).last();
    let homes = [env.get_os("HOME").map(PathBuf::from), env.cargo_home()];
    let folders = homes.into_iter().flatten().chain([top.unwrap_or(root).to_owned()]);
    folders.filter_map(|folder| folder.canonicalize().ok()).collect()
}

/// Returns a folder without those of `closed` that lie in it: itself, or what is in it.
fn without(folder: &Path, closed: &[PathBuf]) -> Vec<PathBuf> {
    if closed.iter().any(|path| folder == path) {
        return Vec::new();
    }
    if !closed.iter().any(|path| path.starts_with(folder)) {
        return vec![folder.to_owned()];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| without(&entry.path(), closed)).collect()
}

/// Returns whether a folder is a home, or one above it.
fn holds_home(folder: &Path, env: &Env) -> bool {
    env.get_os("HOME").is_some_and(|home| Path::new(home).starts_with(folder))
}

/// Returns the folder for temporary files. It lies in the build folder, since files are renamed from one to the other.
fn scratch(toolchain: &Toolchain) -> PathBuf {
    toolchain.target_dir.join("scratch")
}

/// Leaves those variables of `command` that count in a sandbox: those that dist sets, those that are known to change
/// what is built, and those of `named`.
pub(super) fn set_environment(
    command: &mut Command,
    toolchain: &Toolchain,
    named: &BTreeSet<String>,
    profile: &str,
    env: &Env,
) {
    let set: Vec<(OsString, Option<OsString>)> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned)))
        .collect();
    let inherited = env.variables();
    command.env_clear();
    let is_set = |name: &OsStr| set.iter().any(|(known, _)| known == name);
    for (name, value) in &inherited {
        if !is_set(name) && is_passed(name, named, profile) {
            command.env(name, value);
        }
    }
    for (name, value) in &set {
        let Some(value) = value else { continue };
        // cargo-zigbuild prints the inherited ones, too.
        let is_inherited = inherited.iter().any(|(known, old)| (known, old) == (name, value));
        if !is_inherited || is_passed(name, named, profile) {
            command.env(name, value);
        }
    }
    let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
    let path = path.map(OsStr::to_owned).unwrap_or_default();
    // For build scripts that start `cargo` and `rustc` by name: rustup's proxies lie in a home.
    let ours = toolchain.compiler.sysroot.join("bin");
    let closed = closed(toolchain, env);
    let folders = std::env::split_paths(&path).filter(|folder| {
        let is_of_system = is_below(folder, SYSTEM.iter().map(Path::new))
            && !is_below(folder, closed.iter().map(PathBuf::as_path));
        is_of_system
            || is_below(folder, [toolchain.tools_dir(), &*toolchain.target_dir].into_iter())
    });
    if let Ok(path) = std::env::join_paths(std::iter::once(ours).chain(folders)) {
        command.env("PATH", path);
    }
    if let Some(home) = env.cargo_home() {
        command.env("CARGO_HOME", home);
    }
    let scratch = scratch(toolchain);
    command.env("CARGO_NET_OFFLINE", "true");
    command.env("HOME", scratch.join("home")).env("TMPDIR", scratch.join("tmp"));
}

fn is_below<'a>(path: &Path, mut folders: impl Iterator<Item = &'a Path>) -> bool {
    folders.any(|folder| path.starts_with(folder))
}

/// Returns the names of the variables that a build does not get.
pub(super) fn withheld(named: &BTreeSet<String>, profile: &str, env: &Env) -> Vec<String> {
    let is_withheld = |name: &&OsStr| !is_passed(name, named, profile);
    env.names().filter(is_withheld).filter_map(OsStr::to_str).map(str::to_owned).collect()
}

fn is_passed(name: &OsStr, named: &BTreeSet<String>, profile: &str) -> bool {
    let Some(name) = name.to_str() else { return false };
    let is_secret = SECRET.iter().any(|end| name.ends_with(end));
    named.contains(name)
        || PASSED.contains(&name)
        || !is_secret && PASSED_PREFIXES.iter().any(|start| name.starts_with(start))
        || outside_flags::changes_bytes(name, profile)
}
