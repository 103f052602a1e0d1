//! The routes of every web service and its limits, over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{WebArgs, serve_on};
use crate::Stop;

/// Longer than anything here takes, on a slow machine too.
const AT_MOST: Duration = Duration::from_secs(30);

/// A server on a free port.
struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<ferror::Result<()>>,
}

impl Server {
    async fn start(args: WebArgs, routes: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, requested) = Stop::manual();
        let serving = async move { serve_on(listener, "oddjob", &args, routes, requested).await };
        Self { address, stop, serving: tokio::spawn(serving) }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.serving.await.expect("it does not panic").expect("it ends when a stop is requested");
    }
}

/// Sends text, and reads until the server closes the connection.
fn exchange(address: SocketAddr, text: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(text.as_bytes()).expect("it reads");
    read_to_end(&mut stream)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(AT_MOST)).expect("it takes a timeout");
    stream
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it closes the connection");
    answer
}

/// Serves these routes and GETs the paths, one after the other.
async fn answers(routes: Router, paths: &'static [&str]) -> Vec<ureq::http::Response<String>> {
    let server = Server::start(WebArgs::default(), routes).await;
    let url = format!("http://{}", server.address);
    let asking = spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(config);
        let get = |path: &&str| {
            let (head, mut body) = agent.get(format!("{url}{path}")).call().unwrap().into_parts();
            ureq::http::Response::from_parts(head, body.read_to_string().expect("text"))
        };
        paths.iter().map(get).collect::<Vec<_>>()
    });
    let answers = asking.await.expect("every path is answered");
    server.stop().await;
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_version_are_beside_the_services_own_routes_and_fallback() {
    let routes = Router::new()
        .route("/", get(async || "own"))
        .fallback(async || (StatusCode::NOT_FOUND, "its own 404"));
    let answers = answers(routes, &["/healthz", "/version", "/", "/nothing"]).await;
    let body = |at: usize| (answers[at].status().as_u16(), answers[at].body().as_str());
    assert_eq!(body(0), (200, "ok\n"));
    let version = "{\"commit\":null,\"committed_at\":null,\"dirty\":false,\"platform\":null,\
                   \"service\":\"oddjob\",\"version\":\"DEV\"}";
    assert_eq!(body(1), (200, version));
    assert_eq!((body(2), body(3)), ((200, "own"), (404, "its own 404")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_gets_the_security_headers_that_it_lacks() {
    let cached = get(async || ([("cache-control", "max-age=60")], "own"));
    let routes = Router::new().route("/cached", cached);
    for (answer, cache) in answers(routes, &["/healthz", "/cached", "/nothing"]).await.iter().zip([
        "no-store",
        "max-age=60",
        "no-store",
    ]) {
        let headers = answer.headers();
        assert_eq!(headers["cache-control"], cache);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    }
}

#[test]
fn the_defaults_are_those_of_the_options() {
    #[derive(clap::Parser)]
    struct Args {
        #[command(flatten)]
        web: WebArgs,
    }
    let args: Args = clap::Parser::parse_from(["oddjob"]);
    assert_eq!(args.web, WebArgs::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_sends_no_whole_head_in_time_is_closed() {
    let args = WebArgs { header_timeout: Duration::from_millis(200), ..WebArgs::default() };
    let server = Server::start(args, Router::new()).await;
    let address = server.address;
    let cut_off = spawn_blocking(move || {
        let whole = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
        ["", "GET /healthz HTTP/1.1\r\nHost: h\r\nX-Slow:", whole]
            .map(|sent| exchange(address, sent))
    });
    let [silent, slow, idle] = cut_off.await.expect("each is closed");
    assert_eq!((silent.as_str(), slow.as_str()), ("", ""), "no answer without a request");
    // It was answered, and closed because no second request came.
    assert!(idle.starts_with("HTTP/1.1 200 ") && idle.ends_with("\r\n\r\nok\n"), "{idle}");
    assert!(!idle.contains("connection: close"), "the server expected another request: {idle}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_answered_with_413() {
    let args = WebArgs { max_body_bytes: 8, ..WebArgs::default() };
    let echo = Router::new().route("/", post(async |body: String| body));
    let server = Server::start(args, echo).await;
    let address = server.address;
    let asking = spawn_blocking(move || {
        let post = |rest: &str| {
            let head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
            exchange(address, &format!("{head}{rest}"))
        };
        [
            post("Content-Length: 8\r\n\r\n12345678"),
            post("Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n"),
            // Refused by its length alone: the body is never sent.
            post("Content-Length: 9\r\n\r\n"),
            post("Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n1\r\n9\r\n0\r\n\r\n"),
        ]
    });
    let [whole, chunks, too_long, too_many_chunks] = asking.await.expect("each is answered");
    for answer in [whole, chunks] {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("12345678"), "{answer}");
    }
    for answer in [too_long, too_many_chunks] {
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    server.stop().await;
}

/// Routes whose `/` tells `entered` of each request and waits until the semaphore lets it go on.
fn waiting_routes(entered: std::sync::mpsc::Sender<()>, may_answer: &Arc<Semaphore>) -> Router {
    let may_answer = Arc::clone(may_answer);
    let wait = get(async move || {
        entered.send(()).expect("the test listens");
        may_answer.acquire().await.expect("it is open").forget();
        "done"
    });
    Router::new().route("/", wait)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_wait_until_one_is_closed() {
    let (enter, entered) = channel();
    let may_answer = Arc::new(Semaphore::new(0));
    let args = WebArgs { max_connections: 2, ..WebArgs::default() };
    let server = Server::start(args, waiting_routes(enter, &may_answer)).await;
    let address = server.address;
    let asking = spawn_blocking(move || {
        let clients = [(); 3].map(|()| std::thread::spawn(move || exchange(address, GET)));
        for _ in 0..2 {
            entered.recv_timeout(AT_MOST).expect("two are served at once");
        }
        let third = entered.recv_timeout(Duration::from_millis(300));
        assert!(third.is_err(), "three are served at once");
        may_answer.add_permits(1);
        entered.recv_timeout(AT_MOST).expect("the third is served when one is closed");
        may_answer.add_permits(2);
        clients.map(|client| client.join().expect("it is answered"))
    });
    for answer in asking.await.expect("all are answered") {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_stop_what_was_begun_is_answered_and_idle_connections_are_closed() {
    let (enter, entered) = channel();
    let may_answer = Arc::new(Semaphore::new(0));
    let args = WebArgs { header_timeout: AT_MOST * 2, ..WebArgs::default() };
    let server = Server::start(args, waiting_routes(enter, &may_answer)).await;
    let (address, stop) = (server.address, server.stop.clone());
    let asking = spawn_blocking(move || {
        let mut idle = connect(address);
        idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").expect("it reads");
        let begun = std::thread::spawn(move || {
            exchange(address, &GET.replace("Connection: close\r\n", ""))
        });
        entered.recv_timeout(AT_MOST).expect("it has begun");
        stop.send_replace(true);
        let idle = read_to_end(&mut idle);
        may_answer.add_permits(1);
        (idle, begun.join().expect("it is answered"))
    });
    let (idle, begun) = asking.await.expect("both end");
    assert!(idle.ends_with("ok\n"), "{idle}");
    assert!(begun.ends_with("done"), "{begun}");
    server.stop().await;
}
