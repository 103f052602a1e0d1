//! Kills `dist` before each file that it writes, and `upload` in the middle of a large file. What
//! is there is whole, the next run finishes it, sends only what is missing, and leaves nothing
//! behind.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use serde_json::{Value, json};

use crate::support::bucket::Bucket;
use crate::support::front::{Front, Seen, Verdict, wait_until};
use crate::support::{Repo, check_sums, run};

const PART: usize = 8 * 1024 * 1024;
const KEY: &str = "big/big_aaaaaa.tar.gz";

/// Makes a snapshot with one artifact of so many parts, as `dist` in another job would have made
/// it.
pub(crate) fn snapshot(parts: usize) -> (Repo, Vec<u8>) {
    let repo = Repo::empty();
    let bytes = (0..parts).map(|part| vec![part as u8; PART]).collect::<Vec<_>>().concat();
    let sha256 = xtask::system::files::sha256(&bytes);
    let artifact = json!({
        "service": "big", "platform": "linux_amd64", "triple": "x86_64-unknown-linux-gnu",
        "file": "big_linux_amd64.tar.gz", "size_bytes": bytes.len(), "sha256": sha256,
        "binary_sha256": sha256, "unstamped_sha256": sha256, "object_key": KEY, "rustc": "none",
    });
    let manifest = json!({
        "schema": 1, "version": "aaaaaa", "commit": "a".repeat(40), "dirty": false,
        "committed_at": 1_700_000_000, "branch": null, "platforms": ["linux_amd64"],
        "artifacts": [artifact],
    });
    repo.write("pkg/snapshot/manifest.json", &manifest.to_string());
    fs::write(repo.path().join("pkg/snapshot/big_linux_amd64.tar.gz"), &bytes).unwrap();
    (repo, bytes)
}

/// A bucket behind a server that stops answering, and a run that was killed when it had.
struct Killed {
    repo: Repo,
    bucket: Bucket,
    front: Front,
    bytes: Vec<u8>,
    /// The number of parts that may still reach the bucket.
    parts_let: Arc<AtomicUsize>,
    /// Whether requests that list uploads or their parts are refused, as by a narrow policy.
    is_narrow: Arc<AtomicBool>,
    /// The number of requests when it was killed.
    asked: usize,
}

impl Killed {
    /// Kills an upload of `parts` parts after `most` of them were confirmed, while others are under
    /// way.
    fn after(most: usize, parts: usize) -> Self {
        let (repo, bytes) = snapshot(parts);
        let bucket = Bucket::new();
        let (parts_let, is_narrow) = (Arc::new(AtomicUsize::new(most)), Arc::default());
        let (left, narrow) = (Arc::clone(&parts_let), Arc::<AtomicBool>::clone(&is_narrow));
        let front = Front::start(&bucket.endpoint(), move |line| {
            let lists = line.contains("uploads=") || line.contains("uploadId=");
            if lists && line.starts_with("GET ") && narrow.load(Relaxed) {
                return Verdict::Refuse(403, "AccessDenied");
            }
            let is_let = part_number(line).is_none()
                || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
            if is_let { Verdict::Pass } else { Verdict::Hold }
        });
        let mut killed = Self { repo, bucket, front, bytes, parts_let, is_narrow, asked: 0 };
        let mut child =
            killed.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("parts that are confirmed, and one that is not", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            let is_held = |seen: &Seen| seen.verdict == Verdict::Hold;
            killed.journal().lines().count() == 1 + most && killed.front.seen().iter().any(is_held)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((killed.bucket.keys().len(), killed.bucket.unfinished()), (0, 1));
        killed.parts_let.store(usize::MAX, Relaxed);
        killed.asked = killed.front.seen().len();
        killed
    }

    fn command(&self) -> Command {
        let arguments = ["upload", "--json", "--endpoint", &self.front.endpoint];
        let mut command = self.repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        self.bucket.name_in(&mut command);
        command
    }

    /// Runs the upload again, and returns the receipt of the artifact.
    fn upload(&self) -> Value {
        let run = run(&mut self.command(), "upload --json").exits(0);
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let mut objects = document["objects"].as_array().unwrap().iter();
        objects.find(|object| object["object_key"] == KEY).unwrap().clone()
    }

    fn journal_folder(&self) -> PathBuf {
        self.repo.path().join("pkg/snapshot/.uploads")
    }

    /// Returns the text of the only journal; empty if there is none.
    fn journal(&self) -> String {
        let mut entries = fs::read_dir(self.journal_folder()).into_iter().flatten();
        let path = entries.next().map(|entry| entry.unwrap().path());
        path.map_or(String::new(), |path| fs::read_to_string(path).unwrap())
    }

    /// Returns the numbers of the parts whose requests got this verdict, from the request `from`
    /// on.
    fn parts(&self, verdict: Verdict, from: usize) -> Vec<usize> {
        let seen = self.front.seen();
        let of_verdict = seen[from..].iter().filter(|seen| seen.verdict == verdict);
        let mut numbers: Vec<_> = of_verdict.filter_map(|seen| part_number(&seen.line)).collect();
        numbers.sort_unstable();
        numbers
    }

    fn check_published(&self) {
        let object = fs::read(self.bucket.object(KEY)).unwrap();
        assert!(object == self.bytes, "the object has other bytes");
        assert_eq!(self.bucket.manifest_objects().len(), 1);
    }
}

fn part_number(line: &str) -> Option<usize> {
    line.strip_prefix("PUT ")?.split("partNumber=").nth(1)?.split('&').next()?.parse().ok()
}

#[test]
fn the_next_run_sends_only_what_is_missing() {
    let killed = Killed::after(3, 8);
    let confirmed = killed.parts(Verdict::Pass, 0);
    let under_way = killed.parts(Verdict::Hold, 0);
    assert_eq!(confirmed.len(), 3);
    let journal = killed.journal();
    for secret in [killed.bucket.secret().as_str(), "AWS4-HMAC", "Signature"] {
        assert!(!journal.contains(secret), "the journal holds {secret}");
    }

    let receipt = killed.upload();
    assert_eq!(receipt["outcome"], "stored", "{receipt}");
    assert_eq!(receipt["resumed_bytes"], 3 * PART, "{receipt}");
    let sent_again = killed.parts(Verdict::Pass, killed.asked);
    let missing: Vec<_> = (1..=8).filter(|number| !confirmed.contains(number)).collect();
    assert_eq!(sent_again, missing, "confirmed: {confirmed:?}, under way: {under_way:?}");
    // Each part was sent once in all, apart from those that were under way.
    assert_eq!(killed.parts(Verdict::Pass, 0), (1..=8).collect::<Vec<_>>());
    killed.check_published();
    assert_eq!(killed.bucket.unfinished(), 0, "an upload is left behind");
    assert!(!killed.journal_folder().exists(), "the journal is left behind");

    let asked = killed.front.seen().len();
    assert_eq!(killed.upload()["outcome"], "already_there");
    assert!(killed.parts(Verdict::Pass, asked).is_empty());
}

#[test]
fn a_run_elsewhere_aborts_an_upload_that_was_left_where_the_policy_allows_it() {
    let killed = Killed::after(1, 3);
    // The journal is gone, as on another machine, and the policy does not let the run list uploads.
    fs::remove_dir_all(killed.journal_folder()).unwrap();
    killed.is_narrow.store(true, Relaxed);
    let receipt = killed.upload();
    assert_eq!((&receipt["outcome"], &receipt["resumed_bytes"]), (&json!("stored"), &json!(0)));
    assert_eq!(killed.parts(Verdict::Pass, killed.asked), [1, 2, 3]);
    killed.check_published();
    assert_eq!(killed.bucket.unfinished(), 1, "it could not be found");
    // A run that may list uploads aborts it, though nothing is left to be sent.
    killed.is_narrow.store(false, Relaxed);
    assert_eq!(killed.upload()["outcome"], "already_there");
    assert_eq!(killed.bucket.unfinished(), 0);
    killed.check_published();
}

#[test]
fn without_permission_to_list_parts_all_are_sent_and_none_is_left() {
    let killed = Killed::after(2, 3);
    killed.is_narrow.store(true, Relaxed);
    let receipt = killed.upload();
    assert_eq!((&receipt["outcome"], &receipt["resumed_bytes"]), (&json!("stored"), &json!(0)));
    assert_eq!(killed.parts(Verdict::Pass, killed.asked), [1, 2, 3]);
    killed.check_published();
    // Its id stood in the journal.
    assert_eq!(killed.bucket.unfinished(), 0);
    assert!(!killed.journal_folder().exists());
}

#[test]
fn two_uploads_of_one_snapshot_at_once_both_succeed() {
    for _ in 0..3 {
        let (repo, bytes) = snapshot(3);
        let bucket = Bucket::new();
        let repo = bucket.serve(repo);
        let start = || {
            let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload", "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut outcomes = Vec::new();
        for child in [start(), start()] {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            let outcome = &document["objects"][0]["outcome"];
            outcomes.push(outcome.as_str().unwrap().to_owned());
        }
        outcomes.sort();
        assert_eq!(outcomes, ["already_there", "stored"]);
        assert!(fs::read(bucket.object(KEY)).unwrap() == bytes, "other bytes");
        assert_eq!(bucket.unfinished(), 0);
        assert!(!repo.path().join("pkg/snapshot/.uploads").exists());
    }
}

#[test]
fn a_dist_that_was_killed_leaves_no_half_file_and_the_next_one_succeeds() {
    let mut repo = Repo::new(&["alpha"]);
    // Its own target folder, so that this test does not wait for another's build.
    repo.own_target();
    let snapshot = repo.path().join("pkg/snapshot");
    let [binary, archive, sums, manifest] =
        ["linux_amd64/alpha", "alpha_linux_amd64.tar.gz", "SHA256SUMS", "manifest.json"];
    let bytes = |file: &str| fs::read(snapshot.join(file)).ok();
    let partial = |file: &str| {
        let (folder, name) = file.rsplit_once('/').unwrap_or((".", file));
        (snapshot.join(folder), format!(".{name}.partial-"))
    };
    let is_being_written = |file: &str| {
        let (folder, prefix) = partial(file);
        let mut entries = fs::read_dir(folder).unwrap();
        entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(&prefix))
    };
    for file in [binary, archive, sums, manifest] {
        repo.commit("another stamp");
        repo.xtask("dist").exits(0);
        repo.commit("and another");
        let before = bytes(file);
        let mut dist = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dist"]);
        let mut child = dist.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until(&format!("another {file}"), || {
            let now = bytes(file);
            // SHA256SUMS and the manifest are removed first.
            is_being_written(file) || (now.is_some() && now != before)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // A manifest says that all is there.
        if snapshot.join(manifest).exists() {
            check_sums(&snapshot);
        }
        for file in [binary, archive] {
            repo.xtask(&format!("stamp pkg/snapshot/{file}")).exits(0).prints("linux_amd64");
        }
        // As a run leaves it that was killed while it wrote.
        let (folder, prefix) = partial(file);
        fs::write(folder.join(format!("{prefix}7-0")), "half").unwrap();
    }
    repo.xtask("dist").exits(0);
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.xtask(&format!("stamp pkg/snapshot/{archive}")).exits(0).prints(&head);
    check_sums(&snapshot);
    for file in [binary, archive, sums, manifest] {
        assert!(!is_being_written(file), "half a {file} is left");
    }
}
