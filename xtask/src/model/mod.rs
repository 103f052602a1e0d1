//! The types of the automation: names, configuration, the plan, Cargo.lock. Nothing here touches files,
//! processes, the clock or the network.

pub mod build_key;
pub mod cargo_lock;
pub mod cargo_toml;
pub mod closure;
pub mod commit;
pub mod config;
pub mod diff;
pub mod longer_version;
pub mod names;
pub mod native;
pub mod placeholders;
pub mod plan;
pub mod platform_line;
pub mod root_inputs;
pub mod service_entry;
pub mod service_kind;
pub mod services;
pub mod shard;
pub mod shard_manifest;
pub mod source_file;
pub mod sources;
pub mod suggest;
pub mod workspace;
