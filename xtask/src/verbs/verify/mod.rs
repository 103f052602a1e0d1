//! `verify`: builds a release again from its commit, and compares the result with what is published.
//!
//! Everything that is compared was downloaded and checked against its manifest before the first build, so that a release
//! which is not whole ends at once. What came out equal is written into receipts, at the end.

mod cause;
mod clean_folder;
mod rebuild;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::{Artifact, Manifest, Platform, Receipt, receipt_key};
use ferror::{Error, Kind};
use serde_json::{Value, json};

use crate::bucket::releases::{ReleaseBucket, ReleaseBucketOptions};
use crate::bucket::{destination, download, named_release};
use crate::build::difference::{self, Difference};
use crate::model::workspace::Root;
use crate::repository::{git, workspace};
use crate::system::env::Env;
use crate::system::ui::Ui;

use self::clean_folder::CleanFolder;

/// The newest release is looked for in so many commits: some years of a busy branch.
const MAX_HISTORY: usize = 20_000;
/// Of an artifact, no more differences than these are printed.
const MAX_SHOWN: usize = 5;

/// The options of `verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The name of the release.
    pub release: String,
    /// The services named; empty means all that have the release.
    pub services: Vec<String>,
    /// `--sample`.
    pub sample: Option<usize>,
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--no-receipt`.
    pub no_receipt: bool,
    /// The bucket to look into.
    pub bucket: ReleaseBucketOptions,
    /// `--json`.
    pub json: bool,
}

/// A published artifact, and its release.
#[derive(Debug, Clone, Copy)]
struct Item<'a> {
    manifest: &'a Manifest,
    artifact: &'a Artifact,
}

/// The result for an artifact.
struct Row<'a> {
    item: Item<'a>,
    /// What was built.
    built: Artifact,
    /// Empty where it is equal.
    differences: Vec<Difference>,
    cause: Option<String>,
}

/// Runs `verify`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?.ok_or_else(|| {
        Error::config("no workspace here: a release is built again from a clone of its repository")
            .hint("run it inside the repository")
    })?;
    let open = |writes: &[String]| {
        ReleaseBucket::open(&options.bucket, None, writes, Some(&root.config), env, ui)
    };
    let bucket = open(&[])?;
    let history = || git::history(MAX_HISTORY, &root.dir, env);
    let found = named_release::find(&bucket, &options.release, &options.services, history)?;
    let items = items(&found, options)?;
    let items = match options.sample {
        Some(count) => sample::pick(items, count, &bucket, ui)?,
        None => items,
    };
    let folder = CleanFolder::make(env)?;
    for item in &items {
        fetch(&bucket, item, folder.path())?;
    }
    if !options.no_receipt {
        refuse_other_branches(&found, &root, env)?;
    }
    let rows = build_and_compare(&items, &bucket, &folder, &root, env, ui)?;
    for row in rows.iter().filter(|row| row.has_other_flags()) {
        ui.warn(format_args!(
            "{} for {} gets no receipt: flags from outside the repository were set here, and not when it was published: {}",
            row.built.service,
            row.built.platform,
            row.built.outside_flags.join(", ")
        ));
    }
    let differing = rows.iter().filter(|row| !row.differences.is_empty()).count();
    let receipts = receipts(&rows, &bucket);
    let written = if options.no_receipt { Ok(Vec::new()) } else { write_receipts(&receipts, open) };
    let kept = (differing > 0).then(|| folder.keep(&options.release)).transpose()?;
    let document = json!({
        "release": options.release,
        "artifacts": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        "receipts": written.as_deref().unwrap_or_default(),
        "kept": kept,
    });
    ui.document(&format!("{document:#}"));
    for key in written.as_deref().unwrap_or_default() {
        ui.say("receipt", key);
    }
    let Some(kept) = kept else { return written.map(drop) };
    if let Err(error) = written {
        ui.warn(format_args!("what is equal has no receipt: {error:#}"));
    }
    let all = rows.len();
    Err(Error::new(
        Kind::Conflict,
        format!("{differing} of {all} artifacts are not what their commit gives"),
    )
    .hint(format!(
        "what is published and what was built are in {}: remove it when you have looked at it",
        kept.display()
    ))
    .into())
}

/// Fails for a release of another branch: its own xtask runs here, beside credentials that may write receipts, so it has to
/// be code that this branch has taken.
fn refuse_other_branches(
    found: &[(String, Manifest)],
    root: &Root,
    env: &Env,
) -> anyhow::Result<()> {
    for (service, Manifest { version, commit, .. }) in found {
        // Of a commit that is not here, the checkout says how to get it.
        let is_here = git::has_commit(commit, &root.dir, env);
        if is_here && !git::is_ancestor(commit, &root.dir, env) {
            let message = format!(
                "release {version} of {service} is of a commit that HEAD does not have in its history: {commit}"
            );
            return Err(Error::config(message)
                .hint(
                    "check out a branch that has the commit (`git fetch --unshallow` where the clone is shallow), or compare \
                     without writing a receipt: `--no-receipt`, with credentials that can only read",
                )
                .into());
        }
    }
    Ok(())
}

/// Returns the artifacts that are asked for. Fails for releases that nobody can build again.
fn items<'a>(found: &'a [(String, Manifest)], options: &Options) -> anyhow::Result<Vec<Item<'a>>> {
    let is_asked = |artifact: &&Artifact| {
        let has = |platform: &Platform| platform.as_str() == artifact.platform;
        options.platforms.as_ref().is_none_or(|asked| asked.iter().any(has))
    };
    let mut items = Vec::new();
    for (service, manifest) in found {
        let version = &manifest.version;
        let cannot = |why: String| {
            let message = format!("release {version} of {service} cannot be built again: {why}");
            Error::config(message).hint("name another release")
        };
        if manifest.dirty {
            return Err(cannot("it was built from uncommitted changes".to_owned()).into());
        }
        if !manifest.outside_sources.is_empty() {
            let folders = manifest.outside_sources.join(", ");
            let why = format!("it was built from sources outside the repository too: {folders}");
            return Err(cannot(why).into());
        }
        let asked = manifest.artifacts.iter().filter(is_asked);
        items.extend(asked.map(|artifact| Item { manifest, artifact }));
    }
    if items.is_empty() {
        let has = found.iter().flat_map(|(_, manifest)| &manifest.platforms);
        let has: BTreeSet<_> = has.map(String::as_str).collect();
        let has = has.into_iter().collect::<Vec<_>>().join(", ");
        let message =
            format!("release {} has none of these platforms: it has {has}", options.release);
        return Err(Error::config(message).hint("name some of them by --platforms").into());
    }
    Ok(items)
}

/// Downloads a published archive, and checks it against its manifest.
fn fetch(bucket: &ReleaseBucket, item: &Item<'_>, folder: &Path) -> anyhow::Result<()> {
    let path = published_path(item, folder);
    let found = bucket.look_at(item.artifact)?;
    let downloaded = download::beside(&bucket.client, item.artifact, &found, &path)?;
    downloaded.rename(&path).with_context(|| format!("writing {}", path.display()))
}

/// Returns the path of what is published.
fn published_path(item: &Item<'_>, folder: &Path) -> PathBuf {
    let Artifact { service, platform, .. } = item.artifact;
    folder.join(format!("published_{service}_{platform}_{}.tar.gz", item.manifest.version))
}

/// Builds the commit of each release and compares. Prints a line for each artifact that is equal.
fn build_and_compare<'a>(
    items: &[Item<'a>],
    bucket: &ReleaseBucket,
    folder: &CleanFolder,
    root: &Root,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Vec<Row<'a>>> {
    let mut by_commit = BTreeMap::<_, Vec<Item<'a>>>::new();
    for item in items {
        let release = (&*item.manifest.commit, &*item.manifest.version);
        by_commit.entry(release).or_default().push(*item);
    }
    let mut rows = Vec::new();
    for ((commit, version), items) in by_commit {
        let dir = folder.path().join(commit).join(version);
        let wanted: Vec<_> = items.iter().map(|item| item.artifact).collect();
        let built = rebuild::rebuild(commit, version, &wanted, &dir, &root.dir, env, ui)?;
        for item in items {
            let row = compare(item, &built, bucket, folder.path())?;
            ui.result(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Compares an artifact with what was built.
fn compare<'a>(
    item: Item<'a>,
    built: &rebuild::Built,
    bucket: &ReleaseBucket,
    folder: &Path,
) -> anyhow::Result<Row<'a>> {
    let Item { artifact, .. } = item;
    let ours = built.artifact(artifact)?;
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("reading {}", path.display()));
    let published = read(&published_path(&item, folder))?;
    let packed = read(&built.snapshot_dir.join(&ours.file))?;
    let top = format!("{}_{}", artifact.service, artifact.platform);
    let compared = difference::compare(&published, &packed, &artifact.service, &top)
        .with_context(|| format!("reading what was built of {}", artifact.service))?;
    let mut differences = compared.differences.clone();
    if differences.is_empty() {
        differences = in_manifest(artifact, ours);
    }
    let cause = if differences.is_empty() {
        None
    } else {
        let indexed = cause::look_up(artifact, bucket)?;
        Some(cause::likely(artifact, ours, &compared, &indexed))
    };
    Ok(Row { item, built: ours.clone(), differences, cause })
}

/// Returns what a manifest says otherwise of an archive that is equal.
fn in_manifest(published: &Artifact, built: &Artifact) -> Vec<Difference> {
    let fields = [
        ("sha256", &published.sha256, &built.sha256),
        ("binary_sha256", &published.binary_sha256, &built.binary_sha256),
        ("unstamped_sha256", &published.unstamped_sha256, &built.unstamped_sha256),
    ];
    let differing = fields.into_iter().filter(|(_, theirs, ours)| theirs != ours);
    let difference = |(field, theirs, ours): (&str, &String, &String)| Difference {
        entry: None,
        section: None,
        offset: None,
        what: format!("is equal, but its manifest object has {field} {theirs} instead of {ours}"),
    };
    differing.map(difference).collect()
}

/// Makes the receipt of each service of which everything that was built again is equal.
fn receipts(rows: &[Row<'_>], bucket: &ReleaseBucket) -> Vec<Receipt> {
    let at = bucket.client.server_time();
    let mut receipts = BTreeMap::new();
    for row in rows {
        let Row { item, differences, .. } = row;
        let (service, version) = (&*item.artifact.service, &*item.manifest.version);
        let receipt = receipts
            .entry((service, version))
            .or_insert_with(|| Some(Receipt::new(service, item.manifest)));
        match receipt {
            Some(_) if row.has_other_flags() => {}
            Some(receipt) if differences.is_empty() => receipt.add(item.artifact, at),
            _ => *receipt = None,
        }
    }
    receipts.into_values().flatten().filter(|receipt| !receipt.artifacts.is_empty()).collect()
}

/// Writes receipts, and returns their object keys.
fn write_receipts(
    receipts: &[Receipt],
    open: impl Fn(&[String]) -> anyhow::Result<ReleaseBucket>,
) -> anyhow::Result<Vec<String>> {
    if receipts.is_empty() {
        return Ok(Vec::new());
    }
    let key = |prefix: &str, it: &Receipt| receipt_key(prefix, &it.service, &it.version);
    // Credentials of a web identity are limited to the object keys that are named when they are made.
    let bucket = open(&receipts.iter().map(|it| key("", it)).collect::<Vec<_>>())?;
    let mut written = Vec::new();
    for receipt in receipts {
        let key = key(&bucket.prefix, receipt);
        receipt.write(&bucket.client, &bucket.prefix, &bucket.attributes).map_err(|error| {
            if error.kind() != Kind::Denied {
                return destination::explain_unknown_header(error);
            }
            Error::new(Kind::Denied, format!("these credentials may not write the receipt {key}"))
                .hint(
                    "all else is done: give them permission to write below `verified/`, or verify without a receipt: \
                     `--no-receipt`",
                )
                .caused_by(error)
        })?;
        written.push(key);
    }
    Ok(written)
}

impl Row<'_> {
    /// Returns whether it was built here with flags from outside the repository that the published one was built without.
    fn has_other_flags(&self) -> bool {
        let known = &self.item.artifact.outside_flags;
        self.built.outside_flags.iter().any(|flag| !known.contains(flag))
    }

    fn to_json(&self) -> Value {
        let Self { item, built, differences, cause } = self;
        let difference = |it: &Difference| json!({ "entry": it.entry, "section": it.section, "offset": it.offset, "what": it.what });
        json!({
            "service": item.artifact.service,
            "platform": item.artifact.platform,
            "version": item.manifest.version,
            "commit": item.manifest.commit,
            "object_key": item.artifact.object_key,
            "outcome": if differences.is_empty() { "equal" } else { "differs" },
            "sha256": item.artifact.sha256,
            "binary_sha256": item.artifact.binary_sha256,
            "built_sha256": built.sha256,
            "differences": differences.iter().map(difference).collect::<Vec<_>>(),
            "likely_cause": cause,
        })
    }
}

/// `equal    billing for linux_amd64: abc123, sha256 0b5f7b…`, or the differences of an artifact, one on each line.
impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { item, differences, cause, .. } = self;
        let Artifact { service, platform, sha256, .. } = item.artifact;
        let version = &item.manifest.version;
        if differences.is_empty() {
            return write!(f, "equal    {service} for {platform}: {version}, sha256 {sha256}");
        }
        write!(f, "differs  {service} for {platform}: {version}")?;
        for difference in differences.iter().take(MAX_SHOWN) {
            write!(f, "\n         {difference}")?;
        }
        if differences.len() > MAX_SHOWN {
            write!(f, "\n         and {} more", differences.len() - MAX_SHOWN)?;
        }
        let Some(cause) = cause else { return Ok(()) };
        write!(f, "\n         likely cause: {cause}")
    }
}
