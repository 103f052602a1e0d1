//! The worker that keeps the release bucket from growing for ever: it walks the bucket every
//! interval, says what the policy has no use for, and removes it only when told to.
//!
//! Read it in this order: [`config`] is all that can be set, [`policy`] decides without touching
//! anything, [`sweep`] walks the bucket once and carries out the decision.

mod config;
mod policy;
mod sweep;

use std::process::ExitCode;

use ferror::{Error, Kind};
use ftime::Epoch;
use service::{Asked, Stop};
use tracing::{error, info};

use crate::config::Config;
use crate::sweep::{Report, Sweep};

const NAME: &str = "janitor";

fn main() -> ExitCode {
    match config::read(std::env::args_os().skip(1), &|name| std::env::var(name).ok()) {
        Ok(Asked::Help) => print!("{}", config::help()),
        Ok(Asked::Version) => println!("{}", stamp::line(NAME)),
        Ok(Asked::Run(config)) => return service::run(|stop| work(config, stop)),
        Err(error) => return service::refuse(NAME, &error),
    }
    ExitCode::SUCCESS
}

async fn work(config: Config, stop: Stop) -> ferror::Result<()> {
    config.logs.start();
    info!(
        bucket = config.bucket.client.location().bucket,
        keep = config.policy.keep,
        days = config.policy.days(),
        delete = config.delete,
        version = stamp::version(),
        "started"
    );
    loop {
        let sweep = Sweep {
            bucket: config.bucket.clone(),
            policy: config.policy,
            delete: config.delete,
            stop: stop.clone(),
        };
        let swept = tokio::task::spawn_blocking(move || sweep.run(Epoch::now())).await;
        let swept = swept.unwrap_or_else(|panic| {
            Err(Error::new(Kind::Bug, "the sweep panicked").caused_by(panic))
        });
        match swept {
            Ok(report) => log(&report),
            Err(error) if config.once => return Err(error),
            // The bucket may be well again after the interval.
            Err(error) => error!(kind = %error.kind(), hint = error.hint_text(), "{error:#}"),
        }
        if config.once || stop.is_requested() {
            return Ok(());
        }
        tokio::select! {
            () = stop.requested() => return Ok(()),
            () = tokio::time::sleep(config.interval) => {}
        }
    }
}

fn log(report: &Report) {
    let Report { services, kept, unreadable, releases, orphans, skipped } = *report;
    info!(services, kept, unreadable, releases, orphans, skipped, "swept");
}
