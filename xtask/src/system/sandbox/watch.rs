//! Learns what a confined process is refused.
//!
//! A filter stops each process that is about to open a file, to start a program or to make a socket, and the kernel
//! tells a thread of ours ("Userspace notification" in the kernel's page on seccomp). The thread looks at the path, compares
//! it with the rules, and lets the call go on: Landlock decides. A process could change the path meanwhile, so what is
//! learnt here serves a message and nothing else.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::{Refused, Rules, What, landlock};

/// A watched process, with its children.
#[derive(Debug)]
pub struct Watch {
    thread: JoinHandle<BTreeSet<Refused>>,
    is_over: Arc<AtomicBool>,
}

/// A system call as the kernel reports it: `struct seccomp_notif`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// The answer: `struct seccomp_notif_resp`.
#[repr(C)]
#[derive(Debug, Default)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

/// The time between two looks at whether the watch is over, in milliseconds.
const INTERVAL: libc::c_int = 100;
const GO_ON: u32 = 1;
/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND`.
const RECEIVE: u32 = 0xc050_2100;
const SEND: u32 = 0xc018_2101;
/// The longest path that the kernel takes.
const LONGEST_PATH: usize = 4096;

impl Watch {
    /// Starts a thread, and returns the socket by which the process sends it the descriptor to listen on.
    pub(super) fn start(rules: &Rules) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        let known = Known::new(rules);
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_over);
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let mut refused = BTreeSet::new();
            if let Ok(Some(listener)) = receive_descriptor(&ours) {
                drop(ours);
                listen(&listener, &known, &asked, &mut refused);
            }
            refused
        })?;
        Ok((Self { thread, is_over }, theirs.into()))
    }

    /// Returns what was refused. The command that carries the confinement was dropped, and its process has ended. What
    /// that has left running may open no file any more.
    pub fn end(self) -> Vec<Refused> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default().into_iter().collect()
    }
}

/// The rules, as paths without links.
struct Known {
    read: Vec<PathBuf>,
    list: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

impl Known {
    fn new(rules: &Rules) -> Self {
        let real = landlock::real;
        let write: Vec<_> = [real(&rules.write), real(&rules.devices)].concat();
        Self { read: [real(&rules.read), write.clone()].concat(), list: real(&rules.list), write }
    }

    /// Returns what is refused of opening `path` with `flags`, if anything is.
    fn judge(&self, path: &Path, flags: i32) -> Option<What> {
        let is_below =
            |folders: &[PathBuf], path: &Path| folders.iter().any(|f| path.starts_with(f));
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_CREAT != 0;
        let Ok(real) = path.canonicalize() else {
            // What is not there cannot be read, and is made in its folder.
            let folder = path.parent()?.canonicalize().ok()?;
            let is_refused = writes && !is_below(&self.write, &folder);
            return is_refused.then(|| What::Write(path.to_owned()));
        };
        if writes {
            return (!is_below(&self.write, &real)).then_some(What::Write(real));
        }
        let lists = real.is_dir() && is_below(&self.list, &real);
        let can_read = flags & libc::O_PATH != 0 || lists || is_below(&self.read, &real);
        (!can_read).then_some(What::Read(real))
    }
}

fn listen(
    listener: &OwnedFd,
    known: &Known,
    is_over: &AtomicBool,
    refused: &mut BTreeSet<Refused>,
) {
    loop {
        let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        #[expect(unsafe_code, reason = "the standard library does not poll")]
        // SAFETY: one structure is passed, which outlives the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, INTERVAL) };
        if ready == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
            continue;
        }
        if ready == 0 && !is_over.load(Ordering::Relaxed) {
            continue;
        }
        // A hang-up: no process has the filter any more.
        if ready != 1 || poll.revents & libc::POLLIN == 0 {
            return;
        }
        // The kernel wants zeroes. A process may be killed before it is heard.
        let mut call = Call::default();
        if control(listener, RECEIVE, &mut call).is_err() {
            continue;
        }
        let mut answer = Answer { id: call.id, flags: GO_ON, ..Answer::default() };
        if i64::from(call.number) == libc::SYS_socket {
            answer = Answer { id: call.id, error: -libc::EACCES, ..Answer::default() };
        }
        refused.extend(judge(&call, known).and_then(|what| describe(call.pid, what)));
        let _ = control(listener, SEND, &mut answer);
    }
}

fn judge(call: &Call, known: &Known) -> Option<What> {
    let [first, second, third, ..] = call.arguments;
    let here = i64::from(libc::AT_FDCWD).cast_unsigned();
    let (folder, address, flags) = match i64::from(call.number) {
        libc::SYS_socket => return Some(What::Network),
        libc::SYS_openat => (first, second, third as i32),
        // The flags are the first field of a structure.
        libc::SYS_openat2 => (first, second, read_flags(call.pid, third)?),
        libc::SYS_execve => (here, first, libc::O_RDONLY),
        // `open` alone is left.
        _ => (here, first, second as i32),
    };
    let path = PathBuf::from(OsString::from_vec(read_string(call.pid, address)?));
    if path.as_os_str().is_empty() {
        return None;
    }
    let folder = if folder as i32 == libc::AT_FDCWD {
        fs::read_link(format!("/proc/{}/cwd", call.pid)).ok()?
    } else {
        fs::read_link(format!("/proc/{}/fd/{}", call.pid, folder as i32)).ok()?
    };
    known.judge(&folder.join(path), flags)
}

fn read_flags(pid: u32, address: u64) -> Option<i32> {
    let mut bytes = [0; 4];
    memory(pid)?.read_exact_at(&mut bytes, address).ok()?;
    Some(i32::from_ne_bytes(bytes))
}

fn read_string(pid: u32, address: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; LONGEST_PATH];
    // It ends at the end of the memory that is there.
    let length = memory(pid)?.read_at(&mut bytes, address).ok()?;
    let end = bytes[..length].iter().position(|byte| *byte == 0)?;
    bytes.truncate(end);
    Some(bytes)
}

fn memory(pid: u32) -> Option<File> {
    File::open(format!("/proc/{pid}/mem")).ok()
}

/// Says for which package a process works; `None` for cargo itself, which gives up what it does not get.
fn describe(pid: u32, what: What) -> Option<Refused> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |name: &str| {
        let mut variables = environment.split(|byte| *byte == 0);
        let value =
            variables.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(OsString::from_vec(value.to_owned()))
    };
    let text = |name: &str| Some(value(name)?.to_string_lossy().into_owned());
    Some(Refused {
        what,
        package: text("CARGO_PKG_NAME")?,
        version: text("CARGO_PKG_VERSION").unwrap_or_default(),
        package_dir: value("CARGO_MANIFEST_DIR")?.into(),
        // Cargo tells it to build scripts alone.
        is_build_script: value("RUSTC_LINKER").is_some() || value("NUM_JOBS").is_some(),
    })
}

fn control<T>(listener: &OwnedFd, request: u32, argument: &mut T) -> io::Result<()> {
    #[expect(unsafe_code, reason = "no library has these calls")]
    // SAFETY: both structures have the form that the request has for them.
    let result = unsafe {
        let (fd, request) = (listener.as_raw_fd(), libc::c_ulong::from(request));
        libc::syscall(libc::SYS_ioctl, fd, request, std::ptr::from_mut(argument))
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives one descriptor; `None` where the other end was closed before.
fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = 0_u8;
    #[expect(unsafe_code, reason = "the standard library receives no descriptors")]
    // SAFETY: the message and all that it points to lie on the stack, and a descriptor that is received is new.
    unsafe {
        let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let mut buffer = [0_u64; 8];
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut data;
        message.msg_iovlen = 1;
        message.msg_control = buffer.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&buffer) as _;
        match libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) {
            -1 => return Err(io::Error::last_os_error()),
            0 => return Ok(None),
            _ => {}
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Ok(None);
        }
        let descriptor = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
        Ok(Some(OwnedFd::from_raw_fd(descriptor)))
    }
}
