//! An exclusive lock on an open file, which ends with its process. `File::try_lock` needs Rust 1.89.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

/// Locks `file` until it is closed; an error if another open file holds the lock.
pub(crate) fn try_lock(file: &File) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library's own lock needs Rust 1.89")]
    // SAFETY: the descriptor belongs to `file`, which is open during the call; `flock` takes no pointer.
    let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if locked == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
