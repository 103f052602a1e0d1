//! An upload that died is taken up: what the server has is not sent again, and whatever is odd about
//! what was left behind, the object is right in the end.
//!
//! Here a run dies by finding nobody to talk to, for its abort too; `xtask` tests a process that is killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use s3::{Body, Client, Precondition, Put, PutOutcome, Signature, sha256};
use tempfile::TempDir;

use crate::server::{TWICE, client_with};
use crate::store::{Cut, Store};

const PART: usize = 8 * 1024 * 1024;
const PARTS: usize = 4;

/// A store that can be cut off, a file of four parts, and a folder for journals.
struct Case {
    store: Store,
    is_down: Arc<AtomicBool>,
    folder: TempDir,
    bytes: Vec<u8>,
}

impl Case {
    /// Starts a store that receives none of the parts with the numbers `lost`, and no DELETE, until
    /// it is up again.
    fn new(lost: &'static [usize]) -> Self {
        let is_down = Arc::new(AtomicBool::new(true));
        let down = Arc::clone(&is_down);
        let store = Store::start(move |_, line| {
            let is_lost = |number| line.contains(&format!("partNumber={number}&"));
            let is_cut = lost.iter().any(is_lost) || line.starts_with("DELETE");
            (down.load(Ordering::Relaxed) && is_cut).then_some(Cut::Inside)
        });
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<_> = (0..PARTS).map(|part| vec![part as u8; PART]).collect();
        let case = Self { store, is_down, folder, bytes: bytes.concat() };
        fs::write(case.file(), &case.bytes).unwrap();
        case
    }

    /// Returns the same after a first run that died.
    fn died(lost: &'static [usize]) -> Self {
        let case = Self::new(lost);
        case.put(&[]).unwrap_err();
        assert_eq!(case.journals().len(), 1, "the journal stays");
        assert_eq!(case.store.state.lock().unwrap().uploads.len(), 1, "and the upload");
        case.is_down.store(false, Ordering::Relaxed);
        case.store.state.lock().unwrap().lines.clear();
        case
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("artifact")
    }

    fn journal_folder(&self) -> PathBuf {
        self.folder.path().join(".uploads")
    }

    fn journals(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.journal_folder()).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn client(&self) -> Client {
        client_with(&self.store.endpoint, Signature::V4, TWICE)
    }

    fn put(&self, metadata: &[(&str, &str)]) -> ferror::Result<PutOutcome> {
        self.put_to("k", metadata, Some(&self.journal_folder()))
    }

    fn put_to(
        &self,
        key: &str,
        metadata: &[(&str, &str)],
        journals: Option<&Path>,
    ) -> ferror::Result<PutOutcome> {
        let (path, size_bytes) = (&self.file(), self.bytes.len() as u64);
        let put = Put {
            metadata,
            precondition: Precondition::Absent,
            ..Put::new(
                Body::File { path, size_bytes, sha256: sha256(&self.bytes) },
                "application/x-compressed-tar",
            )
        };
        match journals {
            Some(folder) => self.client().put_resumable(key, &put, folder),
            None => self.client().put(key, &put),
        }
    }

    /// Returns the numbers of the parts that the store has of the one upload.
    fn there(&self) -> Vec<usize> {
        let state = self.store.state.lock().unwrap();
        state.uploads.values().flat_map(|parts| parts.keys().copied()).collect()
    }

    /// Returns how often each part was sent since the lines were looked at last.
    fn parts_sent(&self) -> BTreeMap<usize, usize> {
        let mut sent = BTreeMap::new();
        for line in std::mem::take(&mut self.store.state.lock().unwrap().lines) {
            let number = line.split("partNumber=").nth(1).and_then(|it| it.split('&').next());
            if let Some(number) = number {
                *sent.entry(number.parse().unwrap()).or_default() += 1;
            }
        }
        sent
    }

    /// Checks that the object is there, once and whole, and that nothing else is left anywhere.
    fn check_ended(&self, outcome: ferror::Result<PutOutcome>, resumed_parts: usize, what: &str) {
        let PutOutcome::Stored(stored) = outcome.unwrap() else { panic!("{what}: not stored") };
        assert_eq!(stored.resumed_bytes, (resumed_parts * PART) as u64, "{what}");
        assert!(self.store.object("k").unwrap().bytes == self.bytes, "{what}: other bytes");
        let state = self.store.state.lock().unwrap();
        assert_eq!((state.writes, state.uploads.len()), (1, 0), "{what}: {:?}", state.lines);
        drop(state);
        assert!(!self.journal_folder().exists(), "{what}: the journal stays");
    }
}

#[test]
fn only_what_is_missing_is_sent() {
    for lost in [&[4][..], &[1, 3], &[1, 2, 3, 4]] {
        let case = Case::died(lost);
        // One that fails early keeps those after it from being sent at all.
        let there = case.there();
        assert!(lost.iter().all(|number| !there.contains(number)), "{lost:?}: {there:?}");
        let outcome = case.put(&[]);
        let missing = (1..=PARTS).filter(|number| !there.contains(number));
        let expected: BTreeMap<_, _> = missing.map(|number| (number, 1)).collect();
        assert_eq!(case.parts_sent(), expected, "lost: {lost:?}");
        case.check_ended(outcome, there.len(), &format!("{lost:?}"));
        assert_eq!(case.put(&[]).unwrap(), PutOutcome::PreconditionFailed, "there already");
    }
}

#[test]
fn a_run_that_dies_again_loses_nothing() {
    let case = Case::died(&[2, 3, 4]);
    // Nothing more comes through in this one.
    case.is_down.store(true, Ordering::Relaxed);
    case.put(&[]).unwrap_err();
    assert!(!case.parts_sent().contains_key(&1), "the first is not sent again");
    case.is_down.store(false, Ordering::Relaxed);
    let outcome = case.put(&[]);
    assert_eq!(case.parts_sent().into_keys().collect::<Vec<_>>(), [2, 3, 4]);
    case.check_ended(outcome, 1, "the third run");
}

/// What is odd, how that is brought about, and how many parts are known all the same.
type Oddity = (&'static str, fn(&str) -> String, usize);

#[test]
fn what_is_odd_about_a_journal_costs_time_and_nothing_else() {
    let all = BTreeMap::from([(1, 1), (2, 1), (3, 1), (4, 1)]);
    let journal = |case: &Case| fs::read_to_string(&case.journals()[0]).unwrap();
    let write = |case: &Case, text: &str| fs::write(&case.journals()[0], text).unwrap();
    let oddities: [Oddity; 6] = [
        ("empty", |_| String::new(), 0),
        ("torn in its first line", |text| text[..40].to_owned(), 0),
        ("torn in its last line", |text| text[..text.len() - 3].to_owned(), 2),
        ("of another file", |text| text.replace("\"sha256\":\"", "\"sha256\":\"0"), 0),
        ("of another upload", |text| text.replace("upload-1", "upload-9"), 0),
        ("with other ETags", |text| text.replace("part-", "trap-"), 0),
    ];
    for (what, change, there) in oddities {
        let case = Case::died(&[4]);
        let text = journal(&case);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_ne!(change(&text), text, "{what}");
        write(&case, &change(&text));
        let outcome = case.put(&[]);
        let sent = case.parts_sent();
        let expected = all.len() - there;
        assert_eq!(sent.values().sum::<usize>(), expected, "{what}: {sent:?}");
        // An upload that nobody knows the id of any more is found by its object key.
        let ended = case.client().abort_uploads("k", None).unwrap();
        assert!(ended <= 1, "{what}");
        case.check_ended(outcome, there, what);
    }
    // Something else is said of the object, or the file has other bytes and another digest.
    let case = Case::died(&[4]);
    let outcome = case.put(&[("commit", "other")]);
    assert_eq!(case.parts_sent(), all, "other metadata");
    case.check_ended(outcome, 0, "other metadata");
    let mut case = Case::died(&[4]);
    case.bytes[PART] ^= 1;
    fs::write(case.file(), &case.bytes).unwrap();
    let outcome = case.put(&[]);
    assert_eq!(case.parts_sent(), all, "other bytes");
    case.check_ended(outcome, 0, "other bytes");
}

#[test]
fn a_part_that_was_sent_of_other_bytes_is_sent_again() {
    let mut case = Case::new(&[4]);
    // The first run reads a file that is not the one it was told, and dies before it knows.
    let right = case.bytes.clone();
    let mut wrong = right.clone();
    wrong[2 * PART] ^= 1;
    fs::write(case.file(), &wrong).unwrap();
    case.put(&[]).unwrap_err();
    case.is_down.store(false, Ordering::Relaxed);
    fs::write(case.file(), &right).unwrap();
    case.bytes = right;
    case.parts_sent();
    let outcome = case.put(&[]);
    assert_eq!(case.parts_sent(), BTreeMap::from([(3, 1), (4, 1)]));
    case.check_ended(outcome, 2, "a file that was wrong for a while");
}

#[test]
fn a_file_that_changed_is_never_made_an_object() {
    let case = Case::died(&[4]);
    let mut wrong = case.bytes.clone();
    wrong[PART - 1] ^= 1;
    fs::write(case.file(), &wrong).unwrap();
    let error = case.put(&[]).unwrap_err();
    assert!(error.to_string().contains("sha256"), "{error}");
    let state = case.store.state.lock().unwrap();
    assert_eq!((state.writes, state.uploads.len()), (0, 0), "{:?}", state.lines);
    assert!(!case.journal_folder().exists());
}

#[test]
fn an_upload_that_is_gone_is_begun_anew() {
    let case = Case::died(&[4]);
    case.store.state.lock().unwrap().uploads.clear();
    let outcome = case.put(&[]);
    assert_eq!(case.parts_sent().values().sum::<usize>(), PARTS);
    case.check_ended(outcome, 0, "an upload that was aborted");
}

#[test]
fn a_malformed_list_of_parts_is_ignored_and_every_part_is_sent() {
    let part = "<Part><PartNumber>1</PartNumber><Size>8388608</Size><ETag>e</ETag></Part>";
    let again = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>";
    for (odd, requests) in [
        (format!("<ListPartsResult>{part}"), 1),
        ("<html/>".to_owned(), 1),
        (format!("<ListPartsResult>{part}</ListPartsResult>"), 1),
        (format!("<ListPartsResult>{again}{part}</ListPartsResult>"), 2),
        // Another size, and an endless one.
        (format!("<ListPartsResult>{}</ListPartsResult>", part.replace("83", "38")), 1),
        (format!("<ListPartsResult>{}</ListPartsResult>", "<Part/>".repeat(1_300_000)), 1),
    ] {
        let case = Case::died(&[4]);
        let shown = odd[..odd.len().min(200)].to_owned();
        case.store.state.lock().unwrap().odd_list = Some(odd);
        let outcome = case.put(&[]);
        let lines = case.store.state.lock().unwrap().lines.clone();
        let asked = lines.iter().filter(|line| line.starts_with("GET ")).count();
        assert_eq!(asked, requests, "{shown}: {lines:?}");
        assert_eq!(case.parts_sent().values().sum::<usize>(), PARTS, "{shown}");
        case.check_ended(outcome, 0, &shown);
    }
}

#[test]
fn without_a_journal_it_is_as_ever_and_the_leftover_is_ended_by_its_key() {
    let case = Case::died(&[4]);
    fs::remove_dir_all(case.journal_folder()).unwrap();
    // Another object whose key only begins so is not this one's matter.
    let longer = case.put_to("k-longer", &[], None);
    assert!(matches!(longer, Ok(PutOutcome::Stored(_))));
    case.store.state.lock().unwrap().writes = 0;
    let outcome = case.put_to("k", &[], None);
    assert_eq!(case.store.state.lock().unwrap().uploads.len(), 1, "the one that died");
    assert_eq!(case.client().abort_uploads("k-", None).unwrap(), 0);
    assert_eq!(case.client().abort_uploads("k", Some(&case.journal_folder())).unwrap(), 1);
    case.check_ended(outcome, 0, "another machine");
}

#[test]
fn the_upload_of_a_journal_is_ended_where_uploads_cannot_be_listed() {
    let case = Case::died(&[4]);
    case.store.state.lock().unwrap().odd_list = Some("<html/>".to_owned());
    let error = case.client().abort_uploads("k", Some(&case.journal_folder())).unwrap_err();
    assert!(error.to_string().contains("?uploads"), "{error}");
    assert!(!case.journal_folder().exists());
    assert_eq!(case.store.state.lock().unwrap().uploads.len(), 0);
}
