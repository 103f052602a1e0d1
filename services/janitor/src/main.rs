//! The worker that keeps the release bucket from growing for ever: it walks the bucket every
//! interval, says what the policy has no use for, and removes it only when told to.
//!
//! Read it in this order: [`config`] is all that can be set, [`policy`] decides without touching
//! anything, [`sweep`] walks the bucket once and carries out the decision.

mod config;
mod policy;
mod sweep;

use std::process::ExitCode;

use ftime::Epoch;
use service::Stop;
use tracing::info;

use crate::config::{Config, SERVICE};
use crate::sweep::{Report, Sweep};

fn main() -> ExitCode {
    service::main(&SERVICE, Config::read, work)
}

async fn work(Config { worker, bucket, policy, delete }: Config, stop: Stop) -> ferror::Result<()> {
    let name = &bucket.client.location().bucket;
    info!(bucket = name, keep = policy.keep, days = policy.days(), delete, "keeping");
    let sweep = Sweep { bucket, policy, delete, stop: stop.clone() };
    service::work(&SERVICE, worker, stop, async || {
        let sweep = sweep.clone();
        let report = service::blocking("the sweep", move || sweep.run(Epoch::now())).await?;
        let Report { services, kept, unreadable, releases, orphans, skipped } = report;
        info!(services, kept, unreadable, releases, orphans, skipped, "swept");
        Ok(())
    })
    .await
}
