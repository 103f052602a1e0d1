//! Finds the release that a person names by a version, a commit, a channel, or as the newest one of this branch.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Manifest, Service, is_channel, is_version};
use ferror::Error;

use crate::bucket::releases::ReleaseBucket;
use crate::model::suggest;

/// The name of the newest release among HEAD and the commits before it.
pub const HEAD: &str = "HEAD";

/// Returns whether `text` has the form of a release's name.
pub fn is_release_name(text: &str) -> bool {
    text == HEAD || is_version(text) || is_channel(text)
}

/// Finds what `name` stands for: the manifests of one service each, sorted by service. Without `services`, those of all
/// that have such a release. `history` lists HEAD and the commits before it, newest first.
///
/// A version goes before a channel of the same name.
///
/// # Errors
/// [`ferror::Kind::Config`] where there is no such release, or several.
pub fn find(
    bucket: &ReleaseBucket,
    name: &str,
    services: &[String],
    history: impl FnOnce() -> anyhow::Result<Vec<String>>,
) -> anyhow::Result<Vec<(String, Manifest)>> {
    let mut listed = BTreeMap::new();
    if services.is_empty() {
        listed = bucket.list(None)?;
    }
    for service in services {
        listed.extend(bucket.list(Some(service))?);
    }
    let versions: Vec<_> =
        listed.iter().flat_map(|(service, objects)| of(service, objects)).collect();
    let found = if name == HEAD {
        let history = history()?;
        if services.is_empty() {
            newest(bucket, &versions, &history)?
        } else {
            // One at a time: a release need not have all of them.
            let mut found = Vec::new();
            for service in listed.keys() {
                let versions: Vec<_> =
                    versions.iter().copied().filter(|(it, _)| it == service).collect();
                found.extend(newest(bucket, &versions, &history)?);
            }
            found
        }
    } else {
        let found = by_version(bucket, name, &versions)?;
        if found.is_empty() && is_channel(name) {
            by_channel(bucket, name, &listed)?
        } else {
            found
        }
    };
    let absent = services.iter().find(|service| !found.iter().any(|(known, _)| known == *service));
    if found.is_empty() || absent.is_some() {
        return Err(no_release(bucket, name, absent, &listed).into());
    }
    Ok(found)
}

/// A service and the version of one of its releases.
type Version<'a> = (&'a str, &'a str);

fn of<'a>(service: &'a str, objects: &'a Service) -> impl Iterator<Item = Version<'a>> {
    objects.manifests.iter().map(move |found| (service, found.name.as_str()))
}

/// Reads the releases of the first commit of `history` that has any.
fn newest(
    bucket: &ReleaseBucket,
    versions: &[Version<'_>],
    history: &[String],
) -> anyhow::Result<Vec<(String, Manifest)>> {
    // A version has six digits at least, so few commits have the first digits of one.
    let starts: BTreeSet<_> = versions.iter().filter_map(|(_, version)| version.get(..6)).collect();
    for commit in history.iter().filter(|commit| starts.contains(&commit[..6])) {
        let found = read(bucket, versions.iter().filter(|(_, it)| commit.starts_with(it)), |it| {
            it.commit == *commit
        })?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Reads the releases of a version, or where there is none, those of a commit whose name begins so.
fn by_version(
    bucket: &ReleaseBucket,
    name: &str,
    versions: &[Version<'_>],
) -> anyhow::Result<Vec<(String, Manifest)>> {
    let exact = read(bucket, versions.iter().filter(|(_, version)| *version == name), |_| true)?;
    if !exact.is_empty() || !is_version(name) {
        return Ok(exact);
    }
    let may_be = |(_, version): &&Version<'_>| {
        let is_clean = !version.contains("-dirty.");
        is_clean && (version.starts_with(name) || name.starts_with(version))
    };
    let found = read(bucket, versions.iter().filter(may_be), |it| it.commit.starts_with(name))?;
    let commits: BTreeSet<_> = found.iter().map(|(_, manifest)| &*manifest.version).collect();
    if commits.len() > 1 {
        let commits: Vec<_> = commits.into_iter().collect();
        let message = format!("{name} names several releases: {}", commits.join(", "));
        return Err(Error::config(message).hint("name one of them").into());
    }
    Ok(found)
}

fn by_channel(
    bucket: &ReleaseBucket,
    name: &str,
    listed: &BTreeMap<String, Service>,
) -> anyhow::Result<Vec<(String, Manifest)>> {
    let mut found = Vec::new();
    for (service, objects) in listed {
        if objects.channels.iter().any(|channel| channel.name == name)
            && let Some(stored) = bucket.channel(service, name)?
        {
            let manifest = bucket.promoted(service, &stored.channel.current)?;
            found.push((service.clone(), manifest));
        }
    }
    Ok(found)
}

/// Reads the manifests of versions, and keeps those that are meant.
fn read<'a>(
    bucket: &ReleaseBucket,
    versions: impl Iterator<Item = &'a Version<'a>>,
    is_meant: impl Fn(&Manifest) -> bool,
) -> anyhow::Result<Vec<(String, Manifest)>> {
    let mut found = Vec::new();
    for (service, version) in versions {
        let manifest = bucket.manifest(service, version)?;
        if is_meant(&manifest) {
            found.push(((*service).to_owned(), manifest));
        }
    }
    Ok(found)
}

fn no_release(
    bucket: &ReleaseBucket,
    name: &str,
    absent: Option<&String>,
    listed: &BTreeMap<String, Service>,
) -> Error {
    let of = absent.map_or_else(String::new, |service| format!(" of {service}"));
    let folder = format!("{}/{}", bucket.client.location().bucket, bucket.prefix);
    if name == HEAD {
        return Error::config(format!(
            "no release{of} in {folder} is of HEAD or a commit before it"
        ))
        .hint("a shallow clone knows few commits: `git fetch --unshallow`; or name a release");
    }
    let channels = listed.values().flat_map(|objects| &objects.channels);
    let near = suggest::did_you_mean(name, channels.map(|channel| channel.name.as_str()));
    Error::config(format!("{name} is no version, commit or channel of a release{of} in {folder}"))
        .hint(format!("{near}see what there is: `cargo xtask list`"))
}
