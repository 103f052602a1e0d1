//! Build automation for a service repository: `dist` builds every service, stamps the commit into
//! the linked binaries and packs reproducible archives; `upload` publishes them in a bucket.

pub mod env;
pub mod platform;
