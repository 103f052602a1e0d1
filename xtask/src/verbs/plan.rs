//! `plan`: finds out which binaries are published already, and downloads them for `dist`.
//!
//! It reads the bucket and compiles nothing, so that `dist` can run in another job, without credentials.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use catalog::{Manifest, Platform};
use serde_json::json;

use crate::bucket::destination;
use crate::bucket::download;
use crate::bucket::index::{self, Found};
use crate::bucket::releases::{ReleaseBucket, ReleaseBucketOptions};
use crate::build::handed_over;
use crate::model::shard::{Costs, Work};
use crate::repository::git;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::{files, parallel};
use crate::verbs::dist::{self, Keys};
use crate::verbs::upload;

/// The number of binaries that are looked up at a time.
const JOBS: usize = 8;

/// The options of `plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What `dist` will be told.
    pub dist: dist::Options,
    /// The bucket to look into.
    pub bucket: ReleaseBucketOptions,
    /// `--skip-without-credentials`.
    pub skip_without_credentials: bool,
}

/// The result for a service on a platform.
struct Row {
    service: String,
    platform: Platform,
    key: Option<String>,
    found: Result<Box<Manifest>, String>,
    /// The binaries of the key, where there are several.
    several: Vec<String>,
}

/// Runs `plan`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let keys = dist::keys(&options.dist, env, ui)?;
    let folder = keys.handed_over_dir();
    files::remove_folder_if_there(&folder)?;
    let Some(bucket) = open(options, &keys, env, ui)? else {
        return finish(&folder, &[], &Costs::default(), ui);
    };
    let name = &bucket.client.location().bucket;
    ui.say("looking", format_args!("for published binaries in bucket {name}"));
    let mut pairs = Vec::new();
    for step in &keys.plan.steps {
        pairs.extend(step.builds.iter().map(|build| (build.service.as_str(), step.platform)));
    }
    let rows = parallel::map(&pairs, JOBS, |(service, platform)| {
        look_up(&bucket, &keys, service, *platform, env)
            .with_context(|| format!("{service} for {platform}"))
    })?;
    let mut counts = BTreeMap::new();
    for row in &rows {
        *counts.entry(row.found.is_ok()).or_insert(0) += 1;
        ui.result(row);
        if let (Some(key), false) = (&row.key, row.several.is_empty()) {
            ui.warn(format_args!(
                "{} for {}: the build key {key} has {} binaries ({}), so something that is no input changes them, and none is used; \
                 remove these index entries when it is mended",
                row.service,
                row.platform,
                row.several.len(),
                row.several.join(", ")
            ));
        }
    }
    let count = |known| counts.get(&known).copied().unwrap_or(0);
    ui.say("planned", format_args!("{} published already, {} to build", count(true), count(false)));
    finish(&folder, &rows, &costs(&rows, &keys), ui)
}

/// Computes what the builds cost, by which machines that share them split them.
fn costs(rows: &[Row], keys: &Keys) -> Costs {
    let mut all = Vec::new();
    for Row { service, platform, found, .. } in rows {
        let packages = found.is_err().then(|| keys.packages(service, *platform));
        all.push(Work { service, platform: *platform, packages });
    }
    Costs::of(&all)
}

/// Writes the result for programs beside what was downloaded: so there is always something to hand on to another job.
fn finish(folder: &Path, rows: &[Row], costs: &Costs, ui: &Ui) -> anyhow::Result<()> {
    let builds: Vec<_> = rows.iter().map(|row| row.to_json(costs)).collect();
    let platforms = costs.platforms.iter().map(|(platform, cost)| (platform.as_str(), cost));
    let document = json!({ "builds": builds, "platforms": platforms.collect::<BTreeMap<_, _>>() });
    let text = format!("{document:#}\n");
    files::write_cheaply(&folder.join(handed_over::PLAN), text.as_bytes(), 0o644)?;
    ui.document(text.trim_end());
    Ok(())
}

/// Makes a client; `None` for a fork's pull request, which gets no credentials, where that is allowed.
fn open(
    options: &Options,
    keys: &Keys,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Option<ReleaseBucket>> {
    let config = Some(&keys.workspace.config);
    let provider = destination::credentials(&options.bucket.destination, config, None, env, ui);
    if let Some(why) = upload::why_skip(options.skip_without_credentials, &provider, env) {
        ui.result(format_args!(
            "a fork's pull request, and {why}: nothing is looked up, and dist builds every service"
        ));
        return Ok(None);
    }
    ReleaseBucket::open(&options.bucket, None, &[], config, env, ui).map(Some)
}

/// Looks for the binary of one service, and downloads it.
fn look_up(
    bucket: &ReleaseBucket,
    keys: &Keys,
    service: &str,
    platform: Platform,
    env: &Env,
) -> anyhow::Result<Row> {
    let mut row = Row {
        service: service.to_owned(),
        platform,
        key: None,
        found: Err(String::new()),
        several: Vec::new(),
    };
    let key = match keys.of(service, platform) {
        Ok(key) => key,
        Err(why) => return Ok(Row { found: Err(why.to_owned()), ..row }),
    };
    row.key = Some(key.to_owned());
    let is_ancestor = |commit: &str| git::is_ancestor(commit, &keys.workspace.root, env);
    match index::find(bucket, key, service, platform, is_ancestor)? {
        Found::Nothing(why) => row.found = Err(why),
        Found::Several(digests) => {
            row.found = Err("its inputs gave more than one binary".to_owned());
            row.several = digests;
        }
        Found::Release(release) => {
            let downloaded = download(bucket, keys, key, &release);
            row.found = match downloaded {
                Ok(()) => Ok(release),
                // Another object in its place, or none: as if there were no entry.
                Err(error) if ui::ours(&error).is_some_and(is_wrong_object) => {
                    Err(format!("{error:#}"))
                }
                Err(error) => return Err(error),
            };
        }
    }
    Ok(row)
}

fn is_wrong_object(error: &ferror::Error) -> bool {
    [ferror::Kind::Invalid, ferror::Kind::Conflict].contains(&error.kind())
}

fn download(
    bucket: &ReleaseBucket,
    keys: &Keys,
    key: &str,
    release: &Manifest,
) -> anyhow::Result<()> {
    let folder = keys.handed_over_dir();
    let path = handed_over::archive_path(&folder, key);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for artifact in &release.artifacts {
        let found = bucket.look_at(artifact)?;
        let downloaded = download::beside(&bucket.client, artifact, &found, &path)?;
        let writing = || format!("writing {}", path.display());
        downloaded.rename(&path).with_context(writing)?;
    }
    handed_over::write(&folder, key, release)
}

impl Row {
    fn to_json(&self, costs: &Costs) -> serde_json::Value {
        let Self { service, platform, key, found, .. } = self;
        let (outcome, version, because) = match found {
            Ok(release) => ("reuse", Some(&release.version), None),
            Err(why) => ("build", None, Some(why)),
        };
        json!({
            "service": service,
            "platform": platform.as_str(),
            "key": key,
            "outcome": outcome,
            "version": version,
            "because": because,
            "cost": costs.builds.get(&(service.clone(), *platform)),
        })
    }
}

/// `reuse   billing for linux_amd64: same program as abc123`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, platform, found, .. } = self;
        match found {
            Ok(release) => {
                write!(f, "reuse   {service} for {platform}: same program as {}", release.version)
            }
            Err(why) => write!(f, "build   {service} for {platform}: {why}"),
        }
    }
}
