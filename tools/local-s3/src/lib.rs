//! An S3 server in one process, for `--local`, demonstrations and tests.
//!
//! The protocol is `s3s`; storage and conditions are this crate's, so that a client which works here
//! works against S3 as well. Put, get with ranges, head, list, copy, delete, tags and multipart
//! uploads, in both signature versions; whatever else there is answers `NotImplemented`.
//!
//! What was seen in `s3s` and is mended here:
//!
//! | seen | mended in |
//! |---|---|
//! | a body that differs from `x-amz-content-sha256` is a broken stream | `intake`: `XAmzContentSHA256Mismatch` |
//! | an unknown access key id is `NotSignedUp`; S3 says `InvalidAccessKeyId` | `access` |
//! | `SigV2` is verified, but its date is not looked at: a recorded request works for ever | `access`: `RequestTimeTooSkewed` |
//! | `SigV4` is verified, but an `x-amz-*` header may be left unsigned | `access`: `AccessDenied`, as S3 |
//! | HEAD with a range is a 200; no request ids | `server` |
//!
//! Why `s3s-fs` is not the storage: it renames before it compares digests, and compares none of a
//! part's; it looks whether an object is there before it takes the body in, so that two creators
//! both succeed; a refused completion of an upload removes the upload; and it makes file names of
//! object keys that are longer than a file name can be.
//!
//! Objects are files, `ROOT/<bucket>/<object key>`, byte for byte; an object key that is no path
//! (`places`) has its file in `ROOT/.local-s3/odd`. A body is streamed into a file of its own and
//! checked, and gets its place under one lock with the look at its conditions; so does the result
//! of an upload. Memory does not grow with an object.
//!
//! Deliberately absent: versions, policies, virtual-hosted style, copies of parts, deletion of many.

mod access;
mod answers;
mod conditions;
mod copying;
mod credentials;
mod intake;
mod listing;
mod objects;
mod places;
mod record;
mod running;
mod server;
mod store;
mod uploads;

pub use access::OWNER;
pub use credentials::Credentials;
pub use running::{LocalS3, Options, REGION};
