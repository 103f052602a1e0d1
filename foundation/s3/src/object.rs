//! Uploads, objects and listings as plain data.

use std::collections::BTreeMap;
use std::path::Path;

use ftime::Epoch;

use crate::Attributes;

/// An upload: the bytes, their description and the condition.
#[derive(Debug, Clone, Copy)]
pub struct Put<'a> {
    /// The bytes.
    pub body: Body<'a>,
    /// The `Content-Type`.
    pub content_type: &'a str,
    /// Names and values that are kept with the object; a name travels as `x-amz-meta-NAME`.
    pub metadata: &'a [(&'a str, &'a str)],
    /// How the server stores and serves it; `None`: as the bucket does by default.
    pub attributes: Option<&'a Attributes>,
    /// The condition under which the object is stored.
    pub precondition: Precondition<'a>,
}

impl<'a> Put<'a> {
    /// Describes an upload without metadata, attributes and condition.
    pub fn new(body: Body<'a>, content_type: &'a str) -> Self {
        let (attributes, precondition) = (None, Precondition::None);
        Self { body, content_type, metadata: &[], attributes, precondition }
    }
}

/// The bytes of an upload.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A file, read once: a small one into memory, a large one part by part.
    File {
        /// Where it is.
        path: &'a Path,
        /// Its length; a file of another length is refused.
        size_bytes: u64,
        /// Its SHA-256, as the caller knows it. A file that has another is not stored.
        sha256: [u8; 32],
    },
}

/// The condition under which an upload is stored. Not every server supports it
/// ([`ClientOptions::conditional_writes`](crate::ClientOptions::conditional_writes)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition<'a> {
    /// No condition: an existing object is replaced.
    None,
    /// No object of that key exists (`If-None-Match: *`).
    Absent,
    /// The object has this `ETag`, as [`Head`] gave it (`If-Match`).
    Matches(&'a str),
}

/// The result of an upload that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object is stored.
    Stored(Stored),
    /// The [`Precondition`] did not hold (412), or at each attempt another upload of the same key was
    /// under way (409 `ConditionalRequestConflict`). Nothing was stored by this request; after a
    /// lost answer, the object may be one's own.
    PreconditionFailed,
}

/// The server's answer to a stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its `ETag`, with the quotes: opaque, good only for [`Precondition::Matches`].
    pub etag: String,
    /// The HTTP status, 200 as a rule.
    pub status: u16,
    /// The object's version, in a bucket that keeps versions.
    pub version_id: Option<String>,
    /// The server's id for the request; may be empty.
    pub request_id: String,
    /// How often the request was sent; for a multipart upload, the one that completed it.
    pub attempts: u32,
    /// How many bytes an earlier run had sent already ([`Client::put_resumable`](crate::Client::put_resumable)).
    pub resumed_bytes: u64,
}

/// The server's answer to a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The copy's `ETag`, with the quotes; opaque.
    pub etag: String,
    /// The server's id for the request; may be empty.
    pub request_id: String,
}

/// The headers of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its length.
    pub size_bytes: u64,
    /// Its `ETag`, with the quotes; opaque.
    pub etag: String,
    /// When it was stored, if the server says so.
    pub last_modified: Option<Epoch>,
    /// The metadata it was stored with; names in lower case, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// The object's version, in a bucket that keeps versions.
    pub version_id: Option<String>,
}

/// An object with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// All of its bytes.
    pub bytes: Vec<u8>,
    /// Its headers.
    pub head: Head,
}

/// Objects of a bucket, in the server's order (by object key).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<ListedObject>,
    /// Whether there are more objects than the caller asked for.
    pub truncated: bool,
}

/// One object of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its object key.
    pub object_key: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its `ETag`, with the quotes; opaque.
    pub etag: String,
    /// When it was stored.
    pub last_modified: Epoch,
}

/// A URL that anyone can use for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presigned {
    /// The URL. It is as good as the credentials for its object, until it expires.
    pub url: String,
    /// When it expires, by the server's clock.
    pub expires_at: Epoch,
    /// Is set where it expires earlier than was asked for, with its credentials.
    pub is_cut_short: bool,
    /// Is set where it may expire even before `expires_at`: its credentials are temporary, and their source
    /// does not say when they end.
    pub may_end_sooner: bool,
}
