//! Parses and prints each written form of a time.
//!
//! chrono's parsers are lenient (comments, missing seconds, two-digit years, time zone names), so a
//! text must first have the one shape of its form; then chrono decides whether the date exists.

use std::fmt;

use chrono::{DateTime, FixedOffset, NaiveDateTime, ParseError};
use ferror::Error;

use crate::Epoch;

/// `9` stands for a digit, `A` for a letter, `+` for a sign; everything else for itself.
type Shape = &'static str;

const RFC_3339_DATE_TIME: Shape = "9999-99-99T99:99:99";
const RFC_3339_OFFSET: Shape = "+99:99";
const RFC_1123: Shape = "AAA, 99 AAA 9999 99:99:99 GMT";
const RFC_2822: Shape = "AAA, 99 AAA 9999 99:99:99 +9999";
const COMPACT: Shape = "99999999T999999Z";

impl Epoch {
    /// Parses RFC 3339: `2013-05-24T00:00:00Z`, with an optional fraction of a second (what is
    /// below a millisecond is cut off) and `Z` or an offset such as `+02:00`.
    pub fn parse_rfc3339(text: &str) -> ferror::Result<Self> {
        const EXPECTED: &str = "an RFC 3339 time such as 2013-05-24T00:00:00Z";
        let upper = text.to_ascii_uppercase();
        if !is_rfc3339(&upper) {
            return Err(malformed(text, EXPECTED));
        }
        checked(text, EXPECTED, DateTime::parse_from_rfc3339(&upper))
    }

    /// Parses an HTTP date (RFC 1123): `Tue, 27 Mar 2007 19:36:42 GMT`. The weekday has to be right.
    pub fn parse_rfc1123(text: &str) -> ferror::Result<Self> {
        const EXPECTED: &str = "an RFC 1123 time such as Tue, 27 Mar 2007 19:36:42 GMT";
        if !has_shape(text, RFC_1123) {
            return Err(malformed(text, EXPECTED));
        }
        checked(text, EXPECTED, DateTime::parse_from_rfc2822(text))
    }

    /// Parses what `date -R` prints (RFC 2822): `Tue, 27 Mar 2007 19:36:42 +0000`, with any offset.
    pub fn parse_rfc2822(text: &str) -> ferror::Result<Self> {
        const EXPECTED: &str =
            "a time as `date -R` prints it, such as Tue, 27 Mar 2007 19:36:42 +0000";
        if !has_shape(text, RFC_2822) {
            return Err(malformed(text, EXPECTED));
        }
        checked(text, EXPECTED, DateTime::parse_from_rfc2822(text))
    }

    /// Parses the compact ISO 8601 form that `SigV4` uses: `20130524T000000Z`.
    pub fn parse_compact(text: &str) -> ferror::Result<Self> {
        const EXPECTED: &str = "a compact time such as 20130524T000000Z";
        if !has_shape(text, COMPACT) {
            return Err(malformed(text, EXPECTED));
        }
        let parsed = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ");
        checked(text, EXPECTED, parsed.map(|time| time.and_utc().fixed_offset()))
    }

    /// Prints `2013-05-24T00:00:00Z`, with three digits of milliseconds when there are any.
    pub fn to_rfc3339(self) -> String {
        if self.millis() % 1000 == 0 {
            self.printed("%Y-%m-%dT%H:%M:%SZ")
        } else {
            self.printed("%Y-%m-%dT%H:%M:%S%.3fZ")
        }
    }

    /// Prints `Tue, 27 Mar 2007 19:36:42 GMT`, in whole seconds.
    pub fn to_rfc1123(self) -> String {
        self.printed("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// Prints `Tue, 27 Mar 2007 19:36:42 +0000`, as `date -R` prints it in UTC, in whole seconds.
    pub fn to_rfc2822(self) -> String {
        self.printed("%a, %d %b %Y %H:%M:%S +0000")
    }

    /// Prints `20130524T000000Z`, in whole seconds.
    pub fn to_compact(self) -> String {
        self.printed("%Y%m%dT%H%M%SZ")
    }

    /// Prints the day in UTC, `20130524`: `SigV4` derives its signing key from it.
    pub fn date_stamp(self) -> String {
        self.printed("%Y%m%d")
    }

    fn printed(self, format: &str) -> String {
        let time = DateTime::from_timestamp_millis(self.millis())
            .expect("the range of Epoch lies within that of chrono");
        time.format(format).to_string()
    }
}

/// RFC 3339.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

fn is_rfc3339(upper: &str) -> bool {
    let Some((date_time, rest)) = upper.split_at_checked(RFC_3339_DATE_TIME.len()) else {
        return false;
    };
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            // Times are in nanoseconds where they come from; more digits are a mistake.
            if !(1..=9).contains(&(fraction.len() - offset.len())) {
                return false;
            }
            offset
        }
    };
    has_shape(date_time, RFC_3339_DATE_TIME)
        && (offset == "Z" || has_shape(offset, RFC_3339_OFFSET))
}

fn has_shape(text: &str, shape: Shape) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'+' => matches!(byte, b'+' | b'-'),
            literal => byte == literal,
        })
}

fn checked(
    text: &str,
    expected: &str,
    parsed: Result<DateTime<FixedOffset>, ParseError>,
) -> ferror::Result<Epoch> {
    let time = parsed.map_err(|error| malformed(text, expected).caused_by(error))?;
    // chrono writes a leap second as second 59 with more than a second's nanoseconds; leap seconds
    // are not counted, so it is second 59 over again. `timestamp` rounds towards the past.
    let millis = time.timestamp() * 1000 + i64::from(time.timestamp_subsec_millis() % 1000);
    Epoch::within_range(millis).ok_or_else(|| malformed(text, expected))
}

/// Quotes the input in an error. It may come from a peer, so it is shown escaped and not in full length.
fn malformed(text: &str, expected: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    Error::invalid(format!("{shown:?}{more} is not {expected}"))
}

#[cfg(test)]
mod tests;
