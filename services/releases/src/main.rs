//! The web service that shows what is in the release bucket: pages for people, JSON for programs.
//!
//! Read it in this order: [`view`] is what is shown as plain data, [`source`] reads it from the
//! bucket and caches it, [`page`] draws it, [`web`] answers with it.

mod page;
mod source;
mod view;
mod web;

use std::net::SocketAddr;
use std::process::ExitCode;

use service::{BUCKET_SETTINGS, Bucket, CREDENTIALS_NOTE, Service, Settings, Stop, WEB_SETTINGS};
use tracing::{info, warn};

use crate::source::Source;

const SERVICE: Service = Service {
    name: env!("CARGO_PKG_NAME"),
    what_it_is: "shows what is in the release bucket, as pages and as JSON",
    tables: &[WEB_SETTINGS, BUCKET_SETTINGS],
    notes: CREDENTIALS_NOTE,
};

fn main() -> ExitCode {
    service::main(&SERVICE, read, serve)
}

fn read(settings: &mut Settings<'_>) -> Option<(SocketAddr, Bucket)> {
    let (listen, bucket) = (settings.parsed("listen"), Bucket::from_settings(settings));
    Some((listen?, bucket?))
}

async fn serve((listen, bucket): (SocketAddr, Bucket), stop: Stop) -> ferror::Result<()> {
    if !listen.ip().is_loopback() {
        warn!(%listen, "whoever reaches this address can download every release it shows");
    }
    info!(bucket = bucket.client.location().bucket, prefix = bucket.prefix, "showing");
    service::serve(&SERVICE, listen, web::routes(Source::new(bucket)), stop).await
}
