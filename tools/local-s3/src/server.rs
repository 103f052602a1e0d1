//! The loopback socket: accepting connections, numbering requests, stopping in good order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{CONTENT_RANGE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::HttpError;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::Credentials;
use crate::access::{Gate, OnePair};
use crate::objects::Objects;

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// A pause after a failed accept, which is nearly always "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One service for all connections.
pub(crate) struct Server {
    s3: S3Service,
    verbose: bool,
    requests: AtomicU64,
}

impl Server {
    /// Returns a server of `objects` to those who hold `credentials`.
    pub(crate) fn new(objects: Objects, credentials: Credentials, verbose: bool) -> Self {
        let mut builder = S3ServiceBuilder::new(objects);
        builder.set_auth(OnePair(credentials));
        builder.set_access(Gate);
        Self { s3: builder.build(), verbose, requests: AtomicU64::new(1) }
    }

    /// Serves until `stop` is sent or dropped; then finishes what is under way, within [`GRACE`].
    pub(crate) async fn serve(self, listener: TcpListener, mut stop: oneshot::Receiver<()>) {
        let server = Arc::new(self);
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = &mut stop => break,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // Answers are small and written at once; a failure to say so costs milliseconds.
            let _ = stream.set_nodelay(true);
            let server = Arc::clone(&server);
            let service = service_fn(move |request| Arc::clone(&server).answer(request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A connection fails when its client goes away, which is the client's own affair.
            tokio::spawn(connections.watch(connection));
        }
        drop(listener);
        let _ = tokio::time::timeout(GRACE, connections.shutdown()).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<s3s::Body>, HttpError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{number:016X}");
        // Without the query: a presigned request carries its signature there.
        let asked = self.verbose.then(|| format!("{} {}", request.method(), request.uri().path()));
        let (started, is_head) = (Instant::now(), request.method() == Method::HEAD);

        let mut response = self.s3.call(request.map(s3s::Body::from)).await?;
        if is_head && response.headers().contains_key(CONTENT_RANGE) {
            // `s3s` has a 206 for GET alone.
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-amz-request-id", value);
        }
        if let Some(asked) = asked {
            let status = response.status().as_u16();
            eprintln!("{request_id} {asked} {status} {:?}", started.elapsed());
        }
        Ok(response)
    }
}
