//! Offers what was uploaded to later builds, by entries in the index of binaries.
//!
//! Whoever writes an entry says that a binary belongs to a build key, and others build nothing because of it. So the keys
//! are computed here, from this checkout, and not taken from the manifest, which another job handed over. Nothing is
//! offered from a branch that nobody has merged. An entry that is not written costs a build and nothing else: no reason
//! for an upload to fail.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{IndexEntry, Manifest, Platform};
use s3::Client;

use crate::model::config::Config;
use crate::repository::workspace::Table;
use crate::system::env::Env;
use crate::system::parallel;
use crate::system::ui::Ui;
use crate::verbs::dist;

/// The build keys of artifacts that are offered.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// By service and platform.
    keys: BTreeMap<(String, String), String>,
}

impl Offer {
    /// Finds out what of `manifest` may be offered, and says where nothing is.
    pub(super) fn find(manifest: &Manifest, table: Option<&Table>, env: &Env, ui: &Ui) -> Self {
        if manifest.artifacts.iter().all(|artifact| artifact.build_key.is_none()) {
            return Self::default();
        }
        let found = match table {
            None => Err("there is no workspace here to compute build keys from".to_owned()),
            Some(_) => keys(manifest, env, ui).map_err(|error| format!("{error:#}")),
        };
        match found {
            Ok(keys) => Self { keys },
            Err(why) => {
                ui.say("index", format_args!("later builds are offered nothing of this: {why}"));
                Self::default()
            }
        }
    }

    /// Returns the object keys of the entries.
    pub(super) fn object_keys(&self, manifest: &Manifest, prefix: &str) -> Vec<String> {
        self.entries(manifest).map(|(key, entry)| entry.object_key(prefix, key)).collect()
    }

    fn entries<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = (&'a str, IndexEntry)> + 'a {
        manifest.artifacts.iter().filter_map(|artifact| {
            let key = self.keys.get(&(artifact.service.clone(), artifact.platform.clone()))?;
            Some((key.as_str(), IndexEntry::new(manifest, artifact)))
        })
    }

    /// Writes the entries of a release that is published.
    pub(super) fn write(
        &self,
        client: &Client,
        manifest: &Manifest,
        config: &Config,
        jobs: usize,
        ui: &Ui,
    ) {
        let entries: Vec<_> = self.entries(manifest).collect();
        if entries.is_empty() {
            return;
        }
        let (prefix, attributes) = (&config.prefix, &config.attributes);
        let written = parallel::map(&entries, jobs, |(key, entry)| {
            entry.write(client, prefix, key, attributes)
        });
        match written {
            Ok(_) => ui.say("indexed", format_args!("{} binaries, for later builds", entries.len())),
            Err(error) => ui.warn(format_args!(
                "published, but later builds do not find it: the index of binaries could not be written: {error}"
            )),
        }
    }
}

/// Computes the build keys of a manifest's artifacts from this checkout. Those that are others than the manifest's are left
/// out.
fn keys(
    manifest: &Manifest,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<BTreeMap<(String, String), String>> {
    let services: BTreeSet<_> = manifest.services().into_iter().map(str::to_owned).collect();
    let platforms: BTreeSet<Platform> = manifest
        .artifacts
        .iter()
        .map(|artifact| artifact.platform.parse())
        .collect::<Result<_, _>>()?;
    let options = dist::Options {
        services: services.into_iter().collect(),
        platforms: Some(platforms.into_iter().collect()),
        ..dist::Options::default()
    };
    let here = dist::keys(&options, env, ui)?;
    let commit = &here.plan.commit;
    let branches = &here.workspace.config.index_branches;
    anyhow::ensure!(!manifest.dirty, "it was built from uncommitted changes");
    anyhow::ensure!(
        commit.id == manifest.commit,
        "it is of commit {}, and HEAD is {} here: run upload in a checkout of that commit",
        manifest.commit,
        commit.id
    );
    anyhow::ensure!(
        commit.dirty.is_none(),
        "there are uncommitted changes here: run upload in a clean checkout"
    );
    match &commit.branch {
        Some(branch) if branches.contains(branch) => {}
        Some(branch) => {
            let branches = branches.join(", ");
            anyhow::bail!("branch {branch} is none of index-branches ({branches})");
        }
        None => anyhow::bail!("HEAD is on no branch here, and CIRCLE_BRANCH names none"),
    }
    let mut keys = BTreeMap::new();
    for artifact in &manifest.artifacts {
        let key = here.of(&artifact.service, artifact.platform.parse()?);
        if let (Some(built), Ok(key)) = (&artifact.build_key, key) {
            if built == key {
                keys.insert((artifact.service.clone(), artifact.platform.clone()), key.to_owned());
            } else {
                ui.say(
                    "index",
                    format_args!(
                        "{} is not offered to later builds: its build key is {built}, and {key} here",
                        artifact.file
                    ),
                );
            }
        }
    }
    Ok(keys)
}
