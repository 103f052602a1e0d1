//! The server over a real socket on loopback: what S3 answers, this has to answer.
//!
//! Requests are signed with the pure functions of `foundation/s3` and written by hand ([`wire`]), so
//! that a test can send what no well-behaved client would.

mod access;
mod client;
mod conditions;
mod copies;
mod keys;
mod multipart;
mod objects;
mod parts;
mod program;
mod ranges;
mod refusals;
mod wire;
