//! Views to draw and compare, and what is promised of them.

use catalog::{Found, Manifest, Reading};
use ftime::Epoch;
use serde_json::json;

use super::{Channel, Release, Service, View, compare};

/// Returns a release as a manifest object with these platforms and this file name would make it.
pub(crate) fn release(platforms: &[&str], file: &str, object_key: &str) -> Release {
    let manifest = json!({
        "schema": 1, "version": "abc123", "dirty": false, "committed_at": 1_369_353_600,
        "commit": "abc1230000000000000000000000000000000000", "platforms": platforms,
        "artifacts": [{"platform": "linux_amd64", "file": file, "size_bytes": 4_299_162,
            "sha256": "ab".repeat(32), "object_key": object_key}],
    });
    let manifest = Manifest::read_lenient(manifest.to_string().as_bytes(), "oddjob", "abc123");
    from_reading(Ok(manifest.expect("the example is a manifest object")))
}

/// Returns a release from what reading its manifest object gave.
pub(crate) fn from_reading(content: Result<Manifest, String>) -> Release {
    from_reading_in(&[], content)
}

fn from_reading_in(channels: &[Channel], content: Result<Manifest, String>) -> Release {
    let found = found("abc123", "oddjob/oddjob_abc123.json");
    let reading = Reading { etag: "e".to_owned(), content };
    let link = |object_key: &str| Ok(format!("https://bucket.example/{object_key}?a=1&b=\"2\""));
    Release::new(("", "oddjob"), &found, &reading, channels, &link).expect("this link never fails")
}

fn found(name: &str, object_key: &str) -> Found {
    Found {
        name: name.to_owned(),
        object_key: object_key.to_owned(),
        size_bytes: 7,
        etag: "e".to_owned(),
        last_modified: Epoch::from_secs(1_400_000_000),
    }
}

/// Returns a release of a day since 2014-05-13, with an archive for each platform.
pub(crate) fn release_of_day(version: &str, day: i64, channels: &[Channel]) -> Release {
    let manifest = json!({
        "schema": 1, "version": version, "dirty": false,
        "committed_at": 1_400_000_000 + day * 86400,
        "commit": format!("{version:0<40}"), "platforms": [], "artifacts": [],
    });
    let content = Manifest::read_lenient(manifest.to_string().as_bytes(), "oddjob", version);
    let reading =
        Reading { etag: "e".to_owned(), content: content.map_err(|error| error.to_string()) };
    let found = found(version, "k");
    Release::new(("", "oddjob"), &found, &reading, channels, &|_| unreachable!("no archive"))
        .expect("no link is made")
}

/// Returns a channel of these versions, the one it names first, whose archives are `(platform, digest)`.
pub(crate) fn channel(name: &str, versions: &[&str], archives: &[(&str, &str)]) -> Channel {
    let archives: Vec<_> = archives
        .iter()
        .map(|(platform, sha256)| json!({"platform": platform, "size_bytes": 7, "sha256": sha256}))
        .collect();
    let entries: Vec<_> = versions
        .iter()
        .map(|version| {
            json!({"version": version, "artifacts": archives, "by": "ann",
                "at": "2014-05-14T00:00:00Z", "commit": ""})
        })
        .collect();
    let object = json!({"schema": 1, "entries": entries}).to_string();
    let content = catalog::Channel::read_lenient(object.as_bytes(), "oddjob", name);
    Channel::new(name, content.map_err(|error| error.to_string()))
}

/// Returns a view of these releases of one service.
pub(crate) fn view(service: &str, releases: Vec<Release>) -> View {
    view_with(service, Vec::new(), releases)
}

/// Returns a view of these channels and releases of one service.
pub(crate) fn view_with(service: &str, channels: Vec<Channel>, releases: Vec<Release>) -> View {
    let name = service.to_owned();
    let mut service = Service { name, channels, releases, not_shown: 0 };
    compare(&mut service.channels, &service.releases, usize::MAX);
    View {
        bucket: "builds".to_owned(),
        prefix: String::new(),
        read_at: Epoch::from_secs(1_400_000_000),
        links_until: Epoch::from_secs(1_400_003_600),
        truncated: false,
        services: vec![service],
    }
}

#[test]
fn only_an_archive_of_the_release_itself_gets_a_link() {
    let check = |object_key: &str, expected: bool| {
        let release = release(&["linux_amd64"], "a.tar.gz", object_key);
        let url = release.details.unwrap().artifacts.remove(0).download_url;
        assert_eq!(url.is_some(), expected, "{object_key:?} gives {url:?}");
    };
    check("oddjob/oddjob_abc123.tar.gz", true);
    check("oddjob/oddjob_abc124.tar.gz", false);
    check("other/other_abc123.tar.gz", false);
    check("private/password.txt", false);
}

#[test]
fn json_has_seconds_and_says_why_a_release_is_unreadable() {
    let fine = release(&["linux_amd64"], "a.tar.gz", "oddjob/oddjob_abc123.tar.gz");
    let broken =
        from_reading_in(&[channel("stable", &["abc123"], &[])], Err("schema 2".to_owned()));
    let stable = channel("stable", &["abc123"], &[("linux_amd64", "00")]);
    let view = view_with("oddjob", vec![stable], vec![fine, broken]);
    let json = serde_json::to_value(view).unwrap();
    let service = &json["services"][0];
    let releases = &service["releases"];
    assert_eq!(releases[0]["committed_at"], 1_369_353_600);
    assert_eq!(releases[0]["unreadable"], json!(null));
    assert_eq!(releases[0]["artifacts"][0]["size_bytes"], 4_299_162);
    assert_eq!(releases[1]["unreadable"], "schema 2");
    assert_eq!(releases[1]["commit"], json!(null));
    assert_eq!(
        releases[1]["channels"][0],
        json!({"channel": "stable", "current": true, "promoted_at": 1_400_025_600,
            "promoted_by": "ann", "as_promoted": true}),
    );
    assert_eq!(service["channels"][0]["entries"][0]["promoted_at"], 1_400_025_600);
    assert_eq!(json["read_at"], 1_400_000_000);
}

#[test]
fn a_release_says_who_names_it_and_whether_its_archives_are_those_that_were_promoted() {
    let check = |promoted: &[(&str, &str)], as_promoted: bool| {
        let channels =
            [channel("beta", &["def456", "abc123"], promoted), channel("stable", &["abc123"], &[])];
        let manifest = json!({
            "schema": 1, "version": "abc123", "dirty": false, "committed_at": 0, "commit": "",
            "platforms": [], "artifacts": [{"platform": "linux_amd64", "file": "f",
                "size_bytes": 7, "sha256": "00", "object_key": ""}],
        });
        let manifest = Manifest::read_lenient(manifest.to_string().as_bytes(), "oddjob", "abc123");
        let release = from_reading_in(&channels, Ok(manifest.unwrap()));
        let named: Vec<_> = release
            .channels
            .iter()
            .map(|named| (named.channel.as_str(), named.current, named.as_promoted))
            .collect();
        assert_eq!(named, [("stable", true, true), ("beta", false, as_promoted)], "{promoted:?}");
    };
    check(&[("linux_amd64", "00")], true);
    check(&[("linux_amd64", "11")], false);
    check(&[("linux_amd64", "00"), ("linux_arm64", "22")], false);
}
