//! Runs a service until its work ends or a stop is requested, and ends it in time.

use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ferror::{Error, Kind};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// How long work may go on after SIGTERM or SIGINT. The process then ends within 5 s, well before
/// the 10 s after which supervisors commonly send SIGKILL.
pub const GRACE: Duration = Duration::from_secs(4);

/// Tells whether SIGTERM or SIGINT came. Cheap to clone: each part of a service may have one.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Makes one that is never requested, for tests and for work outside of [`run()`].
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Makes one that is requested by sending `true`.
    #[cfg(test)]
    pub(crate) fn manual() -> (watch::Sender<bool>, Self) {
        let (request, stop) = watch::channel(false);
        (request, Self(stop))
    }

    /// Completes when a stop is requested.
    pub async fn requested(&self) {
        if self.0.clone().wait_for(|stop| *stop).await.is_err() {
            // The sender is gone, so a stop can no longer be requested.
            std::future::pending::<()>().await;
        }
    }

    /// Returns whether a stop is requested. Blocking work checks this between two of its steps.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

/// Runs the service that `start` makes, until its future ends or [`GRACE`] has passed since SIGTERM
/// or SIGINT. `name` is for the log.
///
/// The exit code is 0 when the work is done or a stop was requested, else that of the error's kind:
/// 1 when a server refused or cannot be reached, 3 for a wrong configuration, 101 for a bug. The
/// error is logged.
///
/// Signals are caught before `start` is called, so an early one does not kill the process.
pub fn run<F>(name: &str, start: impl FnOnce(Stop) -> F) -> ExitCode
where
    F: Future<Output = ferror::Result<()>>,
{
    info!(service = name, version = stamp::version(), "started");
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
/// else waits for it. `what` names the work in the error when it panics.
///
/// # Errors
/// Those of `work`; [`Kind::Bug`] when it panics.
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
    Error::new(Kind::Config, "the system refuses threads or signal handlers").caused_by(error)
}

fn catch_signals() -> io::Result<Stop> {
    let (request, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
        // Fails only when every receiver is gone.
        let _ = request.send(true);
    });
    Ok(Stop(stop))
}
