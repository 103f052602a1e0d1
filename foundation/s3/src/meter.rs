//! Counts the bytes and the times of a client, for a progress line and for `--timings`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts and times of a client and its clones. Times are summed over threads, so they may exceed the
/// elapsed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Requests sent, each attempt counted.
    pub requests: u64,
    /// Bytes of bodies sent, without those of failed attempts.
    pub sent_bytes: u64,
    /// Bytes of parts that an earlier run had sent and that were not sent again.
    pub resumed_bytes: u64,
    /// The time for reading files.
    pub reading: Duration,
    /// The time for computing digests.
    pub hashing: Duration,
    /// The time of requests: connecting, sending, waiting for the answer and reading it.
    pub exchanging: Duration,
    /// The time waited before another attempt.
    pub waiting: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: AtomicU64,
    sent_bytes: AtomicU64,
    resumed_bytes: AtomicU64,
    reading_nanos: AtomicU64,
    hashing_nanos: AtomicU64,
    exchanging_nanos: AtomicU64,
    waiting_nanos: AtomicU64,
}

/// The activities whose time is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Activity {
    Reading,
    Hashing,
    Exchanging,
    Waiting,
}

impl Meter {
    pub(crate) fn usage(&self) -> Usage {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = |counter| Duration::from_nanos(load(counter));
        Usage {
            requests: load(&self.requests),
            sent_bytes: load(&self.sent_bytes),
            resumed_bytes: load(&self.resumed_bytes),
            reading: time(&self.reading_nanos),
            hashing: time(&self.hashing_nanos),
            exchanging: time(&self.exchanging_nanos),
            waiting: time(&self.waiting_nanos),
        }
    }

    /// Runs `work` and adds its time to that of `activity`.
    pub(crate) fn time<T>(&self, activity: Activity, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        let counter = match activity {
            Activity::Reading => &self.reading_nanos,
            Activity::Hashing => &self.hashing_nanos,
            Activity::Exchanging => &self.exchanging_nanos,
            Activity::Waiting => &self.waiting_nanos,
        };
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        counter.fetch_add(nanos, Ordering::Relaxed);
        done
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn subtract_sent(&self, bytes: u64) {
        self.sent_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn resumed(&self, bytes: u64) {
        self.resumed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Subtracts parts that had to be sent again.
    pub(crate) fn subtract_resumed(&self, bytes: u64) {
        self.resumed_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
