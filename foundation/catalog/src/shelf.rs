//! A listing of the bucket -> what belongs to which service. Sorting is pure; only
//! [`read_manifest`] talks to the bucket.

use std::collections::BTreeMap;

use ferror::{Kind, ResultExt as _};
use ftime::Epoch;
use s3::{Client, ListedObject};

use crate::name::parse_channel;
use crate::{Artifact, MAX_MANIFEST_BYTES, Manifest, ObjectKind, ObjectName, manifest_key};

/// A reason why an object cannot be read is cut off here.
const MAX_REASON_CHARS: usize = 200;

/// What is in the bucket, by service.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The services by name.
    pub services: BTreeMap<String, Service>,
    /// How many objects were listed that are not ours.
    pub foreign: usize,
}

/// One service's objects.
#[derive(Debug, Default)]
pub struct Service {
    /// The manifest objects, newest upload first. Each is a release.
    pub manifests: Vec<Found>,
    /// The archives, in the order of their keys, whether a manifest object names them or not.
    pub archives: Vec<Found>,
    /// The channels, in the order of their names.
    pub channels: Vec<Found>,
}

/// One object of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The version in its key; of a channel, the channel's name.
    pub name: String,
    /// All of its key.
    pub object_key: String,
    /// Its length.
    pub size_bytes: u64,
    /// The server's name for its content, opaque.
    pub etag: String,
    /// When it was uploaded.
    pub last_modified: Epoch,
}

/// What an object held when it was read.
#[derive(Debug, Clone)]
pub struct Reading<T = Manifest> {
    /// The entity tag of what was read; empty when it could not be read whole.
    pub etag: String,
    /// The content, or why it is none: a sentence fit to be shown.
    pub content: Result<T, String>,
}

impl Found {
    pub(crate) fn new(name: String, object: ListedObject) -> Self {
        let ListedObject { object_key, size_bytes, etag, last_modified } = object;
        Self { name, object_key, size_bytes, etag, last_modified }
    }
}

impl Shelf {
    /// Sorts listed objects. What is not ours is counted and otherwise ignored.
    pub fn sort(prefix: &str, listed: Vec<ListedObject>) -> Self {
        let mut shelf = Self::default();
        for object in listed {
            let key = object.object_key.clone();
            let ours = ObjectName::parse(prefix, &key)
                .map(|name| (name.service, name.version, Some(name.kind)))
                .or_else(|| {
                    parse_channel(prefix, &key).map(|(service, name)| (service, name, None))
                });
            let Some((service, name, kind)) = ours else {
                shelf.foreign += 1;
                continue;
            };
            let service = shelf.services.entry(service.to_owned()).or_default();
            let objects = match kind {
                Some(ObjectKind::Manifest) => &mut service.manifests,
                Some(ObjectKind::Archive { .. }) => &mut service.archives,
                None => &mut service.channels,
            };
            objects.push(Found::new(name.to_owned(), object));
        }
        for service in shelf.services.values_mut() {
            // The key decides between uploads of one instant, so that the order is always the same.
            service.manifests.sort_by(|a, b| {
                b.last_modified.cmp(&a.last_modified).then_with(|| a.object_key.cmp(&b.object_key))
            });
            service.archives.sort_by(|a, b| a.object_key.cmp(&b.object_key));
            service.channels.sort_by(|a, b| a.name.cmp(&b.name));
        }
        shelf
    }
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
    let read = |bytes: &[u8]| Manifest::read(bytes, service, version);
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

/// GETs an object and has it `read`; `None` when there is none.
pub(crate) fn read_object<T>(
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

/// Whether the object at an artifact's key is that artifact, by what `upload` stored with it.
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
        // What may not be looked at is not believed; that is no reason to show nothing at all.
        Err(error) if matches!(error.kind(), Kind::Denied | Kind::Invalid) => Ok(false),
        Err(error) => Err(error).context(format!("asking for {}", artifact.object_key)),
    }
}

#[cfg(test)]
mod tests {
    use ftime::Epoch;
    use s3::ListedObject;

    use super::Shelf;

    #[test]
    fn objects_are_sorted_by_service_and_manifests_by_upload() {
        let listed = |object_key: &str, secs: i64| ListedObject {
            object_key: object_key.to_owned(),
            size_bytes: 7,
            etag: "e".to_owned(),
            last_modified: Epoch::from_secs(secs),
        };
        let shelf = Shelf::sort(
            "",
            vec![
                listed("a/a_aaaaaa.json", 5),
                listed("a/a_bbbbbb.json", 9),
                listed("a/a_cccccc.json", 5),
                listed("a/a_aaaaaa_linux_arm64.tar.gz", 4),
                listed("a/a_aaaaaa.tar.gz", 4),
                listed("a/channels/stable.json", 4),
                listed("b/b_aaaaaa.tar.gz", 1),
                listed("notes.txt", 1),
            ],
        );
        assert_eq!(shelf.foreign, 1);
        assert_eq!(shelf.services.keys().collect::<Vec<_>>(), ["a", "b"]);
        let keys = |found: &[super::Found]| {
            found.iter().map(|found| found.object_key.clone()).collect::<Vec<_>>()
        };
        let a = &shelf.services["a"];
        assert_eq!(keys(&a.manifests), ["a/a_bbbbbb.json", "a/a_aaaaaa.json", "a/a_cccccc.json"]);
        assert_eq!(keys(&a.archives), ["a/a_aaaaaa.tar.gz", "a/a_aaaaaa_linux_arm64.tar.gz"]);
        assert_eq!(keys(&a.channels), ["a/channels/stable.json"]);
        assert!(shelf.services["b"].manifests.is_empty(), "an archive alone is no release");
    }
}
