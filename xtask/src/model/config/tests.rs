//! Tests of `config`.

use s3::{Attributes, Encryption};
use serde_json::{Value, json};

use super::{Config, PackageConfig};

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
        (json!({"version-digits": 5}), "version-digits = 5: expected 6 to 40 digits of the commit"),
        (json!({"version-digits": 41}), "version-digits = 41: expected 6 to 40 digits"),
        (json!({"glibc": "2"}), "glibc = \"2\": expected two numbers such as 2.17"),
        (json!({"glibc": "2.16"}), "glibc = \"2.16\": expected 2.17 or newer"),
        (json!({"glibc": "1.99"}), "glibc = \"1.99\": expected 2.17 or newer"),
        (json!({"glibc": "2."}), "glibc = \"2.\": expected two numbers"),
        (json!({"macos": "10.11"}), "macos = \"10.11\": expected 10.12 or newer"),
        (json!({"macos": "9.99"}), "macos = \"9.99\": expected 10.12 or newer"),
        (json!({"macos": "11.x"}), "macos = \"11.x\""),
        (json!({"profile": "--release"}), "profile = \"--release\""),
        (json!({"signature": "v3"}), "signature = \"v3\": expected v4 or v2"),
        (json!({"prefix": "/a"}), "prefix = \"/a\""),
        (json!({"prefix": "a//b"}), "prefix = \"a//b\""),
        (json!({"prefix": "../x"}), "prefix = \"../x\": expected a folder"),
        (json!({"prefix": "a/./b/"}), "prefix = \"a/./b/\""),
        (json!({"prefix": "/"}), "prefix = \"/\""),
        (json!({"include": ["../x"]}), "include = \"../x\""),
        (json!({"include": ["a[", "b"]}), "include = \"a[\""),
        (json!({"content-type": "a\nb"}), "content-type"),
        (json!({"include": "x"}), "include: expected an array, found a string"),
        (json!({"include": ["x", 7]}), "include[1]: expected a string, found 7"),
        (json!({"path-style": "no"}), "path-style: expected true or false, found a string"),
        (json!({"object-key": "{service}"}), "object-key = \"{service}\": it needs {version}"),
        (json!({"object-key": 7}), "object-key: expected a string, found 7"),
        (json!({"cache-control": "a\nb"}), "cache-control"),
        (json!({"acl": "everyone"}), "the acl is \"everyone\": expected one of private"),
        (json!({"acl": "log-delivery-write"}), "bucket-owner-full-control"),
        (json!({"storage-class": "cold"}), "storage class is \"cold\""),
        (json!({"encryption": "aes256"}), "encryption = \"aes256\": expected AES256 or aws:kms"),
        (json!({"kms-key-id": "k"}), "kms-key-id = \"k\": expected encryption = \"aws:kms\""),
        (json!({"encryption": "AES256", "kms-key-id": "k"}), "kms-key-id = \"k\""),
        (json!({"encryption": "aws:kms", "kms-key-id": "a key"}), "KMS key id is \"a key\""),
        (json!({"tags": {"a": "1&b=2"}}), "the value of the tag \"a\""),
        (json!({"tags": {"a": 1}}), "tags.a: expected a string, found 1"),
        (json!({"tags": "a=1"}), "tags: expected an object, found a string"),
        (json!({"metadata": {"A": "1"}}), "metadata name is \"A\""),
        (json!({"metadata": {"sha256": "1"}}), "metadata name is \"sha256\""),
        (json!({"metadata": {"commit": "1"}}), "metadata = \"commit\": expected other names"),
        (json!({"bucket-owner": "1234"}), "bucket-owner = \"1234\": expected the 12 digits"),
        (json!({"bucket-owner": 111_122_223_333_u64}), "bucket-owner: expected a string"),
        (
            json!({"pass-env": ["AWS_SECRET"]}),
            "pass-env = \"AWS_SECRET\": expected one of S3_KEY, ",
        ),
        (json!({"pass-env": "S3_KEY"}), "pass-env: expected an array, found a string"),
        (json!({"conditional-writes": "no"}), "conditional-writes: expected true or false"),
        (
            json!({"checksum": "crc32"}),
            "checksum = \"crc32\": expected crc64nvme, or no such field",
        ),
        (json!({"checksum": true}), "checksum: expected a string"),
        (json!({"allow-http": "yes"}), "allow-http: expected true or false, found a string"),
        (json!({"rust": "stable"}), "rust = \"stable\": expected a release such as 1.95.0"),
        (json!({"rust": "1"}), "rust = \"1\""),
        (json!({"rust": "nightly"}), "rust = \"nightly\""),
        (
            json!({"skip-checks": ["cpu"]}),
            "skip-checks = \"cpu\": expected some of format, processor",
        ),
        (json!({"system-libraries": "libssl.so.3"}), "system-libraries: expected an array"),
        (json!({"outside-flags": "yes"}), "outside-flags: expected true or false"),
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
fn the_oldest_releases_that_rustc_supports_are_taken() {
    for (glibc, macos) in [("2.17", "10.12"), ("2.28", "10.15"), ("3.0", "26.1")] {
        let table = json!({ "xtask": { "glibc": glibc, "macos": macos } });
        let config = Config::read(&table).unwrap();
        assert_eq!((config.glibc.as_str(), config.macos.as_str()), (glibc, macos));
    }
}

#[test]
fn what_uploads_say_of_their_objects_is_read() {
    let plain = Config::read(&json!({})).unwrap();
    assert_eq!(plain.attributes, Attributes::default());
    assert_eq!((plain.object_key, plain.bucket_owner, plain.allow_http), (None, None, false));

    let config = Config::read(&json!({"xtask": {
        "object-key": "{service}/{version}/{file}", "cache-control": "no-store",
        "acl": "bucket-owner-full-control",
        "storage-class": "STANDARD_IA", "encryption": "aws:kms", "kms-key-id": "alias/release",
        "tags": {"team": "tools", "cost": ""}, "metadata": {"pipeline": "17"},
        "bucket-owner": "111122223333", "allow-http": true, "checksum": "crc64nvme",
    }}))
    .unwrap();
    let headers = config.attributes.headers();
    let headers: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
    assert_eq!(
        headers,
        [
            "cache-control: no-store",
            "x-amz-acl: bucket-owner-full-control",
            "x-amz-storage-class: STANDARD_IA",
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id: alias/release",
            "x-amz-tagging: cost=&team=tools",
            "x-amz-meta-pipeline: 17",
        ]
    );
    assert!(config.object_key.is_some() && config.allow_http && config.crc64nvme);
    assert!(!plain.crc64nvme);
    assert_eq!(config.bucket_owner.as_deref(), Some("111122223333"));
    for (table, expected) in [
        (json!({"encryption": "AES256"}), Encryption::Aes256),
        (json!({"encryption": "aws:kms"}), Encryption::Kms { key_id: None }),
    ] {
        let config = Config::read(&json!({ "xtask": table })).unwrap();
        assert_eq!(config.attributes.encryption, Some(expected));
    }
}

#[test]
fn a_service_table_is_read_or_named_in_the_error() {
    let read = |table: Value| PackageConfig::read("janitor", &json!({ "xtask": table }));
    assert_eq!(PackageConfig::read("janitor", &Value::Null).unwrap(), None);
    let config = read(json!({"default-features": false, "platforms": "linux"})).unwrap().unwrap();
    let config = config.config;
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
