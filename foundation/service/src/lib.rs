//! What every service shares, so that a service's own code is its work: arguments by [`clap`], logs
//! by [`tracing`], HTTP by [`axum`], and a stop in good order.
//!
//! - [`parse`] reads the arguments. [`WebArgs`], [`WorkerArgs`], [`LogArgs`] and `BucketArgs` (with
//!   the feature `s3`) are groups of options that several services have; a service flattens those
//!   that it needs into its own `Args`.
//! - [`run`](run()) runs the service until it ends, or until SIGTERM or SIGINT.
//! - [`serve`] is a web server: it adds `/healthz`, `/version`, a log line for each request, and
//!   limits for slow and large requests.
//! - [`work`] does a job at an interval, and sooner after an error that may pass ([`repeat`]).
//!
//! A whole web service:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use axum::{Router, routing::get};
//! use service::Stop;
//!
//! const NAME: &str = env!("CARGO_PKG_NAME");
//!
//! /// Greets everyone.
//! #[derive(clap::Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     web: service::WebArgs,
//!     #[command(flatten)]
//!     log: service::LogArgs,
//! }
//!
//! fn main() -> ExitCode {
//!     let args: Args = service::parse();
//!     args.log.init();
//!     service::run(NAME, |stop| serve(args, stop))
//! }
//!
//! async fn serve(args: Args, stop: Stop) -> ferror::Result<()> {
//!     let routes = Router::new().route("/", get(async || "hello\n"));
//!     service::serve(NAME, &args.web, routes, stop).await
//! }
//! ```
//!
//! A worker has [`WorkerArgs`] and an interval of its own, and ends in [`work`]:
//!
//! ```
//! # use std::time::Duration;
//! # use service::{Stop, WorkerArgs};
//! #[derive(clap::Parser)]
//! struct Args {
//!     /// Time between two runs
//!     #[arg(
//!         long,
//!         value_name = "TIME",
//!         env = "INTERVAL",
//!         hide_env_values = true,
//!         default_value = "1h",
//!         value_parser = service::duration
//!     )]
//!     interval: Duration,
//!     #[command(flatten)]
//!     worker: WorkerArgs,
//! }
//!
//! async fn work(args: Args, stop: Stop) -> ferror::Result<()> {
//!     service::work("tidy", args.interval, args.worker, stop, async || tidy_up().await).await
//! }
//!
//! async fn tidy_up() -> ferror::Result<()> {
//!     Ok(())
//! }
//! ```

mod arguments;
#[cfg(feature = "s3")]
mod bucket;
mod log;
mod repeat;
mod run;
mod web;
mod worker;

pub use arguments::{duration, parse};
#[cfg(feature = "s3")]
pub use bucket::{Bucket, BucketArgs};
pub use log::{LogArgs, LogFormat};
pub use repeat::{FIRST_WAIT, LONGEST_WAIT, repeat};
pub use run::{GRACE, Stop, blocking, run};
pub use web::{WebArgs, serve};
pub use worker::{WorkerArgs, work};
