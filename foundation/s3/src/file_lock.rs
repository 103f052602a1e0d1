//! Exclusive locks on open files, which end with the process that holds them. xtask uses them too: the
//! standard library has them from Rust 1.89 on, as the same system call.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

/// Locks `file` until it is closed; an error if another open file holds the lock.
pub fn try_lock(file: &File) -> io::Result<()> {
    flock(file, libc::LOCK_EX | libc::LOCK_NB)
}

/// Locks `file` until it is closed, and waits for as long as another open file holds the lock.
pub fn lock(file: &File) -> io::Result<()> {
    loop {
        match flock(file, libc::LOCK_EX) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library's own lock needs Rust 1.89")]
    // SAFETY: the descriptor belongs to `file`, which is open during the call; `flock` takes no pointer.
    let locked = unsafe { libc::flock(file.as_raw_fd(), operation) };
    if locked == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
