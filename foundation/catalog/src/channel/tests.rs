//! Tests of `channel`.

use serde_json::{Value, json};

use super::form::read_strict;
use super::{Channel, MAX_ENTRIES};

fn read(value: &Value) -> ferror::Result<Channel> {
    Channel::read_lenient(value.to_string().as_bytes(), "oddjob", "stable")
}

fn example() -> Value {
    json!({
        "schema": 1, "service": "oddjob", "channel": "stable",
        "entries": [
            {"version": "abc123", "commit": "abc1230000000000000000000000000000000000",
                "artifacts": [{"platform": "linux_amd64", "size_bytes": 7, "sha256": "0".repeat(64),
                    "object_key": "oddjob/oddjob_abc123.tar.gz"}],
                "by": "ann", "at": "2013-05-24T00:00:00Z", "replaced": "def456"},
            {"version": "def456"}, {"version": "aaaaaa"},
        ],
    })
}

/// Returns the entry of [`example`] that has all fields.
fn whole() -> Value {
    let mut value = example();
    value["entries"].as_array_mut().unwrap().truncate(1);
    value
}

#[test]
fn a_channel_is_read_and_keeps_the_release_it_names_and_the_one_before() {
    let channel = read(&example()).expect("it is one");
    let current = &channel.current;
    assert_eq!((current.version.as_str(), current.by.as_str()), ("abc123", "ann"));
    assert_eq!(current.promoted_at().expect("a time").to_string(), "2013-05-24T00:00:00Z");
    assert_eq!(current.artifacts[0].platform, "linux_amd64");
    assert_eq!(channel.before[0].promoted_at(), None);
    let kept: Vec<_> = channel.kept().map(|entry| entry.version.as_str()).collect();
    assert_eq!(kept, ["abc123", "def456"]);
    assert_eq!(read(&whole()).expect("it is one").kept().count(), 1);
}

#[test]
fn what_is_no_channel_of_this_key_says_why() {
    let check = |name: &str, to: Value, expected: &str| {
        let mut value = example();
        value[name] = to;
        let error = read(&value).expect_err(expected).to_string();
        assert!(error.contains(expected), "{name}: {expected:?} is not in {error:?}");
    };
    check("schema", json!(2), "schema 2, this program reads 1");
    check("schema", json!("1"), "not a channel");
    check("service", json!("other"), "says service \"other\"");
    check("channel", json!("edge"), "says channel \"edge\"");
    check("entries", json!([]), "it names no release");
    check("entries", json!([{}]), "missing field `version`");
    check("entries", json!([{"version": "../../x"}]), "is no version");
    check("entries", json!([{"version": "abc123", "at": "noon"}]), "noon");
}

#[test]
fn the_written_form_is_read_back_strictly_and_byte_for_byte() {
    let expected = format!(
        r#"{{
  "channel": "stable",
  "entries": [
    {{
      "artifacts": [
        {{
          "object_key": "oddjob/oddjob_abc123.tar.gz",
          "platform": "linux_amd64",
          "sha256": "{}",
          "size_bytes": 7
        }}
      ],
      "at": "2013-05-24T00:00:00Z",
      "by": "ann",
      "commit": "abc1230000000000000000000000000000000000",
      "replaced": "def456",
      "version": "abc123"
    }}
  ],
  "schema": 1,
  "service": "oddjob"
}}
"#,
        "0".repeat(64)
    );
    let channel = read_strict(expected.as_bytes(), "oddjob", "stable").unwrap();
    assert_eq!(channel.to_json(), expected);
}

#[test]
fn a_strict_reader_needs_every_field_in_its_form_and_takes_no_other() {
    let strict = |value: &Value| read_strict(value.to_string().as_bytes(), "oddjob", "stable");
    strict(&whole()).expect("the example is whole");
    for (pointer, to, expected) in [
        ("/schema", json!(2), "schema 2, this program reads 1"),
        ("/service", json!("other"), "it says channel \"stable\" of \"other\""),
        ("/entries", json!([]), "no entries"),
        ("/entries/0/version", json!("stable"), "\"stable\" is no version"),
        ("/entries/0/replaced", json!("stable"), "\"stable\" is no version"),
        ("/entries/0/by", json!("a\nb"), "`by` is \"a\\nb\""),
        ("/entries/0/at", json!("noon"), "noon"),
        ("/entries/0/artifacts/0/sha256", json!("00"), "\"00\" is no SHA-256 in lower hex"),
        ("/entries/0", json!({"version": "abc123"}), "entries[0]: missing field `artifacts`"),
    ] {
        let mut value = whole();
        *value.pointer_mut(pointer).expect(pointer) = to;
        let error = strict(&value).expect_err(expected);
        assert!(error.contains(expected), "{pointer}: {error}: expected {expected:?}");
    }
    for pointer in ["", "/entries/0", "/entries/0/artifacts/0"] {
        let mut value = whole();
        value.pointer_mut(pointer).unwrap()["later"] = json!(1);
        let error = strict(&value).expect_err(pointer);
        assert!(error.contains("unknown field `later`"), "{pointer}: {error}");
    }
    let mut long = whole();
    let entry = long["entries"][0].clone();
    long["entries"] = json!(vec![entry; MAX_ENTRIES + 1]);
    assert_eq!(strict(&long).unwrap_err(), "21 entries, more than 20");
}
