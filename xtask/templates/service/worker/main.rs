//! The worker @NAME@: replace its job by yours.

use std::process::ExitCode;

use service::{Service, Setting, Stop, WORKER_SETTINGS, Worker};
use tracing::info;

const INTERVAL: &[Setting] = &[Setting {
    name: "interval",
    value: "TIME",
    vars: &["INTERVAL"],
    default: "1m",
    help: "time between the end of one run and the next: 30s, 5m, 1h",
}];

const SERVICE: Service = Service {
    name: env!("CARGO_PKG_NAME"),
    what_it_is: env!("CARGO_PKG_DESCRIPTION"),
    tables: &[INTERVAL, WORKER_SETTINGS],
    notes: "",
};

fn main() -> ExitCode {
    service::main(&SERVICE, Worker::from_settings, start)
}

/// The job, again and again. After an error that time may mend it comes again sooner; what blocks
/// belongs into `service::blocking`.
async fn start(worker: Worker, stop: Stop) -> ferror::Result<()> {
    service::work(&SERVICE, worker, stop, async || {
        info!("worked");
        Ok(())
    })
    .await
}
