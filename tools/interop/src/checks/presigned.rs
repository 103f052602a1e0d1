//! Presigned URLs, as anyone without credentials uses them.

use std::time::Duration;

use ftime::Epoch;

use super::bucket::{Bucket, key_of, store};

pub(super) fn a_url_is_good_for_its_object_and_its_time(bucket: &Bucket) {
    let client = bucket.client();
    let (key, other) = (key_of("presigned", "a b+c"), key_of("presigned", "other"));
    store(&client, &key, "for you");
    store(&client, &other, "not for you");
    let minute = Duration::from_mins(1);
    let url = client.presign_get(&key, Epoch::now(), minute).unwrap().url;
    let answer = bucket.get_url(&url);
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"for you".as_slice()));
    let changed = bucket.get_url(&url.replace("a%20b%2Bc", "other"));
    let expected = bucket.expected.presigned_changed;
    assert_eq!((changed.status, &*changed.code()), expected, "another object's path");
    let hour_ago = Epoch::now().saturating_sub(Duration::from_hours(1));
    let late = bucket.get_url(&client.presign_get(&key, hour_ago, minute).unwrap().url);
    let expected = bucket.expected.presigned_late;
    assert_eq!((late.status, &*late.code()), expected, "after its time");
    let unsigned = bucket.get_url(url.split('?').next().unwrap());
    let expected = bucket.expected.unsigned;
    assert_eq!((unsigned.status, &*unsigned.code()), expected, "without a signature");
}
