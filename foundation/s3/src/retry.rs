//! Which failures are worth another try, and how long to wait before it. Random
//! numbers and the time are arguments.

use std::time::{Duration, Instant};

use ferror::Kind;
use ftime::Epoch;

use crate::Fault;

/// How often and how long a client repeats failed requests.
///
/// Waits are drawn evenly from zero to a bound that doubles with each failure ("full jitter"; AWS
/// Architecture Blog, "Exponential Backoff And Jitter"), so that many clients do not come back at
/// the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often one request is sent at most; repairs, such as a corrected region, not counted.
    pub attempts: u32,
    /// The bound of the first wait when a server fails or cannot be reached.
    pub transient_wait: Duration,
    /// The bound of the first wait when a server asks for fewer requests.
    pub throttle_wait: Duration,
    /// No single wait is longer.
    pub longest_wait: Duration,
    /// All waits of a client and its clones together.
    pub budget: Duration,
    /// After this time the budget is whole again, for a client that lives as long as its service.
    /// `None`: never; one run, one budget.
    pub budget_renewed_every: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            transient_wait: Duration::from_millis(50),
            throttle_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(20),
            budget: Duration::from_secs(60),
            budget_renewed_every: None,
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after `failures` failures (one or more), with the random number `random` (0 to
    /// `u64::MAX`, evenly) and the server asked for `asked` (`Retry-After`).
    pub(crate) fn wait(
        &self,
        class: Class,
        failures: u32,
        random: u64,
        asked: Option<Duration>,
    ) -> Duration {
        let first = match class {
            Class::Throttle => self.throttle_wait,
            Class::Transient => self.transient_wait,
        };
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let bound = first.saturating_mul(doubled).min(self.longest_wait);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        // The high half of the product: an even draw from 0..=nanos without a division.
        let drawn = ((u128::from(nanos) + 1) * u128::from(random)) >> 64;
        let drawn = Duration::from_nanos(u64::try_from(drawn).unwrap_or(nanos));
        drawn.max(asked.unwrap_or_default().min(self.longest_wait))
    }
}

/// The rest of the time that a client may spend waiting.
#[derive(Debug)]
pub(crate) struct WaitBudget {
    left: Duration,
    since: Instant,
}

impl WaitBudget {
    /// Makes a budget of which nothing is used.
    pub(crate) fn new(retry_policy: &RetryPolicy, now: Instant) -> Self {
        Self { left: retry_policy.budget, since: now }
    }

    /// Takes `wait` from the budget; returns false if less is left.
    pub(crate) fn take(
        &mut self,
        retry_policy: &RetryPolicy,
        wait: Duration,
        now: Instant,
    ) -> bool {
        let old = now.saturating_duration_since(self.since);
        if retry_policy.budget_renewed_every.is_some_and(|every| old >= every) {
            *self = Self::new(retry_policy, now);
        }
        let Some(rest) = self.left.checked_sub(wait) else { return false };
        self.left = rest;
        true
    }
}

/// The failures after which waiting may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The server asks for fewer requests.
    Throttle,
    /// The server or the way to it failed.
    Transient,
}

/// Returns the class of an error; `None` if the same request would fail again.
pub(crate) fn class(kind: Kind) -> Option<Class> {
    match kind {
        Kind::Throttled => Some(Class::Throttle),
        Kind::Unavailable => Some(Class::Transient),
        _ => None,
    }
}

/// Returns the class of a refusal; `None` if the same request would be refused again. Two writes of
/// one object in the same moment are a conflict that passes: S3's code for it, Ceph's, or a bare 409
/// to a conditional write. Every other 409 states a fact.
pub(crate) fn refusal_class(fault: &Fault, is_conditional: bool) -> Option<Class> {
    match (fault.code.as_str(), fault.status) {
        ("ConditionalRequestConflict", _) | ("ConcurrentModification", 409) => {
            Some(Class::Transient)
        }
        ("", 409) if is_conditional => Some(Class::Transient),
        _ => class(fault.kind()),
    }
}

/// A cause of refusal that a client removes by itself, once per request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Sign for the region that the bucket is in.
    Region(String),
    /// Sign with the server's time, which was this.
    Clock(Epoch),
    /// Fetch credentials anew.
    Credentials,
    /// Send the body without asking first.
    Expect,
    /// Send the MD5 of the body.
    ContentMd5,
}

/// How far a machine's clock may be wrong before S3 refuses (15 minutes); a refusal without a code,
/// as a HEAD gets it, is taken for that when the clocks differ by more.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

/// Chooses the repair for `fault`, the answer to a request that was signed for `region` at `signed_at`;
/// the server's clock showed `server_time`. `lacks_md5`: it had a body, and no `Content-MD5`.
pub(crate) fn repair(
    fault: &Fault,
    region: &str,
    signed_at: Epoch,
    server_time: Option<Epoch>,
    lacks_md5: bool,
) -> Option<Repair> {
    let (status, code) = (fault.status, fault.code.as_str());
    let skewed = |server: Epoch| server.millis().abs_diff(signed_at.millis()) / 1000;
    match (status, code) {
        (417, _) => Some(Repair::Expect),
        // A bucket with Object Lock says "InvalidRequest" and asks for the header in its message;
        // others word it differently.
        (400, "InvalidRequest" | "MissingContentMD5") if lacks_md5 => Some(Repair::ContentMd5),
        (400, _) if lacks_md5 && fault.message.to_ascii_lowercase().contains("content-md5") => {
            Some(Repair::ContentMd5)
        }
        (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
            Some(Repair::Credentials)
        }
        (_, "RequestTimeTooSkewed") => server_time.map(Repair::Clock),
        (403, "") if server_time.is_some_and(|time| skewed(time) > MAX_SKEW.as_secs()) => {
            server_time.map(Repair::Clock)
        }
        (301 | 302 | 307 | 308, _)
        | (
            _,
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException",
        )
        | (400, "")
            if !fault.region.is_empty() && fault.region != region =>
        {
            Some(Repair::Region(fault.region.clone()))
        }
        // The answer to a HEAD has no body that could name an expired token.
        (400, "") => Some(Repair::Credentials),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ferror::Kind;
    use ftime::Epoch;

    use super::{Class, Repair, RetryPolicy, WaitBudget, class, refusal_class, repair};
    use crate::Fault;

    #[test]
    fn waits_double_within_their_bounds_and_are_drawn_evenly() {
        let retry_policy = RetryPolicy::default();
        let millis = Duration::from_millis;
        for (class, failures, random, expected) in [
            (Class::Transient, 1, u64::MAX, millis(50)),
            (Class::Transient, 1, 0, millis(0)),
            (Class::Transient, 1, u64::MAX / 2, millis(25)),
            (Class::Transient, 3, u64::MAX, millis(200)),
            (Class::Transient, 40, u64::MAX, millis(20_000)),
            (Class::Throttle, 1, u64::MAX, millis(1_000)),
            (Class::Throttle, 4, u64::MAX, millis(8_000)),
            (Class::Throttle, 6, u64::MAX, millis(20_000)),
        ] {
            let wait = retry_policy.wait(class, failures, random, None);
            let off = wait.abs_diff(expected);
            assert!(off < millis(1), "{class:?} {failures} {random}: {wait:?}, not {expected:?}");
        }
        // The wait that a server asks for is kept, up to the longest wait.
        for (asked, expected) in [(3, 3), (3_600, 20)] {
            let wait = retry_policy.wait(Class::Throttle, 1, 0, Some(Duration::from_secs(asked)));
            assert_eq!(wait, Duration::from_secs(expected));
        }
    }

    #[test]
    fn only_what_time_mends_has_a_class() {
        for kind in Kind::ALL {
            assert_eq!(class(kind).is_some(), kind.is_retryable(), "{kind}");
        }
    }

    #[test]
    fn a_conflict_passes_when_it_is_one_of_two_writes() {
        for (status, code, is_conditional, expected) in [
            (409, "ConditionalRequestConflict", true, Some(Class::Transient)),
            // A completion answers 200 before the work is done.
            (200, "ConditionalRequestConflict", true, Some(Class::Transient)),
            (409, "OperationAborted", false, Some(Class::Transient)),
            (409, "ConcurrentModification", true, Some(Class::Transient)),
            (409, "", true, Some(Class::Transient)),
            (409, "", false, None),
            (409, "InvalidBucketState", true, None),
            (412, "PreconditionFailed", true, None),
            (503, "SlowDown", true, Some(Class::Throttle)),
        ] {
            let (code, message) = (code.to_owned(), String::new());
            let fault = Fault { status, code, message, ..Fault::default() };
            assert_eq!(refusal_class(&fault, is_conditional), expected, "{fault:?}");
        }
    }

    #[test]
    fn each_repair_has_its_own_sign() {
        let now = Epoch::from_secs(1_369_353_600);
        let (near, far) = (Epoch::from_secs(1_369_353_660), Epoch::from_secs(1_369_357_200));
        let west = || Some(Repair::Region("eu-west-1".to_owned()));
        for (status, code, region, server_time, expected) in [
            (417, "", "", None, Some(Repair::Expect)),
            (409, "ConditionalRequestConflict", "", None, None),
            (409, "OperationAborted", "", None, None),
            (400, "ExpiredToken", "", None, Some(Repair::Credentials)),
            (403, "RequestTimeTooSkewed", "", Some(far), Some(Repair::Clock(far))),
            (403, "RequestTimeTooSkewed", "", None, None),
            (403, "", "", Some(far), Some(Repair::Clock(far))),
            (403, "", "", Some(near), None),
            (403, "AccessDenied", "", Some(far), None),
            (301, "PermanentRedirect", "eu-west-1", None, west()),
            (307, "TemporaryRedirect", "eu-west-1", None, west()),
            (400, "AuthorizationHeaderMalformed", "eu-west-1", None, west()),
            (301, "", "eu-west-1", None, west()),
            (400, "", "eu-west-1", None, west()),
            (400, "", "us-east-1", None, Some(Repair::Credentials)),
            (400, "BadDigest", "eu-west-1", None, None),
            (301, "PermanentRedirect", "", None, None),
            (403, "SignatureDoesNotMatch", "eu-west-1", Some(far), None),
        ] {
            let fault = Fault {
                status,
                code: code.to_owned(),
                region: region.to_owned(),
                ..Fault::default()
            };
            let found = repair(&fault, "us-east-1", now, server_time, false);
            assert_eq!(found, expected, "{status} {code:?} {region:?}");
        }
    }

    #[test]
    fn an_md5_is_sent_to_whoever_asks_for_it_and_got_none() {
        let asks = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests";
        for (status, code, message, lacks_md5, expected) in [
            (400, "InvalidRequest", asks, true, Some(Repair::ContentMd5)),
            (400, "InvalidRequest", "No", true, Some(Repair::ContentMd5)),
            (400, "MissingContentMD5", "", true, Some(Repair::ContentMd5)),
            (
                400,
                "InvalidArgument",
                "the content-md5 header is missing",
                true,
                Some(Repair::ContentMd5),
            ),
            (400, "InvalidRequest", asks, false, None),
            (400, "InvalidArgument", "No", true, None),
            (403, "InvalidRequest", asks, true, None),
        ] {
            let (code, message) = (code.to_owned(), message.to_owned());
            let fault = Fault { status, code, message, ..Fault::default() };
            let found = repair(&fault, "us-east-1", Epoch::ZERO, None, lacks_md5);
            assert_eq!(found, expected, "{fault:?}");
        }
    }

    #[test]
    fn a_budget_ends_and_where_that_is_wanted_comes_back() {
        let second = Duration::from_secs(1);
        for (budget_renewed_every, expected) in [
            (None, [true, true, false, false, false]),
            (Some(10 * second), [true, true, false, true, true]),
        ] {
            let retry_policy =
                RetryPolicy { budget: 2 * second, budget_renewed_every, ..RetryPolicy::default() };
            let start = Instant::now();
            let mut waiting = WaitBudget::new(&retry_policy, start);
            let mut take = |at: u32| waiting.take(&retry_policy, second, start + at * second);
            assert_eq!([0, 1, 9, 10, 19].map(&mut take), expected, "{budget_renewed_every:?}");
        }
    }
}
