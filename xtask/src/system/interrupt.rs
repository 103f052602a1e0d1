//! Ends the program on SIGINT, SIGTERM and SIGHUP with nothing half done.
//!
//! A signal handler may do next to nothing, so ours writes one byte into a pipe. [`run`] then ends the child
//! processes, waits for work that holds a [`Hold`] and undoes itself when its child has ended, and removes files
//! that are not whole. On a second signal it waits no more; the next run undoes the rest from the journal of
//! [`crate::system::undo`].
//!
//! Signals are those of the process, so what is known of them is, too: these are the only globals. In a program
//! that uses xtask as a library and does not call [`run`], no signal is ever noticed here.

use std::fs::{self, File};
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ferror::Error;

/// The exit code of an interrupted run: 128 and the number of SIGINT, as shells have it.
pub const EXIT_CODE: u8 = 130;
/// How long child processes have to end after SIGTERM, and then after SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// The stack of the thread that does the work: as large as that of a main thread.
const STACK_BYTES: usize = 8 << 20;
const SIGNALS: [(libc::c_int, &str); 3] =
    [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM"), (libc::SIGHUP, "SIGHUP")];

static STATE: Mutex<State> = Mutex::new(State {
    signals: 0,
    name: "",
    over: false,
    done: None,
    holds: 0,
    children: Vec::new(),
    temporary: Vec::new(),
});
static CHANGED: Condvar = Condvar::new();
/// The end of the pipe into which the handler writes.
static PIPE: AtomicI32 = AtomicI32::new(-1);

#[derive(Debug)]
struct State {
    /// How many signals have come.
    signals: usize,
    /// The name of the first.
    name: &'static str,
    /// Whether the process is about to end.
    over: bool,
    /// The exit code of work that has ended.
    done: Option<ExitCode>,
    holds: usize,
    /// The ids of child processes that were not waited for yet.
    children: Vec<u32>,
    /// Files that are not whole.
    temporary: Vec<PathBuf>,
}

impl State {
    fn is_busy(&self) -> bool {
        self.done.is_none() && !(self.holds == 0 && self.children.is_empty())
    }
}

/// Does `work` in a thread and returns its exit code; where a signal came before its end, the signal's name.
pub fn run(work: impl FnOnce() -> ExitCode + Send + 'static) -> Result<ExitCode, &'static str> {
    let worker = thread::Builder::new().name("xtask".to_owned()).stack_size(STACK_BYTES);
    let guarded = move || {
        // The panic was printed already; a Rust program ends with this code then.
        let code = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(ExitCode::from(101));
        lock().done = Some(code);
        CHANGED.notify_all();
    };
    if let Err(error) = listen().and_then(|()| worker.spawn(guarded)) {
        panic!("starting a thread: {error}");
    }
    let state = wait_while(lock(), |state| state.done.is_none() && state.signals == 0);
    match state.done {
        Some(code) => Ok(code),
        None => Err(end(state)),
    }
}

/// Ends children, waits for work that undoes itself, and removes files that are not whole.
fn end(mut state: MutexGuard<'static, State>) -> &'static str {
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        for &child in &state.children {
            send(child, signal);
        }
        let is_busy = |state: &mut State| state.is_busy() && state.signals < 2;
        let waited = CHANGED.wait_timeout_while(state, GRACE, is_busy);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    // Every child is gone, or cannot be ended, such as one that runs as root.
    let is_undoing = |state: &State| state.done.is_none() && state.holds > 0 && state.signals < 2;
    state = wait_while(state, is_undoing);
    state.over = true;
    for path in &state.temporary {
        // It may have got its name just now.
        let _ = fs::remove_file(path);
    }
    state.name
}

/// While this value lives, the process does not end by a first signal: its owner has to put something back.
#[derive(Debug)]
pub struct Hold(());

/// Holds the process. After a signal, it does so only for a thread that may be part of work that holds it already;
/// for others this never returns.
pub fn hold() -> Hold {
    let mut state = wait_while(lock(), |state| state.over || state.signals > 0 && state.holds == 0);
    state.holds += 1;
    Hold(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock().holds -= 1;
        CHANGED.notify_all();
    }
}

/// Returns whether a signal came.
pub fn is_requested() -> bool {
    lock().signals > 0
}

/// Fails after a signal, so that work which holds the process ends.
pub fn check() -> ferror::Result<()> {
    if is_requested() { Err(Error::config("interrupted")) } else { Ok(()) }
}

/// Starts a child process, which is ended on a signal. After one, none is started any more.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut state = wait_while(lock(), |state| state.over || state.signals > 0 && state.holds == 0);
    if state.signals > 0 {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
    }
    // The lock is held meanwhile, so that no signal misses the child.
    let child = command.spawn()?;
    state.children.push(child.id());
    Ok(child)
}

/// Waits for a child of [`spawn`].
pub fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    // Its id is another process's once it was waited for, and must not get a signal then. So that happens under the
    // lock; without it, the child is only looked at.
    loop {
        let mut state = lock();
        if let Some(status) = child.try_wait().transpose() {
            state.children.retain(|&id| id != child.id());
            CHANGED.notify_all();
            return status;
        }
        drop(state);
        #[expect(unsafe_code, reason = "the standard library cannot wait without reaping")]
        // SAFETY: `info` is a plain struct of integers that the call fills; zeroes are valid.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, child.id(), &raw mut info, libc::WEXITED | libc::WNOWAIT);
        }
    }
}

/// Leaves a child of [`spawn`] that cannot be ended to itself.
pub fn forget(child: &Child) {
    lock().children.retain(|&id| id != child.id());
    CHANGED.notify_all();
}

/// A file that is removed when a signal ends the process.
#[derive(Debug)]
pub struct Temporary(PathBuf);

/// Creates the file `path`, which is removed when a signal ends the process before the returned value is dropped.
pub fn create_temporary(
    path: &Path,
    create: impl FnOnce() -> io::Result<File>,
) -> io::Result<(File, Temporary)> {
    let mut state = wait_while(lock(), |state| state.over);
    let file = create()?;
    state.temporary.push(path.to_owned());
    Ok((file, Temporary(path.to_owned())))
}

impl Drop for Temporary {
    fn drop(&mut self) {
        lock().temporary.retain(|path| *path != self.0);
    }
}

fn lock() -> MutexGuard<'static, State> {
    // No panic leaves it in between.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while(
    state: MutexGuard<'static, State>,
    is_so: impl Fn(&State) -> bool,
) -> MutexGuard<'static, State> {
    CHANGED.wait_while(state, |state| is_so(state)).unwrap_or_else(PoisonError::into_inner)
}

/// Installs the handlers, and counts signals in a thread.
fn listen() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    PIPE.store(writer.as_raw_fd(), Ordering::Relaxed);
    // The handler writes into it until the process ends.
    let _ = writer.into_raw_fd();
    thread::Builder::new().name("signals".to_owned()).spawn(|| count(reader))?;
    for (signal, _) in SIGNALS {
        let handler: extern "C" fn(libc::c_int) = on_signal;
        #[expect(unsafe_code, reason = "the standard library handles no signals")]
        // SAFETY: the handler reads an atomic and calls `write`, which is safe in one.
        unsafe {
            // What is ignored stays so: `nohup` ignores SIGHUP, and a shell SIGINT for background jobs.
            if libc::signal(signal, handler as libc::sighandler_t) == libc::SIG_IGN {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
    }
    Ok(())
}

fn count(mut reader: PipeReader) {
    let mut byte = [0];
    while reader.read_exact(&mut byte).is_ok() {
        let name = SIGNALS.iter().find(|(signal, _)| *signal == libc::c_int::from(byte[0]));
        let mut state = lock();
        if state.signals == 0 {
            state.name = name.map_or("a signal", |(_, name)| name);
        }
        state.signals += 1;
        CHANGED.notify_all();
    }
}

extern "C" fn on_signal(signal: libc::c_int) {
    let byte = signal.cast_unsigned() as u8;
    #[expect(unsafe_code, reason = "a handler may call nothing of the standard library")]
    // SAFETY: one byte is read from the stack; a closed descriptor would be an error that is ignored.
    unsafe {
        libc::write(PIPE.load(Ordering::Relaxed), (&raw const byte).cast(), 1);
    }
}

fn send(child: u32, signal: libc::c_int) {
    #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
    // SAFETY: no pointer is passed. The child was not waited for, so the id is still its own.
    unsafe {
        libc::kill(child.cast_signed(), signal);
    }
}
