//! Tests `presign`: it prints a URL for an archive that matches its release, and fails for any
//! other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ftime::Epoch;

use crate::support::Repo;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict};
use crate::support::release::Release;

#[test]
fn presign_prints_a_url_that_gives_the_bytes_of_the_digest() {
    let bucket = Bucket::new();
    Release::of_alpha("bbbbbb").publish(&bucket);
    bucket.age("alpha/alpha_bbbbbb.json", 90);
    let both = ["linux_amd64", "darwin_arm64"];
    let newest = Release { platforms: &both, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for (line, version, platform) in [
        ("presign alpha --version aaaaaa", "aaaaaa", "linux_amd64"),
        ("presign alpha --version aaaaaa --signature v2", "aaaaaa", "linux_amd64"),
        ("presign alpha --version aaaaaa --platform darwin_arm64", "aaaaaa", "darwin_arm64"),
        ("presign alpha --version bbbbbb --expires 604800", "bbbbbb", "linux_amd64"),
    ] {
        let run = nowhere.xtask(line).exits(0);
        let lines: Vec<_> = run.stdout.lines().collect();
        let [url, sha256] = lines[..] else { panic!("{}", run.stdout) };
        assert!(url.contains(&format!("/alpha/alpha_{version}")), "{line}: {url}");
        assert_eq!(url.contains("darwin_arm64"), platform == "darwin_arm64", "{url}");
        assert_eq!(xtask::system::files::sha256(&get(url)), sha256, "{line}");
        let run = nowhere.xtask(&format!("{line} --json")).exits(0);
        let document = run.json();
        assert_eq!(
            (&document["version"], &document["platform"]),
            (&version.into(), &platform.into())
        );
        assert_eq!(document["sha256"], sha256);
        // That of the binary before its stamp, so it is equal for all versions.
        let unstamped = xtask::system::files::sha256(format!("alpha {platform}").as_bytes());
        assert_eq!(document["unstamped_sha256"], unstamped);
        assert_eq!(xtask::system::files::sha256(&get(document["url"].as_str().unwrap())), sha256);
    }
    assert_eq!(newest["artifacts"].as_array().unwrap().len(), 2);
}

/// Downloads what an `http` URL gives without credentials.
fn get(url: &str) -> Vec<u8> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    assert!(head.contains(" 200 "), "{head}");
    answer.split_off(end + 4)
}

#[test]
fn an_object_that_is_not_what_its_manifest_says_gets_no_url() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    let path = bucket.object("alpha/alpha_aaaaaa.tar.gz");
    let good = std::fs::read(&path).unwrap();
    let manifest = std::fs::read_to_string(bucket.object("alpha/alpha_aaaaaa.json")).unwrap();
    let other = manifest.replace(&xtask::system::files::sha256(&good), &"0".repeat(64));
    std::fs::write(bucket.object("alpha/alpha_aaaaaa.json"), other).unwrap();
    nowhere.xtask("presign alpha --version aaaaaa").exits(3).says("it carries another sha256");
    std::fs::write(bucket.object("alpha/alpha_aaaaaa.json"), manifest).unwrap();
    std::fs::write(&path, &good[1..]).unwrap();
    nowhere
        .xtask("presign alpha --version aaaaaa")
        .exits(3)
        .says("is not what its release's manifest object says");
    std::fs::remove_file(&path).unwrap();
    let run = nowhere.xtask("presign alpha --version aaaaaa").exits(3).says("it is not there");
    assert_eq!(run.stdout, "");
    // A manifest object under the key of another release, whose archives it names.
    let manifest = std::fs::read(bucket.object("alpha/alpha_aaaaaa.json")).unwrap();
    std::fs::write(bucket.object("alpha/alpha_bbbbbb.json"), manifest).unwrap();
    nowhere.xtask("presign alpha --version bbbbbb").exits(3).says("lies elsewhere");
}

#[test]
fn mistakes_have_their_exit_codes() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for (line, code, text) in [
        ("presign", 2, "no SERVICE named"),
        ("presign alpha", 2, "or a channel that names it by --channel"),
        ("presign alpha --platform linux_amd64", 2, "no release named"),
        ("presign gamma --version aaaaaa", 3, "no release aaaaaa of gamma"),
        ("presign alpha --version v1", 2, "version \"v1\": expected 6 to 40 hex digits"),
        ("presign alpha --version bbbbbb", 3, "no release bbbbbb of alpha"),
        ("presign alpha --version aaaaaa --platform plan9", 3, "plan9"),
        (
            "presign alpha --version aaaaaa --platform linux_arm64",
            3,
            "no linux_arm64: it has linux_amd64",
        ),
        ("presign alpha --expires 0", 2, "--expires \"0\": expected seconds from 1 to 604800"),
        ("presign alpha --expires 604801", 2, "--expires \"604801\""),
        ("presign alpha --expires +5", 2, "--expires \"+5\""),
    ] {
        nowhere.xtask(line).exits(code).says("error: ").says(text);
    }
}

#[test]
fn a_url_does_not_say_that_it_outlives_its_credentials() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let mut nowhere = bucket.serve(Repo::empty());
    for name in ["S3_KEY", "S3_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        nowhere.set(name, "");
    }
    // Whole seconds, as in the URL.
    let end = Epoch::from_secs(Epoch::now().secs()).saturating_add(Duration::from_mins(30));
    let end = end.to_rfc3339();
    let document = serde_json::json!({
        "Version": 1, "AccessKeyId": bucket.access_key_id(), "SecretAccessKey": bucket.secret(),
        "Expiration": end,
    });
    nowhere.write("issued", &document.to_string());
    let issued = nowhere.path().join("issued").display().to_string();
    nowhere.write("profiles", &format!("[default]\ncredential_process = /bin/cat {issued}\n"));
    nowhere.set("AWS_CONFIG_FILE", &nowhere.path().join("profiles").display().to_string());
    let line = "presign alpha --version aaaaaa --json";
    let run = nowhere.xtask(line).exits(0).says("earlier than asked for: the credentials expire");
    let document = run.json();
    assert_eq!(document["expires_at"], end.as_str());
    let url = document["url"].as_str().unwrap();
    let lasts = url.split("X-Amz-Expires=").nth(1).unwrap().split('&').next().unwrap();
    assert!((1..=1800).contains(&lasts.parse::<u32>().unwrap()), "{url}");
    let run = nowhere.xtask(&format!("{line} --expires 600")).exits(0);
    assert!(!run.stderr.contains("credentials expire"), "{}", run.stderr);
    assert!(run.json()["expires_at"].as_str().unwrap() < end.as_str(), "{}", run.stdout);
}

#[test]
fn times_are_those_of_the_servers_clock_where_this_machines_is_wrong() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    // Ten minutes and a half, because the server behind it lets that pass. The half is for what the test takes.
    let serve = || {
        let mut is_first = true;
        let judge = move |_: &str| {
            let skewed = std::mem::replace(&mut is_first, false);
            if skewed { Verdict::Skewed(630) } else { Verdict::Pass }
        };
        let mut nowhere = bucket.serve(Repo::empty());
        nowhere.set("AWS_ENDPOINT_URL_S3", &Front::start(&bucket.endpoint(), judge).endpoint);
        nowhere
    };
    let ahead = |time: &str| {
        let time = Epoch::parse_compact(time).or_else(|_| Epoch::parse_rfc3339(time)).unwrap();
        time.since(Epoch::now()).unwrap_or_default().as_secs()
    };
    let run = serve().xtask("presign alpha --version aaaaaa --expires 60 --json").exits(0);
    let document = run.json();
    let url = document["url"].as_str().unwrap();
    let dated = url.split("X-Amz-Date=").nth(1).unwrap().split('&').next().unwrap();
    assert!((300..=630).contains(&ahead(dated)), "{url}");
    assert!((300..=690).contains(&ahead(document["expires_at"].as_str().unwrap())), "{document}");

    serve().xtask("promote alpha aaaaaa --to stable --by ann").exits(0);
    let channel = std::fs::read_to_string(bucket.object("alpha/channels/stable.json")).unwrap();
    let channel: serde_json::Value = serde_json::from_str(&channel).unwrap();
    assert!(
        (300..=630).contains(&ahead(channel["entries"][0]["at"].as_str().unwrap())),
        "{channel}"
    );

    serve().xtask("list").exits(0).prints("10 min");
}
