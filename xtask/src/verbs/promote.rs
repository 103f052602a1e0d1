//! `promote`: makes a channel name another release, or the one before again.

use anyhow::Context as _;
use catalog::{
    Artifact, Channel, Entry, MAX_ENTRIES, Manifest, Receipt, StoredChannel, channel_key,
    is_promoter,
};
use ferror::{Error, Kind};
use ftime::Epoch;
use serde_json::json;

use crate::bucket::releases::{ReleaseBucket, ReleaseBucketOptions};
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};

/// The options of `promote`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The service named.
    pub service: String,
    /// The version named; with `--rollback` none is.
    pub version: Option<String>,
    /// `--to`.
    pub channel: String,
    /// `--rollback`.
    pub rollback: bool,
    /// `--require-verified`.
    pub require_verified: bool,
    /// `--by`.
    pub by: Option<String>,
    /// The bucket to look into.
    pub bucket: ReleaseBucketOptions,
    /// `--json`.
    pub json: bool,
}

/// Runs `promote`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let (service, name) = (options.service.as_str(), options.channel.as_str());
    let by = who(options, env)?;
    let root = workspace::root(env)?;
    let config = root.as_ref().map(|root| &root.config);
    let writes = [channel_key("", service, name)];
    // Receipts do not lie in the folder of the service.
    let reads = (!options.require_verified).then_some(service);
    let bucket = ReleaseBucket::open(&options.bucket, reads, &writes, config, env, ui)?;
    let seen = bucket.channel(service, name)?;
    let before = seen.as_ref().map(|seen| &seen.channel);
    let stamp = (by.as_str(), Epoch::from_secs(bucket.client.server_time().secs()).to_rfc3339());
    let next = match options.version.as_deref() {
        Some(version) => forward(&bucket, (service, name), version, before, &stamp)?,
        None => back(&bucket, (service, name), before, &stamp)?,
    };
    if options.require_verified
        && let Some(named) = next.as_ref().or(before)
    {
        check_verified(&bucket, service, &named.current)?;
    }
    match &next {
        Some(next) => {
            bucket.write_channel(next, seen.as_ref())?;
            look_again(&bucket, next)?;
        }
        None => ui.say("unchanged", "the channel names that release already"),
    }
    print(next.as_ref().or(before), next.is_some(), seen.as_ref(), ui);
    Ok(())
}

/// Returns the channel with `version` as its current entry; `None` if it names that already.
fn forward(
    bucket: &ReleaseBucket,
    (service, name): (&str, &str),
    version: &str,
    before: Option<&Channel>,
    (by, at): &(&str, String),
) -> anyhow::Result<Option<Channel>> {
    let manifest = bucket.manifest(service, version)?;
    check_artifacts(bucket, &manifest, None)?;
    let replaced = before.map(|channel| channel.current.version.as_str());
    let mut current = Entry::new(&manifest, by, at, replaced);
    let mut earlier: Vec<_> = before.into_iter().flat_map(Channel::entries).cloned().collect();
    if let Some(channel) = before
        && channel.current.version == current.version
    {
        if channel.current.artifacts == current.artifacts {
            return Ok(None);
        }
        // The release got more platforms since: this is the same entry with more artifacts.
        current.replaced.clone_from(&channel.current.replaced);
        earlier.remove(0);
    }
    earlier.truncate(MAX_ENTRIES - 1);
    let (service, name) = (service.to_owned(), name.to_owned());
    Ok(Some(Channel { service, name, current, before: earlier }))
}

/// Returns the channel without its current entry. The entry before it becomes current, with the
/// name of the person who went back to it, and the version that it replaces.
fn back(
    bucket: &ReleaseBucket,
    (service, name): (&str, &str),
    before: Option<&Channel>,
    (by, at): &(&str, String),
) -> anyhow::Result<Option<Channel>> {
    let nothing = |what: &str| {
        Error::config(format!("channel {name} of {service} {what}: there is nothing to go back to"))
            .hint("name a VERSION to promote")
    };
    let channel = before.ok_or_else(|| nothing("is not there"))?;
    let [to, earlier @ ..] = channel.before.as_slice() else {
        return Err(nothing("has one entry").into());
    };
    let manifest = bucket.promoted(service, to)?;
    check_artifacts(bucket, &manifest, Some(to))?;
    // The entry as it was promoted: platforms that the release got since are not promoted by going back.
    let current = Entry {
        by: (*by).to_owned(),
        at: at.clone(),
        replaced: Some(channel.current.version.clone()),
        ..to.clone()
    };
    Ok(Some(Channel { current, before: earlier.to_vec(), ..channel.clone() }))
}

/// Checks that the bucket has every archive of the manifest with the digest that it names; with an
/// entry, only the archives that the entry promoted.
fn check_artifacts(
    bucket: &ReleaseBucket,
    manifest: &Manifest,
    entry: Option<&Entry>,
) -> anyhow::Result<()> {
    let is_meant = |artifact: &&Artifact| entry.is_none_or(|entry| entry.names(artifact));
    for artifact in manifest.artifacts.iter().filter(is_meant) {
        let looked = bucket.look_at(artifact);
        looked.with_context(|| format!("release {} cannot be promoted", manifest.version))?;
    }
    Ok(())
}

/// Checks that every archive that an entry promotes was built again and came out equal.
fn check_verified(bucket: &ReleaseBucket, service: &str, entry: &Entry) -> anyhow::Result<()> {
    let manifest = bucket.promoted(service, entry)?;
    let version = &entry.version;
    let receipt = Receipt::read(&bucket.client, &bucket.prefix, service, version)?;
    let is_missing = |artifact: &&Artifact| {
        entry.names(artifact) && !receipt.as_ref().is_some_and(|receipt| receipt.names(artifact))
    };
    let missing: Vec<_> = manifest.artifacts.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let name = |artifact: &&Artifact| format!("{} (sha256 {})", artifact.platform, artifact.sha256);
    let missing = missing.iter().map(name).collect::<Vec<_>>().join(", ");
    let message =
        format!("release {version} of {service} is not verified: no receipt names {missing}");
    let again = format!("cargo xtask verify {version} {service}");
    Err(Error::config(message).hint(format!("build it again and compare: `{again}`")).into())
}

/// Checks the release once more after the channel names it. A cleanup looks at the channels first,
/// and may have done so before this channel was written.
fn look_again(bucket: &ReleaseBucket, named: &Channel) -> anyhow::Result<()> {
    let Channel { service, name, current, .. } = named;
    let whole = bucket
        .promoted(service, current)
        .and_then(|manifest| check_artifacts(bucket, &manifest, Some(current)));
    whole.map_err(|error| {
        let version = &current.version;
        let what = match ui::ours(&error).map(Error::kind) {
            Some(Kind::Config | Kind::Invalid) => "was removed or replaced meanwhile",
            _ => "could not be looked at once more",
        };
        let again = format!("cargo xtask promote {service} --to {name} --rollback");
        Error::new(Kind::Conflict, format!("channel {name} names {version} now, which {what}"))
            .hint(format!("upload {version} again, promote another, or go back: `{again}`"))
            .caused_by(error)
            .into()
    })
}

fn who(options: &Options, env: &Env) -> ferror::Result<String> {
    let by = options.by.clone().or_else(|| env.first(&["CIRCLE_USERNAME", "USER"]));
    let by = by.ok_or_else(|| {
        Error::config("it is not known who promotes: neither CIRCLE_USERNAME nor USER is set")
            .hint("say it by --by")
    })?;
    if is_promoter(&by) {
        return Ok(by);
    }
    Err(Error::config(format!("{by:?} is no name of who promotes: expected 1 to 100 characters"))
        .hint("say another by --by"))
}

fn print(channel: Option<&Channel>, changed: bool, seen: Option<&StoredChannel>, ui: &Ui) {
    let Some(Channel { service, name, current, .. }) = channel else { return };
    let was = seen.map(|seen| seen.channel.current.version.as_str());
    let from = match was {
        Some(was) if changed && was != current.version => format!(", was {was}"),
        _ => String::new(),
    };
    ui.result(format_args!("{service} {name} is {}{from}", current.version));
    let document = json!({
        "service": service,
        "channel": name,
        "version": current.version,
        "commit": current.commit,
        "changed": changed,
        "was": was,
        "by": current.by,
        "at": current.at,
    });
    ui.document(&format!("{document:#}"));
}
