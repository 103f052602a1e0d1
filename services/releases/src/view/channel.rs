//! Channels as they are shown.

use std::collections::BTreeMap;

use ftime::Epoch;
use serde::Serialize;

use super::epoch::secs_or_null;

/// One channel of a service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Channel {
    #[serde(rename = "channel")]
    pub(crate) name: String,
    /// Why the channel object cannot be read; then there are no entries.
    pub(crate) unreadable: Option<String>,
    /// The current entry, then those before it, newest first.
    pub(crate) entries: Vec<Entry>,
    /// How it differs from the channel whose release is newest; none when it does not.
    pub(crate) lag: Option<Lag>,
}

/// A release that a channel names or named.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) version: String,
    pub(crate) commit: String,
    #[serde(serialize_with = "secs_or_null")]
    pub(crate) promoted_at: Option<Epoch>,
    pub(crate) promoted_by: String,
    /// The version that the channel named until then.
    pub(crate) replaced: Option<String>,
    /// The digest of each archive, by platform, when it was promoted.
    pub(crate) sha256: BTreeMap<String, String>,
}

/// How a channel differs from the one that is ahead of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lag {
    /// The channel whose release is newest.
    pub(crate) behind: String,
    /// The releases that the other is ahead by, newest first; none when both name the same.
    pub(crate) versions: Vec<String>,
    /// Whether there are more releases between them that are not shown.
    pub(crate) more: bool,
    /// How many seconds lie between the two commits; none where one of them is not known.
    pub(crate) secs: Option<u64>,
    /// Platforms whose archives have different digests.
    pub(crate) differ: Vec<String>,
    /// Platforms whose archives are the same.
    pub(crate) same: Vec<String>,
    /// Platforms that only the other has.
    pub(crate) missing: Vec<String>,
    /// Platforms that only this channel has.
    pub(crate) extra: Vec<String>,
}

/// A channel that names a release, or did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Named {
    pub(crate) channel: String,
    /// Whether it names it now.
    pub(crate) current: bool,
    #[serde(serialize_with = "secs_or_null")]
    pub(crate) promoted_at: Option<Epoch>,
    pub(crate) promoted_by: String,
    /// Whether the release still has the archives that were promoted, by their digests.
    pub(crate) as_promoted: bool,
}

impl Channel {
    /// Makes a channel of the result of reading it.
    pub(crate) fn new(name: &str, content: Result<catalog::Channel, String>) -> Self {
        let (entries, unreadable) = match content {
            Ok(channel) => (channel.entries().map(Entry::new).collect(), None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        Self { name: name.to_owned(), unreadable, entries, lag: None }
    }

    /// Returns the current entry, unless the channel is unreadable.
    pub(crate) fn current(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// Returns how this channel names a release, if it does or did. `has` tells whether the release has
    /// an archive for a platform with this digest.
    pub(crate) fn naming(&self, version: &str, has: &dyn Fn(&str, &str) -> bool) -> Option<Named> {
        let at = self.entries.iter().position(|entry| entry.version == version)?;
        let entry = &self.entries[at];
        Some(Named {
            channel: self.name.clone(),
            current: at == 0,
            promoted_at: entry.promoted_at,
            promoted_by: entry.promoted_by.clone(),
            as_promoted: entry.sha256.iter().all(|(platform, sha256)| has(platform, sha256)),
        })
    }
}

impl Entry {
    fn new(entry: &catalog::Entry) -> Self {
        let archives = entry.artifacts.iter();
        let archives = archives.map(|it| (it.platform.clone(), it.sha256.clone()));
        Self {
            version: entry.version.clone(),
            commit: entry.commit.clone(),
            promoted_at: entry.promoted_at(),
            promoted_by: entry.by.clone(),
            replaced: entry.replaced.clone(),
            sha256: archives.collect(),
        }
    }
}
