//! Tests of `config`.

use serde_json::{Value, json};

use super::{Config, ServiceConfig};

#[test]
fn without_a_table_the_defaults_hold() {
    for metadata in [Value::Null, json!({}), json!({"other": {"x": 1}}), json!({"xtask": {}})] {
        let config = Config::read(&metadata).unwrap();
        assert_eq!(config.platforms.len(), 4);
        assert_eq!((config.glibc.as_str(), config.macos.as_str()), ("2.17", "11.0"));
        assert_eq!((config.profile.as_str(), config.prefix.as_str()), ("release", ""));
    }
}

#[test]
fn a_bad_workspace_table_names_table_and_field() {
    let rows = [
        (json!({"buckett": "b"}), "unknown field `buckett`"),
        (json!({"path_style": true}), "unknown field `path_style`"),
        (json!({"platforms": "linus"}), "unknown word `linus`"),
        (json!({"glibc": "2"}), "glibc = \"2\": expected two numbers such as 2.17"),
        (json!({"macos": "11.x"}), "macos = \"11.x\""),
        (json!({"profile": "--release"}), "profile = \"--release\""),
        (json!({"signature": "v3"}), "signature = \"v3\": expected v4 or v2"),
        (json!({"prefix": "/a"}), "prefix = \"/a/\""),
        (json!({"include": ["../x"]}), "include = \"../x\""),
        (json!({"include": ["a[", "b"]}), "include = \"a[\""),
        (json!({"content-type": "a\nb"}), "content-type"),
        (json!({"include": "x"}), "include: expected an array, found a string"),
        (json!({"include": ["x", 7]}), "include[1]: expected a string, found 7"),
        (json!({"path-style": "no"}), "path-style: expected true or false, found a string"),
        (json!([]), "expected an object, found an array"),
    ];
    for (table, expected) in rows {
        let error = Config::read(&json!({ "xtask": table })).expect_err(expected);
        let text = format!("{error:#}");
        assert!(text.starts_with("[workspace.metadata.xtask]: "), "{text}");
        assert!(text.contains(expected), "{text}: expected it to contain {expected:?}");
        assert_eq!(error.kind(), ferror::Kind::Config);
    }
}

#[test]
fn a_service_table_is_read_or_named_in_the_error() {
    let read = |table: Value| ServiceConfig::read("janitor", &json!({ "xtask": table }));
    assert_eq!(ServiceConfig::read("janitor", &Value::Null).unwrap(), None);
    let config = read(json!({"default-features": false, "platforms": "linux"})).unwrap().unwrap();
    assert!(config.no_default_features && !config.skip);
    assert_eq!(config.platforms.unwrap().len(), 2);
    let error = format!("{:#}", read(json!({"feature": []})).unwrap_err());
    assert!(
        error.contains("[package.metadata.xtask] of janitor: unknown field `feature`"),
        "{error}"
    );
}

#[test]
fn a_prefix_is_a_folder() {
    for (given, expected) in [("", ""), ("team", "team/"), ("a/b/", "a/b/")] {
        assert_eq!(Config::read(&json!({"xtask": {"prefix": given}})).unwrap().prefix, expected);
    }
}
