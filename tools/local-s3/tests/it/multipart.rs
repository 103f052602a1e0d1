//! Multipart uploads: whole or not at all, with S3's codes for all that can be wrong.

use std::sync::Barrier;

use ftime::Epoch;
use s3::Signature;

use crate::parts::{MIN_PART_BYTES, Upload};
use crate::wire::{Ask, BOTH, Wire};

const ABC_MD5: &str = "kAFQmDzST7DWlj99KOF/cg==";

#[test]
fn parts_become_one_object_with_the_headers_of_the_start() {
    let wire = Wire::start();
    let (first, second) = (vec![1; MIN_PART_BYTES], vec![2; MIN_PART_BYTES + 1]);
    for signature in BOTH {
        let headers = [("content-type", "application/gzip"), ("x-amz-meta-sha256", "abc")];
        let upload = Upload::start(&wire, signature, "a/large", &headers);
        // In any order, and with gaps in the numbers.
        let third = upload.send_part(7, b"end");
        let second_etag = upload.send_part(3, &second);
        upload.send_part(2, b"replaced");
        let first_etag = upload.send_part(2, &first);
        assert_eq!(upload.numbers(), ["2", "3", "7"], "{signature}");
        assert_eq!(wire.ask(signature, &Ask::new("GET", "a/large")).status, 404, "not yet");

        let list = [(2, first_etag.as_str()), (3, &second_etag), (7, &third)];
        let completed = upload.send(&upload.complete(&list));
        assert_eq!(completed.outcome(), (200, ""), "{signature}: {}", completed.text());
        let etag = completed.elements("ETag")[0].replace("&quot;", "\"");
        assert!(etag.ends_with("-3\""), "{signature}: {etag}");

        let found = wire.ask(signature, &Ask::new("GET", "a/large"));
        assert!(found.body == [&first[..], &second, b"end"].concat(), "{signature}: other bytes");
        let head = wire.ask(signature, &Ask::new("HEAD", "a/large"));
        for (name, value) in headers.into_iter().chain([("etag", &*etag)]) {
            assert_eq!(found.header(name), Some(value), "{signature} GET {name}");
            assert_eq!(head.header(name), Some(value), "{signature} HEAD {name}");
        }
        let again = upload.send(&upload.complete(&list));
        assert_eq!(again.outcome(), (404, "NoSuchUpload"), "{signature}: it is over");
        wire.ask(signature, &Ask::new("DELETE", "a/large"));
        assert!(wire.uploads().is_empty() && wire.staging_is_empty(), "{signature}");
    }
}

#[test]
fn a_part_other_than_declared_is_not_kept() {
    let wire = Wire::start();
    for signature in BOTH {
        let upload = Upload::start(&wire, signature, "k", &[]);
        let part = upload.part(1, b"abd");
        for (ask, expected) in [
            (part.clone().header("content-md5", ABC_MD5), (400, "BadDigest")),
            (part.clone().header("content-md5", "abc"), (400, "InvalidDigest")),
            (part.clone().header("x-amz-checksum-crc32", "AAAAAA=="), (400, "BadDigest")),
            (upload.part(0, b"abc"), (400, "InvalidArgument")),
            (upload.part(10_001, b"abc"), (400, "InvalidArgument")),
        ] {
            assert_eq!(upload.send(&ask).outcome(), expected, "{signature} {:?}", ask.headers);
            assert!(upload.numbers().is_empty(), "{signature} {:?} is kept", ask.headers);
            assert!(wire.staging_is_empty(), "{signature} {:?}", ask.headers);
        }
        if signature == Signature::V4 {
            let request =
                wire.sign(signature, &upload.part(1, b"abc"), &wire.credentials, Epoch::now());
            let answer = wire.send(&request, b"abd");
            assert_eq!(answer.outcome(), (400, "XAmzContentSHA256Mismatch"));
        }
        let request =
            wire.sign(signature, &upload.part(1, b"abc"), &wire.credentials, Epoch::now());
        wire.send_truncated(&request, b"ab", 3);
        assert!(upload.numbers().is_empty() && wire.staging_is_empty(), "{signature}: broken off");
        let right = upload.part(10_000, b"abc").header("content-md5", ABC_MD5);
        assert_eq!(upload.send(&right).outcome(), (200, ""), "{signature}");
        assert_eq!(upload.numbers(), ["10000"], "{signature}");
    }
}

#[test]
fn a_wrong_list_is_refused_and_the_upload_goes_on() {
    let wire = Wire::start();
    for signature in BOTH {
        let upload = Upload::start(&wire, signature, "k", &[]);
        let small = upload.send_part(1, b"small");
        let large = upload.send_part(2, &vec![0; MIN_PART_BYTES]);
        let end = upload.send_part(3, b"end");
        let (small, large, end) = (small.as_str(), large.as_str(), end.as_str());
        for (list, expected) in [
            (&[(1, small), (2, large)][..], (400, "EntityTooSmall")),
            (&[(3, end), (2, large)], (400, "InvalidPartOrder")),
            (&[(2, large), (2, large)], (400, "InvalidPartOrder")),
            (&[(2, large), (4, end)], (400, "InvalidPart")),
            (&[(2, large), (3, small)], (400, "InvalidPart")),
            (&[], (400, "MalformedXML")),
        ] {
            let answer = upload.send(&upload.complete(list));
            assert_eq!(answer.outcome(), expected, "{signature} {list:?}: {}", answer.text());
            assert_eq!(wire.ask(signature, &Ask::new("HEAD", "k")).status, 404, "{list:?}");
        }
        // What the list leaves out is left out.
        let completed = upload.send(&upload.complete(&[(2, large), (3, end)]));
        assert_eq!(completed.outcome(), (200, ""), "{signature}");
        let head = wire.ask(signature, &Ask::new("HEAD", "k"));
        let expected = (MIN_PART_BYTES + 3).to_string();
        assert_eq!(head.header("content-length"), Some(&*expected), "{signature}");
        wire.ask(signature, &Ask::new("DELETE", "k"));
        assert!(wire.uploads().is_empty() && wire.staging_is_empty(), "{signature}");
    }
}

#[test]
fn an_upload_that_is_not_there_is_no_such_upload() {
    let wire = Wire::start();
    for signature in BOTH {
        let aborted = Upload::start(&wire, signature, "k", &[]);
        aborted.send_part(1, b"x");
        assert_eq!(aborted.send(&aborted.ask("DELETE")).outcome(), (204, ""), "{signature}");
        let mut elsewhere = Upload::start(&wire, signature, "other", &[]);
        elsewhere.object_key = "k".to_owned();
        let unknown =
            |id: &str| Upload { id: id.to_owned(), object_key: "k".to_owned(), ..aborted };
        for upload in [&aborted, &elsewhere, &unknown("x"), &unknown("../staging"), &unknown(".")] {
            for ask in [
                upload.part(1, b"x"),
                upload.complete(&[(1, "\"x\"")]),
                upload.ask("GET"),
                upload.ask("DELETE"),
            ] {
                let answer = upload.send(&ask);
                assert_eq!(answer.outcome(), (404, "NoSuchUpload"), "{signature} {}", ask.method);
            }
        }
        let listed = wire.ask(signature, &Ask::new("GET", "").query("uploads", ""));
        assert_eq!(listed.elements("UploadId"), [&elsewhere.id], "{signature}: {}", listed.text());
        elsewhere.object_key = "other".to_owned();
        elsewhere.send(&elsewhere.ask("DELETE"));
        assert!(wire.uploads().is_empty() && wire.staging_is_empty(), "{signature}");
        let nowhere = Ask::new("POST", "k").query("uploads", "").bucket("nowhere");
        assert_eq!(wire.ask(signature, &nowhere).outcome(), (404, "NoSuchBucket"), "{signature}");
    }
}

#[test]
fn completing_has_the_conditions_of_a_put() {
    let wire = Wire::start();
    for signature in BOTH {
        let kept = wire.ask(signature, &Ask::put("k", b"kept"));
        let upload = Upload::start(&wire, signature, "k", &[]);
        let etag = upload.send_part(1, b"part");
        let complete = upload.complete(&[(1, &etag)]);
        for (name, value, expected) in [
            ("if-none-match", "*", (412, "PreconditionFailed")),
            ("if-match", "\"00000000000000000000000000000000\"", (412, "PreconditionFailed")),
            ("if-none-match", "\"x\"", (501, "NotImplemented")),
        ] {
            let answer = upload.send(&complete.clone().header(name, value));
            assert_eq!(answer.outcome(), expected, "{signature} {name}: {value}");
            assert_eq!(wire.ask(signature, &Ask::new("GET", "k")).text(), "kept", "{signature}");
        }
        let matching = complete.header("if-match", kept.header("etag").unwrap());
        assert_eq!(upload.send(&matching).outcome(), (200, ""), "{signature}");
        assert_eq!(wire.ask(signature, &Ask::new("GET", "k")).text(), "part", "{signature}");
    }
}

#[test]
fn of_several_creators_by_either_way_one_creates() {
    const RACERS: usize = 6;
    let wire = Wire::start();
    for signature in BOTH {
        for round in 0..4 {
            let object_key = format!("{signature}/{round}");
            let start = Barrier::new(RACERS);
            let create = |racer: usize| {
                let body = vec![u8::try_from(racer).unwrap(); 300_000];
                let ask = if racer.is_multiple_of(2) {
                    Ask::put(&object_key, &body)
                } else {
                    let upload = Upload::start(&wire, signature, &object_key, &[]);
                    let etag = upload.send_part(1, &body);
                    upload.complete(&[(1, &etag)])
                };
                start.wait();
                wire.ask(signature, &ask.header("if-none-match", "*")).status
            };
            let statuses: Vec<u16> = std::thread::scope(|scope| {
                let create = &create;
                let racers: Vec<_> =
                    (0..RACERS).map(|racer| scope.spawn(move || create(racer))).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            let winners: Vec<_> = (0..RACERS).filter(|&racer| statuses[racer] == 200).collect();
            let losers = statuses.iter().filter(|&&status| status == 412).count();
            assert_eq!((winners.len(), losers), (1, RACERS - 1), "{object_key}: {statuses:?}");
            let stored = std::fs::read(wire.file(&object_key)).unwrap();
            assert!(stored.iter().all(|&byte| usize::from(byte) == winners[0]), "{object_key}");
        }
    }
}

#[test]
fn of_several_who_complete_one_upload_the_others_find_none() {
    const RACERS: usize = 6;
    let wire = Wire::start();
    for round in 0..4 {
        let upload = Upload::start(&wire, Signature::V4, &format!("k{round}"), &[]);
        let body = vec![b'x'; MIN_PART_BYTES];
        let etags: Vec<_> = (1..=3).map(|number| upload.send_part(number, &body)).collect();
        let complete = upload.complete(&[(1, &etags[0]), (2, &etags[1]), (3, &etags[2])]);
        let start = Barrier::new(RACERS);
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let racer = || {
                start.wait();
                let answer = upload.send(&complete);
                (answer.outcome().0, answer.outcome().1.to_owned())
            };
            let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(racer)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let winners = outcomes.iter().filter(|(status, _)| *status == 200).count();
        let losers = outcomes.iter().filter(|(_, code)| code == "NoSuchUpload").count();
        assert_eq!((winners, losers), (1, RACERS - 1), "{outcomes:?}");
    }
    assert!(wire.uploads().is_empty() && wire.staging_is_empty());
}
