//! Finds the published binary of a build key.

use catalog::{IndexEntry, Indexed, Manifest, Platform};
use ferror::{Error, Kind};

use crate::bucket::releases::ReleaseBucket;
use crate::system::ui;

/// The result of looking for a published binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A release with one artifact, which holds the binary.
    Release(Box<Manifest>),
    /// Nothing that can be used, and why.
    Nothing(String),
    /// Several binaries of the one key: something that the key does not hold changes them.
    Several(Vec<String>),
}

/// Looks for the binary of `service` for `platform` that was built from the inputs of `build_key`.
///
/// Only the index says which binary belongs to a key. So an entry counts only if its commit, which a person merged, is an
/// ancestor of the one that is built, as `is_ancestor` says; and the release has to say the same as the entry.
///
/// # Errors
/// Those of the requests. A wrong entry or release is no error: then nothing is found.
pub fn find(
    bucket: &ReleaseBucket,
    build_key: &str,
    service: &str,
    platform: Platform,
    is_ancestor: impl Fn(&str) -> bool,
) -> anyhow::Result<Found> {
    let nothing = |why: String| Ok(Found::Nothing(why));
    let entry = match Indexed::read(&bucket.client, &bucket.prefix, build_key) {
        Ok(Indexed::Entry(entry)) => entry,
        Ok(Indexed::Nothing) => return nothing("no release has a binary of its inputs".to_owned()),
        Ok(Indexed::Several(digests)) => return Ok(Found::Several(digests)),
        Err(error) if error.kind() == Kind::Invalid => return nothing(error.to_string()),
        Err(error) if error.kind() == Kind::Denied => {
            return nothing(format!("these credentials may not look into the index: {error}"));
        }
        Err(error) => return Err(error.into()),
    };
    let IndexEntry { version, commit, .. } = &entry;
    if (entry.service.as_str(), entry.platform.as_str()) != (service, platform.as_str()) {
        let (service, platform) = (&entry.service, &entry.platform);
        return nothing(format!("its index entry is of {service} for {platform}"));
    }
    if !is_ancestor(commit) {
        return nothing(format!(
            "{version}, which has it, is no ancestor of this commit, as far as this clone knows (a shallow one knows \
             none: `git fetch --unshallow`)"
        ));
    }
    match release(bucket, &entry, build_key) {
        Ok(manifest) => Ok(Found::Release(Box::new(manifest))),
        Err(error) => match ui::ours(&error).map(Error::kind) {
            Some(Kind::Config | Kind::Invalid) => nothing(format!("{error:#}")),
            _ => Err(error),
        },
    }
}

/// Reads the release that an entry names, with the one artifact of the entry.
fn release(
    bucket: &ReleaseBucket,
    entry: &IndexEntry,
    build_key: &str,
) -> anyhow::Result<Manifest> {
    let mut manifest = bucket.manifest(&entry.service, &entry.version)?;
    let artifact = entry.artifact(&manifest)?.clone();
    // Who can write the index alone cannot have another release stand for the key.
    if artifact.build_key.as_deref() != Some(build_key) {
        let version = &manifest.version;
        let what = format!("release {version} does not say that it was built with this build key");
        return Err(Error::invalid(what).into());
    }
    if manifest.dirty {
        let version = &manifest.version;
        let what = format!("release {version} was built from uncommitted changes");
        return Err(Error::invalid(what).into());
    }
    manifest.artifacts = vec![artifact];
    Ok(manifest)
}
