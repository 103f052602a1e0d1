//! Objects as they come and go: put, head, get, list, delete.

use ftime::Epoch;

use crate::wire::{Ask, BOTH, Wire};

#[test]
fn an_object_is_a_file_and_comes_back_with_its_metadata() {
    let wire = Wire::start();
    let body: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    for signature in BOTH {
        let object_key = format!("a/{signature}/été 100%+c.tar.gz");
        let put = Ask::put(&object_key, &body)
            .header("content-type", "application/gzip")
            .header("x-amz-meta-sha256", "abc")
            .header("x-amz-meta-branch", "main");
        let stored = wire.ask(signature, &put);
        assert_eq!(stored.outcome(), (200, ""), "{signature}: {stored:?}");
        assert_eq!(std::fs::read(wire.file(&object_key)).unwrap(), body, "the file is the object");

        for method in ["HEAD", "GET"] {
            let found = wire.ask(signature, &Ask::new(method, &object_key));
            assert_eq!(found.status, 200, "{signature} {method}: {found:?}");
            for (name, expected) in [
                ("content-type", Some("application/gzip")),
                ("content-length", Some("800000")),
                ("x-amz-meta-sha256", Some("abc")),
                ("x-amz-meta-branch", Some("main")),
                ("etag", stored.header("etag")),
            ] {
                assert_eq!(found.header(name), expected, "{signature} {method}: {name}");
            }
            assert!(found.header("last-modified").is_some(), "{signature} {method}");
            assert!(found.header("x-amz-request-id").is_some(), "{signature} {method}");
            assert!(method == "HEAD" || found.body == body, "{signature}: another body");
        }
    }
    let expected = ["a/", "a/v2/", "a/v2/été 100%+c.tar.gz", "a/v4/", "a/v4/été 100%+c.tar.gz"];
    assert_eq!(wire.files(), expected, "the bucket's folder holds objects alone");
    assert!(wire.staging_is_empty());
}

#[test]
fn a_second_put_replaces_bytes_and_metadata() {
    let wire = Wire::start();
    for signature in BOTH {
        wire.ask(signature, &Ask::put("k", b"first").header("x-amz-meta-a", "1"));
        wire.ask(signature, &Ask::put("k", b"").header("x-amz-meta-b", "2"));
        let found = wire.ask(signature, &Ask::new("GET", "k"));
        assert_eq!((found.status, found.body.len()), (200, 0), "{signature}");
        assert_eq!(found.header("x-amz-meta-a"), None, "{signature}: the first put's metadata");
        assert_eq!(found.header("x-amz-meta-b"), Some("2"), "{signature}");
    }
}

#[test]
fn listings_come_in_pages_sorted_and_with_etags() {
    let wire = Wire::start();
    let names = ["p/a b", "p/b+c", "p/c%d", "p/d&e", "p/été"];
    for name in names {
        assert_eq!(wire.ask(BOTH[0], &Ask::put(name, name.as_bytes())).status, 200);
    }
    wire.ask(BOTH[0], &Ask::put("other/x", b""));
    for signature in BOTH {
        let (mut keys, mut sizes, mut pages, mut token) = (vec![], vec![], 0, None::<String>);
        loop {
            let mut query = vec![("prefix", "p/"), ("max-keys", "2"), ("encoding-type", "url")];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let page = wire.ask(signature, &Ask::list(&query));
            assert_eq!(page.status, 200, "{signature}: {page:?}");
            pages += 1;
            let page_keys = page.elements("Key");
            assert_eq!(page.elements("ETag").len(), page_keys.len(), "{}", page.text());
            assert_eq!(page.elements("LastModified").len(), page_keys.len(), "{}", page.text());
            assert!(page.elements("EncodingType").is_empty(), "nothing is encoded, nor said to be");
            keys.extend(page_keys.iter().map(|key| key.replace("&amp;", "&")));
            sizes.extend(page.elements("Size").iter().map(|size| size.parse::<usize>().unwrap()));
            token = page.elements("NextContinuationToken").first().map(|t| t.replace("&amp;", "&"));
            let truncated = page.elements("IsTruncated") == ["true"];
            assert_eq!(truncated, token.is_some(), "{}", page.text());
            if token.is_none() || pages > names.len() {
                break;
            }
        }
        assert_eq!(keys, names, "{signature}");
        assert_eq!(sizes, names.map(str::len), "{signature}");
        assert_eq!(pages, 3, "{signature}: five keys in pages of two");
    }
}

#[test]
fn no_page_is_longer_than_a_thousand() {
    let wire = Wire::start();
    for number in 0..=1000 {
        std::fs::write(wire.file(&format!("{number:04}")), b"").unwrap();
    }
    for query in [&[][..], &[("max-keys", "5000")]] {
        let page = wire.ask(BOTH[0], &Ask::list(query));
        assert_eq!(page.elements("Key").len(), 1000, "asked for {query:?}");
        assert_eq!(page.elements("IsTruncated"), ["true"], "asked for {query:?}");
    }
}

#[test]
fn what_is_deleted_leaves_nothing_in_the_way() {
    let wire = Wire::start();
    for signature in BOTH {
        wire.ask(signature, &Ask::put("a/b/c", b"1"));
        wire.ask(signature, &Ask::put("a/d", b"2"));
        for object_key in ["a/b/c", "a/b/c", "a/b", "a/../a/d", "never"] {
            let deleted = wire.ask(signature, &Ask::new("DELETE", object_key));
            assert_eq!(deleted.outcome(), (204, ""), "{signature} {object_key}");
        }
        assert_eq!(wire.files(), ["a/", "a/d"], "{signature}");
        assert_eq!(wire.ask(signature, &Ask::put("a/b", b"3")).status, 200, "{signature}");
        wire.ask(signature, &Ask::new("DELETE", "a/b"));
        wire.ask(signature, &Ask::new("DELETE", "a/d"));
        assert!(wire.files().is_empty(), "{signature}: {:?}", wire.files());
    }
}

#[test]
fn a_presigned_url_gets_its_object_for_as_long_as_it_says() {
    let wire = Wire::start();
    wire.ask(BOTH[0], &Ask::put("a/b c", b"bytes").header("content-type", "text/x"));
    let (now, get) = (Epoch::now(), Ask::new("GET", "a/b c"));
    let hour_ago = Epoch::from_secs(now.secs() - 3600);
    for signature in BOTH {
        let found = wire.send(&wire.presign(signature, &get, now), b"");
        assert_eq!((found.status, found.text()), (200, "bytes"), "{signature}");
        assert_eq!(found.header("content-type"), Some("text/x"), "{signature}");

        let expired = wire.send(&wire.presign(signature, &get, hour_ago), b"");
        assert_eq!(expired.outcome(), (403, "AccessDenied"), "{signature}");

        let mut elsewhere = wire.presign(signature, &get, now);
        elsewhere.path = elsewhere.path.replace("b%20c", "other");
        let elsewhere = wire.send(&elsewhere, b"");
        assert_eq!(elsewhere.outcome(), (403, "SignatureDoesNotMatch"), "{signature}");
    }
}
