//! Tests of `plan`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{Plan, Request, dest, plan};
use crate::model::commit::Commit;
use crate::model::config::{Config, PackageConfig};
use crate::model::plan::Resource;
use crate::model::platform_line;
use crate::model::workspace::{Service, Workspace};

const HEAD: &str = "abc1234567abc1234567abc1234567abc1234567";

fn service(name: &str, table: &Value) -> Service {
    let config = PackageConfig::read(name, &json!({ "xtask": table })).unwrap().unwrap().config;
    Service {
        name: name.into(),
        package: name.into(),
        bin: name.into(),
        dir: format!("/r/services/{name}").into(),
        config,
    }
}

fn make(tables: &[(&str, Value)], dirty: Option<&str>, request: &Request) -> ferror::Result<Plan> {
    make_with(&json!({"platforms": "linux", "prefix": "team"}), tables, dirty, request)
}

fn make_with(
    table: &Value,
    tables: &[(&str, Value)],
    dirty: Option<&str>,
    request: &Request,
) -> ferror::Result<Plan> {
    let workspace = Workspace {
        root: "/r".into(),
        target_dir: "/r/target".into(),
        config: Config::read(&json!({ "xtask": table })).unwrap(),
        services: tables.iter().map(|(name, table)| service(name, table)).collect(),
        possible_entries: Vec::new(),
        packages: Vec::new(),
    };
    let readme = Resource {
        name: "README.md".into(),
        source: "/r/services/a/README.md".into(),
        executable: false,
    };
    let resources = BTreeMap::from([("a".to_owned(), vec![readme])]);
    let commit = Commit {
        id: HEAD.into(),
        committed_at: 1_700_000_000,
        branch: None,
        dirty: dirty.map(str::to_owned),
    };
    let services = workspace.select(&[])?;
    plan(&workspace, &services, &resources, commit, request)
}

#[test]
fn the_whole_plan_of_two_services() {
    let request = Request { dest: "/r/pkg".into(), ..Request::default() };
    let tables = [
        ("a", json!({"features": ["tls"], "default-features": false})),
        ("b", json!({"platforms": "linux,amd64"})),
        ("c", json!({"skip": true})),
    ];
    let text = make(&tables, None, &request).unwrap().to_string();
    let expected = "\
version  abc123
commit   abc1234567abc1234567abc1234567abc1234567 (clean, no branch)
into     /r/pkg/snapshot
build    profile release, glibc 2.17, macOS 11.0

linux_amd64  x86_64-unknown-linux-gnu
  a, no default features, features tls
    binary   linux_amd64/a
    archive  a_linux_amd64.tar.gz
      with   README.md
    object   team/a/a_abc123.tar.gz
  b
    binary   linux_amd64/b
    archive  b_linux_amd64.tar.gz
    object   team/b/b_abc123.tar.gz

linux_arm64  aarch64-unknown-linux-gnu
  a, no default features, features tls
    binary   linux_arm64/a
    archive  a_linux_arm64.tar.gz
      with   README.md
    object   team/a/a_abc123_linux_arm64.tar.gz
";
    assert_eq!(text, expected);
}

#[test]
fn a_version_is_digits_of_head() {
    let rows = [
        (None, None, Ok("abc123")),
        (Some("abc1234567"), None, Ok("abc1234567")),
        (Some("ABC1234"), None, Ok("abc1234")),
        (Some(HEAD), None, Ok(HEAD)),
        (None, Some("0123abcd"), Ok("abc123-dirty.0123abcd")),
        (Some("abc1234"), Some("0123abcd"), Ok("abc1234-dirty.0123abcd")),
        (Some("abc12"), None, Err("expected 6 to 40 hex digits")),
        (Some("v1.2.3"), None, Err("expected 6 to 40 hex digits")),
        (Some("fff1234"), None, Err("HEAD is abc1234567")),
    ];
    for (asked, dirty, expected) in rows {
        let request = Request { version: asked.map(str::to_owned), ..Request::default() };
        match (make(&[("a", json!({}))], dirty, &request), expected) {
            (Ok(plan), Ok(version)) => assert_eq!(plan.version, version),
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
            (made, _) => panic!("--version {asked:?}: {made:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn asking_for_platforms_replaces_the_default_and_narrows_a_services_own() {
    let rows = [
        (json!({}), "darwin,arm64", "darwin_arm64"),
        (json!({"platforms": "linux,amd64"}), "linux", "linux_amd64"),
        (json!({"platforms": "darwin"}), "arm64", "darwin_arm64"),
    ];
    for (table, line, expected) in rows {
        let request =
            Request { platforms: Some(platform_line::parse(line).unwrap()), ..Request::default() };
        let plan = make(&[("a", table)], None, &request).unwrap();
        let names: Vec<_> = plan.platforms().map(|platform| platform.to_string()).collect();
        assert_eq!(names.join(" "), expected, "--platforms {line}");
    }
    let request =
        Request { platforms: Some(platform_line::parse("linux").unwrap()), ..Request::default() };
    let error = make(&[("a", json!({"platforms": "darwin"}))], None, &request).unwrap_err();
    assert!(error.to_string().starts_with("nothing to build"), "{error}");
}

#[test]
fn a_template_gives_the_object_keys() {
    let keys = |template: &str, services: &[&str], dirty: Option<&str>, version: Option<&str>| {
        let table = json!({"platforms": "linux", "prefix": "team", "object-key": template});
        let tables: Vec<_> = services.iter().map(|name| (*name, json!({}))).collect();
        let request = Request { version: version.map(str::to_owned), ..Request::default() };
        let plan = make_with(&table, &tables, dirty, &request)?;
        assert_eq!(plan.prefix.as_deref(), Some("team/"));
        let builds = plan.steps.iter().flat_map(|step| &step.builds);
        Ok::<_, ferror::Error>(
            builds.map(|build| build.object_key.clone()).collect::<Vec<_>>().join(" "),
        )
    };
    let full = HEAD;
    let rows = [
        (
            "{service}/{version}/{file}",
            None,
            None,
            "team/a/abc123/a_linux_amd64.tar.gz team/a/abc123/a_linux_arm64.tar.gz".to_owned(),
        ),
        (
            "{service}/v{version}/{os}-{arch}",
            Some("0123abcd"),
            Some("abc12345"),
            "team/a/vabc12345-dirty.0123abcd/linux-amd64 team/a/vabc12345-dirty.0123abcd/linux-arm64"
                .to_owned(),
        ),
        (
            "{service}/{commit}/{platform}",
            None,
            None,
            format!("team/a/{full}/linux_amd64 team/a/{full}/linux_arm64"),
        ),
        // What is not committed is part of what a commit is called, or it would replace the commit's.
        (
            "{service}/{commit}/{platform}",
            Some("0123abcd"),
            None,
            format!("team/a/{full}-dirty.0123abcd/linux_amd64 team/a/{full}-dirty.0123abcd/linux_arm64"),
        ),
    ];
    for (template, dirty, version, expected) in rows {
        assert_eq!(keys(template, &["a"], dirty, version).unwrap(), expected, "{template}");
    }
    for (template, services, version, expected) in [
        (
            "{service}/{commit}/{platform}",
            &["a"][..],
            Some("abc12345"),
            "object-key has no {version}",
        ),
        // The service is named like a platform, its archive like its manifest object.
        (
            "{platform}/{service}_{version}.json",
            &["linux_amd64"],
            None,
            "the object key team/linux_amd64/linux_amd64_abc123.json, which is that of a manifest object",
        ),
    ] {
        let error = keys(template, services, None, version).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error:#}");
        assert_eq!(error.kind(), ferror::Kind::Config);
    }
    assert_eq!(make(&[("a", json!({}))], None, &Request::default()).unwrap().prefix, None);
}

#[test]
fn two_archives_with_one_object_key_are_refused_with_both_names() {
    let table = json!({
        "platforms": "linux,amd64 musl,amd64",
        "object-key": "{platform}_{service}/{version}.tgz",
    });
    let tables = [("a", json!({})), ("musl_a", json!({}))];
    let error = make_with(&table, &tables, None, &Request::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "musl_a_linux_amd64.tar.gz and a_linux_amd64_musl.tar.gz have one object key, \
         linux_amd64_musl_a/abc123.tgz"
    );
    assert_eq!(error.kind(), ferror::Kind::Config);
}

#[test]
fn a_plan_for_musl_alone_says_no_glibc() {
    let table = json!({"platforms": "musl,amd64"});
    let plan = make_with(&table, &[("a", json!({}))], None, &Request::default()).unwrap();
    let text = plan.to_string();
    let expected = "\
build    profile release, macOS 11.0

linux_amd64_musl  x86_64-unknown-linux-musl, static
  a
    binary   linux_amd64_musl/a
    archive  a_linux_amd64_musl.tar.gz
      with   README.md
    object   a/a_abc123_linux_amd64_musl.tar.gz
";
    assert!(text.ends_with(expected), "{text}");
    let json = plan.to_json();
    assert_eq!(json["glibc"], Value::Null);
}

#[test]
fn source_date_epoch_goes_before_the_commits_time() {
    for (variable, expected) in
        [(None, Some(1_700_000_000)), (Some("12"), Some(12)), (Some("soon"), None)]
    {
        let request =
            Request { source_date_epoch: variable.map(str::to_owned), ..Request::default() };
        let plan = make(&[("a", json!({}))], None, &request);
        assert_eq!(
            plan.ok().map(|plan| plan.entry_time),
            expected,
            "SOURCE_DATE_EPOCH={variable:?}"
        );
    }
}

#[test]
fn dest_is_the_option_then_the_variable_then_pkg() {
    let rows = [
        (Some("out"), Some("/ci"), "/r/sub/out"),
        (Some("/abs"), None, "/abs"),
        (None, Some("/ci"), "/ci"),
        (None, Some("ci"), "/r/ci"),
        (None, None, "/r/pkg"),
    ];
    for (option, variable, expected) in rows {
        let dest = dest(option.map(Path::new), Path::new("/r/sub"), variable, Path::new("/r"));
        assert_eq!(dest, Path::new(expected), "--dest {option:?}, CIRCLE_ARTIFACTS={variable:?}");
    }
}

#[test]
fn names_that_upload_would_refuse_are_refused_in_the_plan() {
    for name in ["channels", "keys", "verified", "größe", &"a".repeat(65)] {
        let error = make(&[(name, json!({}))], None, &Request::default()).unwrap_err();
        let expected = format!("service {name}: the name cannot be a folder of the bucket");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    make(&[(&"a".repeat(64), json!({}))], None, &Request::default()).unwrap();
}
