//! The web service that shows what is in the release bucket: pages for people, JSON for programs.
//!
//! Read it in this order: [`view`] is what is shown, as plain data; [`source`] reads it from the
//! bucket and caches it; [`page`] makes HTML of it; [`web`] has the routes.

mod failure;
mod page;
mod source;
mod view;
mod web;

use std::process::ExitCode;

use service::{BucketArgs, LogArgs, Stop, WebArgs};
use tracing::{info, warn};

use crate::source::Source;

const NAME: &str = env!("CARGO_PKG_NAME");

/// Shows what is in the release bucket, as pages and as JSON
#[derive(clap::Parser)]
struct Args {
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    bucket: BucketArgs,
    #[command(flatten)]
    log: LogArgs,
}

fn main() -> ExitCode {
    let args: Args = service::parse();
    args.log.init();
    service::run(NAME, |stop| serve(args, stop))
}

async fn serve(Args { web, bucket, .. }: Args, stop: Stop) -> ferror::Result<()> {
    let bucket = service::blocking("opening the bucket", || bucket.open()).await?;
    if !web.listen.ip().is_loopback() {
        warn!(listen = %web.listen, "whoever reaches this address can download every release it shows");
    }
    info!(bucket = bucket.client.location().bucket, prefix = bucket.prefix, "showing");
    let routes = web::routes(Source::new(bucket));
    service::serve(NAME, &web, routes, stop).await
}
