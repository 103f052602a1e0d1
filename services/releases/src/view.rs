//! What is shown, as plain data: the pages draw it, the JSON API is its serialisation. One form in
//! three sizes: everything, one service, one release of it.

mod channel;

use catalog::{Found, Manifest, Reading};
use ftime::Epoch;
use serde::{Serialize, Serializer};

pub(crate) use channel::{Channel, Entry, Lag, compare};

/// All of it, at one moment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// When the bucket was read.
    #[serde(serialize_with = "secs")]
    pub(crate) read_at: Epoch,
    /// Until when the download links work.
    #[serde(serialize_with = "secs")]
    pub(crate) links_until: Epoch,
    /// Whether the bucket holds more objects than are listed, so that services may be missing.
    pub(crate) truncated: bool,
    /// By name.
    pub(crate) services: Vec<Service>,
}

/// One service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Service {
    #[serde(rename = "service")]
    pub(crate) name: String,
    /// The one whose release is newest first.
    pub(crate) channels: Vec<Channel>,
    /// Newest commit first.
    pub(crate) releases: Vec<Release>,
    /// How many older releases are in the bucket but not shown.
    pub(crate) not_shown: usize,
}

/// One release.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Release {
    pub(crate) version: String,
    /// When its manifest object was last written.
    #[serde(serialize_with = "secs")]
    pub(crate) published_at: Epoch,
    /// Why the manifest object cannot be read; then there are no details.
    pub(crate) unreadable: Option<String>,
    /// The channels that name it, then those that did.
    pub(crate) channels: Vec<Named>,
    #[serde(flatten)]
    pub(crate) details: Option<Details>,
}

/// That a channel names a release, or did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Named {
    pub(crate) channel: String,
    /// Whether it does now.
    pub(crate) current: bool,
    #[serde(serialize_with = "secs_or_null")]
    pub(crate) promoted_at: Option<Epoch>,
    pub(crate) promoted_by: String,
    /// Whether the release still has the archives that were promoted, by their digests.
    pub(crate) as_promoted: bool,
}

/// What a manifest object says.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Details {
    pub(crate) commit: String,
    pub(crate) dirty: bool,
    #[serde(serialize_with = "secs")]
    pub(crate) committed_at: Epoch,
    pub(crate) platforms: Vec<String>,
    pub(crate) artifacts: Vec<Artifact>,
}

/// One archive.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Artifact {
    pub(crate) platform: String,
    pub(crate) file: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
    pub(crate) object_key: String,
    /// A presigned GET; none when the object key is not one of this release.
    pub(crate) download_url: Option<String>,
}

impl Release {
    /// A release from what was listed and read. `link` signs the URL of an archive that is one of
    /// this release's own: what else a manifest object names must not become downloadable.
    pub(crate) fn new(
        (prefix, service): (&str, &str),
        found: &Found,
        reading: &Reading,
        channels: &[Channel],
        link: &dyn Fn(&str) -> ferror::Result<String>,
    ) -> ferror::Result<Self> {
        let details = match &reading.content {
            Ok(manifest) => Some(Details::new((prefix, service), manifest, link)?),
            Err(_) => None,
        };
        let archives = details.as_ref().map_or(&[][..], |details| &details.artifacts);
        let mut named: Vec<_> =
            channels.iter().filter_map(|channel| channel.naming(&found.name, archives)).collect();
        named.sort_by_key(|named| !named.current);
        Ok(Self {
            version: found.name.clone(),
            published_at: found.last_modified,
            unreadable: reading.content.as_ref().err().cloned(),
            channels: named,
            details,
        })
    }

    /// What releases are sorted and aged by: the commit's time. When it was uploaded says less: a
    /// platform that was added later, or an old commit that was built again, is no newer release.
    pub(crate) fn made_at(&self) -> Epoch {
        self.details.as_ref().map_or(self.published_at, |details| details.committed_at)
    }
}

impl Details {
    fn new(
        (prefix, service): (&str, &str),
        manifest: &Manifest,
        link: &dyn Fn(&str) -> ferror::Result<String>,
    ) -> ferror::Result<Self> {
        let artifacts = manifest.artifacts.iter().map(|artifact| {
            let owned = manifest.owns(prefix, service, artifact);
            Ok(Artifact {
                platform: artifact.platform.clone(),
                file: artifact.file.clone(),
                size_bytes: artifact.size_bytes,
                sha256: artifact.sha256.clone(),
                download_url: owned.then(|| link(&artifact.object_key)).transpose()?,
                object_key: artifact.object_key.clone(),
            })
        });
        Ok(Self {
            commit: manifest.commit.clone(),
            dirty: manifest.dirty,
            committed_at: Epoch::from_secs(manifest.committed_at),
            platforms: manifest.platforms.clone(),
            artifacts: artifacts.collect::<ferror::Result<_>>()?,
        })
    }
}

/// Times are seconds since 1970 UTC, as in manifests.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields by reference")]
fn secs<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(epoch.secs())
}

#[expect(clippy::ref_option, reason = "serde hands fields by reference")]
fn secs_or_null<S: Serializer>(epoch: &Option<Epoch>, serializer: S) -> Result<S::Ok, S::Error> {
    epoch.map(Epoch::secs).serialize(serializer)
}

#[cfg(test)]
pub(crate) mod tests;
