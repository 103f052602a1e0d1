//! Decides by content which packages have to be compiled again.
//!
//! Cargo decides by the times of files, which go backwards where files are restored, and in a shared target
//! folder takes a package of another checkout for the one of this workspace. So a file beside what cargo
//! makes says which digest each package had that was compiled there, and a package with another digest is
//! cleaned before cargo runs, together with the output of its build script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use catalog::Platform;
use ferror::{Error, Kind};

use super::{build_dir_option, environment};
use crate::build::toolchain::Toolchain;
use crate::model::cargo_lock;
use crate::model::sources::SourceDigest;
use crate::system::env::Env;
use crate::system::{child_env, files, process};

/// Digests by the name of the package.
type Record = BTreeMap<String, String>;

/// What was compiled in a target folder before, without what this build compiles.
#[derive(Debug)]
pub(super) struct Freshness {
    path: PathBuf,
    record: Record,
    before: Record,
}

/// Cleans the packages whose sources are other ones than those that were compiled in the target folder. Until
/// [`Freshness::write`] nothing is known of them, so a build that is killed has them cleaned by the next one.
pub(super) fn clean_changed(
    toolchain: &Toolchain,
    profile: &str,
    lock_option: &str,
    sources: &[SourceDigest],
    env: &Env,
) -> anyhow::Result<Freshness> {
    let path = toolchain.target_dir.join(format!("sources-{profile}.json"));
    let mut record = read(&path);
    let before = by_name(sources);
    let is_changed = |source: &&SourceDigest| record.get(&source.name) != before.get(&source.name);
    let changed: Vec<_> = sources.iter().filter(is_changed).collect();
    files::remove_if_there(&path)?;
    // All platforms at once: they share what is compiled for this machine, as build scripts are.
    let triples = Platform::ALL.iter().map(|platform| platform.triple());
    let triples: Vec<_> = triples.filter(|t| toolchain.target_dir.join(t).is_dir()).collect();
    if !(changed.is_empty() || triples.is_empty()) {
        clean(toolchain, profile, lock_option, &changed, &triples, env)?;
    }
    record.retain(|name, _| !before.contains_key(name));
    Ok(Freshness { path, record, before })
}

impl Freshness {
    /// Records the packages as compiled, except those whose sources changed meanwhile: `sources` are read
    /// after the build.
    pub(super) fn write(mut self, sources: &[SourceDigest]) -> anyhow::Result<()> {
        let after = by_name(sources);
        self.before.retain(|name, digest| after.get(name) == Some(digest));
        self.record.append(&mut self.before);
        let text = serde_json::to_string_pretty(&self.record)?;
        files::write_cheaply(&self.path, text.as_bytes(), 0o644)
    }
}

/// Joins the digests of packages that have one name: cargo cleans by names.
fn by_name(sources: &[SourceDigest]) -> Record {
    let mut record = Record::new();
    for source in sources {
        let digests = record.entry(source.name.clone()).or_default();
        digests.push_str(&source.digest);
    }
    record
}

/// Reads a record. Of one that is missing or damaged nothing is known.
fn read(path: &Path) -> Record {
    let bytes = std::fs::read(path).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn clean(
    toolchain: &Toolchain,
    profile: &str,
    lock_option: &str,
    packages: &[&SourceDigest],
    triples: &[&str],
    env: &Env,
) -> anyhow::Result<()> {
    let mut command = Command::new(toolchain.compiler.cargo());
    command.args(["clean", lock_option, "--quiet", "--profile", profile]);
    command.arg("--target-dir").arg(&toolchain.target_dir).args(build_dir_option(toolchain)?);
    command.args(triples.iter().flat_map(|triple| ["--target", triple]));
    command.args(packages.iter().flat_map(|package| ["--package", &package.id]));
    environment::set_variables(&mut command, toolchain, env);
    command.current_dir(&toolchain.workspace_root).stdin(Stdio::null());
    let output = process::output(&mut command).context("running cargo clean")?;
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        if let Some(error) = cargo_lock::refused_change(&reason) {
            return Err(error.into());
        }
        let message = format!("cargo cannot clean what changed since the last build: {reason}");
        return Err(Error::new(Kind::Failed, message)
            .hint(format!("mend that, or remove {}", toolchain.target_dir.display()))
            .into());
    }
    Ok(())
}
