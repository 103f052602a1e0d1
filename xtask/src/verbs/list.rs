//! `list`: the releases in a bucket, by service, newest first.

use std::time::Duration;

use ferror::Kind;
use ftime::Epoch;
use serde_json::{Value, json};

use crate::bucket::channel::{self, Channel};
use crate::bucket::releases::{Found, Listed, ReleaseBucket, ReleaseBucketOptions};
use crate::model::manifest::Manifest;
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::parallel;
use crate::system::ui::{self, Ui};

/// How many manifest objects are read at once: enough to hide the way to a distant server.
const JOBS: usize = 8;

/// The options of `list`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The service named; `None` means all.
    pub service: Option<String>,
    /// The bucket to look into.
    pub bucket: ReleaseBucketOptions,
    /// `--json`.
    pub json: bool,
}

/// A release and what its manifest object says, or why it cannot be believed.
type Row = (Found, Result<Manifest, String>);

/// Runs `list`.
pub fn run(options: &Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?;
    let config = root.as_ref().map(|root| &root.config);
    let service = options.service.as_deref();
    let bucket = ReleaseBucket::open(&options.bucket, service, &[], config, env, ui)?;
    let Listed { releases, channels } = bucket.list(service)?;
    if let Some(service) = service
        && releases.is_empty()
    {
        return Err(bucket.no_release(service).into());
    }
    let channels = parallel::map(&channels, JOBS, |place| channel(&bucket, place, ui))?;
    let channels: Vec<Channel> = channels.into_iter().flatten().collect();
    let rows = parallel::map(&releases, JOBS, |found| row(&bucket, found))?;
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    let name = &bucket.client.location().bucket;
    if rows.is_empty() {
        ui.say("empty", format_args!("no release in bucket {name}"));
    }
    let now = Epoch::now();
    let width = |of: fn(&Found) -> &str| rows.iter().map(|(found, _)| of(found).len()).max();
    let service_width = width(|found| &found.service).unwrap_or_default();
    let version_width = width(|found| &found.version).unwrap_or_default();
    for (found, content) in &rows {
        let Found { service, version, uploaded_at } = found;
        let age = age(now.since(*uploaded_at).unwrap_or_default());
        let names = names(&channels, found);
        let names = if names.is_empty() { names } else { format!("  [{names}]") };
        let what = match content {
            Ok(manifest) => describe(manifest),
            Err(reason) => format!("cannot be read: {reason}"),
        };
        ui.result(format_args!(
            "{service:service_width$}  {version:version_width$}  {age:>7}  {what}{names}"
        ))?;
    }
    let releases: Vec<_> = rows.iter().map(|row| to_json(row, &channels)).collect();
    let document = json!({
        "bucket": name,
        "prefix": bucket.prefix,
        "releases": releases,
        "channels": channels.iter().map(channel_to_json).collect::<Value>(),
    });
    Ok(ui.document(&format!("{document:#}"))?)
}

/// `None` where the release was removed since it was listed. One that cannot be believed is shown
/// as such: it must not hide the others.
fn row(bucket: &ReleaseBucket, found: &Found) -> anyhow::Result<Option<Row>> {
    match bucket.manifest(&found.service, &found.version) {
        Ok(manifest) => Ok(Some((found.clone(), Ok(manifest)))),
        Err(error) => match ui::ours(&error).map(ferror::Error::kind) {
            Some(Kind::Config) => Ok(None),
            Some(Kind::Invalid) => Ok(Some((found.clone(), Err(format!("{error:#}"))))),
            _ => Err(error),
        },
    }
}

/// `None` where the channel was removed since it was listed, or is none, which is said.
fn channel(
    bucket: &ReleaseBucket,
    place: &(String, String),
    ui: Ui,
) -> anyhow::Result<Option<Channel>> {
    match channel::read(bucket, &place.0, &place.1) {
        Ok(seen) => Ok(seen.map(|seen| seen.channel)),
        Err(error) if ui::ours(&error).map(ferror::Error::kind) == Some(Kind::Invalid) => {
            ui.warn(format_args!("{error:#}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The channels that name a release.
fn naming<'a>(channels: &'a [Channel], found: &'a Found) -> impl Iterator<Item = &'a str> {
    let names_it = |channel: &&Channel| {
        (&channel.service, &channel.current.version) == (&found.service, &found.version)
    };
    channels.iter().filter(names_it).map(|channel| channel.name.as_str())
}

fn names(channels: &[Channel], found: &Found) -> String {
    naming(channels, found).collect::<Vec<_>>().join(", ")
}

fn channel_to_json(channel: &Channel) -> Value {
    json!({
        "service": channel.service,
        "channel": channel.name,
        "version": channel.current.version,
        "by": channel.current.by,
        "at": channel.current.at,
    })
}

fn describe(manifest: &Manifest) -> String {
    let size = ui::size(size_bytes(manifest));
    format!("{}  {size:>9}  {}", manifest.commit, manifest.platforms.join(" "))
}

fn size_bytes(manifest: &Manifest) -> u64 {
    manifest.artifacts.iter().fold(0, |sum, artifact| sum.saturating_add(artifact.size_bytes))
}

fn to_json((found, content): &Row, channels: &[Channel]) -> Value {
    let mut release = json!({
        "service": found.service,
        "version": found.version,
        "uploaded_at": found.uploaded_at.to_rfc3339(),
        "channels": naming(channels, found).collect::<Value>(),
    });
    match content {
        Ok(manifest) => {
            release["commit"] = json!(manifest.commit);
            release["dirty"] = json!(manifest.dirty);
            release["committed_at"] = json!(manifest.committed_at);
            release["platforms"] = json!(manifest.platforms);
            release["size_bytes"] = json!(size_bytes(manifest));
        }
        Err(reason) => release["problem"] = json!(reason),
    }
    release
}

/// A time span as people say it, in its largest whole unit: `5 min`, `3 d`.
fn age(duration: Duration) -> String {
    let secs = duration.as_secs();
    let units = [(86400, "d"), (3600, "h"), (60, "min")];
    let unit = units.iter().find(|(size, _)| secs >= *size);
    unit.map_or_else(|| format!("{secs} s"), |(size, name)| format!("{} {name}", secs / size))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::age;

    #[test]
    fn an_age_is_in_its_largest_unit() {
        for (secs, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (7199, "1 h"),
            (86_399, "23 h"),
            (86_400, "1 d"),
            (40_000_000, "462 d"),
        ] {
            assert_eq!(age(Duration::from_secs(secs)), expected);
        }
    }
}
