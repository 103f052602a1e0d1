//! Tests through the front door: the built program, real repositories, real builds, a real server.
//!
//! A test marked `#[ignore]` is slow, installs toolchains or needs servers; `cargo xtask ci --all`
//! runs it.

mod ansible;
mod attributes;
mod bucket;
mod canary;
mod circleci;
mod crates;
mod dist;
mod exactly_once;
mod fetch;
mod identity;
mod init;
mod interop;
mod jobs;
mod killed;
mod layering;
mod layout;
mod local;
mod lock_file;
mod narrow;
mod new;
mod other_repository;
mod outrun;
mod platforms;
mod promote;
mod refusing;
mod releases;
mod revendor;
mod shelf;
mod snapshot;
mod source;
mod sts;
mod support;
mod templates;
mod terminal;
mod tls;
mod update;
mod upload;
mod usage;
mod vendor;
