//! A small blocking S3 client: signatures as pure functions, and a client over ureq that stores
//! exactly once.
//!
//! Read it in this order. [`encode`] is the one spelling of object keys and queries; it serves the
//! signature and the wire alike. [`sigv4`] and [`sigv2`] sign a [`Request`], one function per
//! published step, with the time and the secret as arguments. [`Location`] says where a bucket is
//! and refuses what would send a credential to a host that nobody named. [`find_credentials`] looks
//! for credentials in the order of AWS's own tools, and a [`CredentialProvider`] keeps them fresh. [`Client`]
//! puts them together: `exchange` brings one request to its end, again and again where that helps
//! (`retry` says where), `put` and `multipart` store an object exactly once, `journal` is what a run that
//! dies leaves for the next one, and `transport` alone knows about sockets.
//!
//! What it never does: follow a redirect, take a host name from an answer, fall back to an older
//! signature, or skip the verification of a certificate. Of the environment it reads nothing but the
//! proxy variables.
//!
//! ```no_run
//! use s3::{Body, Client, Credentials, DEFAULT_REGION, Location, Precondition, Put, Signature};
//!
//! let credentials = Credentials::from_vars(|name| std::env::var(name).ok())?
//!     .expect("S3_KEY and S3_SECRET are set");
//! let location = Location {
//!     bucket: "builds".to_owned(),
//!     region: DEFAULT_REGION.to_owned(),
//!     endpoint: None,
//!     path_style: None,
//!     signature: Signature::V4,
//! };
//! let client = Client::new(location, credentials)?;
//! let put = Put {
//!     body: Body::Bytes(b"hello"),
//!     content_type: "text/plain",
//!     metadata: &[("commit", "abc123")],
//!     attributes: None,
//!     precondition: Precondition::Absent,
//! };
//! client.put("greetings/hello.txt", &put)?;
//! # Ok::<(), ferror::Error>(())
//! ```

mod address;
mod answer;
mod attributes;
mod client;
mod crc64;
mod credential_chain;
mod credential_provider;
mod credentials;
mod digest;
pub mod encode;
mod endpoint;
mod exact_file;
mod exchange;
mod fault;
pub mod file_lock;
mod journal;
mod listing;
mod location;
mod meter;
mod multipart;
mod object;
mod options;
mod part_size;
mod payload;
mod pool;
mod put;
mod put_request;
mod request;
mod retry;
pub mod sigv2;
pub mod sigv4;
mod transport;
mod unfinished;
mod xml;

pub use attributes::{Attributes, Encryption, check_bucket_owner};
pub use client::Client;
pub use credential_chain::{
    CREDENTIAL_VARIABLES, CredentialInputs, Found, NamedServer, PROCESS_VARIABLES,
    SERVER_VARIABLES, ServerInputs, SessionScope, Step, Verdict, find_credentials, find_server,
};
pub use credential_provider::CredentialProvider;
pub use credentials::Credentials;
pub use digest::{hex, parse_digest, sha256};
pub use exact_file::FileMismatch;
pub use fault::Fault;
pub use location::{DEFAULT_REGION, Location, Signature};
pub use meter::Usage;
pub use object::{
    Body, Copied, Head, ListedObject, Listing, Object, Precondition, Presigned, Put, PutOutcome,
    Stored,
};
pub use options::{ClientOptions, roots_pem};
pub use part_size::body_count;
pub use request::Request;
pub use retry::RetryPolicy;
