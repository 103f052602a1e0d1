//! The options of `dist`, and what becomes of what it makes.

use std::path::PathBuf;

use catalog::Platform;

use crate::build::toolchain::Library;
use crate::model::config::Config;

/// The options of `dist`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Options {
    /// The services named; empty means all.
    pub services: Vec<String>,
    /// `--dest`.
    pub dest: Option<PathBuf>,
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--version`.
    pub version: Option<String>,
    /// `--library`.
    pub library: Option<Library>,
    /// `--strict`.
    pub strict: bool,
    /// `--no-reuse`.
    pub no_reuse: bool,
    /// `--why`.
    pub why: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
}

/// The purpose of the artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are published as soon as they are there.
    Ship,
    /// They go into a server on this machine.
    Local,
    /// `upload` may publish them later, and says then what it refuses.
    Any,
}

/// Returns whether the distribution's library may be used without being asked for.
pub(super) fn may_fall_back(purpose: Purpose, strict: bool, config: &Config) -> bool {
    match purpose {
        Purpose::Ship => false,
        Purpose::Local => !strict,
        // Where `upload` takes them all the same, they are as good as published.
        Purpose::Any => !strict && !config.other_compiler,
    }
}
