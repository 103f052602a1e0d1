//! Tests of both signatures, and of every part of one that can be wrong.

use ftime::Epoch;
use s3::{Credentials, Signature};

use crate::wire::{Ask, BOTH, Wire};

#[test]
fn the_wrong_credentials_open_nothing() {
    let wire = Wire::start();
    let pair = wire.server.credentials();
    let unknown = Credentials::new("AKIAUNKNOWN", &pair.secret_access_key, None).unwrap();
    let wrong = Credentials::new(&pair.access_key_id, "wrong", None).unwrap();
    wire.ask(Signature::V4, &Ask::put("kept", b"kept"));
    let asks = [
        Ask::put("kept", b"x"),
        Ask::new("GET", "kept"),
        Ask::list(&[]),
        Ask::new("DELETE", "kept"),
    ];
    for ask in asks {
        for signature in BOTH {
            for (credentials, code) in
                [(&unknown, "InvalidAccessKeyId"), (&wrong, "SignatureDoesNotMatch")]
            {
                let request = wire.sign(signature, &ask, credentials, Epoch::now());
                let answer = wire.send(&request, &ask.body);
                assert_eq!(answer.outcome(), (403, code), "{signature} {}", ask.method);
                assert!(answer.header("x-amz-request-id").is_some(), "{answer:?}");
            }
        }
        let anonymous = wire.send(&wire.unsigned(&ask), &ask.body);
        assert_eq!(anonymous.outcome(), (403, "AccessDenied"), "unsigned {}", ask.method);
    }
    assert_eq!(std::fs::read(wire.file("kept")).unwrap(), b"kept");
}

#[test]
fn a_request_is_good_for_a_quarter_of_an_hour() {
    let wire = Wire::start();
    let now = Epoch::now().secs();
    for signature in BOTH {
        for (minutes, expected) in [
            (-16, (403, "RequestTimeTooSkewed")),
            (-14, (200, "")),
            (14, (200, "")),
            (16, (403, "RequestTimeTooSkewed")),
        ] {
            let put = Ask::put(&format!("{signature}{minutes}"), b"x");
            let date = Epoch::from_secs(now + minutes * 60);
            let answer = wire.send(&wire.sign(signature, &put, &wire.credentials, date), b"x");
            assert_eq!(answer.outcome(), expected, "{signature}, {minutes} minutes from now");
        }
    }
    assert_eq!(wire.files(), ["v2-14", "v214", "v4-14", "v414"], "what was refused is stored");
}

#[test]
fn nothing_can_be_changed_or_added_after_signing() {
    let wire = Wire::start();
    let ask = Ask::put("k", b"x").header("content-type", "a/b").header("x-amz-meta-a", "1");
    for signature in BOTH {
        let signed = wire.sign(signature, &ask, &wire.credentials, Epoch::now());
        let mut path = signed.clone();
        path.path += "2";
        let mut header = signed.clone();
        header.headers[1].1 = "2".to_owned();
        let mut added = signed.clone();
        added.headers.push(("x-amz-meta-b".to_owned(), "3".to_owned()));
        // What SigV2 signs of these headers is all there are; SigV4 lists what it signs.
        let code_of_added = match signature {
            Signature::V4 => "AccessDenied",
            Signature::V2 => "SignatureDoesNotMatch",
        };
        for (what, request, code) in [
            ("path", path, "SignatureDoesNotMatch"),
            ("header", header, "SignatureDoesNotMatch"),
            ("added header", added, code_of_added),
        ] {
            let answer = wire.send(&request, &ask.body);
            assert_eq!(answer.outcome(), (403, code), "{signature} with another {what}");
        }
    }
    assert!(wire.files().is_empty(), "{:?}", wire.files());
}

#[test]
fn an_early_refusal_of_a_large_body_arrives() {
    let wire = Wire::start();
    let pair = wire.server.credentials();
    let wrong = Credentials::new(&pair.access_key_id, "wrong", None).unwrap();
    let put = Ask::put("k", &vec![0; 1024 * 1024]);
    for signature in BOTH {
        for round in 0..8 {
            let request = wire.sign(signature, &put, &wrong, Epoch::now());
            let answer = wire.send(&request, &put.body);
            assert_eq!(answer.outcome(), (403, "SignatureDoesNotMatch"), "{signature}, {round}");
        }
    }
}

#[test]
fn a_bucket_of_another_account_is_not_opened() {
    let wire = Wire::start();
    for signature in BOTH {
        for (owner, expected) in
            [(local_s3::OWNER, (200, "")), ("210987654321", (403, "AccessDenied"))]
        {
            for ask in [Ask::put("k", b"x"), Ask::new("GET", "k"), Ask::list(&[])] {
                let ask = ask.header("x-amz-expected-bucket-owner", owner);
                let outcome = wire.ask(signature, &ask);
                assert_eq!(outcome.outcome(), expected, "{signature} {} {owner}", ask.method);
            }
        }
    }
}
