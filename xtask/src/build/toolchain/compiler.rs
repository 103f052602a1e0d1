//! Chooses the compiler that builds: the active one when it has the pinned version, else the pinned one
//! where rustup has it, else the active one with a warning.
//!
//! Programs are named by their full path, never through rustup's proxies: a proxy would look at the
//! environment and the folder again, and might run another compiler than the one that was checked here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ferror::{Error, Kind, Result};

use super::pin;
use crate::build::pins;
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::process;
use crate::system::ui::Ui;

/// Ends the wait for a proxy of rustup that waits for the network; a compiler answers at once.
const LIMIT: Duration = Duration::from_secs(60);

/// Where packages of the distribution put a compiler. rustup installs nothing there.
pub(super) const DISTRIBUTION_SYSROOT: &str = "/usr";

/// A compiler, with the cargo and the libraries that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// The folder that holds `bin` and `lib/rustlib`.
    pub(crate) sysroot: PathBuf,
    /// Its version as manifests name it: `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub(crate) version: String,
    /// The number of its version: `1.95.0`.
    pub(crate) release: String,
    /// This machine's triple.
    pub(crate) host: String,
    /// The name of its toolchain, where rustup keeps it.
    pub(crate) toolchain: Option<String>,
}

impl Compiler {
    pub(crate) fn rustc(&self) -> PathBuf {
        self.sysroot.join("bin/rustc")
    }

    pub(crate) fn cargo(&self) -> PathBuf {
        self.sysroot.join("bin/cargo")
    }

    /// Returns the program that changes object files and binaries, if the compiler has it.
    pub(crate) fn objcopy(&self) -> Option<PathBuf> {
        let folder = self.sysroot.join("lib/rustlib").join(&self.host).join("bin");
        Some(folder.join("rust-objcopy")).filter(|program| program.is_file())
    }

    /// Returns whether it is the one that `pin` names.
    pub(crate) fn is_pinned(&self, pin: &str) -> bool {
        pin::names(pin, &self.release, self.toolchain.as_deref())
    }

    /// Returns where the sources of its standard library lie, if they are installed.
    pub(crate) fn library_sources(&self) -> PathBuf {
        library_sources(&self.sysroot)
    }

    /// Returns whether cargo's `trim-paths` works with it: rustc has to know `--remap-path-scope`, which older
    /// releases accept from nightly compilers only.
    pub(crate) fn can_trim_paths(&self, env: &Env) -> bool {
        if self.release == pins::RUSTC || self.release.ends_with("-nightly") {
            return true;
        }
        let mut command = Command::new(self.rustc());
        command.args(["--remap-path-scope=object", "--version"]);
        child_env::clean(&mut command, env);
        process::run(&mut command, LIMIT).is_ok_and(|output| output.status.success())
    }

    /// Returns whether it has the compiled standard library for `triple`.
    pub(super) fn has_library(&self, triple: &str) -> bool {
        let folder = self.sysroot.join("lib/rustlib").join(triple).join("lib");
        std::fs::read_dir(folder).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
    }
}

/// Returns where the sources of a compiler's standard library lie, if they are installed.
pub(super) fn library_sources(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust/library")
}

/// Chooses the compiler for the standard libraries that rustup serves, and says where that is not the active one
/// or not the pinned one.
pub(super) fn choose(workspace_root: &Path, pin: &str, env: &Env, ui: &Ui) -> Result<Compiler> {
    let active = active(workspace_root, env)?;
    let chosen = pinned_else(&active, workspace_root, pin, env)?;
    if chosen != active && active.sysroot != Path::new(DISTRIBUTION_SYSROOT) {
        ui.say("using", format!("{}, the pin, instead of {}", chosen.version, active.version));
    }
    if !chosen.is_pinned(pin) {
        ui.warn(format!(
            "{} builds, the pin is {pin}: the bytes differ from those of other machines \
             (`rustup toolchain install {pin}`)",
            chosen.version
        ));
    }
    Ok(chosen)
}

/// Returns the compiler that [`choose`] chooses, without a word.
pub(super) fn find(workspace_root: &Path, pin: &str, env: &Env) -> Result<Compiler> {
    pinned_else(&active(workspace_root, env)?, workspace_root, pin, env)
}

/// Returns the pinned compiler, if rustup has it and nobody chose another one; else `active`.
fn pinned_else(active: &Compiler, workspace_root: &Path, pin: &str, env: &Env) -> Result<Compiler> {
    let is_of_distribution = active.sysroot == Path::new(DISTRIBUTION_SYSROOT);
    let is_final = active.is_pinned(pin) || is_chosen_by_hand(workspace_root, env);
    if !is_of_distribution && is_final {
        return Ok(active.clone());
    }
    match pinned(pin, &active.host, env) {
        Some(pinned) => Ok(pinned),
        None if is_of_distribution => {
            Err(Error::config(format!("{} is the distribution's, not rustup's", active.version)))
        }
        None => Ok(active.clone()),
    }
}

/// Finds a compiler for the programs that come with xtask and need at least its own pin, such as the local S3 server:
/// the active one where it is new enough, else xtask's pin, else the newest of rustup's.
///
/// Fails with [`Kind::Config`] where every compiler is too old.
pub(super) fn for_our_programs(workspace_root: &Path, env: &Env) -> Result<Compiler> {
    let active = active(workspace_root, env)?;
    let is_new_enough = |compiler: &Compiler| release(compiler) >= numbers(pins::RUSTC);
    if is_new_enough(&active) {
        return Ok(active);
    }
    if let Some(pinned) = pinned(pins::RUSTC, &active.host, env) {
        return Ok(pinned);
    }
    let toolchains = rustup_home(env).map(|home| home.join("toolchains"));
    let folders = toolchains.and_then(|folder| std::fs::read_dir(folder).ok());
    let sysroots = folders.into_iter().flatten().flatten().map(|entry| entry.path());
    let others = sysroots
        .filter(|sysroot| sysroot.join("bin/cargo").is_file())
        .filter_map(|sysroot| inspect(&sysroot, toolchain_name(&sysroot, env), env).ok())
        .filter(|compiler| compiler.host == active.host && is_new_enough(compiler));
    others.max_by_key(release).ok_or_else(|| {
        let (pin, version) = (pins::RUSTC, active.version);
        Error::config(format!("the local S3 server needs Rust {pin} or newer, and {version} is too old for it"))
            .hint(format!("run `rustup toolchain install {pin}`; the services stay with the compiler that the repository pins"))
    })
}

/// Returns the numbers of a compiler's release, and whether it is one and no nightly build before it.
fn release(compiler: &Compiler) -> (Vec<u32>, bool) {
    numbers(&compiler.release)
}

fn numbers(release: &str) -> (Vec<u32>, bool) {
    let (digits, before) = release.split_once('-').unwrap_or((release, ""));
    (digits.split('.').filter_map(|part| part.parse().ok()).collect(), before.is_empty())
}

/// Asks the compiler in `sysroot` for its version.
pub(super) fn inspect(sysroot: &Path, toolchain: Option<String>, env: &Env) -> Result<Compiler> {
    let mut command = Command::new(sysroot.join("bin/rustc"));
    command.arg("-vV");
    child_env::clean(&mut command, env);
    let printed = successful(&mut command)?;
    let (version, release, host) = read_version(&printed).ok_or_else(|| {
        Error::config(format!("`{}` printed `{}`", process::command_line(&command), printed.trim()))
            .hint("expected the lines of `rustc -vV`: version, host and release")
    })?;
    Ok(Compiler { sysroot: sysroot.to_owned(), version, release, host, toolchain })
}

/// Finds the compiler that a plain `cargo build` in the workspace would use.
fn active(workspace_root: &Path, env: &Env) -> Result<Compiler> {
    // `cargo run` names the real cargo, not the proxy, and its rustc stands beside it.
    let beside_cargo = env
        .get_os("CARGO")
        .map(Path::new)
        .and_then(Path::parent)
        .filter(|bin| bin.ends_with("bin") && bin.join("rustc").is_file())
        .and_then(Path::parent)
        .filter(|sysroot| sysroot.join("lib/rustlib").is_dir());
    let sysroot = if let Some(sysroot) = beside_cargo {
        sysroot.to_owned()
    } else {
        let mut command = Command::new("rustc");
        command.args(["--print", "sysroot"]).current_dir(workspace_root);
        child_env::clean(&mut command, env);
        PathBuf::from(successful(&mut command)?.trim_end())
    };
    let toolchain = toolchain_name(&sysroot, env);
    inspect(&sysroot, toolchain, env)
}

/// Finds the pinned compiler among rustup's toolchains, if its cargo is there and it is that one.
fn pinned(pin: &str, host: &str, env: &Env) -> Option<Compiler> {
    let name = format!("{pin}-{host}");
    let sysroot = rustup_home(env)?.join("toolchains").join(&name);
    if !sysroot.join("bin/cargo").is_file() {
        return None;
    }
    inspect(&sysroot, Some(name), env).ok().filter(|compiler| compiler.is_pinned(pin))
}

/// Returns whether a person or the repository chose the toolchain, and not rustup's default.
///
/// rustup's proxy sets `RUSTUP_TOOLCHAIN` for its children in either case, and says in
/// `RUSTUP_TOOLCHAIN_SOURCE` how it was chosen. An old rustup does not set that; then the toolchain
/// counts as chosen.
fn is_chosen_by_hand(workspace_root: &Path, env: &Env) -> bool {
    match (env.get("RUSTUP_TOOLCHAIN"), env.get("RUSTUP_TOOLCHAIN_SOURCE")) {
        (Some(_), Some(source)) => source != "default",
        (Some(_), None) => true,
        (None, _) => workspace_root.ancestors().any(|folder| {
            ["rust-toolchain.toml", "rust-toolchain"].iter().any(|name| folder.join(name).is_file())
        }),
    }
}

/// Returns the name of the toolchain, if rustup keeps it: the last part of its folder.
fn toolchain_name(sysroot: &Path, env: &Env) -> Option<String> {
    let toolchains = rustup_home(env)?.join("toolchains");
    let name = sysroot.strip_prefix(&toolchains).ok()?;
    (name.components().count() == 1).then(|| name.to_string_lossy().into_owned())
}

fn rustup_home(env: &Env) -> Option<PathBuf> {
    match env.get_os("RUSTUP_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => env.get_os("HOME").map(|home| Path::new(home).join(".rustup")),
    }
}

fn successful(command: &mut Command) -> Result<String> {
    let output = process::run(command, LIMIT)
        .map_err(|error| error.hint("install Rust: rustup, or your system's packages"))?;
    if !output.status.success() {
        let message = format!("`{}`: {}", process::command_line(command), output.reason());
        return Err(Error::new(Kind::Config, message));
    }
    Ok(output.stdout)
}

/// Reads version, release and host from what `rustc -vV` prints.
fn read_version(printed: &str) -> Option<(String, String, String)> {
    let field = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name));
    let first = printed.lines().next().filter(|line| line.starts_with("rustc "))?;
    // Distributions add how they built it: `rustc 1.96.0 (...) (built from a source tarball)`.
    let version = first.split(" (built from").next().unwrap_or(first);
    Some((version.to_owned(), field("release: ")?.to_owned(), field("host: ")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_chosen_by_hand, numbers, read_version, toolchain_name};
    use crate::system::env::Env;

    #[test]
    fn a_version_is_read_without_what_a_distribution_appends() {
        let rows = [
            (
                "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                 release: 1.95.0\nLLVM version: 22.1.2\n",
                Some(("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0")),
            ),
            (
                "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                 host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\n",
                Some(("rustc 1.96.0 (ac68faa20 2026-05-25)", "1.96.0")),
            ),
            ("error: no toolchain\n", None),
            ("rustc 1.95.0\n", None),
            ("", None),
        ];
        for (said, expected) in rows {
            let read = read_version(said);
            let read =
                read.as_ref().map(|(version, release, _)| (version.as_str(), release.as_str()));
            assert_eq!(read, expected, "{said:?}");
        }
    }

    #[test]
    fn releases_are_ordered_by_their_numbers() {
        let ordered = ["1.88.0", "1.95.0-nightly", "1.95.0", "1.95.1", "1.100.0"];
        for two in ordered.windows(2) {
            assert!(numbers(two[0]) < numbers(two[1]), "{two:?}");
        }
    }

    #[test]
    fn only_rustups_default_is_nobodys_choice() {
        let rows: [(&[(&str, &str)], bool); 5] = [
            (&[], false),
            (&[("RUSTUP_TOOLCHAIN", "stable"), ("RUSTUP_TOOLCHAIN_SOURCE", "default")], false),
            (&[("RUSTUP_TOOLCHAIN", "1.96"), ("RUSTUP_TOOLCHAIN_SOURCE", "env")], true),
            (&[("RUSTUP_TOOLCHAIN", "1.96"), ("RUSTUP_TOOLCHAIN_SOURCE", "toolchain-file")], true),
            (&[("RUSTUP_TOOLCHAIN", "1.96")], true),
        ];
        let folder = tempfile::tempdir().unwrap();
        for (variables, expected) in rows {
            let env = Env::for_test(variables);
            assert_eq!(is_chosen_by_hand(folder.path(), &env), expected, "{variables:?}");
        }
        std::fs::write(folder.path().join("rust-toolchain.toml"), "").unwrap();
        assert!(is_chosen_by_hand(&folder.path().join("services"), &Env::for_test(&[])));
    }

    #[test]
    fn a_toolchain_has_a_name_only_in_rustups_folder() {
        let env = Env::for_test(&[("RUSTUP_HOME", "/r")]);
        let name = |path: &str| toolchain_name(Path::new(path), &env);
        assert_eq!(name("/r/toolchains/stable-x").as_deref(), Some("stable-x"));
        assert_eq!(name("/usr"), None);
        assert_eq!(name("/r/toolchains"), None);
        assert_eq!(name("/r/toolchains/a/b"), None);
    }
}
