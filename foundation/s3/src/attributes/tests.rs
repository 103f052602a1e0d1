//! Tests of `attributes`.

use std::collections::BTreeMap;

use ferror::Kind;

use super::{Attributes, Encryption, check_bucket_owner};

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn cache_control(value: &str) -> Attributes {
    Attributes { cache_control: Some(value.to_owned()), ..Attributes::default() }
}

fn storage_class(value: &str) -> Attributes {
    Attributes { storage_class: Some(value.to_owned()), ..Attributes::default() }
}

fn key_id(value: &str) -> Attributes {
    let encryption = Some(Encryption::Kms { key_id: Some(value.to_owned()) });
    Attributes { encryption, ..Attributes::default() }
}

fn tag(name: &str, value: &str) -> Attributes {
    Attributes { tags: map([(name, value)]), ..Attributes::default() }
}

fn metadata(name: &str, value: &str) -> Attributes {
    Attributes { metadata: map([(name, value)]), ..Attributes::default() }
}

fn tags(count: usize) -> Attributes {
    let tags = (0..count).map(|number| (format!("t{number}"), String::new())).collect();
    Attributes { tags, ..Attributes::default() }
}

#[test]
fn every_attribute_is_a_header() {
    let whole = Attributes {
        cache_control: Some("public, max-age=60".to_owned()),
        acl: Some("bucket-owner-full-control".to_owned()),
        storage_class: Some("STANDARD_IA".to_owned()),
        encryption: Some(Encryption::Kms { key_id: Some("alias/release".to_owned()) }),
        tags: map([("team", "a+b=c"), ("cost centre", ""), ("é", "1+1")]),
        metadata: map([("pipeline", "17"), ("a", "two words")]),
    };
    whole.check().unwrap();
    let rows: [(Attributes, &[(&str, &str)]); 5] = [
        (Attributes::default(), &[]),
        (cache_control("no-store"), &[("cache-control", "no-store")]),
        (
            Attributes { encryption: Some(Encryption::Aes256), ..Attributes::default() },
            &[("x-amz-server-side-encryption", "AES256")],
        ),
        (
            Attributes {
                encryption: Some(Encryption::Kms { key_id: None }),
                ..Attributes::default()
            },
            &[("x-amz-server-side-encryption", "aws:kms")],
        ),
        (
            whole,
            &[
                ("cache-control", "public, max-age=60"),
                ("x-amz-acl", "bucket-owner-full-control"),
                ("x-amz-storage-class", "STANDARD_IA"),
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", "alias/release"),
                ("x-amz-tagging", "%C3%A9=1%2B1&cost%20centre=&team=a%2Bb%3Dc"),
                ("x-amz-meta-a", "two words"),
                ("x-amz-meta-pipeline", "17"),
            ],
        ),
    ];
    for (attributes, expected) in rows {
        let headers = attributes.headers();
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(headers, expected, "{attributes:?}");
    }
}

#[test]
fn values_inside_their_grammar_are_taken() {
    let rows = [
        Attributes::default(),
        cache_control("public, max-age=31536000, immutable"),
        storage_class("INTELLIGENT_TIERING"),
        storage_class("GLACIER_IR"),
        key_id("1234abcd-12ab-34cd-56ef-1234567890ab"),
        key_id("arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd"),
        key_id(&"k".repeat(2048)),
        tag("a", ""),
        tag("cost centre", "4711 + 1 = @x:y/z._-"),
        tag("Größe", "大"),
        tag(&"n".repeat(128), &"v".repeat(256)),
        // Two units of UTF-16 each.
        tag(&"𝒏".repeat(64), &"𝒗".repeat(128)),
        tag("AWS:x", "1"),
        tags(10),
        metadata("a-1", "visible ASCII: ~!\"#"),
        metadata("n", &"v".repeat(1535)),
    ];
    for attributes in rows {
        assert_eq!(attributes.check().map_err(|error| error.to_string()), Ok(()));
    }
}

#[test]
fn values_outside_their_grammar_are_refused_by_name() {
    let rows = [
        (cache_control(""), "the cache-control is \"\""),
        (cache_control(" no-store"), "the cache-control"),
        (cache_control("no-store "), "the cache-control"),
        (cache_control("public,  max-age=1"), "the cache-control"),
        (cache_control("public,\tmax-age=1"), "the cache-control"),
        (cache_control("no-store\r\nx-amz-acl: public-read"), "the cache-control"),
        (cache_control("é"), "the cache-control"),
        (storage_class(""), "the storage class is \"\""),
        (storage_class("standard"), "the storage class is \"standard\""),
        (storage_class("STANDARD-IA"), "the storage class"),
        (storage_class("GLACIER\n"), "the storage class"),
        (key_id(""), "the KMS key id"),
        (key_id("a key"), "the KMS key id"),
        (key_id("key\r\n"), "the KMS key id"),
        (key_id("schlüssel"), "the KMS key id"),
        (key_id(&"k".repeat(2049)), "the KMS key id"),
        (tag("", "1"), "the tag name is \"\""),
        (tag("a&b", "1"), "the tag name is \"a&b\""),
        (tag("a\n", "1"), "the tag name"),
        (tag("aws:team", "1"), "the tag name is \"aws:team\""),
        (tag("a", "1&admin=1"), "the value of the tag \"a\""),
        (tag("a", "\u{1b}[31m"), "the value of the tag \"a\" is \"\\u{1b}[31m\""),
        (tag(&"n".repeat(129), ""), "the tag name"),
        (tag(&"𝒏".repeat(65), ""), "the tag name"),
        (tag("a", &"v".repeat(257)), "the value of the tag \"a\""),
        (tags(11), "11 tags: an object has at most 10"),
        (metadata("", "1"), "the metadata name is \"\""),
        (metadata("Team", "1"), "the metadata name is \"Team\""),
        (metadata("a_b", "1"), "the metadata name"),
        (metadata("a:b\r\n", "1"), "the metadata name"),
        (metadata("sha256", "1"), "the metadata name is \"sha256\""),
        (metadata("a", ""), "the value of the metadata \"a\""),
        (metadata("a", "1  2"), "the value of the metadata \"a\""),
        (metadata("a", "1\n2"), "the value of the metadata \"a\""),
        (metadata("a", "é"), "the value of the metadata \"a\""),
        (metadata("n", &"v".repeat(1536)), "1537 bytes"),
    ];
    for (attributes, expected) in rows {
        let error = attributes.check().expect_err(expected);
        let text = error.to_string();
        assert!(text.contains(expected), "{attributes:?}: {text}");
        assert!(text.contains("expected") || text.contains("at most"), "{text}");
        assert!(!text.contains(char::is_control) && text.len() < 400, "{text:?}");
        assert_eq!(error.kind(), Kind::Config, "{text}");
    }
}

#[test]
fn a_bucket_owner_is_twelve_digits() {
    for (account_id, fits) in [
        ("111122223333", true),
        ("000000000000", true),
        ("", false),
        ("11112222333", false),
        ("1111222233334", false),
        ("1111-2222-33", false),
        ("11112222333\n", false),
        ("１１１１", false),
    ] {
        assert_eq!(check_bucket_owner(account_id).is_ok(), fits, "{account_id:?}");
    }
}
