//! What is shown, as plain data: pages are made from it, and the JSON API is its serialisation. It has
//! one form for everything, for one service, and for one release.

mod channel;
mod epoch;
mod lag;
mod release;

use ftime::Epoch;
use serde::Serialize;

pub(crate) use channel::{Channel, Entry, Lag, Named};
use epoch::secs;
pub(crate) use lag::compare;
pub(crate) use release::{Artifact, Details, Release};

/// What a page shows, as it was at one moment.
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
    /// Sorted by name.
    pub(crate) services: Vec<Service>,
}

/// One service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Service {
    #[serde(rename = "service")]
    pub(crate) name: String,
    /// The channel whose release is newest comes first.
    pub(crate) channels: Vec<Channel>,
    /// The newest commit comes first.
    pub(crate) releases: Vec<Release>,
    /// How many older releases are in the bucket but not shown.
    pub(crate) not_shown: usize,
}

#[cfg(test)]
pub(crate) mod tests;
