//! Makes namespaces, in which the process sees the file system read-only, no network and no other process.

use std::ffi::CString;
use std::io;

/// The ways in which a process can make namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespaces {
    /// Not at all.
    None,
    /// As it is: it is root, with the capability.
    Plain,
    /// In a user namespace of its own.
    OfUser,
}

/// The change of a mount's attributes: `struct mount_attr`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

const READ_ONLY: u64 = 1;
const RECURSIVE: libc::c_long = 0x8000;

/// The data by which a child makes its namespaces.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) namespaces: Namespaces,
    /// Folders that stay writable.
    pub(super) writable: Vec<CString>,
    /// The current folder. What was opened before the mounts stays what it was, so it has to be opened anew: it may be
    /// one of those that stay writable.
    current_dir: CString,
    user_map: CString,
    group_map: CString,
}

impl Plan {
    pub(super) fn new(
        namespaces: Namespaces,
        writable: Vec<CString>,
        current_dir: CString,
    ) -> Self {
        #[expect(unsafe_code, reason = "the standard library does not tell ids")]
        // SAFETY: neither call takes a pointer, nor fails.
        let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
        let map = |id: u32| CString::new(format!("{id} {id} 1")).unwrap_or_default();
        Self { namespaces, writable, current_dir, user_map: map(user), group_map: map(group) }
    }

    /// Puts this process into namespaces of its own; its next child is the first in the PID namespace.
    ///
    /// It may be called between fork and exec: it makes system calls and nothing else.
    pub(super) fn enter(&self) -> io::Result<()> {
        let plain =
            libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
        match self.namespaces {
            Namespaces::None => return Ok(()),
            Namespaces::Plain => unshare(plain)?,
            Namespaces::OfUser => {
                unshare(plain | libc::CLONE_NEWUSER)?;
                write(c"/proc/self/setgroups", c"deny")?;
                write(c"/proc/self/uid_map", &self.user_map)?;
                write(c"/proc/self/gid_map", &self.group_map)?;
            }
        }
        let root = c"/";
        mount(None, root, libc::MS_REC | libc::MS_PRIVATE)?;
        for folder in &self.writable {
            mount(Some(folder), folder, libc::MS_BIND | libc::MS_REC)?;
        }
        set_attributes(root, RECURSIVE, READ_ONLY, 0)?;
        for folder in &self.writable {
            set_attributes(folder, 0, 0, READ_ONLY)?;
        }
        enter_folder(&self.current_dir)
    }
}

fn enter_folder(path: &CString) -> io::Result<()> {
    #[expect(unsafe_code, reason = "this runs between fork and exec")]
    // SAFETY: the path is a whole string.
    let result = unsafe { libc::chdir(path.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library makes no namespaces")]
    // SAFETY: no pointer is passed.
    let result = unsafe { libc::unshare(flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn write(path: &std::ffi::CStr, text: &std::ffi::CStr) -> io::Result<()> {
    let bytes = text.to_bytes();
    #[expect(unsafe_code, reason = "this runs between fork and exec")]
    // SAFETY: path and text are whole strings, and the descriptor is closed once.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(fd, bytes.as_ptr().cast(), bytes.len());
        let error = io::Error::last_os_error();
        libc::close(fd);
        if written < 0 { Err(error) } else { Ok(()) }
    }
}

fn mount(from: Option<&CString>, to: &std::ffi::CStr, flags: libc::c_ulong) -> io::Result<()> {
    let from = from.map_or(std::ptr::null(), |from| from.as_ptr());
    #[expect(unsafe_code, reason = "the standard library does not mount")]
    // SAFETY: both paths are whole strings or null; type and data may be null.
    let result =
        unsafe { libc::mount(from, to.as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_attributes(
    path: &std::ffi::CStr,
    flags: libc::c_long,
    set: u64,
    clear: u64,
) -> io::Result<()> {
    let attr = MountAttr { set, clear, propagation: 0, user_namespace: 0 };
    #[expect(unsafe_code, reason = "no library has this system call")]
    // SAFETY: the path is a whole string, and the structure and its length outlive the call.
    let result = unsafe {
        let (call, here) = (libc::SYS_mount_setattr, libc::AT_FDCWD);
        libc::syscall(call, here, path.as_ptr(), flags, &raw const attr, size_of::<MountAttr>())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Finds out how a process can make namespaces here, by making them in a child.
pub(super) fn probe() -> Namespaces {
    let ways = [Namespaces::Plain, Namespaces::OfUser];
    ways.into_iter().find(|way| works(*way)).unwrap_or(Namespaces::None)
}

fn works(way: Namespaces) -> bool {
    let plan = Plan::new(way, Vec::new(), c"/".to_owned());
    #[expect(unsafe_code, reason = "the attempt must not change this process")]
    // SAFETY: between the fork and its end, the child makes system calls and nothing else.
    unsafe {
        match libc::fork() {
            -1 => false,
            0 => libc::_exit(i32::from(plan.enter().is_err())),
            child => {
                let mut status = 0;
                while libc::waitpid(child, &raw mut status, 0) == -1 {
                    if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                        return false;
                    }
                }
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
            }
        }
    }
}
