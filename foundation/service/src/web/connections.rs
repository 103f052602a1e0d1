//! Accepts connections and serves HTTP/1 on them, with the limits that `axum::serve` lacks.

use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, error};

use super::WebArgs;
use crate::Stop;

/// The wait after an error that is not one connection's own, such as too many open files: it would
/// come back at once.
const WAIT_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Serves until a stop is requested and every connection has ended.
pub(super) async fn serve(listener: TcpListener, args: &WebArgs, routes: Router, stop: &Stop) {
    let slots = Arc::new(Semaphore::new(args.max_connections as usize));
    loop {
        // A connection is accepted only when there is a slot for it. Until then it waits in the
        // queue of the operating system.
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot.expect("the semaphore is never closed"), accept(&listener).await)
        };
        let (slot, stream) = tokio::select! {
            accepted = accept => accepted,
            () = stop.requested() => break,
        };
        let (routes, stop, header_timeout) = (routes.clone(), stop.clone(), args.header_timeout);
        tokio::spawn(async move {
            serve_connection(stream, header_timeout, routes, &stop).await;
            drop(slot);
        });
    }
    drop(listener);
    // All slots are free when the last connection has ended.
    let _ = slots.acquire_many(args.max_connections).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => debug!(%error, "cannot accept"),
            Err(error) => {
                error!(%error, "cannot accept connections");
                tokio::time::sleep(WAIT_AFTER_ERROR).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn serve_connection(
    stream: TcpStream,
    header_timeout: Duration,
    routes: Router,
    stop: &Stop,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.requested() => {
            // It answers the request under way, and takes no other.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The client went away, was too slow, or does not speak HTTP.
        debug!(%error, "the connection ended");
    }
}
