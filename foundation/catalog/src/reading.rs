//! Reads manifest objects and channels from a bucket, leniently, as services do.

use ferror::{Error, Kind, ResultExt as _};
use s3::Client;

use crate::channel::MAX_CHANNEL_BYTES;
use crate::index::{self, MAX_ENTRY_BYTES};
use crate::{
    Artifact, Channel, Found, IndexEntry, MAX_MANIFEST_BYTES, Manifest, by_service, manifest_key,
};

/// A reason why an object cannot be read is cut off here.
const MAX_REASON_CHARS: usize = 200;
/// A service has a handful of channels; with more than this, something else lies there.
const MAX_CHANNELS: usize = 1000;

/// The content of an object when it was read.
#[derive(Debug, Clone)]
pub struct Reading<T = Manifest> {
    /// The entity tag of what was read; empty when it could not be read whole.
    pub etag: String,
    /// The content, or why it is none: a sentence fit to be shown.
    pub content: Result<T, String>,
}

/// Reads the manifest object at `object_key`, which is that of `service` and `version`. `None` when
/// there is none.
///
/// Where it names archives with keys of a template, each object is asked (a HEAD) whether it carries
/// the digest and the version that `upload` stored with it: a key alone proves nothing.
///
/// # Errors
/// What the bucket answers. An object that is no manifest is no error: it is in [`Reading::content`].
pub fn read_manifest(
    client: &Client,
    (service, version): (&str, &str),
    object_key: &str,
) -> ferror::Result<Option<Reading>> {
    let what = || format!("reading the release {service} {version}");
    let read = |bytes: &[u8]| Manifest::read_lenient(bytes, service, version);
    let mut reading =
        read_object(client, object_key, MAX_MANIFEST_BYTES, read).with_context(what)?;
    let name = manifest_key("", service, version);
    if let Some(Reading { content: Ok(manifest), .. }) = &mut reading
        && let Some(prefix) = object_key.strip_suffix(&name)
    {
        for at in manifest.to_be_asked(prefix, service) {
            let artifact = &mut manifest.artifacts[at];
            artifact.recognised = is_what_it_says(client, artifact, version)?;
        }
    }
    Ok(reading)
}

/// Reads a channel that was listed. `None` when it is gone.
///
/// # Errors
/// What the bucket answers. An object that is no channel is no error: it is in [`Reading::content`].
pub fn read_channel(
    client: &Client,
    service: &str,
    found: &Found,
) -> ferror::Result<Option<Reading<Channel>>> {
    let read = |bytes: &[u8]| Channel::read_lenient(bytes, service, &found.name);
    read_object(client, &found.object_key, MAX_CHANNEL_BYTES, read)
        .with_context(|| format!("reading the channel {} of {service}", found.name))
}

/// Reads an entry of the index of binaries that was listed. `None` when it is gone.
///
/// # Errors
/// What the bucket answers. An object that is no entry is no error: it is in [`Reading::content`].
pub fn read_index_entry(
    client: &Client,
    object_key: &str,
) -> ferror::Result<Option<Reading<IndexEntry>>> {
    let (_, digest) = object_key.rsplit_once('/').unwrap_or_default();
    let read = |bytes: &[u8]| index::read(bytes, digest.to_owned()).map_err(Error::invalid);
    read_object(client, object_key, MAX_ENTRY_BYTES, read)
        .with_context(|| format!("reading the index entry {object_key}"))
}

/// Returns all channels of `service` as they are now.
///
/// # Errors
/// What the bucket answers. A channel that cannot be read is [`Kind::Invalid`]: what it names is not
/// known, and so nothing of the service should be removed.
pub fn read_channels(client: &Client, prefix: &str, service: &str) -> ferror::Result<Vec<Channel>> {
    let folder = format!("{prefix}{service}/channels/");
    let listing = client.list(&folder, MAX_CHANNELS).context("listing the channels")?;
    if listing.truncated {
        let message = format!("{folder} holds more than {MAX_CHANNELS} objects");
        return Err(Error::invalid(message));
    }
    let services = by_service(prefix, listing.objects);
    let mut channels = Vec::new();
    for found in services.get(service).into_iter().flat_map(|objects| &objects.channels) {
        let Some(Reading { content, .. }) = read_channel(client, service, found)? else {
            continue;
        };
        channels.push(content.map_err(|reason| {
            Error::invalid(format!("{} is no channel that can be read: {reason}", found.object_key))
        })?);
    }
    Ok(channels)
}

/// Gets an object and reads it with `read`; `None` when there is none.
fn read_object<T>(
    client: &Client,
    object_key: &str,
    max_bytes: u64,
    read: impl FnOnce(&[u8]) -> ferror::Result<T>,
) -> ferror::Result<Option<Reading<T>>> {
    match client.get(object_key, max_bytes) {
        Ok(Some(object)) => {
            // The reason may quote the object, which may be anything.
            let content = read(&object.bytes)
                .map_err(|error| error.to_string().chars().take(MAX_REASON_CHARS).collect());
            Ok(Some(Reading { etag: object.head.etag, content }))
        }
        Ok(None) => Ok(None),
        Err(error) if error.kind() == Kind::Invalid => {
            let reason = format!("larger than {max_bytes} bytes, or cut off");
            Ok(Some(Reading { etag: String::new(), content: Err(reason) }))
        }
        Err(error) => Err(error),
    }
}

/// Returns whether the object at an artifact's key is that artifact, by what `upload` stored with it.
fn is_what_it_says(client: &Client, artifact: &Artifact, version: &str) -> ferror::Result<bool> {
    match client.head(&artifact.object_key) {
        Ok(None) => Ok(false),
        Ok(Some(head)) => {
            let says =
                |name: &str, value: &str| head.metadata.get(name).is_some_and(|v| v == value);
            Ok(head.size_bytes == artifact.size_bytes
                && says("sha256", &artifact.sha256)
                && says("version", version))
        }
        // An object that may not be read is not accepted as an archive, but the rest is still
        // shown.
        Err(error) if matches!(error.kind(), Kind::Denied | Kind::Invalid) => Ok(false),
        Err(error) => Err(error).context(format!("asking for {}", artifact.object_key)),
    }
}
