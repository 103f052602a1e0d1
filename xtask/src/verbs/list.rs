//! `list`: prints the releases in a bucket, by service, newest first.

use std::time::Duration;

use catalog::{Channel, Found, Manifest, Service};
use ferror::{Error, Kind};
use serde_json::{Value, json};

use crate::bucket::releases::{ReleaseBucket, ReleaseBucketOptions};
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::parallel;
use crate::system::ui::{self, Ui};

/// The number of manifest objects that are read at once, so that the time to a distant server
/// matters little.
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

/// A release as it was listed, with its manifest, or with the reason why its manifest object was
/// refused.
struct Row<'a> {
    service: &'a str,
    found: &'a Found,
    content: Result<Manifest, String>,
    /// The kind of the error where the object could not be read at all.
    failed: Option<Kind>,
}

/// Runs `list`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?;
    let config = root.as_ref().map(|root| &root.config);
    let service = options.service.as_deref();
    let bucket = ReleaseBucket::open(&options.bucket, service, &[], config, env, ui)?;
    let services = bucket.list(service)?;
    let all = |of: fn(&Service) -> &[Found]| {
        let mut all: Vec<(&str, &Found)> = Vec::new();
        for (service, objects) in &services {
            all.extend(of(objects).iter().map(|found| (service.as_str(), found)));
        }
        all
    };
    let (releases, channels) = (all(|it| &it.manifests), all(|it| &it.channels));
    if let Some(service) = service
        && releases.is_empty()
    {
        return Err(bucket.no_release(service).into());
    }
    let channels = parallel::map(&channels, JOBS, |(service, found)| {
        anyhow::Ok(channel(&bucket, service, found, ui))
    })?;
    let mut failed: Vec<Kind> =
        channels.iter().filter_map(|read| read.as_ref().err()).copied().collect();
    let channels: Vec<Channel> = channels.into_iter().filter_map(Result::ok).flatten().collect();
    let rows = parallel::map(&releases, JOBS, |(service, found)| row(&bucket, service, found))?;
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    failed.extend(rows.iter().filter_map(|row| row.failed));
    let name = &bucket.client.location().bucket;
    if rows.is_empty() {
        ui.say("empty", format_args!("no release in bucket {name}"));
    }
    let now = bucket.client.server_time();
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let service_width = width(|row| row.service.len());
    let version_width = width(|row| row.found.name.len());
    let older = |at: usize| rows.get(at + 1..).unwrap_or_default();
    for (at, row) in rows.iter().enumerate() {
        let Row { service, found: Found { name: version, last_modified, .. }, content, .. } = row;
        let same = same_program(row, older(at));
        let same = same.map_or(String::new(), |other| format!("  same program as {other}"));
        let age = age(now.since(*last_modified).unwrap_or_default());
        let names = naming(&channels, row).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { names } else { format!("  [{names}]") };
        let what = match content {
            Ok(manifest) => describe(manifest),
            Err(reason) => format!("cannot be read: {reason}"),
        };
        ui.result(format_args!(
            "{service:service_width$}  {version:version_width$}  {age:>7}  {what}{same}{names}"
        ));
    }
    let releases: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| to_json(row, same_program(row, older(at)), &channels))
        .collect();
    let document = json!({
        "bucket": name,
        "prefix": bucket.prefix,
        "complete": failed.is_empty(),
        "releases": releases,
        "channels": channels.iter().map(channel_to_json).collect::<Value>(),
    });
    ui.document(&format!("{document:#}"));
    let Some(kind) = failed.first() else { return Ok(()) };
    let message = match failed.len() {
        1 => format!("one object in bucket {name} could not be read, and is missing above"),
        count => {
            format!("{count} objects in bucket {name} could not be read, and are missing above")
        }
    };
    Err(Error::new(*kind, message)
        .hint("what is shown is right; run the command again for the rest")
        .into())
}

/// Reads the manifest object of a release; `None` if it was removed since it was listed. One that
/// cannot be read, or is refused, becomes a row that says so, and does not hide the others.
fn row<'a>(
    bucket: &ReleaseBucket,
    service: &'a str,
    found: &'a Found,
) -> anyhow::Result<Option<Row<'a>>> {
    let (content, failed) = match bucket.manifest(service, &found.name) {
        Ok(manifest) => (Ok(manifest), None),
        Err(error) => match ui::ours(&error).map(Error::kind) {
            Some(Kind::Config) => return Ok(None),
            Some(kind) => (Err(format!("{error:#}")), (kind != Kind::Invalid).then_some(kind)),
            None => return Err(error),
        },
    };
    Ok(Some(Row { service, found, content, failed }))
}

/// Reads a channel; `None` if it was removed since it was listed. One that is refused is warned
/// about and left out. Where it could not be read, returns the kind of the error, and warns too.
fn channel(
    bucket: &ReleaseBucket,
    service: &str,
    found: &Found,
    ui: &Ui,
) -> Result<Option<Channel>, Kind> {
    match bucket.channel(service, &found.name) {
        Ok(stored) => Ok(stored.map(|stored| stored.channel)),
        Err(error) => {
            let kind = error.kind();
            let what = format!("channel {} of {service}", found.name);
            ui.warn(format_args!("{what} cannot be read: {:#}", anyhow::Error::from(error)));
            if kind == Kind::Invalid { Ok(None) } else { Err(kind) }
        }
    }
}

/// Returns the names of the channels that point to a release.
fn naming<'a>(channels: &'a [Channel], row: &'a Row<'_>) -> impl Iterator<Item = &'a str> {
    let names_it = |channel: &&Channel| {
        channel.service == row.service && channel.current.version == row.found.name
    };
    channels.iter().filter(names_it).map(|channel| channel.name.as_str())
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

/// Returns the version of the newest of the `older` releases of the service that has the same program.
fn same_program<'a>(row: &Row<'_>, older: &'a [Row<'a>]) -> Option<&'a str> {
    let of_service = older.iter().take_while(|other| other.service == row.service);
    let manifests = of_service.filter_map(|other| other.content.as_ref().ok());
    row.content.as_ref().ok()?.same_program(manifests)
}

fn describe(manifest: &Manifest) -> String {
    let size = ui::size(size_bytes(manifest));
    format!("{}  {size:>9}  {}", manifest.commit, manifest.platforms.join(" "))
}

fn size_bytes(manifest: &Manifest) -> u64 {
    manifest.artifacts.iter().fold(0, |sum, artifact| sum.saturating_add(artifact.size_bytes))
}

fn to_json(row: &Row<'_>, same_program: Option<&str>, channels: &[Channel]) -> Value {
    let mut release = json!({
        "service": row.service,
        "version": row.found.name,
        "uploaded_at": row.found.last_modified.to_rfc3339(),
        "channels": naming(channels, row).collect::<Value>(),
    });
    match &row.content {
        Ok(manifest) => {
            release["commit"] = json!(manifest.commit);
            release["dirty"] = json!(manifest.dirty);
            release["committed_at"] = json!(manifest.committed_at);
            release["platforms"] = json!(manifest.platforms);
            release["size_bytes"] = json!(size_bytes(manifest));
            release["same_program_as"] = json!(same_program);
        }
        Err(reason) => release["problem"] = json!(reason),
    }
    release
}

/// Formats a time span in its largest whole unit: `5 min`, `3 d`.
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
