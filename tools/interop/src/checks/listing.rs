//! Listings, over several pages: where a server can be told, its pages are of a few objects.

use std::collections::BTreeSet;

use super::bucket::{Bucket, key_of, store};

pub(super) fn all_pages_are_read_in_order_and_none_is_read_twice(bucket: &Bucket) {
    let client = bucket.client();
    // More than one page; names that a page's token must carry unharmed.
    let count = bucket.expected.page_objects + 18;
    let mut keys: Vec<_> =
        (0..count).map(|at| key_of("listing", &format!("{at:04} ü+%2F&"))).collect();
    keys.sort();
    for key in &keys {
        store(&client, key, key);
    }
    store(&client, "listing-of-others", "x");
    let listing = client.list("listing/", 2000).unwrap();
    let listed: Vec<_> = listing.objects.iter().map(|object| object.object_key.clone()).collect();
    assert_eq!(listed, keys);
    assert!(!listing.truncated);
    for object in &listing.objects {
        assert_eq!(object.size_bytes, object.object_key.len() as u64);
        assert!(object.etag.starts_with('"'), "{}", object.etag);
        assert!(object.last_modified > ftime::Epoch::ZERO);
    }
    let requests = client.usage().requests;
    client.list("listing/", 2000).unwrap();
    let pages = client.usage().requests - requests;
    let expected = count.div_ceil(bucket.expected.page_objects) as u64;
    assert!(pages >= expected, "{pages} pages of {expected}: the server has longer ones");
}

pub(super) fn folders_are_listed_once_each_over_several_pages(bucket: &Bucket) {
    let client = bucket.client();
    let folders: Vec<_> = (10..23).map(|at| key_of("folders", &format!("{at}/"))).collect();
    for folder in &folders {
        store(&client, &format!("{folder}one"), "x");
        store(&client, &format!("{folder}inner/two"), "x");
    }
    store(&client, &key_of("folders", "no-folder"), "x");
    assert_eq!(client.list_folders("folders/", 100).unwrap(), folders);
    assert_eq!(client.list_folders("no such prefix/", 10).unwrap(), Vec::<String>::new());
    assert!(client.list_folders("folders/", 12).unwrap_err().to_string().contains("more than 12"));
}

pub(super) fn a_listing_ends_where_it_was_told_to(bucket: &Bucket) {
    let client = bucket.client();
    for at in 0..9 {
        store(&client, &key_of("bounded", &at.to_string()), "x");
    }
    for (most, expected, truncated) in [(1, 1, true), (8, 8, true), (9, 9, false), (20, 9, false)] {
        let listing = client.list("bounded/", most).unwrap();
        let names: BTreeSet<_> =
            listing.objects.iter().map(|object| object.object_key.as_str()).collect();
        assert_eq!((names.len(), listing.truncated), (expected, truncated), "at most {most}");
    }
    assert_eq!(client.list("no such prefix/", 10).unwrap().objects, []);
}
