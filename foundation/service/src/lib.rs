//! What every service does at its door, so that all of them do it alike.
//!
//! - [`Settings`]: one table of settings gives the options, the environment variables, the defaults
//!   and the help text. An option beats the environment, that beats the default, and one error
//!   lists everything that is missing or bad.
//! - [`Bucket`]: the rows for a bucket and its credentials, checked into a client.
//! - [`Logs`]: structured logs on stderr, for people on a terminal and as JSON anywhere else.
//! - [`Stop`] and [`run()`]: SIGTERM and SIGINT end a service within [`GRACE`].
//!
//! A service stays three small files: its table and its checked configuration, its work, and a
//! `main` that ties them together.

mod bucket;
mod logs;
mod run;
mod setting;
mod settings;

pub use bucket::{BUCKET_SETTINGS, Bucket, CREDENTIALS_NOTE};
pub use logs::{LOG_SETTINGS, Logs};
pub use run::{GRACE, Stop, refuse, run};
pub use setting::{Setting, help};
pub use settings::{Asked, Settings, ask};
