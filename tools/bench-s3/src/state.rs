//! What the counting server knows: the request that it reads, and what it remembers between requests.

use std::collections::{BTreeMap, BTreeSet};

/// Everything that the server remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Object>,
    /// Uploads under way, by id.
    pub(crate) uploads: BTreeMap<String, Object>,
    pub(crate) next: u64,
    pub(crate) seen: Seen,
}

/// An object, or an upload that will become one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub(crate) size_bytes: u64,
    pub(crate) etag: String,
    pub(crate) parts: usize,
    /// The headers `x-amz-meta-*` of the request that made it.
    pub(crate) metadata: Vec<(String, String)>,
}

/// The requests since [`Server::take_seen`](crate::server::Server::take_seen) was called last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The lengths of all bodies, decoded.
    pub(crate) body_bytes: u64,
    pub(crate) requests: usize,
    /// How the bodies of objects and parts were signed, from `x-amz-content-sha256`.
    pub(crate) payloads: BTreeSet<&'static str>,
}

/// A request without its body.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    /// Counts one request whose body had this length.
    pub(crate) fn count(&mut self, head: &Head, size_bytes: u64) {
        self.requests += 1;
        if head.method != "PUT" {
            return;
        }
        self.body_bytes += size_bytes;
        self.payloads.insert(match head.header("x-amz-content-sha256") {
            Some("UNSIGNED-PAYLOAD") => "unsigned",
            Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER") => "unsigned, checksum in a trailer",
            Some(text) if text.starts_with("STREAMING-") => "signed in chunks",
            Some(text) if text.len() == 64 => "signed",
            Some(_) => "something else",
            None => "not mentioned",
        });
    }
}

impl Head {
    /// Returns the value of a header; `name` is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the headers whose names begin with `begin`.
    pub(crate) fn headers(&self, begin: &str) -> Vec<(String, String)> {
        self.headers.iter().filter(|(name, _)| name.starts_with(begin)).cloned().collect()
    }

    /// Returns the value of a parameter of the query, as it was sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}
