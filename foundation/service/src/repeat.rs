//! Repeats a job at an interval, and sooner after an error that may pass.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use tracing::{error, warn};

use crate::Stop;

/// The longest wait after the first retryable error.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait after any retryable error, whatever the interval.
pub const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Does `job`, waits `interval`, and does it again, until a stop is requested. It then returns when
/// the current run has ended.
///
/// After a retryable error ([`Kind::is_retryable`](ferror::Kind::is_retryable)) the wait is random,
/// between zero and a bound that begins at [`FIRST_WAIT`] and doubles with each such error in a row,
/// up to [`LONGEST_WAIT`]. This is "full jitter": workers that failed together do not all come back
/// at once. After success or any other error the wait is the interval, and the bound begins anew.
///
/// No error ends the loop. A denied key or a missing bucket may be put right from outside, and a
/// process that ended would only be started again, sooner than the interval. To end a worker on an
/// error, call the job in a loop of your own.
pub async fn repeat(
    interval: Duration,
    stop: &Stop,
    mut job: impl AsyncFnMut() -> ferror::Result<()>,
) {
    let mut failures = 0;
    while !stop.is_requested() {
        let wait = match job().await {
            Ok(()) => {
                failures = 0;
                interval
            }
            Err(error) if error.kind().is_retryable() => {
                failures += 1;
                let wait = random_part(bound(failures), random());
                let (kind, hint) = (error.kind(), error.hint_text());
                let wait_ms = wait.as_millis() as u64;
                warn!(%kind, hint, failures, wait_ms, "will try again: {error:#}");
                wait
            }
            Err(error) => {
                failures = 0;
                error!(kind = %error.kind(), hint = error.hint_text(), "{error:#}");
                interval
            }
        };
        tokio::select! {
            () = stop.requested() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Returns the longest wait after this many retryable errors in a row, at least one.
fn bound(failures: u32) -> Duration {
    let doubled = 2_u32.checked_pow(failures - 1).and_then(|times| FIRST_WAIT.checked_mul(times));
    doubled.map_or(LONGEST_WAIT, |bound| bound.min(LONGEST_WAIT))
}

/// Scales a random number of the whole range of `u64` to a time below `bound`.
fn random_part(bound: Duration, random: u64) -> Duration {
    let nanos = (bound.as_nanos() * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Returns what the standard library seeds its maps with: random enough to keep workers apart.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use ferror::{Error, Kind};
    use tokio::time::Instant;

    use super::{FIRST_WAIT, LONGEST_WAIT, bound, random_part, repeat};
    use crate::Stop;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Returns the times between runs of a job that ends like this, until a stop is requested.
    async fn waits(ends: &[Result<(), Kind>]) -> Vec<Duration> {
        let (request, stop) = Stop::manual();
        let begun = RefCell::new(Vec::new());
        repeat(HOUR, &stop, async || {
            let run = begun.borrow().len();
            begun.borrow_mut().push(Instant::now());
            if run == ends.len() {
                request.send_replace(true);
                return Ok(());
            }
            ends[run].map_err(|kind| Error::new(kind, "as the test wants it"))
        })
        .await;
        begun.into_inner().windows(2).map(|two| two[1] - two[0]).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn after_success_and_errors_that_do_not_pass_it_waits_for_the_interval() {
        let ends = [Ok(()), Err(Kind::Denied), Ok(()), Err(Kind::NotFound), Err(Kind::Bug)];
        assert_eq!(waits(&ends).await, [HOUR; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_retryable_error_it_comes_sooner_within_bounds_that_double() {
        let failures = [Err(Kind::Unavailable), Err(Kind::Throttled)].repeat(10);
        let ends = [&failures[..], &[Ok(())], &failures[..1], &[Err(Kind::Denied)], &failures[..1]];
        let waits = waits(&ends.concat()).await;
        // The clock of tests has whole milliseconds.
        let slack = Duration::from_millis(1);
        for (at, wait) in waits[..20].iter().enumerate() {
            let bound = bound(u32::try_from(at).unwrap() + 1);
            assert!(*wait <= bound + slack, "wait {at} is {wait:?}, more than {bound:?}");
        }
        // Twelve waits that all fall below a tenth of their bound would be one in 10^12.
        let long = waits[8..20].iter().filter(|wait| **wait > LONGEST_WAIT / 10).count();
        assert!(long > 0, "no wait grew: {waits:?}");
        assert_eq!((waits[20], waits[22]), (HOUR, HOUR), "success, then denied");
        for (at, why) in [(21, "success"), (23, "an error of another kind")] {
            assert!(waits[at] <= FIRST_WAIT + slack, "after {why} it begins anew: {waits:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_cuts_the_wait_short_and_begins_no_run() {
        let (request, stop) = Stop::manual();
        let runs = RefCell::new(0);
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let job = async || {
            *runs.borrow_mut() += 1;
            Ok(())
        };
        let request_stop = async {
            tokio::time::sleep(second).await;
            request.send_replace(true);
        };
        tokio::join!(repeat(HOUR, &stop, job), request_stop);
        assert_eq!((*runs.borrow(), begun.elapsed()), (1, second));
        repeat(HOUR, &stop, async || unreachable!("a stop is requested")).await;
    }

    #[test]
    fn bounds_double_and_random_parts_fill_them() {
        let secs =
            [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 300), (40, 300), (u32::MAX, 300)];
        for (failures, secs) in secs {
            assert_eq!(bound(failures), Duration::from_secs(secs), "{failures} failures");
        }
        let check = |random: u64, millis: u64| {
            let wait = random_part(Duration::from_secs(8), random).as_millis();
            assert_eq!(wait, u128::from(millis), "{random}");
        };
        check(0, 0);
        check(1 << 63, 4000);
        check(3 << 62, 6000);
        check(u64::MAX, 7999);
    }
}
