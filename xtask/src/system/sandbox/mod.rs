//! Runs a child process that reaches the files it may read, and nothing else: no network, no other process, no
//! capability.
//!
//! Landlock and a seccomp filter do it, which every process may put on itself. Namespaces are added where the
//! machine permits them: in them the process cannot change the mode or times of files either, and what it leaves
//! running ends with it. That files exist stays visible.
//!
//! System calls are made directly. Everything is prepared before the fork, since a child of a process with threads may
//! allocate nothing and take no lock.

use std::path::PathBuf;

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
pub use self::machine::{Machine, Sandbox};
#[cfg(target_os = "linux")]
pub use self::watch::Watch;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use self::elsewhere::{Machine, Sandbox, Watch};

/// The files that a confined process may reach. Those that do not exist are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Files to read and run, and folders of which everything below may be read and run.
    pub read: Vec<PathBuf>,
    /// Folders whose names may be listed, and those of all folders below them.
    pub list: Vec<PathBuf>,
    /// Devices to read and write.
    pub devices: Vec<PathBuf>,
    /// Folders below which anything may be made, changed and removed. They exist.
    pub write: Vec<PathBuf>,
}

/// Something that a watched process was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// What it asked for.
    pub what: What,
    /// The package that cargo ran it for, which a process knows from its environment.
    pub package: String,
    /// The version of that package.
    pub version: String,
    /// The folder of that package.
    pub package_dir: PathBuf,
    /// Whether a build script, or a program that one started, asked.
    pub is_build_script: bool,
}

/// A kind of access that a process is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A file or folder that it may not read.
    Read(PathBuf),
    /// A file or folder that it may not change or make.
    Write(PathBuf),
    /// A socket.
    Network,
}
