//! The worker @NAME@: replace its job by yours.

use std::process::ExitCode;
use std::time::Duration;

use service::Stop;
use tracing::info;

const NAME: &str = env!("CARGO_PKG_NAME");

/// An option of the worker is a field here.
#[derive(clap::Parser)]
#[command(about)]
struct Args {
    /// Time between the end of one run and the start of the next: 30s, 5m, 1h
    #[arg(
        long,
        value_name = "TIME",
        env = "INTERVAL",
        hide_env_values = true,
        default_value = "1m",
        value_parser = service::duration
    )]
    interval: Duration,
    #[command(flatten)]
    worker: service::WorkerArgs,
    #[command(flatten)]
    log: service::LogArgs,
}

fn main() -> ExitCode {
    let args: Args = service::parse();
    args.log.init();
    service::run(NAME, |stop| work(args, stop))
}

/// Does the job again and again, sooner after an error that may pass. What blocks belongs into
/// `service::blocking`.
async fn work(args: Args, stop: Stop) -> ferror::Result<()> {
    service::work(NAME, args.interval, args.worker, stop, async || {
        info!("worked");
        Ok(())
    })
    .await
}
