//! Walks through the bucket once: lists it, reads it, lets the policy decide, then prints or removes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use catalog::{Channel, Entry, Found, Reading, Service};
use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;
use s3::Client;
use service::{Bucket, Stop};
use tracing::{info, warn};

use crate::index_and_receipts::{
    FOLDERS_BESIDE_SERVICES, INDEX_FOLDER, IndexAndReceipts, OfRelease, Releases,
};
use crate::policy::{Policy, Removal, is_of_one_commit, names};

/// The most objects that are judged together: all of the bucket, or else those of each service. When a
/// listing is cut off, an archive may seem to have no manifest object because that was not listed.
pub(crate) const MAX_OBJECTS: usize = 200_000;
/// The most services of a bucket with more objects than that.
const MAX_SERVICES: usize = 10_000;

/// Everything that a walk needs.
#[derive(Clone)]
pub(crate) struct Sweep {
    pub(crate) bucket: Bucket,
    pub(crate) policy: Policy,
    pub(crate) delete: bool,
    /// The most objects that are judged together.
    pub(crate) max_objects: usize,
    pub(crate) stop: Stop,
}

/// Counts what a walk found and did. Each object that goes is a line on stdout besides.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) services: usize,
    pub(crate) kept: usize,
    pub(crate) unreadable: usize,
    /// Releases that were removed, or would be.
    pub(crate) releases: usize,
    /// Archives without a manifest object that were removed, or would be.
    pub(crate) orphans: usize,
    /// Entries of the index of binaries that were removed, or would be.
    pub(crate) entries: usize,
    /// Receipts that were removed, or would be.
    pub(crate) receipts: usize,
    /// What stayed because a channel names it, it changed meanwhile, or, below `keys/` and `verified/`, its removal is
    /// denied.
    pub(crate) skipped: usize,
    /// Services, and folders beside them, with too many objects, of which none was judged.
    pub(crate) too_large: usize,
}

impl Sweep {
    /// Walks through the bucket until it is done or a stop is requested. It blocks. It may be cut off
    /// at any point: a release that is half removed is not visible, and the next walk removes the rest.
    ///
    /// `now` is called after the first request, by which a client learns that this machine's clock is wrong.
    ///
    /// # Errors
    /// What the bucket answers.
    pub(crate) fn run(&self, now: impl Fn(&Client) -> Epoch) -> ferror::Result<Report> {
        let Bucket { client, prefix } = &self.bucket;
        let list =
            |folder: &str| client.list(folder, self.max_objects).context("listing the bucket");
        let mut report = Report::default();
        let listing = list(prefix)?;
        let now = now(client);
        let mut releases = Releases::new();
        if !listing.truncated {
            let of_releases = IndexAndReceipts::read(&self.bucket, &self.stop, &listing.objects)?;
            let Some(of_releases) = of_releases else { return Ok(report) };
            let services = catalog::by_service(prefix, listing.objects);
            let by_channels = self.keys_in_channels(&services)?;
            if self.walk(services, &by_channels, &of_releases, now, &mut releases, &mut report)? {
                self.remove_entries_and_receipts(
                    &of_releases,
                    &releases,
                    &by_channels,
                    &mut report,
                )?;
            }
            return Ok(report);
        }
        let mut listed = Vec::new();
        let mut is_index_cut_off = false;
        for name in FOLDERS_BESIDE_SERVICES {
            let folder = format!("{prefix}{name}");
            let listing = list(&folder)?;
            if listing.truncated {
                is_index_cut_off |= name == INDEX_FOLDER;
                self.leave_folder(&folder, &mut report);
            } else {
                listed.extend(listing.objects);
            }
        }
        let of_releases = IndexAndReceipts::read(&self.bucket, &self.stop, &listed)?;
        let Some(mut of_releases) = of_releases else { return Ok(report) };
        of_releases.is_index_cut_off = is_index_cut_off;
        // A service may have archives in its channels that lie in another one's folder, so all channels
        // are read first.
        let mut folders =
            client.list_folders(prefix, MAX_SERVICES).context("listing the services")?;
        folders.retain(|folder| {
            let name = folder.strip_prefix(prefix.as_str()).and_then(|name| name.strip_suffix('/'));
            name.is_some_and(catalog::is_service)
        });
        let mut by_channels = BTreeSet::new();
        for folder in &folders {
            let channels = list(&format!("{folder}channels/"))?;
            if channels.truncated {
                return Err(Error::invalid(format!("{folder}channels/ holds too many objects")));
            }
            let services = catalog::by_service(prefix, channels.objects);
            by_channels.extend(self.keys_in_channels(&services)?);
        }
        for folder in &folders {
            let listing = list(folder)?;
            if listing.truncated {
                self.leave_folder(folder, &mut report);
                continue;
            }
            let services = catalog::by_service(prefix, listing.objects);
            if !self.walk(services, &by_channels, &of_releases, now, &mut releases, &mut report)? {
                return Ok(report);
            }
        }
        self.remove_entries_and_receipts(&of_releases, &releases, &by_channels, &mut report)?;
        Ok(report)
    }

    /// Says that all objects of a folder stay, because there are too many.
    fn leave_folder(&self, folder: &str, report: &mut Report) {
        let most = self.max_objects;
        warn!(folder, most, "it holds more objects than are judged, so all of them stay");
        report.too_large += 1;
    }

    /// Judges services, removes what goes, and notes which releases stay. Returns whether it got to the end: `false` when
    /// a stop is requested.
    fn walk(
        &self,
        services: BTreeMap<String, Service>,
        by_channels: &BTreeSet<String>,
        of_releases: &IndexAndReceipts,
        now: Epoch,
        releases: &mut Releases,
        report: &mut Report,
    ) -> ferror::Result<bool> {
        let prefix = &self.bucket.prefix;
        for (service, objects) in services {
            let Some(readings) = self.read_manifests(&service, &objects)? else {
                return Ok(false);
            };
            let index = of_releases.index_of(&service);
            let place = (prefix.as_str(), service.as_str());
            let verdict = self.policy.judge(place, &objects, &readings, &index, now);
            for Found { name: version, .. } in &objects.manifests {
                releases.insert((service.clone(), version.clone()), true);
            }
            report.services += 1;
            report.kept += verdict.kept;
            report.unreadable += verdict.unreadable;
            for removal in &verdict.releases {
                if self.remove_release(&service, removal, by_channels)? {
                    releases.insert((service.clone(), removal.manifest.name.clone()), false);
                    report.releases += 1;
                } else {
                    report.skipped += 1;
                }
            }
            for orphan in &verdict.orphans {
                if self.remove_orphan(&service, orphan, by_channels)? {
                    report.orphans += 1;
                } else {
                    report.skipped += 1;
                }
            }
        }
        Ok(true)
    }

    /// Removes the entries of the index and the receipts of releases that are gone, or go in this walk. One that may
    /// not be removed does not keep the others from it: a policy of the bucket may protect these folders.
    fn remove_entries_and_receipts(
        &self,
        of_releases: &IndexAndReceipts,
        releases: &Releases,
        by_channels: &BTreeSet<String>,
        report: &mut Report,
    ) -> ferror::Result<()> {
        report.unreadable += of_releases.unreadable.len();
        for object in &of_releases.objects {
            if self.stop.is_requested() {
                break;
            }
            match self.remove_entry_or_receipt(object, releases, by_channels) {
                Ok(Some(true)) if object.entry.is_some() => report.entries += 1,
                Ok(Some(true)) => report.receipts += 1,
                Ok(Some(false)) => report.skipped += 1,
                Ok(None) => {}
                Err(error) if error.kind() == Kind::Denied => {
                    let object_key = &object.object_key;
                    warn!(object_key, %error, "its release is gone, but it may not be removed, so it stays");
                    report.skipped += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes an entry or a receipt, if its release is gone. Returns whether it did; `None` where its release stays.
    fn remove_entry_or_receipt(
        &self,
        object: &OfRelease,
        releases: &Releases,
        by_channels: &BTreeSet<String>,
    ) -> ferror::Result<Option<bool>> {
        if !object.is_to_be_removed(&self.bucket, releases, self.delete)? {
            return Ok(None);
        }
        let OfRelease { object_key, release: (service, version), entry } = object;
        // The manifest object may be lost: `upload` of the same commit brings that back, and the archives have stayed.
        // The entry is of no use until then, and is written again with it.
        if entry.is_none()
            && self.is_named_by_a_channel((service, version), &[object_key], by_channels)?
        {
            return Ok(Some(false));
        }
        self.remove(object_key)?;
        Ok(Some(true))
    }

    /// Reads a service's manifest objects, by version. `None` when a stop is requested: nothing can be
    /// concluded from half of them.
    fn read_manifests(
        &self,
        service: &str,
        objects: &Service,
    ) -> ferror::Result<Option<BTreeMap<String, Reading>>> {
        let mut readings = BTreeMap::new();
        for Found { name: version, object_key, .. } in &objects.manifests {
            if self.stop.is_requested() {
                return Ok(None);
            }
            let reading = self.read_manifest(service, version, object_key)?;
            if let Some(Reading { content: Err(reason), .. }) = &reading {
                warn!(object_key, reason, "unreadable, so it stays");
            }
            readings.extend(reading.map(|reading| (version.clone(), reading)));
        }
        Ok(Some(readings))
    }

    /// Returns the object keys of the archives that channels name, whichever service they belong to.
    /// A channel that cannot be read adds none here, and keeps its own service from being touched.
    fn keys_in_channels(
        &self,
        services: &BTreeMap<String, Service>,
    ) -> ferror::Result<BTreeSet<String>> {
        let mut keys = BTreeSet::new();
        for (service, objects) in services {
            for found in &objects.channels {
                let reading = catalog::read_channel(&self.bucket.client, service, found)?;
                let Some(Reading { content: Ok(channel), .. }) = reading else { continue };
                let named = channel.kept().flat_map(|entry| &entry.artifacts);
                keys.extend(named.map(|archive| archive.object_key.clone()));
            }
        }
        Ok(keys)
    }

    /// Returns whether a channel names one of `object_keys`, which are of `version`, by its key or by that
    /// version; also where a channel of the service cannot be read, so that it might. The reason is
    /// logged.
    fn is_named_by_a_channel(
        &self,
        (service, version): (&str, &str),
        object_keys: &[&str],
        by_channels: &BTreeSet<String>,
    ) -> ferror::Result<bool> {
        let object_key = object_keys.first().copied().unwrap_or_default();
        // Read for each removal, as late as possible: a promotion may come at any time.
        let Bucket { client, prefix } = &self.bucket;
        let channels = match catalog::read_channels(client, prefix, service) {
            Ok(channels) => channels,
            Err(error) if error.kind() == Kind::Invalid => {
                warn!(object_key, %error, "what the channels name is not known, so it stays");
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let names_it = |entry: &Entry| {
            is_of_one_commit(&entry.version, version)
                || entry.artifacts.iter().any(|named| object_keys.contains(&&*named.object_key))
        };
        let is_named = object_keys.iter().any(|key| by_channels.contains(*key))
            || channels.iter().flat_map(Channel::kept).any(names_it);
        if is_named {
            info!(object_key, "a channel names it, so it stays");
        }
        Ok(is_named)
    }

    /// Removes a release, its manifest object first, so that it is not visible any more when the first
    /// archive goes. Returns whether it did.
    fn remove_release(
        &self,
        service: &str,
        removal: &Removal,
        by_channels: &BTreeSet<String>,
    ) -> ferror::Result<bool> {
        let Removal { manifest: Found { name: version, object_key, .. }, etag, archives } = removal;
        let keys: Vec<_> = [object_key].into_iter().chain(archives).map(String::as_str).collect();
        if self.is_named_by_a_channel((service, version), &keys, by_channels)? {
            return Ok(false);
        }
        if self.delete {
            if self.stop.is_requested() {
                return Ok(false);
            }
            // Someone may have published it anew since it was judged. A moment remains between
            // this look and the removal, which S3 gives no means to close.
            let reading = self.read_manifest(service, version, object_key)?;
            if reading.is_none_or(|reading| reading.etag != *etag) {
                warn!(object_key, "changed since it was judged, so it stays until the next walk");
                return Ok(false);
            }
        }
        for object_key in [object_key].into_iter().chain(archives) {
            self.remove(object_key)?;
        }
        Ok(true)
    }

    /// Removes an archive that no manifest object names. Returns whether it did.
    fn remove_orphan(
        &self,
        service: &str,
        orphan: &Found,
        by_channels: &BTreeSet<String>,
    ) -> ferror::Result<bool> {
        let Found { name: version, object_key, .. } = orphan;
        // Its manifest object may be lost while a channel still names it: `upload` of the same commit
        // brings that back, and nothing would bring back the archive that was promoted.
        if self.is_named_by_a_channel((service, version), &[object_key], by_channels)? {
            return Ok(false);
        }
        if self.delete {
            if self.stop.is_requested() {
                return Ok(false);
            }
            // A publisher finds the archive already there and only adds the manifest object.
            let manifest_key = catalog::manifest_key(&self.bucket.prefix, service, version);
            let reading = self.read_manifest(service, version, &manifest_key)?;
            if reading.is_some_and(|reading| names(Some(&reading), object_key)) {
                warn!(object_key, "published since it was judged, so it stays");
                return Ok(false);
            }
        }
        self.remove(object_key)?;
        Ok(true)
    }

    /// Removes an object if `delete` is set, and prints what it did or would do.
    fn remove(&self, object_key: &str) -> ferror::Result<()> {
        let done = if self.delete {
            self.bucket.client.delete(object_key)?;
            "removed"
        } else {
            "would remove"
        };
        // A closed stdout must not keep the bucket from being cleaned.
        let _ = writeln!(std::io::stdout(), "{done} {object_key}");
        Ok(())
    }

    fn read_manifest(
        &self,
        service: &str,
        version: &str,
        object_key: &str,
    ) -> ferror::Result<Option<Reading>> {
        catalog::read_manifest(&self.bucket.client, (service, version), object_key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog::{Found, Manifest};
    use ftime::Epoch;
    use local_s3::{LocalS3, Options};
    use s3::{Body, Put};
    use service::{Bucket, Stop};

    use super::Sweep;
    use crate::policy::{DAY, Policy, Removal};

    const ARCHIVE: &str = "a/a_abc123.tar.gz";
    const MANIFEST: &str = "a/a_abc123.json";

    /// Returns a walk that removes, on a bucket with a release that was published after it was judged.
    fn published_since(folder: &std::path::Path) -> (LocalS3, Sweep) {
        let buckets = vec!["builds".to_owned()];
        let options = Options { root: folder.to_owned(), buckets, ..Options::default() };
        let server = LocalS3::start(&options).expect("an S3 server on loopback");
        let client = server.client("builds").expect("a client");
        let manifest = serde_json::json!({
            "schema": 1, "version": "abc123", "commit": "", "dirty": false, "committed_at": 0,
            "platforms": [], "artifacts": [{"platform": "linux_amd64", "file": "f", "size_bytes": 7,
                "sha256": "", "object_key": ARCHIVE}],
        });
        let manifest = manifest.to_string().into_bytes();
        Manifest::read_lenient(&manifest, "a", "abc123").expect("it is one");
        for (object_key, bytes) in [(ARCHIVE, b"archive".as_slice()), (MANIFEST, &manifest)] {
            let put = Put::new(Body::Bytes(bytes), "application/octet-stream");
            client.put(object_key, &put).expect("the bucket takes it");
        }
        let bucket = Bucket { client, prefix: String::new() };
        let policy = Policy { keep: 1, young: DAY };
        (server, Sweep { bucket, policy, delete: true, max_objects: 10, stop: Stop::never() })
    }

    fn found(object_key: &str) -> Found {
        Found {
            name: "abc123".to_owned(),
            object_key: object_key.to_owned(),
            size_bytes: 7,
            etag: String::new(),
            last_modified: Epoch::ZERO,
        }
    }

    fn objects(sweep: &Sweep) -> usize {
        sweep.bucket.client.list("", 10).expect("the bucket can be listed").objects.len()
    }

    #[test]
    fn in_a_large_bucket_each_service_is_judged_by_itself() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (_server, mut sweep) = published_since(folder.path());
        let put = |key: &str, text: &str| {
            let put = Put::new(Body::Bytes(text.as_bytes()), "application/octet-stream");
            sweep.bucket.client.put(key, &put).expect("the bucket takes it");
        };
        // Nothing names these two archives, but a channel of another service the second.
        let (orphan, promoted) = ("b/b_000001.tar.gz", "b/b_000002.tar.gz");
        put(orphan, "archive");
        put(promoted, "archive");
        let artifact = serde_json::json!({
            "platform": "linux_amd64", "object_key": promoted, "size_bytes": 7, "sha256": "",
        });
        let entry = serde_json::json!({"version": "abc123", "artifacts": [artifact]});
        let channel = serde_json::json!({"schema": 1, "entries": [entry]});
        put("a/channels/stable.json", &channel.to_string());
        for number in 0..6 {
            put(&format!("large/large_00000{number}.tar.gz"), "archive");
        }
        put("notes/read.me", "no service");
        // Nothing is left of the release that these two belong to.
        let key = catalog::index_key("", &"ab".repeat(32), &"cd".repeat(32));
        let entry = serde_json::json!({
            "schema": 1, "service": "b", "platform": "linux_amd64", "version": "000001",
            "commit": "0".repeat(40), "sha256": "ef".repeat(32),
        });
        put(&key, &entry.to_string());
        put("verified/b/000001", "equal");
        sweep.max_objects = 5;
        let later = Epoch::now().saturating_add(DAY * 30);
        let report = sweep.run(|_| later).unwrap();
        assert_eq!((report.services, report.orphans, report.skipped), (2, 1, 1), "{report:?}");
        assert_eq!((report.too_large, report.kept), (1, 1), "{report:?}");
        assert_eq!((report.entries, report.receipts), (1, 1), "{report:?}");
        let left = sweep.bucket.client.list("b/", 10).unwrap().objects;
        assert_eq!(left.iter().map(|it| &*it.object_key).collect::<Vec<_>>(), [promoted]);
        assert_eq!(sweep.bucket.client.list("large/", 10).unwrap().objects.len(), 6);
        for folder in ["keys/", "verified/"] {
            assert_eq!(sweep.bucket.client.list(folder, 10).unwrap().objects.len(), 0, "{folder}");
        }
    }

    #[test]
    fn with_an_index_too_large_to_be_read_all_releases_with_the_binary_of_a_kept_one_stay() {
        for (most, stays) in [(6, true), (20, false)] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (_server, mut sweep) = published_since(folder.path());
            sweep.max_objects = most;
            let put = |key: &str, text: &str| {
                let put = Put::new(Body::Bytes(text.as_bytes()), "application/octet-stream");
                sweep.bucket.client.put(key, &put).expect("the bucket takes it");
            };
            let [old, new] = ["b/b_000001.json", "b/b_000002.json"];
            for version in ["000001", "000002"] {
                let artifact = serde_json::json!({
                    "platform": "linux_amd64", "file": "f", "size_bytes": 7, "sha256": "",
                    "object_key": format!("b/b_{version}.tar.gz"),
                    "build_key": "ab".repeat(32), "unstamped_sha256": "cd".repeat(32),
                });
                let manifest = serde_json::json!({
                    "schema": 1, "version": version, "commit": "", "dirty": false,
                    "committed_at": 0, "platforms": [], "artifacts": [artifact],
                });
                put(&catalog::manifest_key("", "b", version), &manifest.to_string());
            }
            let path = folder.path().join("builds").join(old);
            let file = std::fs::File::options().write(true).open(path).unwrap();
            let then = std::time::SystemTime::now() - DAY;
            file.set_modified(then).expect("its time can be set");
            for number in 0..7 {
                put(&format!("keys/{number}"), "more than are read");
            }
            let later = Epoch::now().saturating_add(DAY * 30);
            let report = sweep.run(|_| later).unwrap();
            assert_eq!(report.too_large, usize::from(stays), "{report:?}");
            let left = sweep.bucket.client.list("b/", 10).unwrap().objects;
            let left: Vec<_> = left.iter().map(|it| &*it.object_key).collect();
            assert_eq!(left, if stays { vec![old, new] } else { vec![new] });
        }
    }

    #[test]
    fn a_release_that_was_published_anew_stays_and_one_that_was_not_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (_server, sweep) = published_since(folder.path());
        let mut removal = Removal {
            manifest: found(MANIFEST),
            etag: "of what was judged".to_owned(),
            archives: vec![ARCHIVE.to_owned()],
        };
        assert!(
            !sweep.remove_release("a", &removal, &BTreeSet::new()).unwrap(),
            "it is not what was judged any more"
        );
        assert_eq!(objects(&sweep), 2);

        let now = sweep.read_manifest("a", "abc123", MANIFEST).unwrap().expect("it is there");
        removal.etag = now.etag;
        assert!(
            sweep.remove_release("a", &removal, &BTreeSet::new()).unwrap(),
            "it is what was judged"
        );
        assert_eq!(objects(&sweep), 0);
    }

    #[test]
    fn an_archive_that_a_manifest_names_by_now_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (_server, sweep) = published_since(folder.path());
        assert!(
            !sweep.remove_orphan("a", &found(ARCHIVE), &BTreeSet::new()).unwrap(),
            "it is published by now"
        );
        assert_eq!(objects(&sweep), 2);

        sweep.bucket.client.delete(MANIFEST).unwrap();
        assert!(
            sweep.remove_orphan("a", &found(ARCHIVE), &BTreeSet::new()).unwrap(),
            "nothing names it"
        );
        assert_eq!(objects(&sweep), 0);
    }
}
