//! Times in the JSON API: seconds since 1970 UTC, as in manifests.

use ftime::Epoch;
use serde::{Serialize, Serializer};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields by reference")]
pub(super) fn secs<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(epoch.secs())
}

#[expect(clippy::ref_option, reason = "serde hands fields by reference")]
pub(super) fn secs_or_null<S: Serializer>(
    epoch: &Option<Epoch>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    epoch.map(Epoch::secs).serialize(serializer)
}
