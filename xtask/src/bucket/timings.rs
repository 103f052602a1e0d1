//! Tells how an upload spent its time (`--timings`).

use std::fmt;
use std::time::Duration;

use s3::{Client, Usage};
use serde_json::{Value, json};

use crate::system::ui;

/// A client's counts and times, beside the time on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    usage: Usage,
    wall: Duration,
}

impl Timings {
    /// Returns the counts of `client` in the `wall` time since it was made.
    pub fn new(client: &Client, wall: Duration) -> Self {
        Self { usage: client.usage(), wall }
    }

    /// Returns the same as JSON; times in milliseconds.
    pub fn to_json(&self) -> Value {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Usage { requests, sent_bytes, resumed_bytes, reading, hashing, exchanging, waiting } =
            self.usage;
        json!({
            "wall_ms": millis(self.wall),
            "requests": requests,
            "sent_bytes": sent_bytes,
            "resumed_bytes": resumed_bytes,
            "reading_ms": millis(reading),
            "hashing_ms": millis(hashing),
            "exchanging_ms": millis(exchanging),
            "waiting_ms": millis(waiting),
        })
    }
}

/// One line. The times of requests that were under way at once add up to more than the wall's.
impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { requests, sent_bytes, resumed_bytes, reading, hashing, exchanging, waiting } =
            self.usage;
        write!(
            f,
            "{} in all; {requests} requests {}, reading {}, hashing {}, waiting to try again {}; {} sent",
            ui::seconds(self.wall),
            ui::seconds(exchanging),
            ui::seconds(reading),
            ui::seconds(hashing),
            ui::seconds(waiting),
            ui::size(sent_bytes),
        )?;
        if resumed_bytes > 0 {
            write!(f, ", {} by an earlier run", ui::size(resumed_bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use s3::Usage;

    use super::Timings;

    #[test]
    fn a_line_for_people_and_milliseconds_for_programs() {
        let seconds = Duration::from_secs;
        let usage = Usage {
            requests: 7,
            sent_bytes: 4 << 20,
            resumed_bytes: 0,
            reading: seconds(1),
            hashing: seconds(2),
            exchanging: seconds(3),
            waiting: seconds(0),
        };
        let timings = Timings { usage, wall: seconds(5) };
        assert_eq!(
            timings.to_string(),
            "5.00 s in all; 7 requests 3.00 s, reading 1.00 s, hashing 2.00 s, waiting to try again 0.00 s; 4.0 MiB sent"
        );
        assert_eq!(timings.to_json()["exchanging_ms"], 3000);
        let usage = Usage { resumed_bytes: 1 << 20, ..usage };
        let resumed = Timings { usage, ..timings };
        assert!(
            resumed.to_string().ends_with("4.0 MiB sent, 1.0 MiB by an earlier run"),
            "{resumed}"
        );
        assert_eq!(resumed.to_json()["resumed_bytes"], 1 << 20);
    }
}
