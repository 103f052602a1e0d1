//! Runs cargo for `vendor`: to bring Cargo.lock up to date, and to copy the packages that it names.

use std::path::Path;

use anyhow::Context as _;
use ferror::Error;

use super::names::FOLDER;
use super::{missing_folders, packages_to_vendor, without_block};
use crate::model::cargo_lock;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::undo::Undo;
use crate::system::{child_env, process};

const NEEDS_NETWORK: &str = "nothing was changed; what is not downloaded yet needs the network";

/// Brings Cargo.lock up to date where a Cargo.toml names a dependency that it lacks. With the block, cargo
/// would find only what is vendored already, so the block is removed meanwhile.
pub fn update_lock_file(
    root: &Path,
    lock: &Path,
    undo: &mut Undo,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<()> {
    let metadata = |more: &[&str]| {
        let mut cargo = child_env::cargo(env);
        cargo.args(["metadata", "--format-version", "1"]).args(more).current_dir(root);
        process::output(&mut cargo).context("running cargo metadata")
    };
    if metadata(&["--locked"])?.status.success() {
        return Ok(());
    }
    let old = packages_to_vendor(lock)?;
    let output = without_block(root, undo, || metadata(&[]))?;
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        let error = Error::config(format!("cargo cannot bring Cargo.lock up to date: {reason}"));
        return Err(error.hint(NEEDS_NETWORK).into());
    }
    for line in cargo_lock::moves(&old, &packages_to_vendor(lock)?) {
        ui.say("locked", line);
    }
    Ok(())
}

/// Runs `cargo vendor`, and returns what it prints: the source replacement. `own_workspace` is the folder of an xtask
/// with a Cargo.lock of its own.
pub fn copy_sources(
    root: &Path,
    library_lock: Option<&Path>,
    own_workspace: Option<&Path>,
    env: &Env,
) -> anyhow::Result<String> {
    let mut cargo = child_env::cargo(env);
    // Folders that do not belong there are removed already, and those of the library have to stay.
    cargo.args(["vendor", "--locked", "--versioned-dirs", "--no-delete"]).current_dir(root);
    if let Some(manifest) = library_lock.map(|lock| lock.with_file_name("Cargo.toml")) {
        // The library's packages use unstable fields, which only a nightly cargo reads.
        cargo.env("__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS", "nightly");
        cargo.arg("--sync").arg(manifest);
    }
    if let Some(dir) = own_workspace {
        cargo.arg("--sync").arg(dir.join("Cargo.toml"));
    }
    let output = process::output(cargo.arg(FOLDER)).context("running cargo vendor")?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let reason = child_env::error_text(&output);
    Err(Error::config(format!("cargo vendor failed: {reason}")).hint(NEEDS_NETWORK).into())
}

/// Checks that the folders which the library needs exist. Where the library's sources are not installed, they
/// cannot be copied.
pub fn check_library_folders(root: &Path, library_lock: &Path) -> anyhow::Result<()> {
    let missing = missing_folders(root, library_lock)?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "{FOLDER}/ lacks {}: the distribution's library depends on it, and its sources are not on this machine",
        missing.join(", ")
    ))
    .hint(format!("run `cargo xtask setup --library distribution`, or `git checkout {FOLDER}`"))
    .into())
}
