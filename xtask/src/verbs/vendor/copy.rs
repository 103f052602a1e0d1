//! What cargo does for `vendor`: it brings Cargo.lock up to date, and copies what that names.

use std::path::Path;

use anyhow::Context as _;
use ferror::Error;

use crate::model::lock_file;
use crate::repository::vendored::{self, FOLDER};
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::ui::Ui;

const NEEDS_NETWORK: &str = "nothing was changed; what is not downloaded yet needs the network";

/// Brings Cargo.lock up to date where a Cargo.toml names what it lacks. Vendored sources have nothing
/// else to offer, so cargo then looks without the block.
pub(super) fn follow_manifests(root: &Path, lock: &Path, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let metadata = |more: &[&str]| {
        let mut cargo = child_env::cargo(env);
        cargo.args(["metadata", "--format-version", "1"]).args(more).current_dir(root);
        cargo.output().context("running cargo metadata")
    };
    if metadata(&["--locked"])?.status.success() {
        return Ok(());
    }
    let old = vendored::wanted(lock)?;
    let output = {
        let _config = vendored::aside(root)?;
        metadata(&[])?
    };
    if !output.status.success() {
        let said = child_env::said(&output);
        let error = Error::config(format!("cargo cannot bring Cargo.lock up to date: {said}"));
        return Err(error.hint(NEEDS_NETWORK).into());
    }
    for line in lock_file::moves(&old, &vendored::wanted(lock)?) {
        ui.say("locked", line);
    }
    Ok(())
}

/// Runs `cargo vendor`; what it prints is the source replacement.
pub(super) fn copy(root: &Path, library_lock: Option<&Path>, env: &Env) -> anyhow::Result<String> {
    let mut cargo = child_env::cargo(env);
    // What does not belong is away already, and what is kept for the library has to stay.
    cargo.args(["vendor", "--locked", "--versioned-dirs", "--no-delete"]).current_dir(root);
    if let Some(manifest) = library_lock.map(|lock| lock.with_file_name("Cargo.toml")) {
        // The library's packages use unstable fields, which only a nightly cargo reads.
        cargo.env("__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS", "nightly");
        cargo.arg("--sync").arg(manifest);
    }
    let output = cargo.arg(FOLDER).output().context("running cargo vendor")?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = child_env::said(&output);
    Err(Error::config(format!("cargo vendor failed: {said}")).hint(NEEDS_NETWORK).into())
}

/// What is kept for the library cannot be copied again where its sources are not installed.
pub(super) fn refuse_gaps(root: &Path, library_lock: &Path) -> anyhow::Result<()> {
    let gaps = vendored::missing(root, library_lock)?;
    if gaps.is_empty() {
        return Ok(());
    }
    let lacks = gaps.join(", ");
    Err(Error::config(format!(
        "{FOLDER}/ lacks {lacks}, which the distribution's library depends on, whose sources are not on this machine"
    ))
    .hint(format!("run `cargo xtask setup --library distribution`, or `git checkout {FOLDER}`"))
    .into())
}
