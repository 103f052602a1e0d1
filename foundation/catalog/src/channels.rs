//! Which releases a service's channels name: what must not be removed.

use std::collections::BTreeSet;

use ferror::{Error, Kind, ResultExt as _};
use s3::Client;
use serde::Deserialize;

/// A service has a handful of channels; with more than this, something else lies there.
const MAX_CHANNELS: usize = 1000;
/// A channel keeps 20 entries of some artifacts each.
const MAX_CHANNEL_BYTES: u64 = 1 << 20;
/// How many entries of a channel count: the release it names, and the one that a rollback goes to.
const ENTRIES: usize = 2;

/// What is read of a channel object; the program that writes it reads more.
#[derive(Deserialize)]
struct Channel {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    version: String,
}

/// The versions of `service` that a channel names now, or would after a rollback.
///
/// # Errors
/// What the bucket answers. A channel that cannot be read is [`Kind::Invalid`]: what it names is not
/// known, and so nothing of the service should be removed.
pub fn channel_versions(
    client: &Client,
    prefix: &str,
    service: &str,
) -> ferror::Result<BTreeSet<String>> {
    let folder = format!("{prefix}{service}/channels/");
    let listing = client.list(&folder, MAX_CHANNELS).context("listing the channels")?;
    if listing.truncated {
        let message = format!("{folder} holds more than {MAX_CHANNELS} objects");
        return Err(Error::new(Kind::Invalid, message));
    }
    let mut versions = BTreeSet::new();
    for object in listing.objects {
        let key = object.object_key;
        let name = key.strip_prefix(&folder).and_then(|rest| rest.strip_suffix(".json"));
        if !name.is_some_and(is_channel) {
            continue;
        }
        let Some(object) = client.get(&key, MAX_CHANNEL_BYTES)? else { continue };
        let channel: Channel = serde_json::from_slice(&object.bytes).map_err(|error| {
            Error::invalid(format!("{key} is no channel that can be read")).caused_by(error)
        })?;
        versions.extend(channel.entries.into_iter().take(ENTRIES).map(|entry| entry.version));
    }
    Ok(versions)
}

/// 1 to 63 lower-case letters, digits and hyphens, as `promote` takes them.
fn is_channel(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(fits)
}
