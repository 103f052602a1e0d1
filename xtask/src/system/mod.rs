//! The machine: environment, child processes, files, the terminal, work in parallel.

pub mod child_env;
pub mod env;
pub mod file_guard;
pub mod files;
pub mod parallel;
pub mod prompt;
pub mod ui;
