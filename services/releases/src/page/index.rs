//! The page of all services: each service with its channels and its newest releases.

use ftime::Epoch;
use maud::{Markup, html};

use super::components::{ago, count, lag, releases, service_path, unreadable, version};
use crate::view::{Channel, Service, View};

/// How many releases of a service are shown, besides those that channels name. Its own page has more.
const NEWEST: usize = 5;

pub(super) fn page(view: &View, now: Epoch) -> Markup {
    html! {
        h1 { "Releases" }
        @for service in &view.services { (section(service, now)) }
        @if view.services.is_empty() {
            p { "There are no releases yet. A release shows up here once its manifest object is in the bucket." }
        }
    }
}

fn section(service: &Service, now: Epoch) -> Markup {
    let shown = service.releases.iter().enumerate().filter(|(nth, release)| {
        *nth < NEWEST || release.channels.iter().any(|named| named.current)
    });
    let shown: Vec<_> = shown.map(|(_, release)| release).collect();
    let all = service.releases.len() + service.not_shown;
    html! {
        section {
            h2 { a href=(service_path(&service.name)) { (service.name) } }
            @if !service.channels.is_empty() { (channels(service, now)) }
            (releases(&service.name, shown.iter().copied(), now))
            @if all > shown.len() {
                p.quiet { a href=(service_path(&service.name)) { "all " (count(all, "release")) } }
            }
        }
    }
}

/// Lists a service's channels, one on each line.
fn channels(service: &Service, now: Epoch) -> Markup {
    html! {
        ul.channels {
            @for channel in &service.channels { li { (line(&service.name, channel, now)) } }
        }
    }
}

fn line(service: &str, channel: &Channel, now: Epoch) -> Markup {
    html! {
        span.channel { (channel.name) } " "
        (unreadable(channel))
        @if let Some(entry) = channel.current() {
            (version(service, &entry.version))
            @if let Some(at) = entry.promoted_at { span.quiet { " promoted " (ago(at, now)) } }
        }
        @if let Some(apart) = &channel.lag { " " (lag(apart)) }
    }
}
