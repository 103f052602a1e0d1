//! Works on a repository: git, the workspace, vendored sources, the place that xtask comes from, and the
//! templates that are written into it.

pub mod adopt;
pub mod build_inputs;
pub mod cargo_config;
pub mod cargo_files;
pub mod changes;
pub mod clean_checkout;
pub mod dependencies;
pub mod git;
pub mod local_server;
pub mod manifests;
pub mod native;
pub mod new_repository;
pub mod service_template;
pub mod sources;
pub mod templates;
pub mod vendored;
pub mod work_tree;
pub mod workspace;
pub mod xtask_source;
