//! Decides over plain data what may be removed. It touches nothing, so each rule is one row of a table in
//! its test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::{Found, Manifest, Reading, Service};
use ftime::Epoch;

use crate::index_and_receipts::Index;

pub(crate) const DAY: Duration = Duration::from_hours(24);

/// What is kept. A release goes only when neither rule keeps it, and no release that one keeps needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How many of the newest releases of each service are kept.
    pub(crate) keep: usize,
    /// Everything that was uploaded within this time is kept.
    pub(crate) young: Duration,
}

/// What the policy does not keep of one service.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) releases: Vec<Removal>,
    /// Archives that no manifest object names, left by an upload or a removal that was cut short.
    pub(crate) orphans: Vec<Found>,
    /// How many releases stay.
    pub(crate) kept: usize,
    /// How many stay because their manifest object cannot be read.
    pub(crate) unreadable: usize,
}

/// A release that goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    pub(crate) manifest: Found,
    /// The entity tag of the manifest object that was judged.
    pub(crate) etag: String,
    /// Object keys of its archives.
    pub(crate) archives: Vec<String>,
}

impl Policy {
    /// Returns `young` in whole days.
    pub(crate) fn days(self) -> u64 {
        self.young.as_secs() / DAY.as_secs()
    }

    /// Judges the objects of one service. `readings` has what its manifest objects held, by version.
    ///
    /// A manifest object that cannot be read (by this program: perhaps a newer one wrote it) stays,
    /// and so do the archives of its version. It does not count as one of the newest either, so
    /// that unreadable ones never push out those that can be deployed.
    pub(crate) fn judge(
        self,
        (prefix, service): (&str, &str),
        objects: &Service,
        readings: &BTreeMap<String, Reading>,
        index: &Index<'_>,
        now: Epoch,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let mut in_use = BTreeSet::new();
        let mut may_be_in_use = BTreeSet::new();
        let mut newer = 0;
        for found in &objects.manifests {
            let readable = readings.get(&found.name).and_then(|reading| {
                reading.content.as_ref().ok().map(|manifest| (manifest, &reading.etag))
            });
            let Some((manifest, etag)) = readable else {
                verdict.unreadable += 1;
                continue;
            };
            let among_the_newest = newer < self.keep;
            newer += 1;
            if among_the_newest || self.is_young(found, now) {
                verdict.kept += 1;
                for entry_key in entry_keys(prefix, manifest) {
                    match index.entries.get(&*entry_key) {
                        Some(Some(version)) => _ = in_use.insert(*version),
                        None if index.is_whole => {}
                        Some(None) | None => _ = may_be_in_use.insert(entry_key),
                    }
                }
                continue;
            }
            let archives = manifest.artifacts.iter();
            let own = archives.filter(|artifact| manifest.owns(prefix, service, artifact));
            verdict.releases.push(Removal {
                manifest: found.clone(),
                etag: etag.clone(),
                archives: own.map(|artifact| artifact.object_key.clone()).collect(),
            });
        }
        // Builds of the same inputs take the binary from the release that the index names for them. Where that is not
        // known, it may be any release with the binary.
        let judged = verdict.releases.len();
        verdict.releases.retain(|Removal { manifest: Found { name: version, .. }, .. }| {
            let manifest = readings.get(version).and_then(|reading| reading.content.as_ref().ok());
            let mut keys = manifest.into_iter().flat_map(|manifest| entry_keys(prefix, manifest));
            !in_use.contains(&**version) && !keys.any(|key| may_be_in_use.contains(&key))
        });
        verdict.kept += judged - verdict.releases.len();
        let goes: BTreeSet<_> =
            verdict.releases.iter().map(|removal| removal.manifest.name.clone()).collect();
        let stay = readings.iter().filter(|(version, _)| !goes.contains(*version));
        let needed: BTreeSet<_> = stay.flat_map(|(_, reading)| archives(reading)).collect();
        // Versions of one commit may share an archive that a key template named by the commit.
        for Removal { manifest, archives, .. } in &mut verdict.releases {
            if may_be_named_by_unreadable(&manifest.name, objects, readings) {
                archives.clear();
            }
            archives.retain(|key| !needed.contains(key.as_str()));
        }
        // By any of them: a key template may have put something else where the version stands.
        let named: BTreeSet<_> = readings.values().flat_map(archives).collect();
        let is_orphan = |archive: &&Found| {
            !self.is_young(archive, now)
                && !named.contains(archive.object_key.as_str())
                && !may_be_named_by_unreadable(&archive.name, objects, readings)
        };
        verdict.orphans = objects.archives.iter().filter(is_orphan).cloned().collect();
        verdict
    }

    /// Decides by the time of the upload and not of the commit, since what matters is how long
    /// people could deploy it: a commit of last year that was built an hour ago is about to be
    /// deployed. An upload in the future (a clock is wrong) counts as young.
    fn is_young(self, found: &Found, now: Epoch) -> bool {
        now.since(found.last_modified).is_none_or(|age| age < self.young)
    }
}

/// Returns the object keys of the entries that the index may have for the binaries of a release.
fn entry_keys(prefix: &str, manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.artifacts.iter().filter_map(move |artifact| {
        let build_key = artifact.build_key.as_ref()?;
        Some(catalog::index_key(prefix, build_key, &artifact.unstamped_sha256))
    })
}

/// Returns the object keys of the archives that a manifest object names.
fn archives(reading: &Reading) -> impl Iterator<Item = &str> {
    let artifacts = reading.content.iter().flat_map(|manifest| &manifest.artifacts);
    artifacts.map(|artifact| artifact.object_key.as_str())
}

/// Returns whether an unreadable manifest object may name archives of `version`.
fn may_be_named_by_unreadable(
    version: &str,
    objects: &Service,
    readings: &BTreeMap<String, Reading>,
) -> bool {
    objects.manifests.iter().any(|found| {
        is_of_one_commit(&found.name, version) && !is_readable(readings.get(&found.name))
    })
}

fn is_readable(reading: Option<&Reading>) -> bool {
    reading.is_some_and(|reading| reading.content.is_ok())
}

/// Returns whether two versions may be of one commit: a template may use more digits of it.
pub(crate) fn is_of_one_commit(a: &str, b: &str) -> bool {
    let digits = |version: &'_ str| version.split("-dirty.").next().unwrap_or_default().len();
    let length = digits(a).min(digits(b));
    a.as_bytes()[..length] == b.as_bytes()[..length]
}

/// Returns whether a manifest object names this archive; one that cannot be read may name any.
pub(crate) fn names(reading: Option<&Reading>, object_key: &str) -> bool {
    match reading.map(|reading| &reading.content) {
        Some(Ok(manifest)) => {
            manifest.artifacts.iter().any(|artifact| artifact.object_key == object_key)
        }
        Some(Err(_)) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog::{Manifest, Reading, Service};
    use ftime::Epoch;
    use s3::ListedObject;

    use super::{DAY, Policy, Verdict};
    use crate::index_and_receipts::Index;

    const NOW: Epoch = Epoch::from_secs(1_400_000_000);

    /// Returns an object of the service `a`, by the end of its key and its age in days.
    fn listed((end, days): &(&str, i64)) -> ListedObject {
        ListedObject {
            object_key: format!("a/a_{end}"),
            size_bytes: 7,
            etag: "listed".to_owned(),
            last_modified: Epoch::from_secs(NOW.secs() - days * 86400),
        }
    }

    /// Returns a manifest object that names these archives, by the ends of their keys.
    fn reading(version: &str, archives: &[&str]) -> Reading {
        let artifacts = archives.iter().map(|end| {
            let platform = end
                .split_once('_')
                .map_or("linux_amd64", |(_, rest)| rest.trim_end_matches(".tar.gz"));
            let object_key = format!("a/a_{end}");
            serde_json::json!({"platform": platform, "file": "f", "size_bytes": 1, "sha256": "",
                "object_key": object_key})
        });
        let json = serde_json::json!({
            "schema": 1, "version": version, "commit": "", "dirty": false, "committed_at": 0,
            "platforms": [], "artifacts": artifacts.collect::<Vec<_>>(),
        });
        let content = Manifest::read_lenient(json.to_string().as_bytes(), "a", version);
        Reading { etag: "read".to_owned(), content: Ok(content.expect("an example")) }
    }

    fn judge(
        keep: usize,
        days: u32,
        objects: &[(&str, i64)],
        readings: &[(&str, Reading)],
    ) -> Verdict {
        let mut services = catalog::by_service("", objects.iter().map(listed).collect());
        let service: Service = services.remove("a").expect("there are objects of a");
        let readings: BTreeMap<_, _> = readings
            .iter()
            .map(|(version, reading)| ((*version).to_owned(), reading.clone()))
            .collect();
        let index = Index { entries: BTreeMap::new(), is_whole: true };
        Policy { keep, young: DAY * days }.judge(("", "a"), &service, &readings, &index, NOW)
    }

    #[test]
    fn a_release_goes_when_it_is_neither_among_the_newest_nor_young() {
        // Four releases, uploaded 1, 10, 20 and 30 days ago.
        let objects =
            [("aaaaaa.json", 20), ("bbbbbb.json", 1), ("cccccc.json", 30), ("dddddd.json", 10)];
        let readings = ["aaaaaa", "bbbbbb", "cccccc", "dddddd"]
            .map(|version| (version, reading(version, &[])));
        let check = |keep: usize, days: u32, expected: &[&str]| {
            let verdict = judge(keep, days, &objects, &readings);
            let gone: Vec<_> = verdict.releases.iter().map(|r| r.manifest.name.as_str()).collect();
            assert_eq!(gone, expected, "keep {keep}, days {days}");
            assert_eq!(verdict.kept, objects.len() - expected.len());
        };
        check(1, 1, &["dddddd", "aaaaaa", "cccccc"]);
        check(2, 1, &["aaaaaa", "cccccc"]);
        check(1, 15, &["aaaaaa", "cccccc"]);
        check(1, 20, &["aaaaaa", "cccccc"]);
        check(1, 21, &["cccccc"]);
        check(3, 5, &["cccccc"]);
        check(4, 1, &[]);
        check(99, 1, &[]);
        check(1, 31, &[]);
    }

    #[test]
    fn a_release_stays_that_the_index_names_for_a_binary_of_one_that_is_kept() {
        let objects = ["aaaaaa.json", "bbbbbb.json", "cccccc.json", "dddddd.json"];
        let objects: Vec<_> =
            (1..).zip(objects).map(|(nth, end)| listed(&(end, nth * 10))).collect();
        let service = catalog::by_service("", objects).remove("a").expect("there are objects of a");
        // The last three have one program; it is that of the first as well, or is not.
        let readings = |first: &str| {
            let of = |version: &str, program: &str| {
                let mut reading = reading(version, &[&format!("{version}.tar.gz")]);
                let artifact = &mut reading.content.as_mut().expect("an example").artifacts[0];
                artifact.build_key = Some("key".to_owned());
                program.clone_into(&mut artifact.unstamped_sha256);
                (version.to_owned(), reading)
            };
            let same = ["bbbbbb", "cccccc", "dddddd"].map(|version| of(version, "same"));
            [of("aaaaaa", first)].into_iter().chain(same).collect::<BTreeMap<_, _>>()
        };
        let check_index = |first: &str,
                           entry: (&str, Option<&str>),
                           is_whole,
                           expected: &[&str]| {
            let (entry, version) = entry;
            let index = Index { entries: BTreeMap::from([(entry, version)]), is_whole };
            let policy = Policy { keep: 1, young: DAY };
            let verdict = policy.judge(("", "a"), &service, &readings(first), &index, NOW);
            let goes: Vec<_> =
                verdict.releases.iter().map(|it| it.manifest.name.as_str()).collect();
            assert_eq!((goes.as_slice(), verdict.kept), (expected, 4 - expected.len()), "{entry}");
        };
        let check = |first: &str, entry: &str, expected: &[&str]| {
            check_index(first, (entry, Some("cccccc")), true, expected);
        };
        check("same", "keys/key/same", &["bbbbbb", "dddddd"]);
        check("same", "keys/other/same", &["bbbbbb", "cccccc", "dddddd"]);
        check("same", "keys/key/other", &["bbbbbb", "cccccc", "dddddd"]);
        check("other", "keys/key/same", &["bbbbbb", "cccccc", "dddddd"]);
        // Which version the entry names is not known, or whether there is one.
        check_index("same", ("keys/key/same", None), true, &[]);
        check_index("same", ("keys/other/same", None), true, &["bbbbbb", "cccccc", "dddddd"]);
        check_index("other", ("keys/key/same", None), true, &["bbbbbb", "cccccc", "dddddd"]);
        check_index("same", ("keys/other/same", Some("cccccc")), false, &[]);
        check_index("same", ("keys/key/same", Some("cccccc")), false, &["bbbbbb", "dddddd"]);
        check_index("other", ("keys/other/same", None), false, &["bbbbbb", "cccccc", "dddddd"]);
    }

    #[test]
    fn an_upload_in_the_future_is_young() {
        let objects = [("aaaaaa.json", -400), ("bbbbbb.json", -500)];
        let readings = ["aaaaaa", "bbbbbb"].map(|version| (version, reading(version, &[])));
        assert_eq!(judge(1, 1, &objects, &readings).releases, []);
    }

    #[test]
    fn a_release_takes_only_its_own_archives_with_it() {
        let objects = [("aaaaaa.json", 50), ("bbbbbb.json", 1)];
        let archives = [
            "aaaaaa.tar.gz",
            "aaaaaa_linux_arm64.tar.gz",
            // A manifest object must not be trusted with these: another release's archive, an
            // object of another kind.
            "bbbbbb.tar.gz",
            "aaaaaa.json",
            "/../../b/b_aaaaaa.tar.gz",
        ];
        let readings =
            [("aaaaaa", reading("aaaaaa", &archives)), ("bbbbbb", reading("bbbbbb", &[]))];
        let verdict = judge(1, 30, &objects, &readings);
        assert_eq!(verdict.releases.len(), 1);
        assert_eq!(verdict.releases[0].etag, "read");
        assert_eq!(
            verdict.releases[0].archives,
            ["a/a_aaaaaa.tar.gz", "a/a_aaaaaa_linux_arm64.tar.gz"],
        );
    }

    #[test]
    fn an_archive_that_a_release_names_which_stays_is_not_removed_with_another() {
        let objects = [("aaaaaa.json", 50), ("aaaaaa77.json", 1)];
        let [first, second] = ["aaaaaa.tar.gz", "aaaaaa_linux_arm64.tar.gz"];
        let old = ("aaaaaa", reading("aaaaaa", &[first, second]));
        let goes = |young: Reading| {
            let verdict = judge(1, 30, &objects, &[old.clone(), ("aaaaaa77", young)]);
            verdict.releases.into_iter().flat_map(|removal| removal.archives).collect::<Vec<_>>()
        };
        let [shared, own] = [first, second].map(|end| format!("a/a_{end}"));
        assert_eq!(goes(reading("aaaaaa77", &[])), [shared.as_str(), &own]);
        assert_eq!(goes(reading("aaaaaa77", &[first])), [own]);
        // What it names is not known, and it takes no place among those that are kept.
        let broken = Reading { etag: "read".to_owned(), content: Err("schema 2".to_owned()) };
        let readings = [old, ("aaaaaa77", broken), ("bbbbbb", reading("bbbbbb", &[]))];
        let objects = [&objects[..], &[("bbbbbb.json", 1)]].concat();
        let verdict = judge(1, 30, &objects, &readings);
        let removal = &verdict.releases[0];
        assert_eq!((&*removal.manifest.name, &removal.archives), ("aaaaaa", &vec![]));
    }

    #[test]
    fn what_cannot_be_read_stays_with_its_archives_and_takes_no_place() {
        let broken = Reading { etag: "read".to_owned(), content: Err("schema 2".to_owned()) };
        let objects = [
            ("aaaaaa.json", 40),
            ("bbbbbb.json", 50),
            ("bbbbbb.tar.gz", 50),
            ("cccccc.json", 60),
            ("dddddd.json", 70),
        ];
        // `dddddd` was gone when it was to be read: nothing is known of it either.
        let readings = [
            ("aaaaaa", reading("aaaaaa", &[])),
            ("bbbbbb", broken),
            ("cccccc", reading("cccccc", &[])),
        ];
        let verdict = judge(2, 30, &objects, &readings);
        assert_eq!((verdict.releases, verdict.orphans), (vec![], vec![]));
        assert_eq!((verdict.kept, verdict.unreadable), (2, 2));
    }

    #[test]
    fn an_archive_that_no_manifest_names_goes_when_it_is_old() {
        let objects = [
            ("aaaaaa.tar.gz", 31),
            ("bbbbbb.tar.gz", 29),
            ("cccccc.json", 1),
            ("cccccc.tar.gz", 90),
            ("cccccc_linux_arm64.tar.gz", 90),
        ];
        let readings = [("cccccc", reading("cccccc", &["cccccc.tar.gz"]))];
        let orphans = judge(1, 30, &objects, &readings).orphans;
        let keys: Vec<_> = orphans.iter().map(|found| found.object_key.as_str()).collect();
        assert_eq!(keys, ["a/a_aaaaaa.tar.gz", "a/a_cccccc_linux_arm64.tar.gz"]);
    }

    #[test]
    fn an_archive_is_named_by_its_key_whatever_that_calls_the_version() {
        let long = "aaaaaa4567aaaaaa4567aaaaaa4567aaaaaa4567";
        let archive = format!("{long}_linux_arm64.tar.gz");
        let check = |manifest: Reading, expected: &[&str]| {
            let objects = [("aaaaaa.json", 1), (archive.as_str(), 90), ("bbbbbb.tar.gz", 90)];
            let orphans = judge(1, 30, &objects, &[("aaaaaa", manifest)]).orphans;
            let keys: Vec<_> = orphans.iter().map(|found| found.object_key.as_str()).collect();
            assert_eq!(keys, expected);
        };
        let other = "a/a_bbbbbb.tar.gz";
        check(reading("aaaaaa", &[&archive]), &[&format!("a/a_{archive}"), other][1..]);
        check(reading("aaaaaa", &[]), &[&format!("a/a_{archive}"), other]);
        let broken = Reading { etag: "read".to_owned(), content: Err("schema 2".to_owned()) };
        check(broken, &[other]);
    }
}
