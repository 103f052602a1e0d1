//! Generated requests for the differential tests, and property tests of the attributes.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use s3::{Attributes, Encryption, check_bucket_owner};

/// Fixes the seed: a failure comes from the change under test, not from other random input.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

/// What implementations of the encoding disagree about.
const KEY_PIECES: [&str; 32] = [
    "a", "Z", "0", "-", ".", "_", "~", "/", "//", "..", "/./", "/../", "%", "%2F", "%252f", "+",
    " ", "  ", "*", "'", "(", "!", "=", "&", "?", "#", ":", "@", "\\", "\u{0}", "é", "𝒏",
];

/// Makes object keys, and names and values of a query: random text, and characters that are easily encoded wrongly.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => any::<String>(),
        1 => "[ -~]{1,40}",
        2 => prop::collection::vec(prop::sample::select(&KEY_PIECES[..]), 1..12)
            .prop_map(|pieces| pieces.concat()),
    ]
}

pub(crate) fn pairs(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((name, value), 0..6)
}

/// Headers that are signed and some that are not; names repeat, values have blanks everywhere.
pub(crate) fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        "x-amz-meta-[a-c]{1,2}",
        "x-amz-[a-z]{3,9}-[a-z0-9]{1,4}",
        prop::sample::select(
            &[
                "accept-encoding",
                "cache-control",
                "connection",
                "content-md5",
                "content-type",
                "expect",
                "if-match",
                "if-none-match",
                "range",
                "user-agent",
                "x-amz-tagging",
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    pairs(name, prop_oneof!["[!-~]{0,12}", "[ -~]{0,24}", " {1,3}[a-c]( {1,3}[a-c]){0,3} {0,3}"])
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let encryption = prop::option::of(prop_oneof![
        Just(Encryption::Aes256),
        prop::option::of(text()).prop_map(|key_id| Encryption::Kms { key_id }),
    ]);
    let value = || prop_oneof![3 => "[!-~]{1,9}( [!-~]{1,9}){0,2}", 1 => text()];
    (
        prop::option::of(value()),
        prop::option::of(prop_oneof!["[A-Z0-9_]{1,12}", text()]),
        encryption,
        prop::collection::btree_map(prop_oneof!["[a-zA-Z +=._:/@-]{1,9}", text()], value(), 0..3),
        prop::collection::btree_map(prop_oneof!["[a-z0-9-]{1,9}", text()], value(), 0..3),
    )
        .prop_map(|(cache_control, storage_class, encryption, tags, metadata)| Attributes {
            cache_control,
            acl: None,
            storage_class,
            encryption,
            tags,
            metadata,
        })
}

proptest! {
    #![proptest_config(config(3000))]

    /// Checks that what passes arrives unchanged: neither HTTP nor a signature alters it.
    #[test]
    fn checked_attributes_are_headers_that_nothing_changes(attributes in attributes()) {
        if let Err(error) = attributes.check() {
            prop_assert!(!error.to_string().contains(char::is_control), "{error:?}");
            return Ok(());
        }
        for (name, value) in attributes.headers() {
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name:?}");
            prop_assert!(value.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{name}: {value:?}");
            prop_assert_eq!(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "), value);
            prop_assert!(name != "x-amz-meta-sha256");
        }
    }

    #[test]
    fn a_bucket_owner_is_twelve_digits_or_refused(account_id in prop_oneof!["[0-9]{10,14}", text()]) {
        let fits = account_id.len() == 12 && account_id.chars().all(|c| c.is_ascii_digit());
        prop_assert_eq!(check_bucket_owner(&account_id).is_ok(), fits);
    }
}
