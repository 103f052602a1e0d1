//! A web service: its own routes, with `/healthz` and `/version` beside them.

mod connections;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName};
use axum::http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use clap::value_parser;
use ferror::{Error, Kind};
use http_body_util::Limited;
use serde_json::json;
use tokio::net::TcpListener;
use tracing::{debug, info};

use crate::{Stop, duration};

/// The options of every web service.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
// `None`: it would become the description of the program that flattens this.
#[command(about = None, long_about = None)]
pub struct WebArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR:PORT",
        env = "LISTEN",
        hide_env_values = true,
        help_heading = "Web server",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,
    /// How long to wait for the head of a request before the connection is closed
    #[arg(
        long,
        value_name = "TIME",
        env = "HEADER_TIMEOUT",
        hide_env_values = true,
        help_heading = "Web server",
        default_value = "10s",
        value_parser = duration
    )]
    pub header_timeout: Duration,
    /// The longest request body in bytes; a longer one is answered with 413
    #[arg(
        long,
        value_name = "N",
        env = "MAX_BODY_BYTES",
        hide_env_values = true,
        help_heading = "Web server",
        default_value = "2097152"
    )]
    pub max_body_bytes: usize,
    /// How many connections may be open at once; more wait until one is closed
    #[arg(
        long,
        value_name = "N",
        env = "MAX_CONNECTIONS",
        hide_env_values = true,
        help_heading = "Web server",
        default_value = "512",
        value_parser = value_parser!(u32).range(1..)
    )]
    pub max_connections: u32,
}

impl Default for WebArgs {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            header_timeout: Duration::from_secs(10),
            max_body_bytes: 2 * 1024 * 1024,
            max_connections: 512,
        }
    }
}

/// The path that says that the process is alive. Deployments and load balancers ask for it all the
/// time, so it is logged at `debug`.
const HEALTH_PATH: &str = "/healthz";

/// Serves `routes` until a stop is requested and the requests under way are answered. Prints
/// `listening on http://...` to stdout once it accepts connections.
///
/// It answers two more paths, which `routes` must not have: `GET /healthz` with `ok` as long as the
/// process answers at all, and `GET /version` with the stamp as JSON, under the service's `name`.
///
/// Each request is a line in the log, without its query, which may hold secrets. A response gets
/// headers that forbid browsers to guess its type, load anything, store it, or send a referrer,
/// unless it has such a header already.
///
/// Three limits of `args` protect it from slow and large requests: a connection that does not send
/// the head of a request in time is closed, also one that is idle between two requests; a request
/// body over the limit is answered with 413; connections over the limit wait in the queue of the
/// operating system.
///
/// # Errors
/// [`Kind::Config`] when it cannot listen at the address.
pub async fn serve(name: &str, args: &WebArgs, routes: Router, stop: Stop) -> ferror::Result<()> {
    serve_on(bind(args.listen).await?, name, args, routes, stop).await
}

/// Listens, and prints the address: whoever asked for port 0 learns the port from it.
pub(crate) async fn bind(listen: SocketAddr) -> ferror::Result<TcpListener> {
    let cannot_listen = |error| {
        Error::new(Kind::Config, format!("cannot listen on {listen}"))
            .hint("choose another address with --listen or LISTEN")
            .caused_by(error)
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    info!(%address, "listening");
    // A closed stdout does not matter: the log has the address too.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    Ok(listener)
}

/// Does what [`serve`] does on a listener that is bound already.
pub(crate) async fn serve_on(
    listener: TcpListener,
    name: &str,
    args: &WebArgs,
    routes: Router,
    stop: Stop,
) -> ferror::Result<()> {
    let routes = with_shared_routes(name, args.max_body_bytes, routes);
    connections::serve(listener, args, routes, &stop).await;
    Ok(())
}

fn with_shared_routes(name: &str, max_body_bytes: usize, routes: Router) -> Router {
    let version = json!({
        "service": name,
        "version": stamp::version(),
        "commit": stamp::commit(),
        "dirty": stamp::dirty(),
        "committed_at": stamp::committed_at(),
        "platform": stamp::platform(),
    });
    routes
        .route(HEALTH_PATH, get(async || "ok\n"))
        .route("/version", get(async move || Json(version)))
        // The limit below holds for every body, not only for those that axum's extractors read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(max_body_bytes, limit_body))
        .layer(middleware::map_response(add_security_headers))
        .layer(middleware::from_fn(log_request))
}

/// Refuses a body whose announced length is over the limit, and ends one without a length there.
/// axum's extractors answer with 413 then.
async fn limit_body(State(limit): State<usize>, request: Request, next: Next) -> Response {
    if request.body().size_hint().lower() > limit as u64 {
        let text = format!("the request body is longer than {limit} bytes\n");
        return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    }
    next.run(request.map(|body| Body::new(Limited::new(body, limit)))).await
}

async fn add_security_headers(mut response: Response) -> Response {
    const DEFAULTS: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn log_request(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let (status, took_ms) = (response.status().as_u16(), begun.elapsed().as_millis() as u64);
    if path == HEALTH_PATH {
        debug!(%method, path, status, took_ms, "request");
    } else {
        info!(%method, path, status, took_ms, "request");
    }
    response
}

#[cfg(test)]
mod tests;
