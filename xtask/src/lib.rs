//! Build automation for a service repository: `dist` builds every service, stamps the commit into
//! the linked binaries and packs reproducible archives; `upload` publishes them in a bucket.

pub mod platform;

pub mod config;
pub mod manifest;
pub mod plan;

pub mod archive;
pub mod env;
pub mod files;
pub mod git;
pub mod gzip;
pub mod nested;
pub mod resources;
pub mod stamp;
pub mod ui;
pub mod workspace;

pub mod show_stamp;
