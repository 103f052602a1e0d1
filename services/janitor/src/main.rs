//! The worker that keeps the release bucket from growing for ever: it walks the bucket every
//! interval, lists what the policy does not keep, and removes it only when told to.
//!
//! Read it in this order: [`args`] is all that can be set, [`policy`] decides without touching
//! anything, [`sweep`] walks the bucket once and carries out the decision, [`index_and_receipts`] for what lies
//! outside the folders of services.

mod args;
mod index_and_receipts;
mod policy;
mod sweep;

use std::process::ExitCode;

use s3::Client;
use service::Stop;
use tracing::info;

use crate::args::Args;
use crate::sweep::{MAX_OBJECTS, Report, Sweep};

const NAME: &str = env!("CARGO_PKG_NAME");

fn main() -> ExitCode {
    let args: Args = service::parse();
    args.log.init();
    service::run(NAME, |stop| work(args, stop))
}

async fn work(args: Args, stop: Stop) -> ferror::Result<()> {
    let policy = args.policy();
    let Args { interval, delete, worker, bucket, .. } = args;
    let bucket = service::blocking("opening the bucket", || bucket.open()).await?;
    let name = &bucket.client.location().bucket;
    info!(bucket = name, keep = policy.keep, days = policy.days(), delete, "keeping");
    let max_objects = MAX_OBJECTS;
    let sweep = Sweep { bucket, policy, delete, max_objects, stop: stop.clone() };
    service::work(NAME, interval, worker, stop, async || {
        let sweep = sweep.clone();
        let report = service::blocking("the sweep", move || sweep.run(Client::server_time)).await?;
        let Report { services, kept, unreadable, releases, orphans, .. } = report;
        let Report { entries, receipts, skipped, too_large, .. } = report;
        info!(
            services,
            kept, unreadable, releases, orphans, entries, receipts, skipped, too_large, "swept"
        );
        Ok(())
    })
    .await
}
