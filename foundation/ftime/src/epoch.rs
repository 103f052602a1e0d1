//! The instant with its range and arithmetic, and the reading of the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant, in whole milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// It lies between [`Epoch::MIN`] and [`Epoch::MAX`], the years 0000 to 9999: what RFC 3339 can
/// write, so that printing never fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(i64);

impl Epoch {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_167_219_200_000);
    /// 1970-01-01T00:00:00Z.
    pub const ZERO: Self = Self(0);
    /// 9999-12-30T22:00:00Z, the last instant that every offset can write within the year 9999.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// Returns the instant `millis` milliseconds after 1970 (before it, when negative); a value outside
    /// the range becomes the nearer end of it.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Returns the instant `secs` seconds after 1970, within the range as in [`Epoch::from_millis`].
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Returns the time by the machine's clock. Call it in the
    /// outermost code and pass the value down, so that everything else can be tested.
    pub fn now() -> Self {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => Self::ZERO.saturating_add(after),
            Err(before) => Self::ZERO.saturating_sub(before.duration()),
        }
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Returns the whole seconds since 1970, rounded towards the past.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Adds `duration`, in whole milliseconds; `None` when that is after [`Epoch::MAX`].
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let millis = self.0.checked_add(i64::try_from(duration.as_millis()).ok()?)?;
        Self::within_range(millis)
    }

    /// Subtracts `duration`, in whole milliseconds; `None` when that is before [`Epoch::MIN`].
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let millis = self.0.checked_sub(i64::try_from(duration.as_millis()).ok()?)?;
        Self::within_range(millis)
    }

    /// Adds `duration`, at most [`Epoch::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }

    /// Subtracts `duration`, at least [`Epoch::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self::MIN)
    }

    /// Returns the time that passed since `earlier`; `None` if `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0 - earlier.0).ok().map(Duration::from_millis)
    }

    /// Returns the instant, when `millis` is in the range.
    pub(crate) const fn within_range(millis: i64) -> Option<Self> {
        if Self::MIN.0 <= millis && millis <= Self::MAX.0 { Some(Self(millis)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Epoch;

    #[test]
    fn seconds_round_towards_the_past() {
        for (millis, secs) in [(0, 0), (999, 0), (1000, 1), (-1, -1), (-1000, -1), (-1001, -2)] {
            assert_eq!(Epoch::from_millis(millis).secs(), secs, "{millis} ms");
        }
    }

    #[test]
    fn the_range_holds_at_both_ends() {
        let second = Duration::from_secs(1);
        for (got, expected) in [
            (Epoch::from_millis(i64::MAX), Epoch::MAX),
            (Epoch::from_millis(i64::MIN), Epoch::MIN),
            (Epoch::from_secs(i64::MAX), Epoch::MAX),
            (Epoch::from_secs(i64::MIN), Epoch::MIN),
            (Epoch::MAX.saturating_add(second), Epoch::MAX),
            (Epoch::MIN.saturating_sub(second), Epoch::MIN),
            (Epoch::ZERO.saturating_add(Duration::MAX), Epoch::MAX),
            (Epoch::ZERO.saturating_sub(Duration::MAX), Epoch::MIN),
        ] {
            assert_eq!(got, expected);
        }
        assert_eq!(Epoch::MAX.checked_add(second), None);
        assert_eq!(Epoch::MIN.checked_sub(second), None);
        assert_eq!(Epoch::MIN.to_rfc3339(), "0000-01-01T00:00:00Z");
        assert_eq!(Epoch::MAX.to_rfc3339(), "9999-12-30T22:00:00Z");
    }

    #[test]
    fn arithmetic_with_durations() {
        let noon = Epoch::from_secs(1_174_996_800);
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(noon.checked_add(hour).map(Epoch::secs), Some(1_175_000_400));
        assert_eq!(noon.checked_sub(hour).map(Epoch::secs), Some(1_174_993_200));
        assert_eq!(noon.saturating_add(hour).since(noon), Some(hour));
        assert_eq!(noon.since(noon), Some(Duration::ZERO));
        assert_eq!(noon.since(noon.saturating_add(hour)), None, "the other is later");
        assert_eq!(Epoch::MAX.since(Epoch::MIN).map(|d| d.as_secs()), Some(315_569_426_400));
    }
}
