//! Tests of `manifest`.

use serde_json::{Value, json};

use super::{Branch, Manifest};

fn artifact(service: &str, platform: &str) -> Value {
    let (triple, key) = match platform {
        "linux_amd64" => ("x86_64-unknown-linux-gnu", format!("{service}/{service}_abc123.tar.gz")),
        _ => ("aarch64-apple-darwin", format!("{service}/{service}_abc123_{platform}.tar.gz")),
    };
    json!({
        "service": service, "platform": platform, "triple": triple,
        "file": format!("{service}_{platform}.tar.gz"), "size_bytes": 7, "sha256": "a".repeat(64),
        "binary_sha256": "b".repeat(64), "unstamped_sha256": "c".repeat(64),
        "object_key": key, "rustc": "rustc 1.95.0",
    })
}

fn manifest() -> Value {
    json!({
        "schema": 1, "version": "abc123", "commit": "abc123".to_owned() + &"0".repeat(34),
        "dirty": false, "committed_at": 1_700_000_000, "branch": null,
        "platforms": ["linux_amd64", "darwin_arm64"],
        "artifacts": [artifact("b", "linux_amd64"), artifact("a", "linux_amd64"), artifact("a", "darwin_arm64")],
    })
}

fn parse(value: &Value) -> ferror::Result<Manifest> {
    Manifest::read_strict(value.to_string().as_bytes(), "manifest.json")
}

#[test]
fn the_written_form_is_read_back_and_a_part_has_no_branch() {
    let manifest = parse(&manifest()).unwrap();
    let json: Value = serde_json::from_str(&manifest.to_json()).unwrap();
    assert_eq!(json["branch"], Value::Null, "a file says that it knows no branch");
    assert_eq!(parse(&json).unwrap(), manifest);

    let part = manifest.part_of("a");
    let json: Value = serde_json::from_str(&part.to_json()).unwrap();
    assert!(json.get("branch").is_none(), "{json}");
    assert_eq!(json["artifacts"][0]["platform"], "darwin_arm64", "sorted by platform");
    assert_eq!(parse(&json).unwrap(), part);
    assert_eq!(part.object_key("a").as_deref(), Some("a/a_abc123.json"));
    assert_eq!(manifest.part_of("b").platforms, ["linux_amd64"], "only its own platforms");
}

#[test]
fn what_another_machine_added_is_written_only_where_there_is_something() {
    let plain = parse(&manifest()).unwrap();
    for field in [
        "outside_flags",
        "expected_rustc",
        "openssl",
        "system_libraries",
        "unchecked_symbols",
        "sandboxed",
        "build_key",
    ] {
        assert!(!plain.to_json().contains(field), "an old reader would refuse {field}");
    }

    let mut json = manifest();
    json["artifacts"][1]["outside_flags"] = json!(["RUSTFLAGS=-C target-cpu=native"]);
    json["artifacts"][1]["expected_rustc"] = json!("1.95.0");
    json["artifacts"][1]["unchecked_symbols"] = json!(["IOHIDEventGetType in IOKit, by x 1.0.0"]);
    json["artifacts"][1]["openssl"] = json!("3.6.3");
    json["artifacts"][1]["system_libraries"] = json!(["libpq.so.5"]);
    json["artifacts"][1]["sandboxed"] = json!(true);
    json["artifacts"][1]["build_key"] = json!("a".repeat(64));
    let part = parse(&json).unwrap().part_of("a");
    let written: Value = serde_json::from_str(&part.to_json()).unwrap();
    assert_eq!(parse(&written).unwrap(), part);
    let artifact = &written["artifacts"][1];
    assert_eq!(artifact["outside_flags"], json!(["RUSTFLAGS=-C target-cpu=native"]));
    assert_eq!(artifact["expected_rustc"], "1.95.0");
    assert_eq!(artifact["unchecked_symbols"], json!(["IOHIDEventGetType in IOKit, by x 1.0.0"]));
    assert_eq!(artifact["openssl"], "3.6.3");
    assert_eq!(artifact["system_libraries"], json!(["libpq.so.5"]));
    assert_eq!(artifact["sandboxed"], true);
    assert_eq!(artifact["build_key"], "a".repeat(64));

    json["artifacts"][1]["outside_flags"] = json!(["CC=\u{1b}[2J"]);
    let error = parse(&json).unwrap_err().to_string();
    assert!(
        error.contains("artifact a_linux_amd64.tar.gz") && error.contains("control"),
        "{error}"
    );
}

/// Returns `manifest()` with keys that a template gave below `team/`.
fn templated() -> Value {
    let mut json = manifest();
    json["prefix"] = json!("team/");
    for (at, platform) in ["linux/amd64", "linux/amd64", "darwin/arm64"].iter().enumerate() {
        let service = if at == 0 { "b" } else { "a" };
        json["artifacts"][at]["object_key"] =
            json!(format!("team/{platform}/{service}-abc123.tgz"));
    }
    json
}

#[test]
fn keys_of_a_template_lie_anywhere_below_the_prefix() {
    let whole = parse(&templated()).unwrap();
    let part = whole.part_of("a");
    assert_eq!(part.object_key("a").as_deref(), Some("team/a/a_abc123.json"));
    let json: Value = serde_json::from_str(&part.to_json()).unwrap();
    assert_eq!(json["prefix"], "team/");
    assert_eq!(parse(&json).unwrap(), part);

    // Without a template, no manifest has ever had the field.
    let plain = parse(&manifest()).unwrap();
    assert!(!plain.to_json().contains("prefix"));
    // A release that was begun without one and is extended with one stays readable.
    let mut grown = parse(&manifest()).unwrap().part_of("a");
    grown.artifacts.truncate(1);
    grown.artifacts[0].object_key = "team/a/a_abc123_darwin_arm64.tar.gz".into();
    let key = grown.object_key("a");
    grown.extend_from(&part);
    assert_eq!((grown.prefix.as_deref(), grown.object_key("a")), (Some("team/"), key));
    parse(&serde_json::from_str(&grown.to_json()).unwrap()).unwrap();

    for (pointer, value, expected) in [
        ("/prefix", json!("other/"), "is not below the prefix \"other/\""),
        ("/prefix", json!("team"), "prefix \"team\": expected a folder"),
        ("/prefix", json!("te"), "prefix \"te\": expected a folder"),
        ("/prefix", json!(7), "prefix: expected a string, found 7"),
        ("/artifacts/0/object_key", json!("b/b_abc123.tar.gz"), "is not below the prefix"),
        ("/artifacts/0/object_key", json!("team/a/a_abc123.json"), "belongs to a manifest object"),
        ("/artifacts/0/object_key", json!("team/b/channels/x"), "channels"),
    ] {
        let mut json = templated();
        *json.pointer_mut(pointer).unwrap() = value.clone();
        let error = format!("{:#}", parse(&json).expect_err(expected));
        assert!(error.contains(expected), "{pointer} = {value}: {error}");
    }
    // What no table may have as `prefix`, with everything below it.
    for prefix in ["/", "team//", "team/../", "./"] {
        let text = templated().to_string().replace("team/", prefix);
        let error = Manifest::read_strict(text.as_bytes(), "manifest.json").expect_err(prefix);
        assert!(error.to_string().contains("expected a folder such as team/"), "{error}");
    }
}

#[test]
fn extending_keeps_what_is_there() {
    let whole = parse(&manifest()).unwrap();
    let mut grown = whole.part_of("a");
    grown.artifacts.truncate(1);
    grown.platforms.truncate(1);
    let kept = grown.artifacts[0].clone();
    let mut other = whole.part_of("a");
    other.artifacts[0].rustc = "another".into();
    grown.extend_from(&other);
    assert_eq!(grown.artifacts.len(), 2);
    assert!(grown.artifacts.contains(&kept), "{:?}", grown.artifacts);
    assert_eq!(grown.platforms, ["linux_amd64", "darwin_arm64"]);
}

#[test]
fn what_another_job_may_not_say() {
    let rows: [(&str, Value, &str); 22] = [
        ("/schema", json!(2), "schema 2"),
        ("/commit", json!("abc123"), "40 or 64 lower hex digits"),
        ("/version", json!("abc12"), "6 to 40 digits"),
        ("/version", json!("fff123"), "6 to 40 digits of commit"),
        ("/version", json!("abc123-dirty.00000000"), "6 to 40 digits"),
        ("/dirty", json!(true), "<digits>-dirty."),
        ("/branch", json!(7), "branch: expected a string, found 7"),
        ("/platforms/0", json!("linux_386"), "unknown platform `linux_386`"),
        ("/artifacts/0/service", json!("../b"), "no service's name"),
        (
            "/artifacts/0/triple",
            json!("x86_64-apple-darwin"),
            "linux_amd64 is x86_64-unknown-linux-gnu",
        ),
        ("/artifacts/0/file", json!("/etc/passwd"), "plain name of a file"),
        ("/artifacts/0/file", json!("../x"), "plain name of a file"),
        ("/artifacts/0/file", json!(".."), "plain name of a file"),
        ("/artifacts/0/file", json!("a_linux_amd64.tar.gz"), "listed twice"),
        ("/artifacts/0/service", json!("a"), "a for linux_amd64 is listed twice"),
        ("/artifacts/0/sha256", json!("A".repeat(64)), "no SHA-256"),
        (
            "/artifacts/0/size_bytes",
            json!(-1),
            "artifacts[0].size_bytes: expected a whole number from 0, found -1",
        ),
        ("/artifacts/0/object_key", json!("a/a_abc123.tar.gz"), "listed twice"),
        ("/artifacts/1/object_key", json!("elsewhere/a.tar.gz"), "lie in two folders"),
        ("/artifacts/0/object_key", json!("b/channels/stable.json"), "channels"),
        ("/artifacts/0/object_key", json!("b/b_abc123.json"), "belongs to a manifest object"),
        ("/artifacts/0/object_key", json!("b/\u{7}"), "control character"),
    ];
    for (pointer, value, expected) in rows {
        let mut json = manifest();
        *json.pointer_mut(pointer).expect(pointer) = value.clone();
        let error = parse(&json).expect_err(&format!("{pointer} = {value} is accepted"));
        let text = format!("{error:#}");
        assert!(
            text.contains("manifest.json") && text.contains(expected),
            "{pointer} = {value}: {text}"
        );
        assert_eq!(error.kind(), ferror::Kind::Invalid);
    }
}

#[test]
fn every_field_is_there_once_and_no_other_is() {
    let refused = |text: &str, expected: &str| {
        let error = Manifest::read_strict(text.as_bytes(), "manifest.json").expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}: expected {expected:?}");
        assert_eq!(error.kind(), ferror::Kind::Invalid);
    };
    let names =
        |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<String>>();
    for name in names(&manifest()).iter().filter(|name| *name != "branch") {
        let mut json = manifest();
        json.as_object_mut().unwrap().remove(name);
        refused(&json.to_string(), &format!("missing field `{name}`"));
    }
    for name in names(&manifest()["artifacts"][1]) {
        let mut json = manifest();
        json["artifacts"][1].as_object_mut().unwrap().remove(&name);
        refused(&json.to_string(), &format!("artifacts[1]: missing field `{name}`"));
    }
    let mut json = manifest();
    json["extra"] = json!(1);
    refused(&json.to_string(), "unknown field `extra`");
    let mut json = manifest();
    json["artifacts"][2]["extra"] = json!(1);
    refused(&json.to_string(), "artifacts[2]: unknown field `extra`");
    let twice = manifest().to_string().replacen('{', r#"{"version":"abc123","#, 1);
    refused(&twice, "field `version` twice");
}

#[test]
fn fields_are_written_in_one_order() {
    let mut manifest = parse(&manifest()).unwrap();
    manifest.branch = Branch::Named(Some("main".into()));
    manifest.artifacts.truncate(1);
    let expected = format!(
        r#"{{
  "schema": 1,
  "version": "abc123",
  "commit": "abc123{}",
  "dirty": false,
  "committed_at": 1700000000,
  "branch": "main",
  "platforms": [
    "linux_amd64",
    "darwin_arm64"
  ],
  "artifacts": [
    {{
      "service": "b",
      "platform": "linux_amd64",
      "triple": "x86_64-unknown-linux-gnu",
      "file": "b_linux_amd64.tar.gz",
      "size_bytes": 7,
      "sha256": "{}",
      "binary_sha256": "{}",
      "unstamped_sha256": "{}",
      "object_key": "b/b_abc123.tar.gz",
      "rustc": "rustc 1.95.0"
    }}
  ]
}}
"#,
        "0".repeat(34),
        "a".repeat(64),
        "b".repeat(64),
        "c".repeat(64),
    );
    assert_eq!(manifest.to_json(), expected);
}

/// Returns the manifest object of `a` with nothing in it but what services need.
fn lenient() -> Value {
    json!({
        "schema": 1, "version": "abc123", "commit": "abc123".to_owned() + &"0".repeat(34),
        "dirty": false, "committed_at": 1_369_353_600, "platforms": ["linux_amd64", "linux_arm64"],
        "artifacts": [{
            "platform": "linux_arm64", "file": "a_linux_arm64.tar.gz", "size_bytes": 1234,
            "sha256": "00", "object_key": "a/a_abc123_linux_arm64.tar.gz",
        }],
    })
}

fn read_lenient(value: &Value) -> ferror::Result<Manifest> {
    Manifest::read_lenient(value.to_string().as_bytes(), "a", "abc123")
}

#[test]
fn a_lenient_reader_takes_unknown_fields_and_needs_few() {
    let least = read_lenient(&lenient()).expect("these fields are enough");
    assert_eq!((least.committed_at, least.artifacts[0].size_bytes), (1_369_353_600, 1234));
    assert_eq!(least.platforms, ["linux_amd64", "linux_arm64"]);

    let mut more = lenient();
    more["later"] = json!({"a": 1});
    more["service"] = json!("a");
    more["prefix"] = json!(7);
    more["artifacts"][0]["triple"] = json!(["unknown"]);
    assert_eq!(read_lenient(&more).expect("no reader needs these"), least);
    let part = parse(&manifest()).unwrap().part_of("a");
    read_lenient(&serde_json::from_str(&part.to_json()).unwrap()).expect("what is written is read");
}

#[test]
fn a_release_has_the_program_of_one_that_has_all_of_its_binaries() {
    let of = |version: &str, programs: &[(&str, &str)]| {
        let artifacts: Vec<_> = programs
            .iter()
            .map(|(platform, unstamped)| {
                json!({"platform": platform, "file": "f", "size_bytes": 1, "sha256": version,
                    "object_key": "k", "unstamped_sha256": unstamped})
            })
            .collect();
        let document = json!({"schema": 1, "version": version, "commit": "", "dirty": false,
            "committed_at": 0, "platforms": [], "artifacts": artifacts});
        Manifest::read_lenient(document.to_string().as_bytes(), "a", version).unwrap()
    };
    let (linux, darwin) = (("linux_amd64", "11"), ("darwin_arm64", "22"));
    let others = [
        of("bbbbbb", &[linux, ("darwin_arm64", "33")]),
        of("cccccc", &[("linux_arm64", "11"), darwin]),
        of("dddddd", &[darwin, linux]),
        of("eeeeee", &[linux, darwin]),
    ];
    for (programs, expected) in [
        (&[linux, darwin][..], Some("dddddd")),
        (&[linux], Some("bbbbbb")),
        (&[darwin], Some("cccccc")),
        (&[linux, darwin, ("linux_arm64", "11")], None),
        (&[("linux_amd64", "22")], None),
        (&[], None),
    ] {
        assert_eq!(of("aaaaaa", programs).same_program(&others), expected, "{programs:?}");
    }
    // Without the digest, nothing is known of a program.
    let unknown = [read_lenient(&lenient()).unwrap()];
    assert_eq!(unknown[0].same_program(&unknown), None);
    let mut odd = lenient();
    odd["artifacts"][0]["unstamped_sha256"] = json!(7);
    odd["artifacts"][0]["build_key"] = json!([]);
    assert_eq!(read_lenient(&odd).expect("no reader needs these"), unknown[0]);
}

#[test]
fn what_is_no_manifest_of_this_key_says_why() {
    let check = |name: &str, to: Value, expected: &str| {
        let mut value = lenient();
        value[name] = to;
        let error = read_lenient(&value).expect_err(expected);
        assert!(error.to_string().contains(expected), "{name}: {expected:?} is not in {error}");
        assert_eq!(error.kind(), ferror::Kind::Invalid);
    };
    check("schema", json!(2), "schema 2, this program reads 1");
    check("schema", json!("1"), "not a manifest object");
    check("version", json!("abc124"), "says version \"abc124\"");
    check("service", json!("other"), "says service \"other\"");
    check("committed_at", json!("yesterday"), "committed_at: expected a whole number");
    check("artifacts", json!([{}]), "artifacts[0]: missing field `platform`");
    let error = Manifest::read_lenient(b"{\"schema\":1,", "a", "abc123").unwrap_err();
    assert!(error.to_string().contains("not a manifest object"), "{error}");
    // Of another schema, the other fields need not be there.
    let error = Manifest::read_lenient(b"{\"schema\":2}", "a", "abc123").unwrap_err();
    assert!(error.to_string().contains("schema 2"), "{error}");
}

#[test]
fn only_archives_of_the_same_release_are_owned() {
    let manifest = read_lenient(&lenient()).unwrap();
    let check = |object_key: &str, expected: bool| {
        let mut artifact = manifest.artifacts[0].clone();
        object_key.clone_into(&mut artifact.object_key);
        assert_eq!(manifest.owns("", "a", &artifact), expected, "{object_key:?}");
    };
    check("a/a_abc123_linux_arm64.tar.gz", true);
    check("a/a_abc123_darwin_arm64.tar.gz", false);
    check("a/a_abc124_linux_arm64.tar.gz", false);
    check("other/other_abc123_linux_arm64.tar.gz", false);
    check("a/a_abc123.json", false);
    check("a/channels/stable.json", false);
    check("secrets/password", false);
}
