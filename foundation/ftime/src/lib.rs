//! Epoch times: one instant type, and the four ways that HTTP, S3, git and people write it.
//!
//! An [`Epoch`] counts milliseconds since 1970-01-01 UTC. It has no time zone: what is parsed with
//! an offset becomes UTC. The calendar itself (leap years, weekdays, offsets) is chrono's work; this
//! crate owns which forms are accepted. They are accepted exactly, because a date that was meant
//! otherwise and parsed anyhow ends in a wrong signature or a release of the wrong age.
//!
//! ```
//! use ftime::Epoch;
//! use std::time::Duration;
//!
//! let pushed = Epoch::parse_rfc2822("Tue, 27 Mar 2007 21:36:42 +0200").unwrap();
//! assert_eq!(pushed.to_string(), "2007-03-27T19:36:42Z");
//! assert_eq!(pushed.to_rfc1123(), "Tue, 27 Mar 2007 19:36:42 GMT");
//! assert_eq!(pushed.saturating_add(Duration::from_secs(60)).to_compact(), "20070327T193742Z");
//! ```

mod epoch;
mod forms;

pub use epoch::Epoch;
