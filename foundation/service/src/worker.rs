//! A worker: a service that does a job at an interval, or once.

use std::net::SocketAddr;
use std::time::Duration;

use crate::web::{bind, serve_on};
use crate::{Stop, WebArgs, repeat};

/// The options of every worker. The interval is an option of each worker's own, since its default
/// depends on the job; [`duration`](crate::duration) reads it.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
// `None`: it would become the description of the program that flattens this.
#[command(about = None, long_about = None)]
pub struct WorkerArgs {
    /// Do the work once, then end; an error is then the exit code
    #[arg(long)]
    pub once: bool,
    /// Where to answer /healthz and /version; without it, nowhere
    #[arg(long, value_name = "ADDR:PORT", env = "LISTEN", hide_env_values = true)]
    pub listen: Option<SocketAddr>,
}

/// Does `job` once, or [at the interval](repeat) until a stop is requested. `interval` is the time
/// between the end of one run of the job and the start of the next.
///
/// With `--listen` it answers `/healthz` and `/version` as [`serve`](crate::serve) does, from before
/// the first run of the job. `name` is what `/version` calls the service.
///
/// A stop does not cancel a run of the job. A job that takes longer than [`GRACE`](crate::GRACE)
/// needs a [`Stop`] of its own, to check between two of its steps.
///
/// # Errors
/// With `--once` the job's own; [`Kind::Config`](ferror::Kind::Config) when it cannot listen.
pub async fn work(
    name: &str,
    interval: Duration,
    args: WorkerArgs,
    stop: Stop,
    mut job: impl AsyncFnMut() -> ferror::Result<()>,
) -> ferror::Result<()> {
    let working = async {
        if args.once {
            return job().await;
        }
        repeat(interval, &stop, job).await;
        Ok(())
    };
    let Some(listen) = args.listen else { return working.await };
    let web = WebArgs { listen, ..WebArgs::default() };
    let listener = bind(listen).await?;
    tokio::select! {
        // It answers until the job has ended, so it does not end at the stop itself.
        served = serve_on(listener, name, &web, axum::Router::new(), Stop::never()) => served,
        done = working => done,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use ferror::{Error, Kind};

    use super::{WorkerArgs, work};
    use crate::Stop;

    const HOUR: Duration = Duration::from_secs(3600);
    const ONCE: WorkerArgs = WorkerArgs { once: true, listen: None };

    #[tokio::test]
    async fn with_once_the_error_of_the_job_is_the_workers_even_when_it_is_retryable() {
        let runs = Cell::new(0);
        let done = work("oddjob", HOUR, ONCE, Stop::never(), async || {
            runs.set(runs.get() + 1);
            Err(Error::new(Kind::Unavailable, "the server is away"))
        });
        assert_eq!(done.await.unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(runs.get(), 1);
    }

    #[tokio::test]
    async fn where_it_cannot_listen_no_work_begins() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let args = WorkerArgs { listen: taken.local_addr().ok(), ..ONCE };
        let done =
            work("oddjob", HOUR, args, Stop::never(), async || unreachable!("it cannot listen"));
        assert_eq!(done.await.unwrap_err().kind(), Kind::Config);
    }
}
