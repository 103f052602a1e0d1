//! Installs wheels from `PyPI` below `target`, by pip, which only unpacks them.
//!
//! They get a folder whose name carries the pins, and that appears whole or not at all.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Kind};

use super::{pip, system_packages};
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::{file_lock, files, partial, process};

/// Enough for a hundred megabytes over a slow line.
const INSTALL_LIMIT: Duration = Duration::from_secs(10 * 60);
/// Enough for a program that prints its version.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// What to install.
pub(super) struct Request<'a> {
    /// The name of the folder, with the pins.
    pub(super) id: &'a str,
    /// The packages with their versions, as people read them.
    pub(super) what: &'a str,
    /// What a person can do instead.
    pub(super) otherwise: &'a str,
    /// pip's requirements file: exact versions and digests.
    pub(super) requirements: &'a str,
    /// Returns whether the folder has everything.
    pub(super) is_whole: &'a dyn Fn(&Path) -> bool,
}

/// Installs wheels below `folder`, unless another process does it meanwhile.
pub(super) fn install(
    folder: &Path,
    request: &Request<'_>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<()> {
    let Request { id, what, otherwise, requirements, is_whole } = request;
    let home = folder.join(id);
    require_pip(what, env, ui)?;
    let waiting =
        || ui.say("waiting", format_args!("for another installation into {}", folder.display()));
    let _lock = file_lock::lock(&folder.join("install.lock"), waiting)?;
    if is_whole(&home) {
        return Ok(());
    }
    // The name carries this process's id: a pip whose parent was killed may still write under another one.
    let partial = folder.join(format!("{id}.partial-{}", std::process::id()));
    let list = folder.join(format!("{id}.requirements"));
    files::write_cheaply(&list, requirements.as_bytes(), 0o644)?;
    remove_leftovers(folder, &home)?;
    let (started, mut pip) = (Instant::now(), install_command(&partial, &list, env, ui));
    ui.say("installing", format!("{what} from PyPI into {}", ui::path(&home, env)));
    let output = process::run(&mut pip, INSTALL_LIMIT)?;
    if !output.status.success() {
        let reason = pip::without_userinfo(&output.reason());
        let message = format!("`{}`: {reason}", process::command_line(&pip));
        return Err(Error::new(Kind::Config, message).hint(format!("or {otherwise}")).into());
    }
    partial::rename_folder_durably(&partial, &home)
        .with_context(|| format!("naming {}", home.display()))?;
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

fn require_pip(what: &str, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let mut command = pip::plain(env);
    if process::run(command.arg("--version"), VERSION_LIMIT)
        .is_ok_and(|output| output.status.success())
    {
        return Ok(());
    }
    system_packages::install(
        &["python3", "python3-pip"],
        &format!("PyPI has {what}, and python3 has no pip."),
        true,
        env,
        ui,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::remove_leftovers;

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
}
