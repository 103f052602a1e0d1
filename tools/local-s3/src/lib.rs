//! An S3 server in one process, for `--local`, demonstrations and tests.
//!
//! The protocol is `s3s`, the storage is `s3s-fs`, and this crate is a thin layer that mends what
//! was seen in them, so that a client which works here works against S3 as well:
//!
//! | seen | mended in |
//! |---|---|
//! | `s3s-fs` looks whether an object is there, then takes the body in, then renames: two creators with `If-None-Match: *` both succeed, and so do two writers with one `If-Match` | `objects`: both looks and the rename happen under one lock |
//! | it renames before it compares digests: a refused PUT replaces the object | `staging`: the body is taken in and checked apart, and only then stored |
//! | a body that differs from `x-amz-content-sha256` is an `InternalError` | `staging`: `XAmzContentSHA256Mismatch` |
//! | `If-Match` on an absent object is a `PreconditionFailed`; S3 says `NoSuchKey` | `objects` |
//! | PUT makes the bucket that is not there; GET says `NoSuchKey` in it | `places`: `NoSuchBucket` |
//! | a folder answers HEAD with 200 and GET with a broken connection; `..` leads out of the bucket | `places`: neither is an object |
//! | a listing has no `ETag`s, pages of any size, and claims to be URL-encoded without being it | `objects` |
//! | a removed object leaves its empty folders, where no object of that name can be put again | `objects` |
//! | its JSON files lie beside the bucket folders | `places`: they lie in `ROOT/.local-s3` |
//! | an unknown access key id is `NotSignedUp`; S3 says `InvalidAccessKeyId` | `access` |
//! | `SigV2` is verified, but its date is not looked at: a recorded request works for ever | `access`: `RequestTimeTooSkewed` |
//! | `SigV4` is verified, but an `x-amz-*` header may be left unsigned | `access`: `AccessDenied`, as S3 |
//! | no request ids | `server` |
//!
//! Deliberately absent: multipart uploads, copies, versions, policies, virtual-hosted style, and
//! whatever else `s3s-fs` has but is not mended. They answer `NotImplemented`.
//!
//! Objects are files, `ROOT/<bucket>/<object key>`, byte for byte. What cannot be a file is refused:
//! an empty, `.` or `..` segment, an object below another object, and object keys over some 150
//! bytes, because `s3s-fs` makes a file name of them for its bookkeeping (`places`).

mod access;
mod credentials;
mod objects;
mod places;
mod running;
mod server;
mod staging;

pub use credentials::Credentials;
pub use running::{LocalS3, Options, REGION};
