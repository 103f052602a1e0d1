//! Channels: small objects, `<service>/channels/<channel>.json`, that say which release is the
//! stable one, the tested one, and which were before it.
//!
//! `{schema, service, channel, entries}`, the entry that counts first; each entry is `{version,
//! commit, artifacts: [{platform, object_key, size_bytes, sha256}], by, at, replaced}`. Unlike
//! everything else in the bucket, a channel changes: it is written only if it is still what was read.

use anyhow::Context as _;
use ferror::{Error, Kind};
use s3::{Attributes, Body, Fault, Precondition, Put, PutOutcome};

use crate::bucket::releases::{ReleaseBucket, ReleaseChoice};
use crate::model::manifest::{Artifact, Manifest};
use crate::model::object_key;
use crate::model::platform::{PLAIN_KEY_PLATFORM, Platform};

mod form;

/// The one form that is written and understood.
pub const SCHEMA: u64 = 1;
/// How many entries a channel keeps.
pub const MOST_ENTRIES: usize = 20;
/// Twenty entries of a hundred platforms need less.
const MAX_BYTES: u64 = 1 << 20;

/// What a channel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The service.
    pub service: String,
    /// Its own name.
    pub name: String,
    /// The entry that counts.
    pub current: Entry,
    /// Those before it, newest first; with it, at most [`MOST_ENTRIES`].
    pub before: Vec<Entry>,
}

/// A release that a channel named at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version.
    pub version: String,
    /// The commit.
    pub commit: String,
    /// Its artifacts when it was promoted.
    pub artifacts: Vec<Promoted>,
    /// Who promoted it.
    pub by: String,
    /// When, in RFC 3339.
    pub at: String,
    /// The version that the channel named until then.
    pub replaced: Option<String>,
}

/// What a channel keeps of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// The platform's name.
    pub platform: String,
    /// Where the archive lies.
    pub object_key: String,
    /// The archive's length.
    pub size_bytes: u64,
    /// The archive's SHA-256 in lower hex.
    pub sha256: String,
}

/// A channel as it was read.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it says.
    pub channel: Channel,
    /// The server's name for its content, opaque.
    pub etag: String,
}

impl Entry {
    /// An entry for a release.
    pub fn new(manifest: &Manifest, by: &str, at: &str, replaced: Option<&str>) -> Self {
        let artifacts = manifest.artifacts.iter().map(|artifact| Promoted {
            platform: artifact.platform.clone(),
            object_key: artifact.object_key.clone(),
            size_bytes: artifact.size_bytes,
            sha256: artifact.sha256.clone(),
        });
        Self {
            version: manifest.version.clone(),
            commit: manifest.commit.clone(),
            artifacts: artifacts.collect(),
            by: by.to_owned(),
            at: at.to_owned(),
            replaced: replaced.map(str::to_owned),
        }
    }

    /// Whether the release's manifest object still says what it said. It may have got platforms.
    fn check(&self, manifest: &Manifest) -> ferror::Result<()> {
        let is_there =
            |promoted: &Promoted| manifest.artifacts.iter().any(|artifact| promoted.is(artifact));
        if self.commit == manifest.commit && self.artifacts.iter().all(is_there) {
            return Ok(());
        }
        let version = &self.version;
        let message = format!("release {version} is not the one that was promoted any more");
        Err(Error::invalid(message).hint("someone wrote to this bucket by other means"))
    }

    /// Leaves of its release what was promoted. An artifact that came later is an error where it is
    /// the one for `platform`: nobody let the channel name it.
    fn keep_promoted(&self, manifest: &mut Manifest, platform: Platform) -> ferror::Result<()> {
        let was_promoted = |artifact: &Artifact| self.artifacts.iter().any(|p| p.is(artifact));
        let is_later =
            |artifact: &Artifact| artifact.platform == platform.as_str() && !was_promoted(artifact);
        if manifest.artifacts.iter().any(is_later) {
            let version = &self.version;
            let message = format!("{platform} came to release {version} after it was promoted");
            return Err(Error::config(message).hint(
                "promote again, the same release: the channel then names all it has by now",
            ));
        }
        manifest.artifacts.retain(was_promoted);
        Ok(())
    }
}

impl Promoted {
    /// Whether this is that archive.
    fn is(&self, artifact: &Artifact) -> bool {
        (&self.platform, &self.sha256) == (&artifact.platform, &artifact.sha256)
    }
}

/// Reads a channel; `None` where there is none.
///
/// # Errors
/// [`Kind::Invalid`] where the object is no channel.
pub fn read(bucket: &ReleaseBucket, service: &str, name: &str) -> anyhow::Result<Option<Seen>> {
    let key = format!("{}{}", bucket.prefix, object_key::channel(service, name));
    let Some(object) = bucket.client.get(&key, MAX_BYTES)? else { return Ok(None) };
    let channel = form::read(&object.bytes, service, name).map_err(|error| {
        let bucket = &bucket.client.location().bucket;
        Error::invalid(format!("object {bucket}/{key} is no channel of schema {SCHEMA}: {error}"))
    })?;
    Ok(Some(Seen { channel, etag: object.head.etag }))
}

/// The release that an entry names, with the digests that were promoted.
///
/// # Errors
/// As of [`ReleaseBucket::manifest`]; [`Kind::Invalid`] where it has other digests now.
pub fn release(bucket: &ReleaseBucket, service: &str, entry: &Entry) -> anyhow::Result<Manifest> {
    let manifest = bucket.manifest(service, &entry.version)?;
    entry.check(&manifest)?;
    Ok(manifest)
}

/// The release that `--channel` or `--version` names, else the one that was uploaded last. Of a
/// channel's, only the artifacts that were promoted.
///
/// # Errors
/// [`Kind::Config`] where there is none, or its artifact for `--platform` was not promoted.
pub fn choose(
    bucket: &ReleaseBucket,
    service: &str,
    choice: &ReleaseChoice,
) -> anyhow::Result<Manifest> {
    let Some(name) = &choice.channel else {
        return bucket.choose(service, choice.version.as_deref());
    };
    let seen = read(bucket, service, name)?.ok_or_else(|| {
        Error::config(format!("{service} has no channel {name}"))
            .hint(format!("see what there is: `cargo xtask list {service}`"))
    })?;
    let entry = &seen.channel.current;
    let platform = choice.platform.unwrap_or(PLAIN_KEY_PLATFORM);
    let chosen = release(bucket, service, entry).and_then(|mut manifest| {
        entry.keep_promoted(&mut manifest, platform)?;
        Ok(manifest)
    });
    chosen.with_context(|| format!("channel {name}"))
}

/// Writes a channel, if it is still what was `seen`.
///
/// # Errors
/// [`Kind::Conflict`] where it is not, [`Kind::Refused`] where the server cannot do that.
pub fn write(bucket: &ReleaseBucket, channel: &Channel, seen: Option<&Seen>) -> anyhow::Result<()> {
    let Channel { service, name, .. } = channel;
    let bytes = form::to_json(channel).into_bytes();
    // What is said of archives, which never change, does not hold for this.
    let cache_control = Some("no-cache".to_owned());
    let attributes = Attributes { cache_control, ..bucket.attributes.clone() };
    let put = Put {
        body: Body::Bytes(&bytes),
        content_type: "application/json",
        metadata: &[],
        attributes: Some(&attributes),
        precondition: seen.map_or(Precondition::Absent, |seen| Precondition::Matches(&seen.etag)),
    };
    let key = format!("{}{}", bucket.prefix, object_key::channel(service, name));
    match bucket.client.put(&key, &put) {
        Ok(PutOutcome::Stored(_)) => Ok(()),
        Ok(PutOutcome::PreconditionFailed) => Err(lost(bucket, service, name).into()),
        // It was there when it was read.
        Err(error) if seen.is_some() && error.kind() == Kind::NotFound => {
            Err(lost(bucket, service, name).caused_by(error).into())
        }
        Err(error) if Fault::of(&error).is_some_and(|fault| fault.status == 501) => {
            let message = "this server cannot write an object only if it is unchanged (501), so of \
                           two promotions at once one would be lost without a word";
            let hint = "keep channels on a server that knows If-Match: AWS, Ceph, MinIO";
            Err(Error::new(Kind::Refused, message).hint(hint).caused_by(error).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The error where someone else was faster, with what they did as far as that is known.
fn lost(bucket: &ReleaseBucket, service: &str, name: &str) -> Error {
    let now = match read(bucket, service, name) {
        Ok(Some(Seen { channel: Channel { current, .. }, .. })) => {
            format!(": it names {} now, by {}", current.version, current.by)
        }
        Ok(None) => ": it is gone".to_owned(),
        Err(_) => String::new(),
    };
    let message = format!("channel {name} of {service} was changed by someone else meanwhile{now}");
    Error::new(Kind::Conflict, message)
        .hint("nothing was written: look whether it still has to be done, and promote again")
}

/// Whether `text` can say who promoted: 1 to 100 characters that can be printed.
pub fn is_who(text: &str) -> bool {
    let characters = text.chars().count();
    !text.trim().is_empty() && characters <= 100 && !text.contains(char::is_control)
}
