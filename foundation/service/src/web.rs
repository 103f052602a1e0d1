//! A web service: its routes, and beside them what whoever runs it asks of every service.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName};
use axum::http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{Json, Response};
use axum::routing::get;
use ferror::{Error, Kind};
use serde_json::json;
use tokio::net::TcpListener;
use tracing::{debug, info};

use crate::{Service, Setting, Stop};

/// The row that every web service has in its table: `settings.parsed("listen")`, a [`SocketAddr`].
pub const WEB_SETTINGS: &[Setting] = &[Setting {
    name: "listen",
    value: "ADDR:PORT",
    vars: &["LISTEN"],
    default: "127.0.0.1:8080",
    help: "where to listen; port 0 takes a free one",
}];

/// Where a service says that it is alive. Whoever deploys it waits for it, so it is not worth a
/// line of the log at its usual level.
const HEALTH: &str = "/healthz";

/// Serves `routes` until a stop is asked for and what was begun is answered. `listening on
/// http://...` on stdout says that it listens, and where.
///
/// Beside `routes`, which must not have them, it answers `GET /healthz` (`ok` while this process
/// answers: it asks nothing that a restart would not mend) and `GET /version` (the stamp as JSON).
/// Each request is a line of the log, without its query, which may hold secrets. What an answer does
/// not say itself is closed: browsers guess no type, load nothing, store nothing, name no referrer.
///
/// # Errors
/// [`Kind::Config`] when it cannot listen there.
pub async fn serve(
    service: &Service,
    listen: SocketAddr,
    routes: Router,
    stop: Stop,
) -> ferror::Result<()> {
    serve_on(bind(listen).await?, service, routes, stop).await
}

/// Listens, and says where: on stdout for whoever started it with port 0, and in the log.
pub(crate) async fn bind(listen: SocketAddr) -> ferror::Result<TcpListener> {
    let cannot_listen =
        |error| Error::new(Kind::Config, format!("cannot listen on {listen}")).caused_by(error);
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    info!(%address, "listening");
    // No one need read it.
    let _ = writeln!(std::io::stdout(), "listening on http://{address}");
    Ok(listener)
}

/// Serves as [`serve`] does, where it listens already.
pub(crate) async fn serve_on(
    listener: TcpListener,
    service: &Service,
    routes: Router,
    stop: Stop,
) -> ferror::Result<()> {
    let routes = with_own_routes(service, routes);
    let serving =
        axum::serve(listener, routes).with_graceful_shutdown(async move { stop.requested().await });
    serving.await.map_err(|error| Error::new(Kind::Unavailable, "cannot serve").caused_by(error))
}

fn with_own_routes(service: &Service, routes: Router) -> Router {
    let stamp = json!({
        "service": service.name,
        "version": stamp::version(),
        "commit": stamp::commit(),
        "dirty": stamp::dirty(),
        "committed_at": stamp::committed_at(),
        "platform": stamp::platform(),
    });
    routes
        .route(HEALTH, get(async || "ok\n"))
        .route("/version", get(async move || Json(stamp)))
        .layer(middleware::map_response(closed))
        .layer(middleware::from_fn(logged))
}

async fn closed(mut response: Response) -> Response {
    const UNLESS_SAID: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in UNLESS_SAID {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn logged(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let (status, took_ms) = (response.status().as_u16(), begun.elapsed().as_millis() as u64);
    if path == HEALTH {
        debug!(%method, path, status, took_ms, "request");
    } else {
        info!(%method, path, status, took_ms, "request");
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::{SocketAddr, WEB_SETTINGS, serve_on};
    use crate::{Asked, Service, Stop};

    const SERVICE: Service = Service { name: "oddjob", what_it_is: "", tables: &[], notes: "" };

    /// Serves these routes and GETs the paths, one after the other.
    async fn answers(routes: Router, paths: &'static [&str]) -> Vec<ureq::http::Response<String>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (asker, stop) = Stop::asked_by_hand();
        let serving = tokio::spawn(serve_on(listener, &SERVICE, routes, stop));
        let asking = tokio::task::spawn_blocking(move || {
            let config = ureq::Agent::config_builder().http_status_as_error(false).build();
            let agent = ureq::Agent::new_with_config(config);
            let get = |path: &&str| {
                let (head, mut body) =
                    agent.get(format!("{url}{path}")).call().unwrap().into_parts();
                ureq::http::Response::from_parts(head, body.read_to_string().expect("text"))
            };
            paths.iter().map(get).collect::<Vec<_>>()
        });
        let answers = asking.await.expect("every path is answered");
        asker.send_replace(true);
        serving.await.expect("it does not panic").expect("it ends when asked to");
        answers
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn health_and_version_stand_beside_the_services_own_routes_and_fallback() {
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

    #[test]
    fn it_listens_on_loopback_unless_told_otherwise() {
        let service = Service { tables: &[WEB_SETTINGS], ..SERVICE };
        let check = |args: &[&str], listen: Option<&str>, expected: &str| {
            let env = |name: &str| listen.filter(|_| name == "LISTEN").map(str::to_owned);
            let args = args.iter().map(Into::into);
            let asked = service.ask(args, &env, |settings| settings.parsed::<SocketAddr>("listen"));
            let Ok(Asked::Run(address)) = asked else { panic!("{listen:?} is an address") };
            assert_eq!(address.to_string(), expected);
        };
        check(&[], None, "127.0.0.1:8080");
        check(&[], Some("127.0.0.1:81"), "127.0.0.1:81");
        check(&["--listen", "[::1]:82"], Some("127.0.0.1:81"), "[::1]:82");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_an_answer_does_not_say_itself_is_closed() {
        let cached = get(async || ([("cache-control", "max-age=60")], "own"));
        let routes = Router::new().route("/cached", cached);
        for (answer, cache) in answers(routes, &["/healthz", "/cached", "/nothing"])
            .await
            .iter()
            .zip(["no-store", "max-age=60", "no-store"])
        {
            let headers = answer.headers();
            assert_eq!(headers["cache-control"], cache);
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        }
    }
}
