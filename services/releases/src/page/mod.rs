//! Makes the pages of a view. maud escapes every value, so a name in the bucket stays text; the one
//! exception is our own style sheet. The pages load nothing: they work without scripts and offline.

mod components;
mod index;
mod release;
mod service;

use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ftime::Epoch;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::components::{service_path, time};
use crate::failure::Failure;
use crate::source::Scope;
use crate::view::View;

const STYLE: &str = include_str!("../style.css");

/// Returns a policy that lets browsers show the pages with their one style sheet, and nothing else.
pub(crate) fn content_security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let digest = BASE64_STANDARD.encode(s3::sha256(STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        )
    })
}

/// Makes the page of `view`, which was read for `scope`. Ages count from `now`.
pub(crate) fn draw(view: &View, scope: &Scope, now: Epoch) -> String {
    let (title, trail, content) = match (scope, view.services.as_slice()) {
        (Scope::Service(name), [service]) => {
            (name.clone(), vec![("/".to_owned(), "Releases")], service::page(service, now))
        }
        (Scope::Release(name, version), [service]) => (
            format!("{name} {version}"),
            vec![("/".to_owned(), "Releases"), (service_path(name), name.as_str())],
            release::page(service, now),
        ),
        _ => ("Releases".to_owned(), Vec::new(), index::page(view, now)),
    };
    let json = match scope {
        Scope::All => "/api/releases".to_owned(),
        Scope::Service(service) => format!("/api/releases/{service}"),
        Scope::Release(service, version) => format!("/api/releases/{service}/{version}"),
    };
    let footer = html! {
        p {
            "Bucket " code { (view.bucket) }
            @if !view.prefix.is_empty() { ", folder " code { (view.prefix) } }
            ", read at " (time(view.read_at)) ". Download links work until "
            (time(view.links_until)) "; load the page again for new ones. The same as "
            a href=(json) { "JSON" } "."
        }
    };
    let content = html! {
        (content)
        @if view.truncated {
            p.note { "There are more objects in the bucket than this page reads: some may be missing here." }
        }
    };
    document(&title, &trail, &content, &footer)
}

/// Makes the page for a bucket that cannot be read.
pub(crate) fn failure(failure: &Failure) -> String {
    let content = html! {
        h1 { "The bucket cannot be read" }
        p { "This service is fine; the bucket behind it is not: " strong { (failure.kind) } "." }
        @if let Some(code) = &failure.code { p { "It answered " code { (code) } "." } }
        p.quiet { "Load the page again in a few seconds. If it stays so, the log of this service says more." }
    };
    document("The bucket cannot be read", &[("/".to_owned(), "Releases")], &content, &html! {})
}

/// Makes the page for a service or release that is not in the bucket, or for a path that has no page.
pub(crate) fn not_found(scope: Option<&Scope>) -> String {
    let mut trail = vec![("/".to_owned(), "Releases")];
    let (heading, why) = match scope {
        Some(Scope::Service(service)) => (
            html! { "There is no service " (service) },
            "No release of that name is in the bucket.",
        ),
        Some(Scope::Release(service, version)) => {
            trail.push((service_path(service), service));
            let why = "It was never published, its upload has not ended, or it was removed.";
            (html! { (service) " has no release " span.version { (version) } }, why)
        }
        _ => (
            html! { "There is no such page" },
            "A service and a release of it are the path: /oddjob/abc123.",
        ),
    };
    let content = html! {
        h1 { (heading) }
        p {
            (why) " See " a href="/" { "all releases" }
            ", also as " a href="/api/releases" { "JSON" } "."
        }
    };
    document("Not found", &trail, &content, &html! {})
}

/// Makes a page. `trail` has path and name of the pages above it.
fn document(title: &str, trail: &[(String, &str)], content: &Markup, footer: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if !trail.is_empty() {
                    nav aria-label="Back" {
                        @for (nth, (path, name)) in trail.iter().enumerate() {
                            @if nth > 0 { span aria-hidden="true" { " / " } }
                            a href=(path) { (name) }
                        }
                    }
                }
                main { (content) }
                footer {
                    (footer)
                    p { (stamp::line(env!("CARGO_PKG_NAME"))) }
                }
            }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests;
