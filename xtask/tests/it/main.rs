//! Tests through the command line: the built program, real repositories, real builds, a real server.
//!
//! A test marked `#[ignore]` is slow, installs toolchains or needs servers; `cargo xtask ci --all`
//! runs it.

mod adopt;
mod ansible;
mod build_errors;
mod build_key;
mod build_output;
mod canary;
mod cargo_settings;
mod child_env;
mod ci;
mod ci_others;
mod circleci;
mod command_line;
mod completions;
mod dist;
#[cfg(target_os = "linux")]
mod durable;
mod exactly_once;
mod fetch;
mod freshness;
mod git;
mod init;
mod interrupted;
mod killed;
mod library;
mod list;
mod lock_file;
mod minimum_rust;
mod names;
mod native;
mod native_code;
mod new;
mod other_repository;
mod plan;
mod platforms;
mod presign;
mod promote;
mod proxies;
mod reference;
mod resources;
mod reuse;
mod sandbox;
mod services;
mod setup;
mod shards;
mod ship;
mod stamp;
mod stdout;
mod strangers;
mod structure;
mod support;
mod templates;
mod update;
mod upload;
mod vendor;
mod verify;
