//! From archive to release: where the bucket is, publishing, finding and downloading releases.

pub mod destination;
pub mod download;
pub mod index;
pub mod named_release;
pub mod progress;
pub mod publish;
pub mod releases;
pub mod timings;
pub mod unpack;
