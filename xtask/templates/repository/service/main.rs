//! The web service @NAME@: greets, with what foundation has for all services. Replace its route.

use std::net::SocketAddr;
use std::process::ExitCode;

use axum::{Router, routing::get};
use service::{Service, Settings, Stop, WEB_SETTINGS};

const SERVICE: Service = Service {
    name: env!("CARGO_PKG_NAME"),
    what_it_is: env!("CARGO_PKG_DESCRIPTION"),
    tables: &[WEB_SETTINGS],
    notes: "",
};

fn main() -> ExitCode {
    service::main(&SERVICE, read, serve)
}

/// What can be set. A setting of your own is a row in a table (`service::Setting`), and read here.
fn read(settings: &mut Settings<'_>) -> Option<SocketAddr> {
    settings.parsed("listen")
}

/// `/healthz` and `/version` stand beside these routes already.
async fn serve(listen: SocketAddr, stop: Stop) -> ferror::Result<()> {
    let hello = get(async || greeting::greet("world"));
    let routes = Router::new().route("/", hello);
    service::serve(&SERVICE, listen, routes, stop).await
}
