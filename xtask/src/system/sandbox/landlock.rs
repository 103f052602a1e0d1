//! Makes the Landlock ruleset of a process.
//!
//! Format: the kernel's "Landlock: unprivileged access control" (`userspace-api/landlock`).

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Rules;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// All rights of the first version, to the one to make symbolic links.
const FIRST: u64 = (1 << 13) - 1;
/// The rights that later versions added, each with the version.
const LATER: [(i32, u64); 3] = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
/// To rename and link between folders. Before version 2 that was always refused, which cargo cannot do without.
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
/// The rights that a rule about a file, and not about a folder, may have.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
/// To bind and to connect with TCP, since version 4.
const TCP: u64 = 1 | 1 << 1;
/// Abstract Unix sockets and signals to processes outside, since version 6.
const SCOPES: u64 = 1 | 1 << 1;

const CREATE_VERSION: libc::c_long = 1;
const RULE_PATH_BENEATH: libc::c_long = 1;

/// The rights that a ruleset is about: `struct landlock_ruleset_attr`. Kernels that know fewer fields take a shorter structure.
#[repr(C)]
struct RulesetAttr {
    fs: u64,
    net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneathAttr {
    access: u64,
    parent: i32,
}

/// Returns the version of Landlock that the kernel has; 0 where it has none.
pub(super) fn version() -> i32 {
    #[expect(unsafe_code, reason = "no library has this system call")]
    // SAFETY: with this flag the call takes no pointer.
    let version = unsafe {
        let none = std::ptr::null::<RulesetAttr>();
        libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, CREATE_VERSION)
    };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// Makes the ruleset for `rules`, with all that the kernel's `version` of Landlock can refuse.
pub(super) fn ruleset(version: i32, rules: &Rules) -> io::Result<OwnedFd> {
    let later = LATER.iter().filter(|(since, _)| version >= *since);
    let all = later.fold(FIRST, |rights, (_, right)| rights | right);
    let attr = RulesetAttr {
        fs: all,
        net: if version >= 4 { TCP } else { 0 },
        scoped: if version >= 6 { SCOPES } else { 0 },
    };
    let fields: usize = match version {
        ..4 => 1,
        4..6 => 2,
        _ => 3,
    };
    #[expect(unsafe_code, reason = "no library has this system call")]
    // SAFETY: the structure outlives the call, and the length is at most its own. A descriptor that is returned is new.
    let ruleset = unsafe {
        let length = fields * size_of::<u64>();
        match libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attr, length, 0) {
            -1 => return Err(io::Error::last_os_error()),
            fd => OwnedFd::from_raw_fd(fd as i32),
        }
    };
    let read = READ_FILE | READ_DIR | EXECUTE;
    let device = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV;
    for (paths, rights) in [
        (&rules.read, read),
        (&rules.list, READ_DIR),
        (&rules.devices, device),
        (&rules.write, all),
    ] {
        for path in paths {
            add(&ruleset, path, rights & all)?;
        }
    }
    Ok(ruleset)
}

fn add(ruleset: &OwnedFd, path: &Path, rights: u64) -> io::Result<()> {
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // A link to nothing, or a folder that nobody may look into: nothing is lost by leaving it out.
    let Ok(file) = File::options().read(true).custom_flags(flags).open(path) else {
        return Ok(());
    };
    let is_dir = file.metadata()?.is_dir();
    let access = if is_dir { rights } else { rights & OF_FILES };
    if access == 0 {
        return Ok(());
    }
    let rule = PathBeneathAttr { access, parent: file.as_raw_fd() };
    #[expect(unsafe_code, reason = "no library has this system call")]
    // SAFETY: the structure and both descriptors outlive the call.
    let added = unsafe {
        let (call, fd) = (libc::SYS_landlock_add_rule, ruleset.as_raw_fd());
        libc::syscall(call, fd, RULE_PATH_BENEATH, &raw const rule, 0)
    };
    if added == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Returns the folders and files of `paths` as the kernel knows them, for comparing.
pub(super) fn real(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().filter_map(|path| path.canonicalize().ok()).collect()
}
