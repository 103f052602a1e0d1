//! The routes: which path shows what, and the form of an error.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{Html, IntoResponse as _, Json, Redirect, Response};
use axum::routing::get;
use ferror::Kind;
use serde_json::json;

use crate::failure::Failure;
use crate::page;
use crate::source::{Scope, Source};

/// Makes all routes except those that every service has.
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
        .layer(middleware::map_response(add_content_security_policy))
}

/// Reads a path; `None` where nothing in the bucket can have that name.
fn service(Path(service): Path<String>) -> Option<Scope> {
    catalog::is_service(&service).then_some(Scope::Service(service))
}

fn release(Path((service, version)): Path<(String, String)>) -> Option<Scope> {
    let fits = catalog::is_service(&service) && catalog::is_version(&version);
    fits.then_some(Scope::Release(service, version))
}

/// Redirects `/SERVICE/`, which people type, to `/SERVICE`.
fn without_slash(scope: Option<Scope>) -> Response {
    match scope {
        Some(Scope::Service(name)) => Redirect::permanent(&format!("/{name}")).into_response(),
        _ => no_such_page(None),
    }
}

async fn page(State(source): State<Source>, scope: Option<Scope>) -> Response {
    let Some(scope) = scope else { return no_such_page(None) };
    match source.view(scope.clone()).await {
        Ok(Some(view)) => Html(page::draw(&view, &scope, source.now())).into_response(),
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

/// Forbids everything but the page's own style sheet, which is known by its digest: whatever got
/// into a page from the bucket could do nothing. The other headers are those of [`service::serve`]:
/// `no-referrer` keeps this address out of the bucket's logs, `no-store` keeps signed links out of caches.
async fn add_content_security_policy(mut response: Response) -> Response {
    if let Ok(policy) = HeaderValue::from_str(page::content_security_policy()) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
