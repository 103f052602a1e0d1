//! Tests channels in a real bucket: what they name, what they named before, and that no change is
//! lost.

use std::process::Stdio;

use serde_json::Value;

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict, refuse_channels};
use crate::support::release::{PADDING, Release};

const STABLE: &str = "alpha/channels/stable.json";

/// Makes a bucket with these releases of alpha, the last one the newest, and a repository from
/// which `ann` promotes.
fn release_bucket(versions: &[&str]) -> (Bucket, Repo) {
    let bucket = Bucket::new();
    for (at, version) in versions.iter().enumerate() {
        Release::of_alpha(version).publish(&bucket);
        let secs = 60 * (versions.len() - at) as u64;
        bucket.age(&format!("alpha/alpha_{version}.json"), secs);
    }
    let mut repo = bucket.serve(Repo::empty());
    repo.set("USER", "ann");
    (bucket, repo)
}

fn entries(bucket: &Bucket) -> Vec<Value> {
    let text = std::fs::read(bucket.object(STABLE)).unwrap();
    let channel: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&channel["schema"], &channel["channel"]), (&1.into(), &"stable".into()));
    channel["entries"].as_array().unwrap().clone()
}

fn versions(bucket: &Bucket) -> Vec<String> {
    let version = |entry: &Value| entry["version"].as_str().unwrap().to_owned();
    entries(bucket).iter().map(version).collect()
}

#[test]
fn a_channel_names_a_release_and_goes_back() {
    let (bucket, mut repo) = release_bucket(&["aaaaaa", "bbbbbb", "cccccc"]);
    repo.xtask("promote alpha aaaaaa --to stable").exits(0).prints("alpha stable is aaaaaa\n");
    repo.xtask("promote alpha bbbbbb --to stable --by bob").exits(0).prints(", was aaaaaa");
    repo.xtask("promote alpha bbbbbb --to stable").exits(0).says("names that release already");
    assert_eq!(versions(&bucket), ["bbbbbb", "aaaaaa"]);
    let run = repo.xtask("promote alpha cccccc --to stable --json").exits(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&document["version"], &document["was"]), (&"cccccc".into(), &"bbbbbb".into()));
    assert_eq!(document["changed"], true);

    let all = entries(&bucket);
    let who: Vec<_> = all.iter().map(|entry| (&entry["by"], &entry["replaced"])).collect();
    let (ann, bob, none) = ("ann".into(), "bob".into(), Value::Null);
    let [a, b] = ["aaaaaa", "bbbbbb"].map(Value::from);
    assert_eq!(who, [(&ann, &b), (&bob, &a), (&ann, &none)]);
    assert_eq!(all[0]["commit"], format!("cccccc{PADDING}"));
    let archive = std::fs::read(bucket.object("alpha/alpha_cccccc.tar.gz")).unwrap();
    assert_eq!(all[0]["artifacts"][0]["sha256"], xtask::system::files::sha256(&archive));
    ftime_parses(all[0]["at"].as_str().unwrap());
    // Services read the channel with another reader.
    let bytes = std::fs::read(bucket.object(STABLE)).unwrap();
    let shown = catalog::Channel::read_lenient(&bytes, "alpha", "stable").unwrap();
    assert_eq!((shown.entries().count(), shown.current.by.as_str()), (3, "ann"));
    let kept: Vec<_> = shown.kept().map(|entry| entry.version.as_str()).collect();
    assert_eq!(kept, ["cccccc", "bbbbbb"]);
    assert_eq!(all[0]["artifacts"][0]["sha256"], shown.current.artifacts[0].sha256);

    repo.set("CIRCLE_USERNAME", "eve");
    repo.xtask("promote alpha --to stable --rollback").exits(0).prints("is bbbbbb, was cccccc");
    assert_eq!(versions(&bucket), ["bbbbbb", "aaaaaa"]);
    let current = &entries(&bucket)[0];
    assert_eq!((&current["by"], &current["replaced"]), (&"eve".into(), &"cccccc".into()));
    repo.xtask("promote alpha --to stable --rollback").exits(0).prints("is aaaaaa, was bbbbbb");
    repo.xtask("promote alpha --to stable --rollback").exits(3).says("nothing to go back to");
    repo.xtask("promote alpha --to beta --rollback").exits(3).says("channel beta of alpha is not");
}

fn ftime_parses(time: &str) {
    assert!(time.len() == 20 && time.starts_with("20") && time.ends_with('Z'), "{time}");
}

#[test]
fn the_last_twenty_entries_are_kept() {
    let names: Vec<_> = (0..23).map(|at| format!("{:06x}", 0xab_cd00 + at)).collect();
    let (bucket, repo) = release_bucket(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        repo.xtask(&format!("promote alpha {name} --to stable")).exits(0);
    }
    let newest: Vec<_> = names.iter().rev().take(20).cloned().collect();
    assert_eq!(versions(&bucket), newest);
}

#[test]
fn list_presign_and_fetch_take_the_name_of_a_channel() {
    let (bucket, repo) = release_bucket(&["aaaaaa", "bbbbbb"]);
    for channel in ["stable", "x-1"] {
        repo.xtask(&format!("promote alpha aaaaaa --to {channel}")).exits(0);
    }
    let run = repo.xtask("list").exits(0);
    let marked: Vec<_> = run.stdout.lines().map(|line| line.ends_with("[stable, x-1]")).collect();
    assert_eq!(marked, [false, true], "{}", run.stdout);
    let run = repo.xtask("list alpha --json").exits(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["releases"][1]["channels"], serde_json::json!(["stable", "x-1"]));
    assert_eq!(document["channels"][0]["version"], "aaaaaa");
    assert_eq!(document["channels"][0]["by"], "ann");
    repo.xtask("presign alpha --channel stable").exits(0).prints("alpha_aaaaaa.tar.gz");
    repo.xtask("fetch alpha --channel x-1").exits(0);
    let fetched =
        std::fs::read(repo.path().join("fetched/alpha_aaaaaa_linux_amd64/alpha_linux_amd64/alpha"))
            .unwrap();
    assert_eq!(fetched, b"alpha aaaaaa linux_amd64");
    repo.xtask("presign alpha --channel beta").exits(3).says("alpha has no channel beta");

    // A manifest object that was changed after the promotion is not what was promoted.
    let path = bucket.object(STABLE);
    let text = std::fs::read_to_string(&path).unwrap();
    let other = text.replace("\"sha256\": \"", "\"sha256\": \"0000").replace('\n', "");
    let cut = |text: String| {
        let at = text.find("\"sha256\": \"0000").unwrap() + 11;
        format!("{}{}", &text[..at + 64], &text[at + 68..])
    };
    std::fs::write(&path, cut(other)).unwrap();
    repo.xtask("fetch alpha --channel stable").exits(3).says("not the one that was promoted");
    std::fs::write(&path, "{}").unwrap();
    repo.xtask("fetch alpha --channel stable").exits(3).says("is no channel of schema 1");
    repo.xtask("promote alpha bbbbbb --to stable").exits(3).says("is no channel of schema 1");
    repo.xtask("list").exits(0).says("is no channel of schema 1").prints("[x-1]");
}

#[test]
fn platforms_that_a_release_gets_later_are_not_promoted() {
    let (bucket, repo) = release_bucket(&["aaaaaa"]);
    repo.xtask("promote alpha aaaaaa --to stable").exits(0);
    let both = ["linux_amd64", "linux_arm64"];
    Release { platforms: &both, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    for verb in ["presign", "fetch"] {
        let line = format!("{verb} alpha --channel stable");
        let run = repo.xtask(&format!("{line} --platform linux_arm64")).exits(3);
        run.says("channel stable").says("after it was promoted").says("promote again");
        repo.xtask(&format!("{line} --platform darwin_arm64"))
            .exits(3)
            .says("has no darwin_arm64: it has linux_amd64\n");
        repo.xtask(&line).exits(0);
    }
    repo.xtask("presign alpha --version aaaaaa --platform linux_arm64").exits(0);
    repo.xtask("promote alpha aaaaaa --to stable").exits(0);
    repo.xtask("fetch alpha --channel stable --platform linux_arm64").exits(0);
    assert_eq!(versions(&bucket), ["aaaaaa"]);
}

#[test]
fn going_back_promotes_only_what_was_promoted() {
    let (bucket, repo) = release_bucket(&["aaaaaa", "bbbbbb"]);
    repo.xtask("promote alpha aaaaaa --to stable").exits(0);
    repo.xtask("promote alpha bbbbbb --to stable").exits(0);
    let both = ["linux_amd64", "linux_arm64"];
    Release { platforms: &both, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    repo.xtask("promote alpha --to stable --rollback").exits(0).prints("is aaaaaa, was bbbbbb");
    repo.xtask("fetch alpha --channel stable --platform linux_amd64").exits(0);
    let run = repo.xtask("fetch alpha --channel stable --platform linux_arm64").exits(3);
    run.says("linux_arm64 came to release aaaaaa after it was promoted");
}

#[test]
fn a_release_that_is_not_whole_is_not_promoted() {
    let (bucket, repo) = release_bucket(&["aaaaaa", "bbbbbb"]);
    repo.xtask("promote alpha aaaaaa --to stable").exits(0);
    repo.xtask("promote alpha bbbbbb --to stable").exits(0);
    let before = std::fs::read(bucket.object(STABLE)).unwrap();
    std::fs::remove_file(bucket.object("alpha/alpha_aaaaaa.tar.gz")).unwrap();
    for line in ["promote alpha aaaaaa --to stable", "promote alpha --to stable --rollback"] {
        let run = repo.xtask(line).exits(3).says("release aaaaaa cannot be promoted");
        run.says("alpha/alpha_aaaaaa.tar.gz is not what").says("it is not there");
    }
    std::fs::write(bucket.object("alpha/alpha_aaaaaa.tar.gz"), "x").unwrap();
    repo.xtask("promote alpha aaaaaa --to stable").exits(3).says("it has 1 bytes, not ");
    assert_eq!(std::fs::read(bucket.object(STABLE)).unwrap(), before);
    for (line, code, text) in [
        ("promote", 2, "no SERVICE named"),
        ("promote alpha aaaaaa", 2, "no channel named: give it by --to"),
        ("promote alpha --to stable", 2, "no VERSION named"),
        ("promote alpha aaaaaa --to stable --rollback", 2, "--rollback takes no VERSION"),
        ("promote alpha aaaaaa --to Stable", 2, "channel \"Stable\": expected 1 to 63"),
        ("promote alpha v1 --to stable", 2, "version \"v1\""),
        ("promote alpha dddddd --to stable", 3, "no release dddddd of alpha"),
        ("promote alpha aaaaaa --channel stable", 2, "invalid option '--channel'"),
        (
            "presign alpha --version aaaaaa --channel stable",
            2,
            "either --version or --channel, not both",
        ),
        ("list --rollback", 2, "invalid option '--rollback'"),
    ] {
        repo.xtask(line).exits(code).says(text);
    }
    let mut nobody = bucket.serve(Repo::empty());
    nobody.set("USER", "");
    nobody
        .xtask("promote alpha bbbbbb --to beta")
        .exits(3)
        .says("neither CIRCLE_USERNAME nor USER")
        .says("--by");
}

#[test]
fn a_release_that_is_removed_while_it_is_promoted_is_reported() {
    for gone in ["alpha/alpha_bbbbbb.json", "alpha/alpha_bbbbbb.tar.gz"] {
        let (bucket, mut repo) = release_bucket(&["aaaaaa", "bbbbbb"]);
        repo.xtask("promote alpha aaaaaa --to stable").exits(0);
        let object = bucket.object(gone);
        // A janitor does this if it read the channels just before.
        let front = Front::start(&bucket.endpoint(), move |line| {
            if line.starts_with("PUT ") && line.contains("/channels/") {
                std::fs::remove_file(&object).unwrap();
            }
            Verdict::Pass
        });
        repo.set("AWS_ENDPOINT_URL_S3", &front.endpoint);
        let run = repo.xtask("promote alpha bbbbbb --to stable").exits(1);
        run.says("channel stable names bbbbbb now, which was removed")
            .says(gone)
            .says("--rollback`");
        assert_eq!(versions(&bucket), ["bbbbbb", "aaaaaa"]);
        repo.set("AWS_ENDPOINT_URL_S3", &bucket.endpoint());
        repo.xtask("promote alpha --to stable --rollback").exits(0).prints("is aaaaaa");
    }
}

#[test]
fn of_many_promotions_at_once_each_is_kept_or_refused() {
    // Once for the first promotion, and once for a channel that exists.
    for first in [false, true] {
        check_many_at_once(first);
    }
}

fn check_many_at_once(first: bool) {
    let mut names: Vec<_> = (0..8).map(|at| format!("{:06x}", 0xab_cd00 + at)).collect();
    let (bucket, repo) = release_bucket(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut won = Vec::new();
    if first {
        won.push(names.remove(0));
        repo.xtask(&format!("promote alpha {} --to stable", won[0])).exits(0);
    }
    let start = |name: &String| {
        let arguments = ["promote", "alpha", name, "--to", "stable"];
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = names.iter().map(start).collect();
    for (child, name) in running.into_iter().zip(&names) {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => won.push(name.clone()),
            Some(1) => assert!(text.contains("changed by someone else meanwhile"), "{text}"),
            other => panic!("{other:?}: {text}"),
        }
    }
    let mut kept = versions(&bucket);
    kept.sort();
    assert!(won.len() > usize::from(first), "nobody won");
    assert_eq!(kept, won);
}

#[test]
fn a_refused_condition_is_an_error_that_says_why_and_changes_nothing() {
    for (status, code, text) in [
        (412, "PreconditionFailed", "was changed by someone else meanwhile: it names aaaaaa now"),
        (501, "NotImplemented", "this server cannot write an object only if it is unchanged (501)"),
        (404, "NoSuchKey", "was changed by someone else meanwhile"),
    ] {
        let (bucket, mut repo) = release_bucket(&["aaaaaa", "bbbbbb"]);
        repo.xtask("promote alpha aaaaaa --to stable").exits(0);
        let endpoint = refuse_channels(&bucket.endpoint(), status, code);
        repo.set("AWS_ENDPOINT_URL_S3", &endpoint);
        repo.xtask("promote alpha bbbbbb --to stable").exits(1).says(text).says("hint: ");
        assert_eq!(versions(&bucket), ["aaaaaa"]);
    }
}
