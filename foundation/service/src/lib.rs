//! What every service shares, so that all of them do it alike and a service's own code is its work.
//!
//! - [`Service`] and [`main`]: settings are read, `--help` and `--version` answered, logs started,
//!   and the work runs until it ends or someone asks for a stop.
//! - [`serve`]: a web service. `/healthz` and `/version` beside its own routes, a log line for each
//!   request, and what was begun is answered before the end.
//! - [`work`]: a worker. A job at an interval, sooner after an error that time may mend
//!   ([`repeat`]), and `/healthz` on demand.
//! - [`Settings`]: one table of settings gives the options, the environment variables, the defaults
//!   and the help text. An option beats the environment, that beats the default, and one error
//!   lists everything that is missing or bad.
//! - [`Bucket`]: the rows for a bucket and its credentials, checked into a client.
//!
//! A whole web service:
//!
//! ```no_run
//! use std::net::SocketAddr;
//! use std::process::ExitCode;
//!
//! use axum::{Router, routing::get};
//! use service::{Service, Settings, Stop, WEB_SETTINGS};
//!
//! const SERVICE: Service = Service {
//!     name: "hello",
//!     what_it_is: "greets whoever asks",
//!     tables: &[WEB_SETTINGS],
//!     notes: "",
//! };
//!
//! fn main() -> ExitCode {
//!     service::main(&SERVICE, read, serve)
//! }
//!
//! fn read(settings: &mut Settings<'_>) -> Option<SocketAddr> {
//!     settings.parsed("listen")
//! }
//!
//! async fn serve(listen: SocketAddr, stop: Stop) -> ferror::Result<()> {
//!     let routes = Router::new().route("/", get(async || "hello\n"));
//!     service::serve(&SERVICE, listen, routes, stop).await
//! }
//! ```
//!
//! And the work of a worker, whose `read` ends in `Worker::from_settings(settings)` and whose tables
//! have [`WORKER_SETTINGS`] and a row `interval` of its own:
//!
//! ```
//! # use service::{Service, Stop, Worker};
//! # const SERVICE: Service = Service { name: "a", what_it_is: "", tables: &[], notes: "" };
//! async fn start(worker: Worker, stop: Stop) -> ferror::Result<()> {
//!     service::work(&SERVICE, worker, stop, async || tidy_up().await).await
//! }
//!
//! async fn tidy_up() -> ferror::Result<()> {
//!     Ok(())
//! }
//! ```

mod bucket;
mod door;
mod logs;
mod repeat;
mod run;
mod setting;
mod settings;
mod web;
mod worker;

pub use bucket::{BUCKET_SETTINGS, Bucket, CREDENTIALS_NOTE};
pub use door::{Service, main};
pub use logs::{LOG_SETTINGS, Logs};
pub use repeat::{FIRST_WAIT, LONGEST_WAIT, repeat};
pub use run::{GRACE, Stop, blocking, run};
pub use setting::{Setting, duration};
pub use settings::{Asked, Settings};
pub use web::{WEB_SETTINGS, serve};
pub use worker::{WORKER_SETTINGS, Worker, work};
