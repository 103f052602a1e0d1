//! Reads what belongs to releases and lies beside the folders of services: entries of the index of binaries, and
//! receipts. Says which of it goes.

use std::collections::BTreeMap;

use catalog::{IndexEntry, ObjectName, Reading};
use ferror::{Kind, ResultExt as _};
use s3::{Client, ListedObject};
use service::{Bucket, Stop};
use tracing::warn;

/// The folder of the index, below the prefix.
pub(crate) const INDEX_FOLDER: &str = "keys/";
/// All folders below the prefix that hold what belongs to releases and are none of a service.
pub(crate) const FOLDERS_BESIDE_SERVICES: [&str; 2] = [INDEX_FOLDER, "verified/"];

/// Whether a release stays, for each one that was listed, by service and version.
pub(crate) type Releases = BTreeMap<(String, String), bool>;

/// What the folders hold.
#[derive(Debug, Default)]
pub(crate) struct IndexAndReceipts {
    pub(crate) objects: Vec<OfRelease>,
    /// The object keys of the entries that cannot be read.
    pub(crate) unreadable: Vec<String>,
    /// Whether the index has more entries than are listed.
    pub(crate) is_index_cut_off: bool,
}

/// What the index says of the binaries of a service.
#[derive(Debug)]
pub(crate) struct Index<'k> {
    /// The version that each entry names, by object key: none where it cannot be read.
    pub(crate) entries: BTreeMap<&'k str, Option<&'k str>>,
    /// Whether it has no entries but these.
    pub(crate) is_whole: bool,
}

/// An object that goes with a release.
#[derive(Debug)]
pub(crate) struct OfRelease {
    pub(crate) object_key: String,
    /// Service and version.
    pub(crate) release: (String, String),
    /// What it says; none for a receipt.
    pub(crate) entry: Option<IndexEntry>,
}

impl IndexAndReceipts {
    /// Reads the entries of a listing, and finds its receipts. `None` when a stop is requested.
    pub(crate) fn read(
        Bucket { client, prefix }: &Bucket,
        stop: &Stop,
        listed: &[ListedObject],
    ) -> ferror::Result<Option<Self>> {
        let mut of_releases = Self::default();
        for ListedObject { object_key, .. } in listed {
            let (release, entry) = match ObjectName::parse(prefix, object_key) {
                Some(ObjectName::Receipt { service, version }) => {
                    ((service.to_owned(), version.to_owned()), None)
                }
                Some(ObjectName::IndexEntry { .. }) => {
                    if stop.is_requested() {
                        return Ok(None);
                    }
                    match read_entry(client, object_key)? {
                        Some(Ok(entry)) => {
                            ((entry.service.clone(), entry.version.clone()), Some(entry))
                        }
                        Some(Err(reason)) => {
                            warn!(object_key, reason, "unreadable, so it stays");
                            of_releases.unreadable.push(object_key.clone());
                            continue;
                        }
                        None => continue,
                    }
                }
                _ => continue,
            };
            of_releases.objects.push(OfRelease { object_key: object_key.clone(), release, entry });
        }
        Ok(Some(of_releases))
    }

    /// Returns the entries that name releases of a service, and those that may do so.
    pub(crate) fn index_of(&self, service: &str) -> Index<'_> {
        let own = self.objects.iter().filter_map(|OfRelease { object_key, entry, .. }| {
            let entry = entry.as_ref().filter(|entry| entry.service == service)?;
            Some((object_key.as_str(), Some(entry.version.as_str())))
        });
        let unreadable = self.unreadable.iter().map(|object_key| (object_key.as_str(), None));
        Index { entries: own.chain(unreadable).collect(), is_whole: !self.is_index_cut_off }
    }
}

impl OfRelease {
    /// Returns whether the release is gone, or goes in this walk. What is about to be removed is looked at once more.
    pub(crate) fn is_to_be_removed(
        &self,
        Bucket { client, prefix }: &Bucket,
        releases: &Releases,
        delete: bool,
    ) -> ferror::Result<bool> {
        let stays = releases.get(&self.release).copied();
        // In a walk that removes nothing, a release that would go is still there.
        if stays == Some(true) || (stays == Some(false) && !delete) {
            return Ok(stays == Some(false));
        }
        // It may have been published since the listing, or again.
        let (service, version) = &self.release;
        let key = catalog::manifest_key(prefix, service, version);
        if client.head(&key).with_context(|| format!("asking for {key}"))?.is_some() {
            return Ok(false);
        }
        if let Some(entry) = self.entry.as_ref().filter(|_| delete) {
            // `upload` replaces an entry whose release is gone.
            let object_key = &self.object_key;
            let now = read_entry(client, object_key)?;
            if now.is_none_or(|now| now.as_ref() != Ok(entry)) {
                warn!(object_key, "changed since it was judged, so it stays until the next walk");
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads an entry, or why it is none; `None` when it is gone. One that may not be read is as one that cannot be.
fn read_entry(
    client: &Client,
    object_key: &str,
) -> ferror::Result<Option<Result<IndexEntry, String>>> {
    match catalog::read_index_entry(client, object_key) {
        Ok(reading) => Ok(reading.map(|Reading { content, .. }| content)),
        Err(error) if error.kind() == Kind::Denied => Ok(Some(Err(error.to_string()))),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use catalog::index_key;
    use local_s3::{LocalS3, Options};
    use s3::{Body, Put};
    use service::{Bucket, Stop};

    use super::{IndexAndReceipts, Releases};

    #[test]
    fn an_entry_that_upload_replaced_stays_and_so_does_that_of_a_release_that_came_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let buckets = vec!["builds".to_owned()];
        let options = Options { root: folder.path().to_owned(), buckets, ..Options::default() };
        let server = LocalS3::start(&options).expect("an S3 server on loopback");
        let client = server.client("builds").expect("a client");
        let bucket = Bucket { client, prefix: String::new() };
        let put = |key: &str, text: &str| {
            let put = Put::new(Body::Bytes(text.as_bytes()), "application/octet-stream");
            bucket.client.put(key, &put).expect("the bucket takes it");
        };
        let digest = "ab".repeat(32);
        let entry = |version: &str| {
            let entry = serde_json::json!({
                "schema": 1, "service": "a", "platform": "linux_amd64", "version": version,
                "commit": format!("{version:0<40}"), "sha256": digest,
            });
            entry.to_string()
        };
        let [replaced, back, gone, stays] = ["1", "2", "3", "4"].map(|digit| {
            let key = index_key("", &digit.repeat(64), &digest);
            put(&key, &entry(&format!("aaaaa{digit}")));
            key
        });
        let listed = bucket.client.list("", 10).unwrap().objects;
        let of_releases =
            IndexAndReceipts::read(&bucket, &Stop::never(), &listed).unwrap().expect("no stop");
        let release = |version: &str| ("a".to_owned(), version.to_owned());
        let releases = Releases::from([
            (release("aaaaa1"), false),
            (release("aaaaa2"), false),
            (release("aaaaa3"), false),
            (release("aaaaa4"), true),
        ]);
        put(&replaced, &entry("bbbbbb"));
        put("a/a_aaaaa2.json", "a release again");
        let goes = |delete| {
            let of = |object: &super::OfRelease| {
                object.is_to_be_removed(&bucket, &releases, delete).unwrap()
            };
            let going = of_releases.objects.iter().filter(|object| of(object));
            going.map(|object| object.object_key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(goes(true), [gone.as_str()]);
        assert_eq!(goes(false), [replaced, back, gone], "and not {stays}");
    }
}
