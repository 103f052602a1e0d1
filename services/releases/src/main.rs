//! The web service that shows what is in the release bucket: a page for people, JSON for programs.
//!
//! Read it in this order: [`config`] is all that can be set, [`view`] is what is shown as plain
//! data, [`source`] reads it from the bucket and caches it, [`page`] draws it, [`web`] serves it.

mod config;
mod page;
mod source;
mod view;
mod web;

use std::io::Write as _;
use std::process::ExitCode;

use ferror::{Error, Kind};
use service::{Asked, Stop};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::config::Config;
use crate::source::Source;

const NAME: &str = "releases";

fn main() -> ExitCode {
    match config::read(std::env::args_os().skip(1), &|name| std::env::var(name).ok()) {
        Ok(Asked::Help) => print!("{}", config::help()),
        Ok(Asked::Version) => println!("{}", stamp::line(NAME)),
        Ok(Asked::Run(config)) => return service::run(|stop| serve(config, stop)),
        Err(error) => return service::refuse(NAME, &error),
    }
    ExitCode::SUCCESS
}

async fn serve(config: Config, stop: Stop) -> ferror::Result<()> {
    config.logs.start();
    let cannot_listen = |error| {
        Error::new(Kind::Config, format!("cannot listen on {}", config.listen)).caused_by(error)
    };
    let listener = TcpListener::bind(config.listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    if !address.ip().is_loopback() {
        warn!(%address, "whoever reaches this address can download every release it shows");
    }
    let location = config.bucket.client.location();
    info!(%address, bucket = location.bucket, version = stamp::version(), "listening");
    // Whoever started this reads here which port it got. No one need read it.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");

    let routes = web::routes(Source::new(config.bucket));
    let serving =
        axum::serve(listener, routes).with_graceful_shutdown(async move { stop.requested().await });
    serving.await.map_err(|error| Error::new(Kind::Unavailable, "cannot serve").caused_by(error))
}
