//! Channels: small objects, `<service>/channels/<channel>.json`, that say which release is the
//! stable one, the tested one, and which were before it.
//!
//! `{schema, service, channel, entries}`, the entry that counts first; each entry is `{version,
//! commit, artifacts: [{platform, object_key, size_bytes, sha256}], by, at, replaced}`. Unlike
//! everything else in the bucket, a channel changes: it is written only if it is still what was read.

use ferror::{Error, Kind, Result};
use ftime::Epoch;
use s3::{Attributes, Body, Client, Fault, Precondition, Put, PutOutcome};

use crate::{Artifact, Manifest, Platform, channel_key};

mod form;

/// The one form that is written and understood.
const SCHEMA: u64 = 1;
/// The number of entries that a channel keeps.
pub const MAX_ENTRIES: usize = 20;
/// Twenty entries of a hundred platforms need less.
pub(crate) const MAX_CHANNEL_BYTES: u64 = 1 << 20;

/// A channel's name, and the releases that it names or named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The service.
    pub service: String,
    /// Its own name, such as `stable`.
    pub name: String,
    /// The entry that counts.
    pub current: Entry,
    /// Those before it, newest first; with it, at most [`MAX_ENTRIES`] are written.
    pub before: Vec<Entry>,
}

/// A release that a channel names or named. One that was read leniently may lack all but its version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The version.
    pub version: String,
    /// The commit.
    pub commit: String,
    /// Its artifacts when it was promoted.
    pub artifacts: Vec<Promoted>,
    /// The name of the person or job that promoted it.
    pub by: String,
    /// The time of the promotion, in RFC 3339.
    pub at: String,
    /// The version that the channel named until then.
    pub replaced: Option<String>,
}

/// An artifact of a release, as it was when the release was promoted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promoted {
    /// The platform's name.
    pub platform: String,
    /// The object key of the archive. Empty where it was read leniently and is left out.
    pub object_key: String,
    /// The archive's length.
    pub size_bytes: u64,
    /// The archive's SHA-256 in lower hex.
    pub sha256: String,
}

/// A channel as it was read.
#[derive(Debug, Clone)]
pub struct StoredChannel {
    /// The channel.
    pub channel: Channel,
    /// The server's name for its content, opaque.
    pub etag: String,
}

impl Channel {
    /// Reads the object that lies where the channel `name` of `service` does, as services do: unknown
    /// fields are fine, and an entry needs nothing but its version.
    ///
    /// # Errors
    /// [`Kind::Invalid`], with a reason that is fit to be shown.
    pub fn read_lenient(bytes: &[u8], service: &str, name: &str) -> Result<Self> {
        form::read_lenient(bytes, service, name)
    }

    /// Returns the written form: pretty JSON and a newline.
    pub fn to_json(&self) -> String {
        form::to_json(self)
    }

    /// Returns the entry that counts and those before it, newest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        [&self.current].into_iter().chain(&self.before)
    }

    /// Returns the entry that counts, and the one that a rollback would go to: what must not be removed.
    pub fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.entries().take(2)
    }

    /// Writes a channel below `prefix`, if it is still what was `seen`: there is none where that is
    /// `None`.
    ///
    /// # Errors
    /// [`Kind::Conflict`] where it is not, [`Kind::Refused`] where the server cannot do that.
    pub fn write(
        &self,
        client: &Client,
        prefix: &str,
        attributes: &Attributes,
        seen: Option<&StoredChannel>,
    ) -> Result<()> {
        let bytes = self.to_json().into_bytes();
        // What is said of archives, which never change, does not hold for this.
        let cache_control = Some("no-cache".to_owned());
        let attributes = Attributes { cache_control, ..attributes.clone() };
        let put = Put {
            body: Body::Bytes(&bytes),
            content_type: "application/json",
            metadata: &[],
            attributes: Some(&attributes),
            precondition: seen
                .map_or(Precondition::Absent, |seen| Precondition::Matches(&seen.etag)),
        };
        match client.put(&channel_key(prefix, &self.service, &self.name), &put) {
            Ok(PutOutcome::Stored(_)) if client.has_conditional_writes() => Ok(()),
            // Another promotion may have written over it since it was looked at.
            Ok(PutOutcome::Stored(_)) => {
                let now = StoredChannel::read(client, prefix, &self.service, &self.name)?;
                let is_ours = now.is_some_and(|now| now.channel.current == self.current);
                if is_ours { Ok(()) } else { Err(self.lost(client, prefix)) }
            }
            Ok(PutOutcome::PreconditionFailed) => Err(self.lost(client, prefix)),
            // It was there when it was read.
            Err(error) if seen.is_some() && error.kind() == Kind::NotFound => {
                Err(self.lost(client, prefix).caused_by(error))
            }
            Err(error) if lacks_conditions(&error) => {
                let status = Fault::of(&error).map_or(0, |fault| fault.status);
                let message = format!(
                    "this server cannot write an object only if it is unchanged ({status}), \
                     so of two promotions at once one would be lost without a word"
                );
                let hint = "keep channels on a server that knows If-Match: AWS, Ceph, MinIO";
                Err(Error::new(Kind::Refused, message).hint(hint).caused_by(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the error where someone else was faster, with what they did as far as that is known.
    fn lost(&self, client: &Client, prefix: &str) -> Error {
        let Self { service, name, .. } = self;
        let now = match StoredChannel::read(client, prefix, service, name) {
            Ok(Some(StoredChannel { channel: Self { current, .. }, .. })) => {
                format!(": it names {} now, by {}", current.version, current.by)
            }
            Ok(None) => ": it is gone".to_owned(),
            Err(_) => String::new(),
        };
        let message =
            format!("channel {name} of {service} was changed by someone else meanwhile{now}");
        Error::new(Kind::Conflict, message)
            .hint("nothing was written: look whether it still has to be done, and promote again")
    }
}

fn lacks_conditions(error: &Error) -> bool {
    Fault::of(error)
        .is_some_and(|fault| ["if-match", "if-none-match"].contains(&&*fault.unknown_header))
}

impl Entry {
    /// Returns an entry for a release.
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

    /// Returns when it was promoted; `None` where the writer left it out.
    pub fn promoted_at(&self) -> Option<Epoch> {
        Epoch::parse_rfc3339(&self.at).ok()
    }

    /// Checks that the release's manifest object still says what it said. It may have got platforms.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it does not.
    pub fn check(&self, manifest: &Manifest) -> Result<()> {
        let is_there =
            |promoted: &Promoted| manifest.artifacts.iter().any(|artifact| promoted.is(artifact));
        if self.commit == manifest.commit && self.artifacts.iter().all(is_there) {
            return Ok(());
        }
        let version = &self.version;
        let message = format!("release {version} is not the one that was promoted any more");
        Err(Error::invalid(message).hint("someone wrote to this bucket by other means"))
    }

    /// Returns whether it promoted this artifact.
    pub fn names(&self, artifact: &Artifact) -> bool {
        self.artifacts.iter().any(|promoted| promoted.is(artifact))
    }

    /// Leaves of its release what was promoted.
    ///
    /// # Errors
    /// [`Kind::Config`] where the artifact for `platform` came later: no promotion named it.
    pub fn keep_promoted(&self, manifest: &mut Manifest, platform: Platform) -> Result<()> {
        let is_later =
            |artifact: &Artifact| artifact.platform == platform.as_str() && !self.names(artifact);
        if manifest.artifacts.iter().any(is_later) {
            let version = &self.version;
            let message = format!("{platform} came to release {version} after it was promoted");
            return Err(Error::config(message).hint(
                "promote again, the same release: the channel then names all it has by now",
            ));
        }
        manifest.artifacts.retain(|artifact| self.names(artifact));
        Ok(())
    }
}

impl Promoted {
    /// Returns whether this is that archive.
    fn is(&self, artifact: &Artifact) -> bool {
        (&self.platform, &self.sha256) == (&artifact.platform, &artifact.sha256)
    }
}

impl StoredChannel {
    /// Reads a channel that may be written again: every field is known and has its form. `None` where
    /// there is none.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the object is no channel; what the bucket answers.
    pub fn read(client: &Client, prefix: &str, service: &str, name: &str) -> Result<Option<Self>> {
        let key = channel_key(prefix, service, name);
        let Some(object) = client.get(&key, MAX_CHANNEL_BYTES)? else { return Ok(None) };
        let channel = form::read_strict(&object.bytes, service, name).map_err(|error| {
            let bucket = &client.location().bucket;
            let what = format!("object {bucket}/{key} is no channel of schema {SCHEMA}: {error}");
            Error::invalid(what)
        })?;
        Ok(Some(Self { channel, etag: object.head.etag }))
    }
}

/// Returns whether `text` can say who promoted: 1 to 100 characters that can be printed.
pub fn is_promoter(text: &str) -> bool {
    let characters = text.chars().count();
    !text.trim().is_empty() && characters <= 100 && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests;
