//! The client against S3 servers that others wrote: `cargo xtask interop` installs and starts them,
//! and runs this with their addresses in the environment.
//!
//! A server of one's own proves that client and server share their mistakes. What these do
//! differently from S3, and from each other, stands in [`expected`] as data, so that a new version
//! that behaves otherwise is seen.
//!
//! All tests stand below `real_server`: by that name `cargo xtask ci --all` leaves them to the verb.

mod cut_off;
mod expected;
mod real_server;
mod server;
