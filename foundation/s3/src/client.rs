//! The client.

use std::time::Duration;

use ftime::Epoch;

use crate::{Credentials, Head, Listing, Location, Object, Put, PutOutcome};

/// A client for one bucket.
#[derive(Clone)]
pub struct Client {
    location: Location,
}

fn unfinished() -> ferror::Error {
    ferror::Error::new(ferror::Kind::Bug, "the client is being built")
}

impl Client {
    /// A client.
    pub fn new(location: Location, _credentials: Credentials) -> ferror::Result<Self> {
        Ok(Self { location })
    }
    /// Stores an object.
    pub fn put(&self, _object_key: &str, _put: &Put<'_>) -> ferror::Result<PutOutcome> {
        Err(unfinished())
    }
    /// What is known of an object; `None`: there is none.
    pub fn head(&self, _object_key: &str) -> ferror::Result<Option<Head>> {
        Err(unfinished())
    }
    /// An object with its bytes; `None`: there is none.
    pub fn get(&self, _object_key: &str, _max_bytes: u64) -> ferror::Result<Option<Object>> {
        Err(unfinished())
    }
    /// Lists objects.
    pub fn list(&self, _prefix: &str, _max_objects: usize) -> ferror::Result<Listing> {
        Err(unfinished())
    }
    /// Removes an object.
    pub fn delete(&self, _object_key: &str) -> ferror::Result<()> {
        Err(unfinished())
    }
    /// A URL.
    pub fn presign_get(&self, _object_key: &str, _now: Epoch, _expires_in: Duration) -> ferror::Result<String> {
        Err(unfinished())
    }
    /// Where the bucket is.
    pub fn location(&self) -> &Location {
        &self.location
    }
}
