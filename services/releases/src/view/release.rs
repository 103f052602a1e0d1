//! Releases as they are shown.

use catalog::{Found, Manifest, Reading};
use ftime::Epoch;
use serde::Serialize;

use super::channel::{Channel, Named};
use super::epoch::secs;

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
    /// The newest older release of which it has the same program on each of its platforms; none where it is shown alone.
    pub(crate) same_program_as: Option<String>,
    #[serde(flatten)]
    pub(crate) details: Option<Details>,
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
    /// Makes a release of what was listed and read. `link` signs the URL of an archive. It is called only
    /// for archives of this release: nothing else that a manifest object names may be downloaded.
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
        let has = |platform: &str, sha256: &str| {
            archives.iter().any(|archive| archive.platform == platform && archive.sha256 == sha256)
        };
        let mut named: Vec<_> =
            channels.iter().filter_map(|channel| channel.naming(&found.name, &has)).collect();
        named.sort_by_key(|named| !named.current);
        Ok(Self {
            version: found.name.clone(),
            published_at: found.last_modified,
            unreadable: reading.content.as_ref().err().cloned(),
            channels: named,
            same_program_as: None,
            details,
        })
    }

    /// Returns the time that releases are sorted by, which is the commit's. The time of upload would
    /// make a release newer when a platform is added later or an old commit is built again.
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
