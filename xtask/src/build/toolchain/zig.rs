//! The linker and C compiler: zig, through cargo-zigbuild, both at exactly the pinned version.
//!
//! One linker for every platform needs no SDK and no cross toolchain, and links against the glibc
//! and macOS floors that are asked for. Both come as wheels from `PyPI`, which is a way to ship files:
//! no Python of ours runs. They are unpacked below `target`, under a name that carries the pins, and
//! appear there whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Kind};

use super::{bounded, system};
use crate::build::pins;
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::files;
use crate::system::ui::{self, Ui};

/// A hundred megabytes over a slow line.
const LIMIT: Duration = Duration::from_mins(10);
/// A tool that says its version.
const SHORT: Duration = Duration::from_secs(30);

/// The two programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linker {
    pub(crate) zig: PathBuf,
    pub(crate) cargo_zigbuild: PathBuf,
}

/// The pinned linker below `folder`, else on PATH, else installed below `folder`.
pub(super) fn make(
    folder: &Path,
    host: &str,
    may_install: bool,
    env: &Env,
    ui: Ui,
) -> anyhow::Result<Linker> {
    let home = folder.join(pins::tools_id());
    if let Some(linker) = unpacked(&home).or_else(|| on_path(env)) {
        return Ok(linker);
    }
    if !may_install {
        return Err(Error::config(format!(
            "zig {} and cargo-zigbuild {} are not installed",
            pins::ZIG,
            pins::CARGO_ZIGBUILD
        ))
        .hint("run `cargo xtask setup`")
        .into());
    }
    install(folder, &home, host, env, ui)?;
    unpacked(&home).with_context(|| format!("{} lacks zig or cargo-zigbuild", home.display()))
}

/// Both programs, if the folder holds them.
fn unpacked(home: &Path) -> Option<Linker> {
    let linker =
        Linker { zig: home.join("ziglang/zig"), cargo_zigbuild: home.join("bin/cargo-zigbuild") };
    (linker.zig.is_file() && linker.cargo_zigbuild.is_file()).then_some(linker)
}

/// Both programs, if PATH has them at exactly the pinned versions.
fn on_path(env: &Env) -> Option<Linker> {
    let zig = system::find(env, "zig")?;
    let cargo_zigbuild = system::find(env, "cargo-zigbuild")?;
    let says = |program: &Path, argument: &str, version: &str| {
        let mut command = Command::new(program);
        child_env::clean(command.arg(argument), env);
        bounded::run(&mut command, SHORT).is_ok_and(|output| is_version(&output.stdout, version))
    };
    let pinned = says(&zig, "version", pins::ZIG)
        && says(&cargo_zigbuild, "--version", pins::CARGO_ZIGBUILD);
    pinned.then_some(Linker { zig, cargo_zigbuild })
}

/// `0.17.1`, or `cargo-zigbuild 0.24.0`: the version is the last word.
fn is_version(said: &str, version: &str) -> bool {
    said.split_whitespace().last() == Some(version)
}

fn install(folder: &Path, home: &Path, host: &str, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let wheels = pins::wheels(host).ok_or_else(|| {
        Error::config(format!("no zig {} is known for {host}", pins::ZIG)).hint(format!(
            "put zig {} and cargo-zigbuild {} on PATH",
            pins::ZIG,
            pins::CARGO_ZIGBUILD
        ))
    })?;
    need_pip(env, ui)?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let lock = folder.join("install.lock");
    let lock = File::create(&lock).with_context(|| format!("making {}", lock.display()))?;
    lock.lock().context("waiting for another installation of zig")?;
    if unpacked(home).is_some() {
        return Ok(());
    }
    // A name of our own: a pip that outlived its killed parent may still write under another.
    let partial = folder.join(format!("{}.partial-{}", pins::tools_id(), std::process::id()));
    let requirements = folder.join(format!("{}.requirements", pins::tools_id()));
    files::write_whole(&requirements, pins::requirements(wheels).as_bytes(), 0o644)?;
    remove_leftovers(folder, home)?;
    let (started, mut pip) = (Instant::now(), pip(&partial, &requirements, env));
    let what = format!("zig {} and cargo-zigbuild {}", pins::ZIG, pins::CARGO_ZIGBUILD);
    ui.say("installing", format!("{what} from PyPI into {}", ui::path(home, env)));
    let output = bounded::run(&mut pip, LIMIT)?;
    if !output.status.success() {
        let message = format!("`{}`: {}", bounded::show(&pip), output.reason());
        return Err(Error::new(Kind::Config, message)
            .hint(format!("or put {what} on PATH"))
            .into());
    }
    fs::rename(&partial, home).with_context(|| format!("naming {}", home.display()))?;
    ui.say("installed", format!("{what} in {}", ui::seconds(started.elapsed())));
    Ok(())
}

/// What killed runs left, and a folder of tools that lost one since.
fn remove_leftovers(folder: &Path, home: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries.flatten() {
        let is_partial = entry.file_name().to_string_lossy().contains(".partial-");
        if is_partial || entry.path() == home {
            let path = entry.path();
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Wheels only and exactly ours: no code of a package runs, and none that was not pinned is taken.
fn pip(partial: &Path, requirements: &Path, env: &Env) -> Command {
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-deps"])
        .args(["--no-compile", "--require-hashes", "--target"])
        .arg(partial)
        .arg("--requirement")
        .arg(requirements)
        // As variables, since an old pip ignores those and fails on an option it does not know.
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1");
    child_env::clean(&mut command, env);
    command
}

fn need_pip(env: &Env, ui: Ui) -> anyhow::Result<()> {
    let mut command = Command::new("python3");
    child_env::clean(command.args(["-m", "pip", "--version"]), env);
    if bounded::run(&mut command, SHORT).is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    system::install(
        &["python3", "python3-pip"],
        "zig and cargo-zigbuild come from PyPI, and python3 has no pip.",
        true,
        env,
        ui,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{is_version, remove_leftovers, unpacked};
    use crate::build::pins;

    #[test]
    fn a_folder_counts_only_with_both_programs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(unpacked(folder.path()), None);
        for (file, expected) in [("ziglang/zig", false), ("bin/cargo-zigbuild", true)] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            assert_eq!(unpacked(folder.path()).is_some(), expected, "after {file}");
        }
    }

    #[test]
    fn leftovers_of_killed_runs_and_a_damaged_folder_go_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("zig-2");
        for name in ["zig-1", "zig-2/ziglang", "zig-2.partial-7/ziglang", "cache"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        remove_leftovers(folder.path(), &home).unwrap();
        let entries = std::fs::read_dir(folder.path()).unwrap().flatten();
        let mut left: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["cache", "zig-1"]);
    }

    #[test]
    fn only_exactly_the_pinned_version_counts() {
        let rows = [
            (format!("{}\n", pins::ZIG), pins::ZIG, true),
            (format!("cargo-zigbuild {}\n", pins::CARGO_ZIGBUILD), pins::CARGO_ZIGBUILD, true),
            (format!("{}-dev.7\n", pins::ZIG), pins::ZIG, false),
            (format!("{}1\n", pins::ZIG), pins::ZIG, false),
            (String::new(), pins::ZIG, false),
        ];
        for (said, version, expected) in rows {
            assert_eq!(is_version(&said, version), expected, "{said:?} for {version}");
        }
    }
}
