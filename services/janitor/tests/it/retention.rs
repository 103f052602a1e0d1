//! What goes and what stays, in a bucket with everything in it.

use std::collections::BTreeSet;

use crate::bucket::{Bucket, run};
use crate::other_clock::with_another_clock;

/// Makes a bucket with old and young releases of two services, unfinished uploads, and objects that
/// are not the janitor's.
fn bucket() -> Bucket {
    let bucket = Bucket::start();
    for (version, days) in [("aaaaaa", 1), ("bbbbbb", 20), ("cccccc", 40), ("dddddd", 50)] {
        bucket.put_release("oddjob", version, days);
    }
    bucket.put_release("single", "aaaaaa", 400);
    bucket.put("oddjob/oddjob_eeeeee.tar.gz", b"given up", 60);
    bucket.put("oddjob/oddjob_ffffff.tar.gz", b"under way", 0);
    bucket.put("oddjob/oddjob_999999.json", br#"{"schema":2}"#, 60);
    bucket.put("oddjob/oddjob_999999.tar.gz", b"of a newer writer", 60);
    bucket.put("oddjob/channels/oddjob_dddddd.json", b"{}", 60);
    bucket.put("oddjob/notes.txt", b"hands off", 60);
    bucket.put("backup.tar.gz", b"hands off", 60);
    bucket
}

const POLICY: [&str; 5] = ["--once", "--keep", "2", "--days", "30"];

const GOES: [&str; 7] = [
    "oddjob/oddjob_cccccc.json",
    "oddjob/oddjob_cccccc.tar.gz",
    "oddjob/oddjob_cccccc_linux_arm64.tar.gz",
    "oddjob/oddjob_dddddd.json",
    "oddjob/oddjob_dddddd.tar.gz",
    "oddjob/oddjob_dddddd_linux_arm64.tar.gz",
    "oddjob/oddjob_eeeeee.tar.gz",
];

#[test]
fn without_delete_it_lists_and_touches_nothing() {
    let bucket = bucket();
    let before = bucket.keys();
    let (code, listed, log) = run(bucket.janitor(&POLICY));
    assert_eq!(code, Some(0), "{log}");
    let expected: Vec<_> = GOES.iter().map(|key| format!("would remove {key}")).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected, "{log}");
    assert_eq!(bucket.keys(), before, "a listing removes nothing");
    assert!(log.contains("\"unreadable\":1"), "the log counts what it could not read: {log}");
}

#[test]
fn with_delete_exactly_that_is_gone_and_a_second_walk_finds_nothing() {
    let bucket = bucket();
    let mut expected = bucket.keys();
    for key in GOES {
        assert!(expected.remove(key), "{key} was there");
    }
    let args = [&POLICY[..], &["--delete"]].concat();
    let (code, removed, log) = run(bucket.janitor(&args));
    assert_eq!(code, Some(0), "{log}");
    let said: BTreeSet<_> =
        removed.lines().filter_map(|line| line.strip_prefix("removed ")).collect();
    assert_eq!(said, BTreeSet::from(GOES), "{log}");
    assert_eq!(bucket.keys(), expected);
    let (code, removed, log) = run(bucket.janitor(&args));
    assert_eq!((code, removed.as_str()), (Some(0), ""), "{log}");
}

#[test]
fn a_prefix_bounds_what_it_sees() {
    let bucket = bucket();
    let before = bucket.keys();
    let (code, removed, log) =
        run(bucket.janitor(&[&POLICY[..], &["--delete", "--prefix", "team"]].concat()));
    assert_eq!((code, removed.as_str()), (Some(0), ""), "{log}");
    assert_eq!(bucket.keys(), before);
}

#[test]
fn a_release_with_keys_of_a_template_goes_with_what_proves_to_be_its_own() {
    let bucket = Bucket::start();
    // The first is what the key says, but not the archive that the manifest object means; of the
    // second, not even the key fits.
    let others = ["builds/oddjob/bbbbbb/notes.tgz", "backup.tgz"];
    for key in others {
        bucket.put(key, b"archive", 60);
    }
    bucket.put_templated("oddjob", "aaaaaa", 1, &[]);
    bucket.put_templated("oddjob", "bbbbbb", 60, &others);
    let (code, removed, log) =
        run(bucket.janitor(&["--once", "--keep", "1", "--days", "30", "--delete"]));
    assert_eq!(code, Some(0), "{log}");
    let expected =
        "removed oddjob/oddjob_bbbbbb.json\nremoved builds/oddjob/bbbbbb/linux_amd64.tgz\n";
    assert_eq!(removed, expected, "{log}");
    let left = [
        "backup.tgz",
        "builds/oddjob/aaaaaa/linux_amd64.tgz",
        others[0],
        "oddjob/oddjob_aaaaaa.json",
    ];
    assert_eq!(bucket.keys(), left.map(str::to_owned).into());
}

#[test]
fn an_archive_that_two_releases_name_stays_while_one_of_them_does() {
    let bucket = Bucket::start();
    let shared = "builds/oddjob/bbbbbb/linux_amd64.tgz";
    bucket.put_templated("oddjob", "bbbbbb", 60, &[]);
    bucket.put_templated("oddjob", "aaaaaa", 1, &[shared]);
    let (code, removed, log) =
        run(bucket.janitor(&["--once", "--keep", "1", "--days", "30", "--delete"]));
    assert_eq!((code, removed.as_str()), (Some(0), "removed oddjob/oddjob_bbbbbb.json\n"), "{log}");
    let left = ["builds/oddjob/aaaaaa/linux_amd64.tgz", shared, "oddjob/oddjob_aaaaaa.json"];
    assert_eq!(bucket.keys(), left.map(str::to_owned).into());
}

#[test]
fn the_servers_clock_says_how_old_a_release_is() {
    let bucket = Bucket::start();
    bucket.put_release("oddjob", "aaaaaa", 1);
    bucket.put_release("oddjob", "bbbbbb", 30);
    let policy = ["--once", "--keep", "1", "--days", "30"];
    let (code, listed, log) = run(bucket.janitor(&policy));
    assert_eq!((code, listed.lines().count()), (Some(0), 3), "{log}");
    // Within what the server behind it lets pass.
    let endpoint = with_another_clock(&bucket.endpoint(), -10 * 60);
    let mut janitor = bucket.janitor(&policy);
    janitor.env("AWS_ENDPOINT_URL", endpoint);
    let (code, listed, log) = run(janitor);
    assert_eq!((code, listed.as_str()), (Some(0), ""), "{log}");
}

#[test]
fn what_a_channel_names_stays_and_what_a_rollback_would_go_to() {
    let release = |version: &str| format!("oddjob/oddjob_{version}.json");
    let channel = |versions: &[&str]| {
        let entries: Vec<_> =
            versions.iter().map(|version| serde_json::json!({ "version": version })).collect();
        serde_json::json!({ "schema": 1, "entries": entries }).to_string()
    };
    let old = ["cccccc", "dddddd", "eeeeee"];
    for (object, stays) in [
        (channel(&["cccccc"]), vec!["cccccc"]),
        (channel(&["aaaaaa", "dddddd", "eeeeee"]), vec!["dddddd"]),
        // What it names is not known.
        ("{}".to_owned(), old.to_vec()),
    ] {
        let bucket = Bucket::start();
        for (version, days) in
            ["aaaaaa", "bbbbbb"].map(|v| (v, 1)).into_iter().chain(old.map(|v| (v, 50)))
        {
            bucket.put_release("oddjob", version, days);
        }
        bucket.put("oddjob/channels/stable.json", object.as_bytes(), 50);
        let (code, _, log) = run(bucket.janitor(&[&POLICY[..], &["--delete"]].concat()));
        assert_eq!(code, Some(0), "{log}");
        let keys = bucket.keys();
        let left: Vec<_> = old.into_iter().filter(|v| keys.contains(&release(v))).collect();
        assert_eq!(left, stays, "{object}: {log}");
        assert!(keys.contains("oddjob/channels/stable.json"));
    }
}

#[test]
fn the_archives_of_what_a_channel_names_outlive_their_manifest_object() {
    let named = |key: &str| {
        serde_json::json!([{"platform": "linux_amd64", "object_key": key, "size_bytes": 7,
            "sha256": "", "added_by": "a newer writer"}])
    };
    let entry = |version: &str| serde_json::json!({ "version": version, "artifacts": [] });
    let by_key = serde_json::json!({
        "version": "abcdef", "artifacts": named("oddjob/oddjob_cccccc_linux_arm64.tar.gz"),
    });
    let archives = ["cccccc.tar.gz", "cccccc_linux_arm64.tar.gz", "dddddd.tar.gz"];
    let all = [true; 3];
    for (service, entries, stays) in [
        // By version, also where more digits of the commit stand there.
        ("oddjob", serde_json::json!([entry("cccccc")]), [true, true, false]),
        ("oddjob", serde_json::json!([entry("cccccc77")]), [true, true, false]),
        // What a rollback would go to, and what it would not.
        (
            "oddjob",
            serde_json::json!([entry("aaaaaa"), entry("dddddd"), entry("cccccc")]),
            [false, false, true],
        ),
        // By key, in a channel of whichever service.
        ("oddjob", serde_json::json!([by_key]), [false, true, false]),
        ("single", serde_json::json!([by_key]), [false, true, false]),
        // What it names is not known.
        ("oddjob", serde_json::json!("newer"), all),
    ] {
        let bucket = Bucket::start();
        bucket.put_release("oddjob", "aaaaaa", 1);
        for end in archives {
            bucket.put(&format!("oddjob/oddjob_{end}"), b"archive", 60);
        }
        let channel = serde_json::json!({ "schema": 1, "entries": entries }).to_string();
        bucket.put(&format!("{service}/channels/stable.json"), channel.as_bytes(), 60);
        let (code, _, log) = run(bucket.janitor(&[&POLICY[..], &["--delete"]].concat()));
        assert_eq!(code, Some(0), "{log}");
        let keys = bucket.keys();
        let left = archives.map(|end| keys.contains(&format!("oddjob/oddjob_{end}")));
        assert_eq!(left, stays, "{channel}: {log}");
    }
}

#[test]
fn the_receipt_of_what_a_channel_names_outlives_the_manifest_object() {
    for (channel, stays) in [
        (r#"{"schema":1,"entries":[{"version":"cccccc"}]}"#, vec!["cccccc"]),
        // What it names is not known.
        ("{}", vec!["cccccc", "dddddd"]),
    ] {
        let bucket = Bucket::start();
        bucket.put_release("oddjob", "aaaaaa", 1);
        for version in ["cccccc", "dddddd"] {
            bucket.put(&format!("verified/oddjob/{version}"), b"equal", 60);
        }
        bucket.put("oddjob/channels/stable.json", channel.as_bytes(), 60);
        let (code, _, log) = run(bucket.janitor(&[&POLICY[..], &["--delete"]].concat()));
        assert_eq!(code, Some(0), "{log}");
        let keys = bucket.keys();
        let left: Vec<_> = keys.iter().filter_map(|k| k.strip_prefix("verified/oddjob/")).collect();
        assert_eq!(left, stays, "{channel}: {log}");
        assert!(log.contains(&format!("\"skipped\":{}", stays.len())), "{log}");
    }
}

/// Makes a bucket with entries of the index and receipts, and returns it with the keys of the objects that go.
fn bucket_with_index() -> (Bucket, Vec<String>) {
    let bucket = Bucket::start();
    for (version, days) in [("aaaaaa", 1), ("bbbbbb", 2), ("cccccc", 40), ("dddddd", 50)] {
        bucket.put_built("oddjob", version, days, version);
        bucket.put(&format!("verified/oddjob/{version}"), b"equal", days);
    }
    let channel = r#"{"schema":1,"entries":[{"version":"dddddd"}]}"#;
    bucket.put("oddjob/channels/stable.json", channel.as_bytes(), 50);
    for stays in ["aaaaaa", "bbbbbb", "dddddd"] {
        bucket.put_entry("oddjob", stays, stays);
    }
    // The release goes, was removed before, or was one of a service that is gone.
    let mut goes = vec![
        bucket.put_entry("oddjob", "cccccc", "cccccc"),
        bucket.put_entry("oddjob", "111111", "before"),
        bucket.put_entry("gone", "aaaaaa", "of another service"),
    ];
    goes.sort();
    for receipt in ["verified/gone/aaaaaa", "verified/oddjob/111111"] {
        bucket.put(receipt, b"equal", 60);
        goes.push(receipt.to_owned());
    }
    goes.push("verified/oddjob/cccccc".to_owned());
    let release = ["oddjob/oddjob_cccccc.json", "oddjob/oddjob_cccccc.tar.gz"];
    goes.splice(..0, release.map(str::to_owned));

    // What a newer writer put there, and what is neither an entry nor a receipt nor a service's.
    let newer = bucket.put_entry("oddjob", "111111", "newer");
    bucket.put(&newer, br#"{"schema":2}"#, 60);
    for other in [
        "keys/notes.txt",
        "keys/keys_aaaaaa.tar.gz",
        "keys/channels/stable.json",
        "verified/verified_aaaaaa.tar.gz",
        "verified/oddjob/111111.json",
        "verified/oddjob/latest",
        "verified/111111",
    ] {
        bucket.put(other, b"hands off", 60);
    }
    (bucket, goes)
}

#[test]
fn entries_of_the_index_and_receipts_go_with_their_release() {
    let (bucket, goes) = bucket_with_index();
    let mut expected = bucket.keys();
    let (code, listed, log) = run(bucket.janitor(&POLICY));
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<_> = goes.iter().map(|key| format!("would remove {key}")).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), lines, "{log}");
    assert_eq!(bucket.keys(), expected, "a listing removes nothing");
    for count in ["\"services\":1", "\"unreadable\":1", "\"entries\":3", "\"receipts\":3"] {
        assert!(log.contains(count), "{count} is not in: {log}");
    }
    assert!(log.contains("unreadable, so it stays") && log.contains("schema 2"), "{log}");

    let args = [&POLICY[..], &["--delete"]].concat();
    let (code, removed, log) = run(bucket.janitor(&args));
    let lines: Vec<_> = goes.iter().map(|key| format!("removed {key}")).collect();
    let said: Vec<_> = removed.lines().map(str::to_owned).collect();
    assert_eq!((code, said), (Some(0), lines), "{log}");
    for key in &goes {
        assert!(expected.remove(key), "{key} was there");
    }
    assert_eq!(bucket.keys(), expected);
    let (code, removed, log) = run(bucket.janitor(&args));
    assert_eq!((code, removed.as_str()), (Some(0), ""), "{log}");
}

#[test]
fn an_old_release_stays_while_a_kept_one_takes_its_binary_from_there() {
    for (newest, stays) in [("program", true), ("another", false)] {
        let bucket = Bucket::start();
        bucket.put_built("oddjob", "aaaaaa", 1, newest);
        for (version, days) in [("bbbbbb", 40), ("cccccc", 50)] {
            bucket.put_built("oddjob", version, days, "program");
        }
        let entry = bucket.put_entry("oddjob", "cccccc", "program");
        let args = ["--once", "--keep", "1", "--days", "30", "--delete"];
        let (code, _, log) = run(bucket.janitor(&args));
        assert_eq!(code, Some(0), "{log}");
        let keys = bucket.keys();
        for key in [entry.as_str(), "oddjob/oddjob_cccccc.json", "oddjob/oddjob_cccccc.tar.gz"] {
            assert_eq!(keys.contains(key), stays, "{key} of {keys:?}");
        }
        assert!(!keys.contains("oddjob/oddjob_bbbbbb.json"), "the index does not name it");
    }
}
