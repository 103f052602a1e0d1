//! Sorts listed objects by service and kind.

use std::collections::BTreeMap;

use ftime::Epoch;
use s3::ListedObject;

use crate::ObjectName;

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
    /// Its object key.
    pub object_key: String,
    /// Its length.
    pub size_bytes: u64,
    /// The server's name for its content, opaque.
    pub etag: String,
    /// The time of the upload.
    pub last_modified: Epoch,
}

impl Found {
    fn new(name: &str, object: ListedObject) -> Self {
        let ListedObject { object_key, size_bytes, etag, last_modified } = object;
        Self { name: name.to_owned(), object_key, size_bytes, etag, last_modified }
    }
}

/// Sorts listed objects by service, and by name. What is not ours is left out, and so is what lies beside the folders of
/// services.
pub fn by_service(prefix: &str, listed: Vec<ListedObject>) -> BTreeMap<String, Service> {
    let mut services = BTreeMap::<String, Service>::new();
    for object in listed {
        let key = object.object_key.clone();
        let Some(name) = ObjectName::parse(prefix, &key) else { continue };
        let (ObjectName::Manifest { service, .. }
        | ObjectName::Archive { service, .. }
        | ObjectName::Channel { service, .. }) = name
        else {
            continue;
        };
        let service = services.entry(service.to_owned()).or_default();
        match name {
            ObjectName::Manifest { version, .. } => {
                service.manifests.push(Found::new(version, object));
            }
            ObjectName::Archive { version, .. } => {
                service.archives.push(Found::new(version, object));
            }
            ObjectName::Channel { channel, .. } => {
                service.channels.push(Found::new(channel, object));
            }
            ObjectName::IndexEntry { .. } | ObjectName::Receipt { .. } => {}
        }
    }
    for service in services.values_mut() {
        // The key decides between uploads of one instant, so that the order is always the same.
        service.manifests.sort_by(|a, b| {
            b.last_modified.cmp(&a.last_modified).then_with(|| a.object_key.cmp(&b.object_key))
        });
        service.archives.sort_by(|a, b| a.object_key.cmp(&b.object_key));
        service.channels.sort_by(|a, b| a.name.cmp(&b.name));
    }
    services
}

#[cfg(test)]
mod tests {
    use ftime::Epoch;
    use s3::ListedObject;

    use super::by_service;

    #[test]
    fn objects_are_sorted_by_service_and_manifests_by_upload() {
        let listed = |object_key: &str, secs: i64| ListedObject {
            object_key: object_key.to_owned(),
            size_bytes: 7,
            etag: "e".to_owned(),
            last_modified: Epoch::from_secs(secs),
        };
        let services = by_service(
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
        assert_eq!(services.keys().collect::<Vec<_>>(), ["a", "b"]);
        let keys = |found: &[super::Found]| {
            found.iter().map(|found| found.object_key.clone()).collect::<Vec<_>>()
        };
        let a = &services["a"];
        assert_eq!(keys(&a.manifests), ["a/a_bbbbbb.json", "a/a_aaaaaa.json", "a/a_cccccc.json"]);
        assert_eq!(keys(&a.archives), ["a/a_aaaaaa.tar.gz", "a/a_aaaaaa_linux_arm64.tar.gz"]);
        assert_eq!(keys(&a.channels), ["a/channels/stable.json"]);
        assert!(services["b"].manifests.is_empty(), "an archive alone is no release");
    }
}
