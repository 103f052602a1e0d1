//! What a child does between fork and exec: system calls, and nothing else.

use std::io;
use std::os::fd::RawFd;

use super::mounts::{Namespaces, Plan};

/// The data of a child, prepared before the fork.
#[derive(Debug)]
pub(super) struct Confinement {
    pub(super) plan: Plan,
    pub(super) ruleset: std::os::fd::OwnedFd,
    pub(super) refusing: Vec<libc::sock_filter>,
    /// The filter that tells a watcher, and the socket over which it gets the descriptor to listen on.
    pub(super) watching: Option<(Vec<libc::sock_filter>, std::os::fd::OwnedFd)>,
}

const SET_MODE_FILTER: libc::c_long = 1;
const NEW_LISTENER: libc::c_long = 1 << 3;
/// `_LINUX_CAPABILITY_VERSION_3`, whose sets have two halves.
const CAPABILITY_VERSION: u32 = 0x2008_0522;
/// More than there are; the kernel says where they end.
const MOST_CAPABILITIES: libc::c_ulong = 64;
/// Closes descriptors at exec, and not at once.
const AT_EXEC: libc::c_long = 1 << 2;

/// Confines this process, or the one that is left of it in the new PID namespace.
pub(super) fn enter(it: &Confinement) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    it.plan.enter()?;
    if it.plan.namespaces != Namespaces::None {
        become_second()?;
    }
    let ruleset = it.ruleset.as_raw_fd();
    check(system_call(libc::SYS_close_range, [3, libc::c_long::from(u32::MAX), AT_EXEC]))?;
    drop_capabilities()?;
    check(prctl(libc::PR_SET_NO_NEW_PRIVS, 1))?;
    check(system_call(libc::SYS_landlock_restrict_self, [ruleset.into(), 0, 0]))?;
    if let Some((filter, socket)) = &it.watching {
        let listener = set_filter(filter, NEW_LISTENER)?;
        send(socket.as_raw_fd(), listener as RawFd)?;
    }
    set_filter(&it.refusing, 0)?;
    Ok(())
}

/// Forks twice. The child that goes on is the second process of the namespace: the first adopts what loses its
/// parent, and ignores signals that others die of. Both others wait, and end as the child does.
///
/// Both keep out of Landlock and can be looked into by nobody: they still hold the memory of the program that forked.
fn become_second() -> io::Result<()> {
    let first = fork()?;
    if first != 0 {
        wait_and_end(first);
    }
    // The first ends with its parent, and everything in the namespace with the first.
    check(prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong))?;
    let second = fork()?;
    if second != 0 {
        wait_and_end(second);
    }
    Ok(())
}

fn fork() -> io::Result<libc::pid_t> {
    // Not the C library's function, which takes locks.
    let result = system_call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0]);
    check(result)?;
    Ok(result as libc::pid_t)
}

fn wait_and_end(child: libc::pid_t) -> ! {
    let _ = prctl(libc::PR_SET_DUMPABLE, 0);
    #[expect(unsafe_code, reason = "this runs between fork and exec")]
    // SAFETY: no call allocates or locks; `status` outlives the calls.
    unsafe {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::signal(signal, libc::SIG_DFL);
        }
        // Whoever reads the child's streams waits until all who have them are gone.
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
        loop {
            let mut status = 0;
            let ended = libc::waitpid(-1, &raw mut status, 0);
            if ended == child && libc::WIFEXITED(status) {
                libc::_exit(libc::WEXITSTATUS(status));
            }
            if ended == child {
                libc::_exit(128 + libc::WTERMSIG(status));
            }
            if ended == -1 && *libc::__errno_location() == libc::ECHILD {
                libc::_exit(1);
            }
        }
    }
}

fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let _ = prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong);
    for capability in 0..MOST_CAPABILITIES {
        // Whoever may not do this has none to get at an exec either, without new privileges.
        if prctl(libc::PR_CAPBSET_DROP, capability) == -1 {
            break;
        }
    }
    let header = Header { version: CAPABILITY_VERSION, pid: 0 };
    let none = [0_u32; 6];
    #[expect(unsafe_code, reason = "the standard library knows no capabilities")]
    // SAFETY: header and sets have the form of this version, and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    check(result)
}

/// Adds a filter to this process; returns the descriptor of the listener, where `flags` ask for one.
fn set_filter(filter: &[libc::sock_filter], flags: libc::c_long) -> io::Result<libc::c_long> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    #[expect(unsafe_code, reason = "the standard library sets no filters")]
    // SAFETY: the kernel reads the program, which outlives the call, and does not change it.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const program) };
    check(result)?;
    Ok(result)
}

/// Sends a descriptor over a socket.
fn send(socket: RawFd, descriptor: RawFd) -> io::Result<()> {
    let mut byte = 0_u8;
    #[expect(unsafe_code, reason = "the standard library sends no descriptors")]
    // SAFETY: the message and all that it points to lie on the stack. The buffer is large enough for one descriptor,
    // and aligned as its header has to be.
    let sent = unsafe {
        let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let mut buffer = [0_u64; 8];
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut data;
        message.msg_iovlen = 1;
        message.msg_control = buffer.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(descriptor);
        libc::sendmsg(socket, &raw const message, 0)
    };
    if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn prctl(option: libc::c_int, argument: libc::c_ulong) -> libc::c_long {
    #[expect(unsafe_code, reason = "the standard library has no prctl")]
    // SAFETY: none of the options that are used takes a pointer.
    unsafe {
        libc::prctl(option, argument, 0, 0, 0).into()
    }
}

fn system_call(number: libc::c_long, arguments: [libc::c_long; 3]) -> libc::c_long {
    let [one, two, three] = arguments;
    #[expect(unsafe_code, reason = "no library has these system calls")]
    // SAFETY: none of the calls that are made by it takes a pointer that is not null.
    unsafe {
        libc::syscall(number, one, two, three, 0, 0)
    }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
