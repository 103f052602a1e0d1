//! What `upload` refuses to publish: what does not come from the commit alone, and files that are not those of the
//! manifest. Nothing is sent by then. An upload to the local server (`local`) publishes nothing, so that it refuses
//! only the latter.

use std::collections::BTreeSet;
use std::path::Path;

use catalog::{Artifact, Manifest};
use ferror::Error;

use crate::model::config::Config;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// Fails for a manifest of another commit than the one that CI says it builds: what was handed over is not what this
/// job is to publish.
pub fn other_commit(manifest: &Manifest, local: bool, env: &Env) -> ferror::Result<()> {
    let Some(sha1) = env.get("CIRCLE_SHA1") else { return Ok(()) };
    if local || sha1.trim().eq_ignore_ascii_case(&manifest.commit) {
        return Ok(());
    }
    Err(Error::config(format!("CIRCLE_SHA1 is {sha1}, but the manifest is of commit {}", manifest.commit))
        .hint("hand over what `dist` made of the commit that CI names, or unset CIRCLE_SHA1 to publish this one"))
}

/// Fails for a version with uncommitted changes, unless `--allow-dirty` allows it.
pub fn dirty(version: &str, is_dirty: bool, allowed: bool, local: bool) -> ferror::Result<()> {
    if !is_dirty || allowed || local {
        return Ok(());
    }
    Err(Error::config(format!("version {version} is built from uncommitted changes"))
        .hint("commit and run dist again, or publish it all the same with --allow-dirty"))
}

/// Fails for artifacts built from sources outside the repository, unless the configuration allows
/// it.
pub fn outside_sources(
    outside: &[impl AsRef<str>],
    config: Option<&Config>,
    local: bool,
) -> ferror::Result<()> {
    if outside.is_empty() || local || config.is_some_and(|config| config.outside_sources) {
        return Ok(());
    }
    let paths: Vec<_> = outside.iter().map(AsRef::as_ref).collect();
    let message = format!(
        "built from sources outside the repository, which no commit holds: {}",
        paths.join(", ")
    );
    Err(Error::config(message).hint(
        "move them into the repository and run dist again, or publish it all the same with `outside-sources = true` in [workspace.metadata.xtask]",
    ))
}

/// Fails for artifacts built with flags from outside the repository, unless the configuration allows it: nobody
/// could build the same bytes from the commit.
pub fn outside_flags(flags: &[&str], config: Option<&Config>, local: bool) -> ferror::Result<()> {
    if flags.is_empty() || local || config.is_some_and(|c| c.outside_flags) {
        return Ok(());
    }
    let message = format!("built with flags from outside the repository: {}", flags.join(", "));
    Err(Error::config(message).hint(
        "remove them and run dist again, put them into the repository's .cargo/config.toml, or allow them by \
         outside-flags = true in [workspace.metadata.xtask]",
    ))
}

/// Fails for what another compiler than the pinned one builds, unless the configuration allows it.
pub fn other_compiler(
    what: &str,
    pin: &str,
    config: Option<&Config>,
    local: bool,
) -> ferror::Result<()> {
    if local || config.is_some_and(|config| config.other_compiler) {
        return Ok(());
    }
    Err(Error::config(format!("{what}; expected {pin}, the pin")).hint(
        "run dist again with the pinned compiler, name the distribution's by --library distribution, or allow \
         any by `other-compiler = true` in [workspace.metadata.xtask]",
    ))
}

/// Refuses artifacts whose flags or compiler are not the repository's: nobody could build the same bytes from the
/// commit. With `--local`, they only get a warning.
pub fn origin(
    artifacts: &[&Artifact],
    config: Option<&Config>,
    local: bool,
    ui: &Ui,
) -> ferror::Result<()> {
    let flags = artifacts.iter().flat_map(|artifact| &artifact.outside_flags);
    let flags: BTreeSet<_> = flags.map(String::as_str).collect();
    let flags: Vec<_> = flags.into_iter().collect();
    outside_flags(&flags, config, local)?;
    if local && !flags.is_empty() {
        ui.warn(format_args!("built with flags from outside the repository: {}", flags.join(", ")));
    }
    for artifact in artifacts {
        let Some(pin) = &artifact.expected_rustc else { continue };
        let what = format!("{} was built by {}", artifact.file, artifact.rustc);
        other_compiler(&what, pin, config, local)?;
        if local {
            ui.warn(format_args!("{what}; the pin is {pin}"));
        }
    }
    Ok(())
}

/// Checks, before the first request is made, that every file is a regular one of the manifest's size.
pub fn sizes(manifest: &Manifest, services: &[&str], snapshot_dir: &Path) -> anyhow::Result<()> {
    for artifact in manifest.artifacts.iter().filter(|a| services.contains(&a.service.as_str())) {
        let path = snapshot_dir.join(&artifact.file);
        // Of a link, only the link itself is looked at: another job's manifest must not make us
        // publish a file from elsewhere.
        let metadata = std::fs::symlink_metadata(&path);
        let metadata =
            metadata.map_err(|error| differs(&path, "it is not there").caused_by(error))?;
        if !metadata.is_file() {
            return Err(differs(&path, "it is no regular file").into());
        }
        if metadata.len() != artifact.size_bytes {
            let sizes = format!("it has {} bytes, not {}", metadata.len(), artifact.size_bytes);
            return Err(differs(&path, &sizes).into());
        }
    }
    Ok(())
}

fn differs(path: &Path, how: &str) -> Error {
    Error::invalid(format!("{} differs from the manifest: {how}", path.display()))
        .hint("run `cargo xtask dist` again, or fetch the artifacts anew")
}
