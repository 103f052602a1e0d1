//! A small blocking S3 client: signatures as pure functions, one request at a time over ureq.
//!
//! Read it in this order. [`encode`] is the one spelling of object keys and queries; it serves the
//! signature and the wire alike. [`sigv4`] and [`sigv2`] sign a [`Request`], one function per
//! published step, with the time and the secret as arguments. [`Location`] says where a bucket is
//! and refuses what would send a credential to a host that nobody named. [`Client`] puts them
//! together; it reads the clock, and `transport` alone knows about sockets.
//!
//! What it never does: follow a redirect, take a host name from an answer, fall back to an older
//! signature, or skip the verification of a certificate. Of the environment it reads nothing but the
//! proxy variables, which ureq does.

mod address;
mod answer;
mod client;
mod credentials;
mod digest;
pub mod encode;
mod fault;
mod listing;
mod location;
mod object;
mod request;
pub mod sigv2;
pub mod sigv4;
mod transport;
mod xml;

pub use client::Client;
pub use credentials::Credentials;
pub use digest::{hex, sha256};
pub use fault::Fault;
pub use location::{DEFAULT_REGION, Location, Signature};
pub use object::{
    Body, Head, ListedObject, Listing, Object, Precondition, Put, PutOutcome, Stored,
};
pub use request::Request;
