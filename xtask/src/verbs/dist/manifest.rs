//! The manifest of a `dist`, and the digests beside it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use catalog::{Artifact, Branch, MANIFEST_FILE, Manifest};

use crate::model::plan::Plan;
use crate::system::files;

/// Reads what an earlier `dist` wrote; `None` where that cannot be read.
pub(super) fn read_manifest(plan: &Plan) -> Option<Manifest> {
    let bytes = std::fs::read(plan.snapshot_dir.join(MANIFEST_FILE)).ok()?;
    Manifest::read_strict(&bytes, MANIFEST_FILE).ok()
}

/// Removes what an earlier `dist` wrote, before the first file that it names is replaced: from then on there is no
/// manifest until all of this run's work is done. A run that is interrupted before leaves everything as it was.
pub(super) fn remove_manifest(plan: &Plan) -> anyhow::Result<()> {
    files::remove_if_there(&plan.snapshot_dir.join(MANIFEST_FILE))?;
    files::remove_if_there(&plan.snapshot_dir.join(SUMS))
}

/// Returns the names of the plan's platforms in an order that does not depend on the machine.
fn sorted_platforms(plan: &Plan) -> Vec<String> {
    let platforms: BTreeSet<_> = plan.platforms().collect();
    platforms.into_iter().map(|platform| platform.to_string()).collect()
}

/// The digests as `sha256sum -c` reads them.
const SUMS: &str = "SHA256SUMS";

pub(super) fn write_manifest(
    plan: &Plan,
    mut artifacts: Vec<Artifact>,
    ignored: &[PathBuf],
    earlier: Option<Manifest>,
    may_offer: impl Fn(&Artifact) -> bool,
) -> anyhow::Result<Manifest> {
    artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
    let mut manifest = Manifest {
        version: plan.version.clone(),
        commit: plan.commit.id.clone(),
        dirty: plan.commit.dirty.is_some(),
        committed_at: plan.commit.committed_at,
        branch: Branch::Named(plan.commit.branch.clone()),
        prefix: plan.prefix.clone(),
        outside_sources: plan
            .outside_sources
            .iter()
            .chain(ignored)
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        platforms: sorted_platforms(plan),
        artifacts,
    };
    if let Some(mut earlier) = earlier.filter(|earlier| earlier.is_same_release(&manifest)) {
        let is_there = |artifact: &Artifact| {
            let metadata = std::fs::symlink_metadata(plan.snapshot_dir.join(&artifact.file));
            metadata
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() == artifact.size_bytes)
        };
        earlier.artifacts.retain(is_there);
        manifest.extend_from(&earlier);
    }
    for artifact in &mut manifest.artifacts {
        if !may_offer(artifact) {
            artifact.build_key = None;
        }
    }
    let mut sums = String::new();
    for artifact in &manifest.artifacts {
        let _ = writeln!(sums, "{}  {}", artifact.sha256, artifact.file);
    }
    let json = manifest.to_json();
    for (name, text) in [(SUMS, &sums), (MANIFEST_FILE, &json)] {
        let path = plan.snapshot_dir.join(name);
        if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            files::write_whole(&path, text.as_bytes(), 0o644)?;
        }
    }
    Ok(manifest)
}
