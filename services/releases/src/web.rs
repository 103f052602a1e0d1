//! The routes, and what their answers have in common: the policy of pages, an error's form.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{Html, IntoResponse as _, Json, Redirect, Response};
use axum::routing::get;
use ferror::{Error, Kind};
use ftime::Epoch;
use serde_json::json;

use crate::page;
use crate::source::{Scope, Source};

/// All routes of the service but those that every service has.
pub(crate) fn routes(source: Source) -> Router {
    Router::new()
        .route("/", get(async |source| page(source, Some(Scope::All)).await))
        .route("/{service}", get(async |source, path| page(source, service(path)).await))
        .route("/{service}/", get(async |path| without_slash(service(path))))
        .route("/{service}/{version}", get(async |source, path| page(source, release(path)).await))
        .route("/api/releases", get(async |source| api(source, Some(Scope::All)).await))
        .route(
            "/api/releases/{service}",
            get(async |source, path| api(source, service(path)).await),
        )
        .route(
            "/api/releases/{service}/{version}",
            get(async |source, path| api(source, release(path)).await),
        )
        .fallback(async || no_such_page(None))
        .with_state(source)
        .layer(middleware::map_response(with_policy))
}

/// What a path names; none where nothing in the bucket can have that name, which need not be asked.
fn service(Path(service): Path<String>) -> Option<Scope> {
    catalog::is_service(&service).then_some(Scope::Service(service))
}

fn release(Path((service, version)): Path<(String, String)>) -> Option<Scope> {
    let fits = catalog::is_service(&service) && catalog::is_version(&version);
    fits.then_some(Scope::Release(service, version))
}

/// A folder's address, as people type it.
fn without_slash(scope: Option<Scope>) -> Response {
    match scope {
        Some(Scope::Service(name)) => Redirect::permanent(&format!("/{name}")).into_response(),
        _ => no_such_page(None),
    }
}

async fn page(State(source): State<Source>, scope: Option<Scope>) -> Response {
    let Some(scope) = scope else { return no_such_page(None) };
    match source.view(scope.clone()).await {
        Ok(Some(view)) => Html(page::draw(&view, &scope, Epoch::now())).into_response(),
        Ok(None) => no_such_page(Some(&scope)),
        Err(error) => {
            let failure = Failure::of(&error);
            (failure.status, Html(page::failure(&failure))).into_response()
        }
    }
}

async fn api(State(source): State<Source>, scope: Option<Scope>) -> Response {
    let view = match scope {
        Some(scope) => source.view(scope).await,
        None => Ok(None),
    };
    let failure = match view {
        Ok(Some(view)) => return Json(&*view).into_response(),
        Ok(None) => Failure { status: StatusCode::NOT_FOUND, kind: Kind::NotFound, code: None },
        Err(error) => Failure::of(&error),
    };
    let error = json!({ "kind": failure.kind.as_str(), "s3_code": failure.code });
    (failure.status, Json(json!({ "error": error }))).into_response()
}

fn no_such_page(scope: Option<&Scope>) -> Response {
    (StatusCode::NOT_FOUND, Html(page::not_found(scope))).into_response()
}

/// What a visitor is told when the bucket fails: its kind and S3's code, nothing from inside. The
/// log has the rest.
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) kind: Kind,
    pub(crate) code: Option<String>,
}

impl Failure {
    fn of(error: &Error) -> Self {
        // To the visitor, this service is a gateway: a bucket that denies or lacks something is not
        // the visitor's doing, so its 403 or 404 must not be passed on as ours.
        let kind = error.kind();
        let seen_from_outside = match kind {
            Kind::Bug => Kind::Bug,
            kind if kind.is_retryable() => Kind::Unavailable,
            _ => Kind::Refused,
        };
        let status = StatusCode::from_u16(seen_from_outside.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, kind, code: s3_code(error) }
    }
}

fn s3_code(error: &Error) -> Option<String> {
    s3::Fault::of(error).map(|fault| fault.code.clone()).filter(|code| !code.is_empty())
}

/// Nothing may be loaded, framed or sent anywhere, and the style is known by its digest: whatever
/// slipped into the page would do nothing. `service` closes the rest: its `no-referrer` keeps this
/// address from the bucket's logs, its `no-store` keeps signed links out of caches.
async fn with_policy(mut response: Response) -> Response {
    if let Ok(policy) = HeaderValue::from_str(page::content_security_policy()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use ferror::{Error, Kind};

    use super::Failure;

    #[test]
    fn a_failing_bucket_is_never_blamed_on_the_visitor() {
        let check = |kind: Kind, status: u16| {
            let failure = Failure::of(&Error::new(kind, "GET builds: secret detail"));
            assert_eq!((failure.status.as_u16(), failure.kind), (status, kind));
        };
        for kind in Kind::ALL {
            match kind {
                Kind::Bug => check(kind, 500),
                Kind::Unavailable | Kind::Throttled => check(kind, 503),
                _ => check(kind, 502),
            }
        }
    }

    #[test]
    fn the_s3_code_is_found_behind_contexts() {
        let fault = s3::Fault {
            status: 403,
            code: "AccessDenied".to_owned(),
            message: "hidden".to_owned(),
            request_id: "hidden".to_owned(),
            region: String::new(),
        };
        let error = Error::new(Kind::Denied, "LIST").caused_by(fault).context("listing");
        assert_eq!(Failure::of(&error).code.as_deref(), Some("AccessDenied"));
        assert_eq!(Failure::of(&Error::new(Kind::Denied, "LIST")).code, None);
    }
}
