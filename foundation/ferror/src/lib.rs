//! One error type for services and automation: what went wrong, and what the caller can do about it.
//!
//! A library that fails does not know whether its caller is a command line, a web request or a
//! retry loop. It knows the [`Kind`]: who can correct the failure. Everything else follows from that:
//! the exit code of a command ([`Kind::exit_code`]), the status of a response
//! ([`Kind::http_status`]), and whether the same call may work later ([`Kind::is_retryable`]).
//!
//! ```
//! use ferror::{Error, Kind, ResultExt};
//!
//! fn port(text: &str) -> ferror::Result<u16> {
//!     text.parse::<u16>()
//!         .map_err(|e| Error::config("PORT is not a port number").caused_by(e))
//!         .context("reading the environment")
//! }
//!
//! let error = port("eighty").unwrap_err().hint("set PORT to a number from 1 to 65535");
//! assert_eq!(error.kind(), Kind::Config);
//! assert_eq!(error.kind().exit_code(), 3);
//! assert_eq!(
//!     format!("{error:#}"),
//!     "reading the environment: PORT is not a port number: invalid digit found in string",
//! );
//! ```

mod error;
mod kind;

pub use error::{Error, ResultExt};
pub use kind::Kind;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
