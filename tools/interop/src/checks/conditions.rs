//! Conditional PUT, by which nothing that was published is replaced.

use std::thread;

use s3::{Precondition, PutOutcome};

use super::bucket::refusal;
use super::bucket::{Bucket, key_of, put, store};
use crate::servers::Answered;

/// As many publishers as start in one moment.
const PUBLISHERS: usize = 8;

fn said(outcome: ferror::Result<PutOutcome>) -> String {
    match outcome {
        Ok(PutOutcome::Stored(_)) => Answered::Done.to_string(),
        Ok(PutOutcome::PreconditionFailed) => Answered::Unmet.to_string(),
        Err(error) => refusal(&error),
    }
}

pub(super) fn an_object_that_is_there_is_not_replaced(bucket: &Bucket) {
    let client = bucket.client();
    let key = key_of("conditions", "absent");
    assert_eq!(said(put(&client, &key, "first", Precondition::Absent)), "done");
    assert_eq!(said(put(&client, &key, "second", Precondition::Absent)), "unmet");
    assert_eq!(client.get(&key, 100).unwrap().expect("the first").bytes, b"first");
    client.delete(&key).unwrap();
    assert_eq!(said(put(&client, &key, "third", Precondition::Absent)), "done");
}

pub(super) fn a_matching_etag_is_asked_for_as_far_as_the_server_knows_it(bucket: &Bucket) {
    let (client, expected) = (bucket.client(), bucket.expected);
    let key = key_of("conditions", "matches");
    let etag = store(&client, &key, "first");
    let other = store(&client, &key_of("conditions", "other"), "other");
    let wrong = put(&client, &key, "wrong", Precondition::Matches(&other));
    assert_eq!(said(wrong), expected.if_match_wrong.to_string(), "If-Match, another ETag");
    assert_eq!(client.get(&key, 100).unwrap().expect("the first").bytes, b"first");
    let right = said(put(&client, &key, "second", Precondition::Matches(&etag)));
    assert_eq!(right, expected.if_match_right.to_string(), "If-Match, the ETag");
    let now: &[u8] = if right == "done" { b"second" } else { b"first" };
    assert_eq!(client.get(&key, 100).unwrap().expect("it is there").bytes, now);
    let absent = key_of("conditions", "never");
    let absent = said(put(&client, &absent, "x", Precondition::Matches(&etag)));
    assert_eq!(absent, expected.if_match_absent.to_string(), "If-Match, no object");
}

pub(super) fn of_several_publishers_in_one_moment_as_many_win_as_the_server_lets(bucket: &Bucket) {
    let client = bucket.client();
    for round in 0..10 {
        let key = key_of("conditions", &format!("race-{round}"));
        let outcomes: Vec<_> = thread::scope(|scope| {
            let publish = |at: usize| {
                let (client, key) = (&client, &key);
                scope.spawn(move || said(put(client, key, &at.to_string(), Precondition::Absent)))
            };
            let publishers: Vec<_> = (0..PUBLISHERS).map(publish).collect();
            publishers.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let won = outcomes.iter().filter(|outcome| *outcome == "done").count();
        let lost = outcomes.iter().filter(|outcome| *outcome == "unmet").count();
        assert_eq!(won + lost, PUBLISHERS, "{outcomes:?}");
        if bucket.expected.creates_once {
            assert_eq!(won, 1, "{outcomes:?}");
        }
        assert!(won >= 1, "{outcomes:?}");
        let bytes = client.get(&key, 100).unwrap().expect("someone won").bytes;
        let winner: usize = String::from_utf8(bytes).unwrap().parse().unwrap();
        assert_eq!(outcomes[winner], "done", "the object is that of one who was told so");
    }
}
