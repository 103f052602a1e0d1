//! Access to the machine: environment, child processes, files, the terminal, work in parallel.

pub mod child_env;
pub mod env;
pub mod file_lock;
pub mod files;
pub mod interrupt;
pub mod open_files;
pub mod parallel;
pub mod partial;
pub mod process;
pub mod prompt;
pub mod sandbox;
pub mod terminal;
pub mod ui;
pub mod undo;
