//! The verbs that look into a real bucket: what is shown, and what is an error.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::bucket::Bucket;
use crate::releases::{PADDING, Release};
use crate::support::{Repo, Run};

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout))
}

#[test]
fn list_shows_releases_by_service_and_newest_first() {
    let bucket = Bucket::new();
    let nowhere = bucket.serve(Repo::empty());
    nowhere.xtask("list").exits(0).says("no release in bucket builds");
    let both = ["linux_amd64", "darwin_arm64"];
    let beta = Release { service: "beta", platforms: &both, ..Release::of_alpha("bbbbbb") };
    let manifest = beta.publish(&bucket);
    Release::of_alpha("eeeeee").publish(&bucket);
    Release::of_alpha("aaaaaa").publish(&bucket);
    std::fs::write(bucket.object("alpha/notes.json"), "{}").unwrap();
    std::fs::write(bucket.object("alpha/alpha_cccccc.json"), "{}").unwrap();
    bucket.age("alpha/alpha_aaaaaa.json", 90);
    bucket.age("alpha/alpha_eeeeee.json", 7300);

    let run = nowhere.xtask("list").exits(0);
    let words: Vec<Vec<_>> =
        run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let shown: Vec<_> = words.iter().map(|line| (line[0], line[1])).collect();
    let expected =
        [("alpha", "cccccc"), ("alpha", "aaaaaa"), ("alpha", "eeeeee"), ("beta", "bbbbbb")];
    assert_eq!(shown, expected, "{}", run.stdout);
    assert_eq!((&words[1][2..4], &words[2][2..4]), (&["1", "min"][..], &["2", "h"][..]));
    let run = run.prints("cannot be read: object builds/alpha/alpha_cccccc.json");
    run.prints("linux_amd64 darwin_arm64").prints(&format!("bbbbbb{PADDING}"));

    let run = nowhere.xtask("list beta --json").exits(0);
    let document = document(&run);
    assert_eq!(document["bucket"], "builds");
    let releases = document["releases"].as_array().unwrap();
    assert_eq!(releases.len(), 1, "{document}");
    let sizes = manifest["artifacts"].as_array().unwrap().iter();
    let size_bytes: u64 = sizes.map(|artifact| artifact["size_bytes"].as_u64().unwrap()).sum();
    assert_eq!(releases[0]["size_bytes"], size_bytes);
    assert_eq!(releases[0]["commit"], format!("bbbbbb{PADDING}"));
    assert_eq!(releases[0]["platforms"], serde_json::json!(both));
    assert_eq!(releases[0]["committed_at"], 1_369_353_600);
    assert!(releases[0]["uploaded_at"].as_str().unwrap().starts_with("20"), "{document}");
}

#[test]
fn list_looks_below_the_prefix_alone() {
    let bucket = Bucket::new();
    Release { prefix: "team/", ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    Release::of_alpha("bbbbbb").publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for prefix in ["team", "team/"] {
        let run = nowhere.xtask(&format!("list alpha --prefix {prefix}")).exits(0);
        assert!(run.stdout.contains("aaaaaa") && !run.stdout.contains("bbbbbb"), "{}", run.stdout);
    }
    let repo = bucket.serve(Repo::new(&["alpha"]));
    repo.add_to_table("prefix = \"team\"");
    let run = repo.xtask("list").exits(0).prints("aaaaaa");
    assert!(!run.stdout.contains("bbbbbb"), "{}", run.stdout);
}

#[test]
fn presign_prints_a_url_that_gives_the_bytes_of_the_digest() {
    let bucket = Bucket::new();
    Release::of_alpha("bbbbbb").publish(&bucket);
    bucket.age("alpha/alpha_bbbbbb.json", 90);
    let both = ["linux_amd64", "darwin_arm64"];
    let newest = Release { platforms: &both, ..Release::of_alpha("aaaaaa") }.publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for (line, version, platform) in [
        ("presign alpha", "aaaaaa", "linux_amd64"),
        ("presign alpha --signature v2", "aaaaaa", "linux_amd64"),
        ("presign alpha --platform darwin_arm64", "aaaaaa", "darwin_arm64"),
        ("presign alpha --version bbbbbb --expires 604800", "bbbbbb", "linux_amd64"),
    ] {
        let run = nowhere.xtask(line).exits(0);
        let lines: Vec<_> = run.stdout.lines().collect();
        let [url, sha256] = lines[..] else { panic!("{}", run.stdout) };
        assert!(url.contains(&format!("/alpha/alpha_{version}")), "{line}: {url}");
        assert_eq!(url.contains("darwin_arm64"), platform == "darwin_arm64", "{url}");
        assert_eq!(xtask::system::files::sha256(&get(url)), sha256, "{line}");
        let run = nowhere.xtask(&format!("{line} --json")).exits(0);
        let document = document(&run);
        assert_eq!(
            (&document["version"], &document["platform"]),
            (&version.into(), &platform.into())
        );
        assert_eq!(document["sha256"], sha256);
        assert_eq!(xtask::system::files::sha256(&get(document["url"].as_str().unwrap())), sha256);
    }
    assert_eq!(newest["artifacts"].as_array().unwrap().len(), 2);
}

/// What a URL of http gives whoever has it.
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
    nowhere.xtask("presign alpha").exits(3).says("it carries another sha256");
    std::fs::write(bucket.object("alpha/alpha_aaaaaa.json"), manifest).unwrap();
    std::fs::write(&path, &good[1..]).unwrap();
    nowhere.xtask("presign alpha").exits(3).says("is not what its release's manifest object says");
    std::fs::remove_file(&path).unwrap();
    let run = nowhere.xtask("presign alpha").exits(3).says("it is not there");
    assert_eq!(run.stdout, "");
    // A manifest object under another release's key names that one's archives.
    let manifest = std::fs::read(bucket.object("alpha/alpha_aaaaaa.json")).unwrap();
    std::fs::write(bucket.object("alpha/alpha_bbbbbb.json"), manifest).unwrap();
    nowhere.xtask("presign alpha --version bbbbbb").exits(3).says("lies elsewhere");
}

#[test]
fn mistakes_of_looking_have_their_exit_codes() {
    let bucket = Bucket::new();
    Release::of_alpha("aaaaaa").publish(&bucket);
    let nowhere = bucket.serve(Repo::empty());
    for (line, code, text) in [
        ("list gamma", 3, "no release of `gamma`"),
        ("list a/b", 2, "\"a/b\" is no service's name"),
        ("list channels", 2, "is no service's name"),
        ("list alpha beta", 2, "unexpected argument \"beta\""),
        ("list --local", 2, "invalid option '--local'"),
        ("list --bukket b", 2, "did you mean `--bucket`?"),
        ("presign", 2, "no SERVICE named"),
        ("presign gamma", 3, "no release of `gamma`"),
        ("presign alpha --version v1", 2, "version \"v1\": expected 6 to 40 hex digits"),
        ("presign alpha --version bbbbbb", 3, "no release bbbbbb of alpha"),
        ("presign alpha --platform plan9", 3, "plan9"),
        ("presign alpha --platform linux_arm64", 3, "no linux_arm64: it has linux_amd64"),
        ("presign alpha --expires 0", 2, "--expires \"0\": expected seconds from 1 to 604800"),
        ("presign alpha --expires 604801", 2, "--expires \"604801\""),
        ("presign alpha --expires +5", 2, "--expires \"+5\""),
        ("list --version aaaaaa", 2, "invalid option '--version'"),
        ("list --bucket other", 1, "NoSuchBucket"),
    ] {
        nowhere.xtask(line).exits(code).says("error: ").says(text);
    }
    let outside = Repo::empty();
    outside.xtask("list").exits(3).says("no bucket named");
    let run = outside.xtask("list --bucket builds").exits(3).says("no credentials");
    assert!(!run.stderr.contains("--local"), "{}", run.stderr);
    nowhere.xtask("list --explain").exits(0).says("credentials");
}
