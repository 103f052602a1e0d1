//! Tests of `keys`.

use std::collections::BTreeSet;

use ferror::Kind;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{
    Names, ObjectName, Template, archive_key, channel_key, check_distinct, index_key, manifest_key,
    may_be_templated, problem, receipt_key,
};
use crate::Platform;

const COMMIT: &str = "abc1234567abc1234567abc1234567abc1234567";

fn names(service: &str, platform: Platform) -> Names<'_> {
    Names { service, version: "abc123", commit: COMMIT, platform, file: "FILE" }
}

fn fill(text: &str, prefix: &str, service: &str) -> ferror::Result<[String; 2]> {
    let template = Template::parse(text)?;
    let [linux, _, _, darwin] = Platform::DEFAULT;
    let of = |platform| archive_key(Some(&template), prefix, &names(service, platform));
    Ok([of(linux)?, of(darwin)?])
}

#[test]
fn without_a_template_keys_have_the_fixed_form() {
    let [linux, linux_arm, _, darwin, musl, _] = Platform::ALL;
    for (prefix, platform, expected) in [
        ("", linux, "a/a_abc123.tar.gz"),
        ("team/", linux, "team/a/a_abc123.tar.gz"),
        ("", linux_arm, "a/a_abc123_linux_arm64.tar.gz"),
        ("x/y/", darwin, "x/y/a/a_abc123_darwin_arm64.tar.gz"),
        ("", musl, "a/a_abc123_linux_amd64_musl.tar.gz"),
    ] {
        assert_eq!(archive_key(None, prefix, &names("a", platform)).unwrap(), expected);
    }
    assert_eq!(manifest_key("team/", "a", "abc123"), "team/a/a_abc123.json");
    assert_eq!(channel_key("team/", "a", "stable"), "team/a/channels/stable.json");
    let receipt = receipt_key("team/", "a", "abc123");
    assert_eq!(receipt, "team/verified/a/abc123");
    assert_eq!(problem(&receipt), Some("it is that of a receipt of verify"));
    assert_eq!(ObjectName::parse("", "verified/verified_abc123.json"), None);
}

#[test]
fn a_template_is_filled_in_below_the_prefix() {
    let long = format!("builds/a/{COMMIT}/darwin/arm64.tgz");
    for (text, prefix, expected) in [
        ("{service}/{version}/{file}", "", "a/abc123/FILE"),
        ("{service}/{version}/{platform}.tgz", "team/", "team/a/abc123/darwin_arm64.tgz"),
        ("builds/{service}/{commit}/{os}/{arch}.tgz", "", &long),
        ("{os}{arch}/{service}-v{version}", "", "darwinarm64/a-vabc123"),
        ("{service}/{service}_{version}_{platform}.tar.gz", "", "a/a_abc123_darwin_arm64.tar.gz"),
        ("größe x/{platform}/{version}/{service}", "", "größe x/darwin_arm64/abc123/a"),
    ] {
        let [linux, darwin] = fill(text, prefix, "a").unwrap_or_else(|e| panic!("{text}: {e:#}"));
        assert_eq!(darwin, expected, "{text}");
        assert!(linux != darwin || text.contains("{file}"), "{text}: {linux}");
    }
}

#[test]
fn every_placeholder_that_names_a_platform_tells_musl_apart() {
    let musl = Platform::ALL[4];
    for (text, expected) in [
        ("{service}/{version}/{os}-{arch}.tgz", "a/abc123/linux-amd64_musl.tgz"),
        ("{service}/{version}/{platform}.tgz", "a/abc123/linux_amd64_musl.tgz"),
    ] {
        let template = Template::parse(text).unwrap();
        assert_eq!(template.fill("", &names("a", musl)).unwrap(), expected);
    }
}

#[test]
fn a_template_that_could_lose_something_is_refused_when_it_is_read() {
    let whole = "{service}/{version}/{file}";
    let rows = [
        ("{service}/{versoin}/{file}", "unknown placeholder `{versoin}`"),
        ("{service}/{}/{file}", "unknown placeholder `{}`"),
        ("{service}/{ version }/{file}", "unknown placeholder"),
        ("{service}/{Version}/{file}", "unknown placeholder `{Version}`"),
        ("{service}/{version/{file}", "`{` without a `}`"),
        ("{service}/{version}/{file", "`{` without a `}`"),
        ("{service}/version}/{file}", "`}` without a `{`"),
        ("{{service}}/{version}/{file}", "`{` without a `}`"),
        ("", "`` is no name between two `/`"),
        ("releases.tar.gz", "it needs {service}"),
        ("{version}/{file}", "it needs {service}"),
        ("{service}/{file}", "it needs {version} or {commit}"),
        ("{service}/{version}.tgz", "it needs {platform}, {file}, or {os} and {arch}"),
        ("{service}/{version}/{os}", "it needs {platform}, {file}, or {os} and {arch}"),
        ("{service}/{version}/{arch}", "it needs {platform}, {file}, or {os} and {arch}"),
        ("/{service}/{version}/{file}", "begins with `/`"),
        ("{service}//{version}/{file}", "`` is no name"),
        ("{service}/./{version}/{file}", "`.` is no name"),
        ("{service}/../{version}/{file}", "`..` is no name"),
        ("{service}/{version}/{file}/", "`` is no name"),
        ("{service}/{version}\n/{file}", "control character"),
        ("{service}/channels/{version}/{file}", "channels are not written"),
        ("channels/{service}/{version}/{file}", "channels are not written"),
        ("{platform}/verified/{service}/{version}", "that of a receipt of verify"),
        ("svc{service}/{version}/{platform}", "{service} has to be set off"),
        ("{service}/{version}0/{platform}", "{version} or {commit} has to be set off"),
        ("{service}/{commit}{version}/{platform}", "{version} or {commit} has to be set off"),
        ("all/all_{service}_{version}_{platform}", "reads as one of another service"),
    ];
    for (text, expected) in rows {
        let error = Template::parse(text).expect_err(text);
        let shown = error.to_string();
        assert!(shown.contains(expected), "{text}: {shown}");
        assert!(shown.starts_with("object-key = \""), "{shown}");
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(error.kind(), Kind::Config);
        if expected.contains("placeholder") {
            let known = "{service} {version} {commit} {platform} {os} {arch} {file}";
            assert!(shown.contains(known), "{shown}: it does not list {known}");
        }
    }
    assert!(Template::parse(whole).is_ok());
    let long = format!("{}{whole}", "a/".repeat(600));
    assert!(Template::parse(&long).unwrap_err().to_string().contains("1024 bytes"));
}

#[test]
fn what_only_shows_in_a_key_is_refused_there() {
    for (prefix, service, expected) in [
        ("", "channels", "channels are not written"),
        ("channels/", "a", "channels are not written"),
        (&*"p/".repeat(505), "a", "longer than 1024 bytes"),
    ] {
        let error = fill("{service}/{version}/{platform}", prefix, service).expect_err(service);
        assert!(error.to_string().contains(expected), "{error}");
    }
    // 1,024 bytes are taken.
    let prefix = "p".repeat(1024 - "a/abc123/linux_amd64".len());
    let template = Template::parse("{service}/{version}/{platform}").unwrap();
    let key = template.fill(&prefix, &names("a", Platform::ALL[0])).unwrap();
    assert_eq!((key.len(), problem(&key)), (1024, None));
}

#[test]
fn keys_of_one_plan_are_distinct() {
    let manifest_objects = BTreeSet::from(["a/a_abc123.json".to_owned()]);
    let archives = |keys: [&'static str; 2]| ["one.tar.gz", "two.tar.gz"].into_iter().zip(keys);
    assert!(check_distinct(archives(["a/1", "a/2"]), &manifest_objects).is_ok());
    for (keys, expected) in [
        (["a/1", "a/1"], "one.tar.gz and two.tar.gz have one object key, a/1"),
        (
            ["a/1", "a/a_abc123.json"],
            "two.tar.gz has the object key a/a_abc123.json, which is that",
        ),
    ] {
        let error = check_distinct(archives(keys), &manifest_objects).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// What templates are made of, and what breaks them.
const PIECES: [&str; 18] = [
    "{service}",
    "{version}",
    "{commit}",
    "{platform}",
    "{os}",
    "{arch}",
    "{file}",
    "{",
    "}",
    "{x}",
    "/",
    ".",
    "..",
    "_",
    "-",
    "channels",
    "é",
    "\u{1b}",
];

fn template() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..14);
    let good =
        pieces.clone().prop_map(|p| format!("{{service}}/{{version}}/{{file}}{}", p.concat()));
    prop_oneof![1 => any::<String>(), 3 => pieces.prop_map(|p| p.concat()), 3 => good]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..ProptestConfig::default()
    })]

    /// Checks that a template that is taken gives keys that differ and that an upload accepts.
    #[test]
    fn any_text_is_a_template_or_an_error(text in template(), service in "[a-z][a-z0-9_-]{0,8}") {
        let template = match Template::parse(&text) {
            Ok(template) => template,
            Err(error) => {
                prop_assert!(!error.to_string().contains(char::is_control), "{error:?}");
                return Ok(());
            }
        };
        let mut keys = BTreeSet::new();
        for platform in Platform::ALL {
            let file = format!("{service}_{platform}.tar.gz");
            let names = Names { file: &file, ..names(&service, platform) };
            let Ok(key) = template.fill("team/", &names) else { return Ok(()) };
            prop_assert_eq!(problem(&key), None);
            let escapes = key.split('/').any(|segment| ["", ".", ".."].contains(&segment));
            prop_assert!(key.starts_with("team/") && !escapes, "{key}");
            prop_assert!(keys.insert(key));
        }
    }
}

#[test]
fn keys_of_the_fixed_forms_are_read_back() {
    let longest = "a".repeat(63);
    let forty = "0123456789012345678901234567890123456789";
    for prefix in ["", "team/", "x/y/"] {
        for (service, version) in
            [("a", "abc123"), ("odd_job-2", "abc123-dirty.89abcdef"), ("my_odd-job", forty)]
        {
            let key = manifest_key(prefix, service, version);
            let expected = ObjectName::Manifest { service, version };
            assert_eq!(ObjectName::parse(prefix, &key), Some(expected), "{key}");
            assert_eq!(ObjectName::parse("other/", &key), None, "{key}");
            for platform in Platform::ALL {
                let names = Names { service, version, ..names(service, platform) };
                let key = archive_key(None, prefix, &names).unwrap();
                let platform = platform.as_str();
                let expected = ObjectName::Archive { service, version, platform };
                assert_eq!(ObjectName::parse(prefix, &key), Some(expected), "{key}");
            }
            for channel in ["stable", "x-1", &longest] {
                let key = channel_key(prefix, service, channel);
                let expected = ObjectName::Channel { service, channel };
                assert_eq!(ObjectName::parse(prefix, &key), Some(expected), "{key}");
                assert_eq!(problem(&key), Some("channels are not written by an upload"));
            }
        }
    }
    for prefix in ["", "team/"] {
        let (build_key, unstamped_sha256) = (&*"a1".repeat(32), &*"b2".repeat(32));
        let key = index_key(prefix, build_key, unstamped_sha256);
        let expected = ObjectName::IndexEntry { build_key, unstamped_sha256 };
        assert_eq!(ObjectName::parse(prefix, &key), Some(expected), "{key}");
        let key = format!("{prefix}verified/odd_job-2/abc123");
        let expected = ObjectName::Receipt { service: "odd_job-2", version: "abc123" };
        assert_eq!(ObjectName::parse(prefix, &key), Some(expected), "{key}");
    }
    // A platform that this program does not know yet, and a prefix that is no folder.
    let expected =
        ObjectName::Archive { service: "a", version: "abc123", platform: "freebsd_riscv64" };
    let key = "team-a/a_abc123_freebsd_riscv64.tar.gz";
    assert_eq!(ObjectName::parse("team-", key), Some(expected));
}

#[test]
fn every_other_key_is_not_ours() {
    let long = format!("a/channels/{}.json", "a".repeat(64));
    for key in [
        "",
        "a",
        "a/",
        "/_abc123.json",
        "/a_abc123.json",
        "a/b_abc123.json",
        "a/a_abc12.json",
        "a/a_abc12g.json",
        "a/a_ABC123.json",
        "a/a_01234567890123456789012345678901234567890.json",
        "a/a_abc123-dirty.json",
        "a/a_abc123-dirty.89abcde.json",
        "a/a_abc123.json.bak",
        "a/a_abc123_.tar.gz",
        "a/a_abc123_linux.tar.gz",
        "a/a_abc123_linux_amd64.tar.gz",
        "a/a_abc123_linux_arm_64.tar.gz",
        "a/a_abc123_linux_arm64_.tar.gz",
        "a/a_abc123_linux_arm64_musl_x.tar.gz",
        "a/a_abc123_Linux_arm64.tar.gz",
        "a/a_abc123_linux_arm64.json",
        "a/a_abc123.tar.xz",
        "a/stable.json",
        "a/channels/.json",
        "a/channels/Stable.json",
        "a/channels/st_able.json",
        "a/channels/b/stable.json",
        "a/channels/a_abc123.json",
        &long,
        "channels/channels/stable.json",
        "channels/channels_abc123.json",
        "keys/channels/stable.json",
        "keys/keys_abc123.json",
        "keys/a/b",
        "keys/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "verified/channels/stable.json",
        "verified/verified_abc123.json",
        "verified/verified_abc123.tar.gz",
        "verified/a",
        "verified/a/latest",
        "verified/a/abc123.json",
        "verified/a/abc123/b",
        "verified/keys/abc123",
        "a/a/a_abc123.json",
        "../.._abc123.json",
        "a/../a_abc123.json",
        "ä/ä_abc123.json",
        "<b>/<b>_abc123.json",
    ] {
        assert_eq!(ObjectName::parse("", key), None, "{key:?} must not be taken for ours");
    }
    assert_eq!(ObjectName::parse("team/", "a/a_abc123.json"), None, "outside the prefix");
    assert_eq!(ObjectName::parse("", "team/a/a_abc123.json"), None, "deeper than the prefix");
}

#[test]
fn a_templated_key_names_its_service_and_release() {
    let commit = "abc1230000000000000000000000000000000000";
    let check = |prefix: &str, key: &str, expected: bool| {
        let may_be = may_be_templated(prefix, key, "odd-job", &["abc123", commit]);
        assert_eq!(may_be, expected, "{key:?} under {prefix:?}");
    };
    check("", "odd-job/abc123/linux/amd64.tgz", true);
    check("team/", "team/odd-job/vabc123/odd-job_linux_amd64.tar.gz", true);
    check("", &format!("builds/{commit}/linux_amd64/odd-job.tgz"), true);
    check("", "odd-job/odd-job_abc123_linux_amd64.tar.gz", true);
    check("", &format!("odd-job/odd-job_{commit}_linux_arm64.tar.gz"), true);
    check("", "secrets/password", false);
    check("", "odd-job/abc1234/linux_amd64", false);
    check("", "odd-job/0abc123/linux_amd64", false);
    check("", "odd-jobs/abc123/linux_amd64", false);
    check("team/", "odd-job/abc123/linux_amd64", false);
    check("odd-job/abc123/", "odd-job/abc123/linux_amd64", false);
    check("", "odd-job/channels/abc123", false);
    check("", "/odd-job/abc123/linux_amd64", false);
    check("", "odd-job/../abc123/linux_amd64", false);
    check("", "odd-job/abc123/linux_amd64\n", false);
    check("", &format!("odd-job/abc123/{}", "x".repeat(1024)), false);
    // Our own forms mean what they say.
    check("", "odd-job/odd-job_abc123.json", false);
    check("", "other/other_abc123_odd-job.tar.gz", true);
    check("", "other-odd-job/other-odd-job_abc123.tar.gz", false);
    check("", "odd-job/odd-job_def456.tar.gz", false);
    check("", "odd-job/odd-job_def456_linux_abc123.tar.gz", false);
    check("", "verified/odd-job/abc123", false);
}
