//! `If-None-Match` and `If-Match` on PUT: looking and storing are one step.

use std::sync::Barrier;

use crate::wire::{Answer, Ask, BOTH, Wire};

const RACERS: usize = 8;
const ROUNDS: usize = 6;

#[test]
fn of_several_creators_one_creates() {
    let wire = Wire::start();
    for signature in BOTH {
        for round in 0..ROUNDS {
            let object_key = format!("{signature}/{round}");
            let answers = race(|racer| {
                let put = Ask::put(&object_key, &body_of(racer)).header("if-none-match", "*");
                wire.ask(signature, &put)
            });
            assert_one_winner(&wire, &object_key, &answers);
        }
    }
}

#[test]
fn of_several_writers_with_one_etag_one_writes() {
    let wire = Wire::start();
    for signature in BOTH {
        for round in 0..ROUNDS {
            let object_key = format!("{signature}/{round}");
            let first = wire.ask(signature, &Ask::put(&object_key, b"first"));
            let etag = first.header("etag").unwrap();
            let answers = race(|racer| {
                let put = Ask::put(&object_key, &body_of(racer)).header("if-match", etag);
                wire.ask(signature, &put)
            });
            assert_one_winner(&wire, &object_key, &answers);
        }
    }
}

#[test]
fn a_refused_condition_changes_nothing() {
    let wire = Wire::start();
    for signature in BOTH {
        let kept = wire.ask(signature, &Ask::put("kept", b"kept"));
        let etag = kept.header("etag").unwrap();
        for (object_key, name, value, expected) in [
            ("kept", "if-none-match", "*", (412, "PreconditionFailed")),
            (
                "kept",
                "if-match",
                "\"00000000000000000000000000000000\"",
                (412, "PreconditionFailed"),
            ),
            ("kept", "if-none-match", "\"other\"", (501, "NotImplemented")),
            ("absent", "if-match", etag, (404, "NoSuchKey")),
        ] {
            let put = Ask::put(object_key, b"other").header(name, value);
            let refused = wire.ask(signature, &put);
            assert_eq!(refused.outcome(), expected, "{signature} {object_key} {name}: {value}");
            assert_eq!(wire.files(), ["kept"], "{signature} {object_key} {name}: {value}");
            let found = wire.ask(signature, &Ask::new("GET", "kept"));
            assert_eq!(found.body, b"kept", "{signature} {object_key} {name}: {value}");
            assert_eq!(found.header("etag"), Some(etag), "{signature}");
        }
        let put = Ask::put("kept", b"next").header("if-match", etag);
        assert_eq!(wire.ask(signature, &put).status, 200, "{signature}: the right etag");
        let put = Ask::put("new", b"new").header("if-none-match", "*");
        assert_eq!(wire.ask(signature, &put).status, 200, "{signature}: an absent object");
        wire.ask(signature, &Ask::new("DELETE", "new"));
    }
    assert!(wire.staging_is_empty());
}

/// Returns the body that one of the competing requests sends. It is long enough to arrive in
/// several pieces, so that the requests overlap.
fn body_of(racer: usize) -> Vec<u8> {
    vec![u8::try_from(racer).unwrap(); 300_000]
}

/// Runs [`RACERS`] threads that start together; their answers in the order of the racers.
fn race(one: impl Fn(usize) -> Answer + Sync) -> Vec<Answer> {
    let start = Barrier::new(RACERS);
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (one, start) = (&one, &start);
                scope.spawn(move || {
                    start.wait();
                    one(racer)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

fn assert_one_winner(wire: &Wire, object_key: &str, answers: &[Answer]) {
    let outcomes: Vec<_> = answers.iter().map(Answer::outcome).collect();
    let winners: Vec<_> = (0..RACERS).filter(|&racer| outcomes[racer] == (200, "")).collect();
    let losers = outcomes.iter().filter(|&&o| o == (412, "PreconditionFailed")).count();
    assert_eq!((winners.len(), losers), (1, RACERS - 1), "{object_key}: {outcomes:?}");
    let stored = std::fs::read(wire.file(object_key)).unwrap();
    assert!(stored == body_of(winners[0]), "{object_key}: not the winner's bytes are stored");
}
