//! The manifest of a `dist` or of one of its shards, and the digests beside it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use catalog::{Artifact, Branch, MANIFEST_FILE, Manifest};

use crate::build::snapshot::{self, manifest_file, sums_file};
use crate::model::plan::Plan;
use crate::model::shard_manifest::ShardManifest;
use crate::system::files;

/// What an earlier `dist` left in the folder.
pub(super) struct Earlier {
    /// Whether there was a manifest.
    pub(super) is_there: bool,
    /// The manifest of a whole `dist`, where it can be read.
    manifest: Option<Manifest>,
}

impl Earlier {
    pub(super) fn read(plan: &Plan) -> Self {
        let bytes = std::fs::read(plan.snapshot_dir.join(manifest_file(plan.shard()))).ok();
        let read = |bytes: &Vec<u8>| Manifest::read_strict(bytes, MANIFEST_FILE).ok();
        // What belongs to a shard is known from the plan, so nothing is added to it.
        let manifest = bytes.as_ref().filter(|_| plan.part.is_none()).and_then(read);
        Self { is_there: bytes.is_some(), manifest }
    }
}

/// Removes what an earlier `dist` wrote, before the first file that it names is replaced: from then on there is no
/// manifest until all of this run's work is done. A run that is interrupted before leaves everything as it was.
pub(super) fn remove_manifest(plan: &Plan) -> anyhow::Result<()> {
    snapshot::remove(&plan.snapshot_dir, plan.shard(), false)
}

/// Returns the names of the plan's platforms in an order that does not depend on the machine: all of them, where
/// several machines share the plan.
fn sorted_platforms(plan: &Plan) -> Vec<String> {
    let of_all = plan.part.iter().flat_map(|part| &part.split).map(|build| build.platform);
    let platforms: BTreeSet<_> = plan.platforms().chain(of_all).collect();
    platforms.into_iter().map(|platform| platform.to_string()).collect()
}

/// What was made, and what is known of it.
pub(super) struct Outcome<'a> {
    pub(super) artifacts: Vec<Artifact>,
    /// The files of those whose binaries were published before.
    pub(super) reused: BTreeSet<String>,
    /// The files that were compiled and that no commit holds.
    pub(super) ignored: &'a [PathBuf],
    /// Whether others may get what was built. Of a published binary, it was said before; this machine's folders have
    /// no part in it.
    pub(super) may_offer: bool,
}

/// Writes manifest and digests. Returns the manifest, and the text of its file.
pub(super) fn write_manifest(
    plan: &Plan,
    outcome: Outcome<'_>,
    earlier: Earlier,
) -> anyhow::Result<(Manifest, String)> {
    let Outcome { mut artifacts, reused, ignored, may_offer } = outcome;
    artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
    let outside = plan.outside_sources.iter().chain(ignored);
    let outside: BTreeSet<_> = outside.map(|path| path.to_string_lossy().into_owned()).collect();
    let mut manifest = Manifest {
        version: plan.version.clone(),
        commit: plan.commit.id.clone(),
        dirty: plan.commit.dirty.is_some(),
        committed_at: plan.commit.committed_at,
        branch: Branch::Named(plan.commit.branch.clone()),
        prefix: plan.prefix.clone(),
        outside_sources: outside.into_iter().collect(),
        platforms: sorted_platforms(plan),
        artifacts,
    };
    if let Some(mut earlier) = earlier.manifest.filter(|earlier| earlier.is_same_release(&manifest))
    {
        let is_there = |artifact: &Artifact| {
            let metadata = std::fs::symlink_metadata(plan.snapshot_dir.join(&artifact.file));
            metadata
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() == artifact.size_bytes)
        };
        earlier.artifacts.retain(is_there);
        manifest.extend_from(&earlier);
    }
    for artifact in &mut manifest.artifacts {
        if !may_offer && !reused.contains(&artifact.file) {
            artifact.build_key = None;
        }
    }
    let mut sums = String::new();
    for artifact in &manifest.artifacts {
        let _ = writeln!(sums, "{}  {}", artifact.sha256, artifact.file);
    }
    let json = match &plan.part {
        None => manifest.to_json(),
        Some(part) => {
            let (part, manifest) = (part.clone(), manifest.clone());
            ShardManifest { part, may_offer, reused, manifest }.to_json()
        }
    };
    let shard = plan.shard();
    snapshot::remove(&plan.snapshot_dir, shard, true)?;
    for (name, text) in [(sums_file(shard), &sums), (manifest_file(shard), &json)] {
        let path = plan.snapshot_dir.join(name);
        if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            files::write_whole(&path, text.as_bytes(), 0o644)?;
        }
    }
    Ok((manifest, json))
}
