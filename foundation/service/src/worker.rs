//! A worker: a job that is done again and again, or once.

use std::net::SocketAddr;
use std::time::Duration;

use crate::web::{bind, serve_on};
use crate::{Service, Setting, Settings, Stop, duration, repeat};

/// The rows that every worker has in its table. A row `interval` is its own, since the default and
/// what an interval means are: [`Worker::from_settings`] reads it by [`duration`].
pub const WORKER_SETTINGS: &[Setting] = &[
    Setting { name: "once", value: "", vars: &[], default: "", help: "do the work once, then end" },
    Setting {
        name: "listen",
        value: "ADDR:PORT",
        vars: &["LISTEN"],
        default: "",
        help: "where to answer /healthz and /version; without it, nowhere",
    },
];

/// How a worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// The time between the end of one run of the job and the next.
    pub interval: Duration,
    /// Whether one run is all; an error is then the worker's own.
    pub once: bool,
    /// Where `/healthz` and `/version` are answered, if anywhere.
    pub listen: Option<SocketAddr>,
}

impl Worker {
    /// Reads the rows of [`WORKER_SETTINGS`], and the row `interval`.
    ///
    /// # Panics
    /// When the service's tables lack one of them.
    pub fn from_settings(settings: &mut Settings<'_>) -> Option<Self> {
        let interval = settings.parsed_by("interval", duration);
        let once = settings.switch("once");
        let listen = match settings.text("listen") {
            Some(_) => settings.parsed("listen").map(Some),
            None => Some(None),
        };
        Some(Self { interval: interval?, once, listen: listen? })
    }
}

/// Does `job` once, or [again and again](repeat) until a stop is asked for. With
/// [`Worker::listen`] it answers as [`serve`](crate::serve) does, from before the first run of the job.
///
/// A run that is under way at a stop is not cancelled; a job that takes longer than
/// [`GRACE`](crate::GRACE) has a [`Stop`] of its own, and looks at it between two of its steps.
///
/// # Errors
/// The job's, when it is done once; [`Kind::Config`](ferror::Kind::Config) when it cannot listen.
pub async fn work(
    service: &Service,
    worker: Worker,
    stop: Stop,
    mut job: impl AsyncFnMut() -> ferror::Result<()>,
) -> ferror::Result<()> {
    let working = async {
        if worker.once {
            return job().await;
        }
        repeat(worker.interval, &stop, job).await;
        Ok(())
    };
    let Some(listen) = worker.listen else { return working.await };
    let listener = bind(listen).await?;
    tokio::select! {
        // It answers until the job has ended, and so does not end at the stop itself.
        served = serve_on(listener, service, axum::Router::new(), Stop::never()) => served,
        done = working => done,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use ferror::{Error, Kind};

    use super::{WORKER_SETTINGS, Worker, work};
    use crate::{Asked, Service, Setting, Stop};

    const INTERVAL: &[Setting] = &[Setting {
        name: "interval",
        value: "TIME",
        vars: &[],
        default: "1h",
        help: "time between two runs",
    }];

    const SERVICE: Service =
        Service { name: "oddjob", what_it_is: "", tables: &[INTERVAL, WORKER_SETTINGS], notes: "" };

    const ONCE: Worker = Worker { interval: Duration::from_hours(1), once: true, listen: None };

    fn read(args: &[&str]) -> ferror::Result<Asked<Worker>> {
        SERVICE.ask(args.iter().map(Into::into), &|_| None, Worker::from_settings)
    }

    #[test]
    fn it_listens_nowhere_unless_told_to() {
        let check = |args: &[&str], expected: Worker| {
            let Ok(Asked::Run(worker)) = read(args) else { panic!("{args:?} is fine") };
            assert_eq!(worker, expected, "{args:?}");
        };
        check(&["--once"], ONCE);
        let listen = Some(([127, 0, 0, 1], 81).into());
        let interval = Duration::from_secs(30);
        check(
            &["--listen", "127.0.0.1:81", "--interval=30s"],
            Worker { interval, once: false, listen },
        );
    }

    #[test]
    fn bad_values_are_all_named() {
        let Err(error) = read(&["--listen", "81", "--interval", "soon"]) else {
            panic!("both bad")
        };
        for problem in ["--listen is \"81\"", "--interval is \"soon\": expected a time"] {
            assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
        }
    }

    #[tokio::test]
    async fn done_once_its_error_is_the_workers_even_one_that_time_may_mend() {
        let runs = Cell::new(0);
        let done = work(&SERVICE, ONCE, Stop::never(), async || {
            runs.set(runs.get() + 1);
            Err(Error::new(Kind::Unavailable, "the server is away"))
        });
        assert_eq!(done.await.unwrap_err().kind(), Kind::Unavailable);
        assert_eq!(runs.get(), 1);
    }

    #[tokio::test]
    async fn where_it_cannot_listen_no_work_begins() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let worker = Worker { listen: taken.local_addr().ok(), ..ONCE };
        let done = work(&SERVICE, worker, Stop::never(), async || unreachable!("it cannot listen"));
        assert_eq!(done.await.unwrap_err().kind(), Kind::Config);
    }
}
