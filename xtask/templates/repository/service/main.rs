//! The web service @NAME@: greets, with what foundation has for all services. Replace its route.

use std::process::ExitCode;

use axum::{Router, routing::get};
use service::Stop;

const NAME: &str = env!("CARGO_PKG_NAME");

/// An option of the service is a field here.
#[derive(clap::Parser)]
#[command(about)]
struct Args {
    #[command(flatten)]
    web: service::WebArgs,
    #[command(flatten)]
    log: service::LogArgs,
}

fn main() -> ExitCode {
    let args: Args = service::parse();
    args.log.init();
    service::run(NAME, |stop| serve(args, stop))
}

/// Serves these routes, and `/healthz` and `/version` beside them.
async fn serve(args: Args, stop: Stop) -> ferror::Result<()> {
    let hello = get(async || greeting::greet("world"));
    let routes = Router::new().route("/", hello);
    service::serve(NAME, &args.web, routes, stop).await
}
