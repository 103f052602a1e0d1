//! Running until the work ends or someone asks for a stop, and ending in time when they do.

use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ferror::{Error, Kind};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// How long work that was begun may go on after SIGTERM or SIGINT. The process is then gone within
/// 5 s, well before the 10 s after which supervisors commonly send SIGKILL.
pub const GRACE: Duration = Duration::from_secs(4);

/// Whether someone asked this process to stop. Cheap to clone: each part of a service may have one.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// For work outside of [`run()`], which no one stops: in a test, say.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// One that stands until the other half says `true`.
    #[cfg(test)]
    pub(crate) fn asked_by_hand() -> (watch::Sender<bool>, Self) {
        let (ask, stop) = watch::channel(false);
        (ask, Self(stop))
    }

    /// Completes when a stop is asked for.
    pub async fn requested(&self) {
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            // No one is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Whether a stop was asked for: for blocking work, between two of its steps.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

/// Runs the service that `start` makes until its future ends, or until [`GRACE`] has passed since
/// SIGTERM or SIGINT. Either is exit code 0 when nothing failed: who asks for a stop gets one.
///
/// `start` is called when signals are caught already: none that comes later kills the process.
pub fn run<F>(start: impl FnOnce(Stop) -> F) -> ExitCode
where
    F: Future<Output = ferror::Result<()>>,
{
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&no_runtime(error)),
    };
    let ended = runtime.block_on(async {
        let stop = catch_signals().map_err(no_runtime)?;
        let overdue = stop.clone();
        tokio::select! {
            ended = start(stop) => ended,
            () = async { overdue.requested().await; tokio::time::sleep(GRACE).await } => {
                warn!(grace_s = GRACE.as_secs(), "stopped with work still open");
                Ok(())
            }
        }
    });
    // Blocking work (a call that waits for a server) cannot be cancelled, and merely dropping the
    // runtime would wait for it.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Runs work that blocks (reads files, waits for a server) on a thread of its own, so that nothing
/// else waits for it. `what` names it where it panics.
///
/// # Errors
/// Its own; [`Kind::Bug`] when it panics.
pub async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> ferror::Result<T> + Send + 'static,
) -> ferror::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        Err(Error::new(Kind::Bug, format!("{what} panicked")).caused_by(panic))
    })
}

fn failed(error: &Error) -> ExitCode {
    error!(kind = %error.kind(), hint = error.hint_text(), "{error:#}");
    ExitCode::from(error.kind().exit_code())
}

fn no_runtime(error: io::Error) -> Error {
    Error::new(Kind::Config, "the machine gives no threads or signals").caused_by(error)
}

fn catch_signals() -> io::Result<Stop> {
    let (ask, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
        // Fails only when no one listens any more.
        let _ = ask.send(true);
    });
    Ok(Stop(stop))
}
