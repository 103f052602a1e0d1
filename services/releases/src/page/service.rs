//! The page of one service: its channels beside each other, what they named before, its releases.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use ftime::Epoch;
use maud::{Markup, html};

use super::components::{ago, cell, count, lag, releases, unreadable, version};
use crate::view::{Channel, Entry, Service};

/// How many digits of a digest are shown: enough to tell two apart. The tooltip and the release's page
/// have all of it.
const DIGITS: usize = 12;
/// How many promotions are shown without unfolding the rest.
const RECENT: usize = 10;

pub(super) fn page(service: &Service, now: Epoch) -> Markup {
    let readable: Vec<_> =
        service.channels.iter().filter_map(|channel| Some((channel, channel.current()?))).collect();
    html! {
        h1 { (service.name) }
        section {
            h2 { "Channels" }
            @if service.channels.is_empty() {
                p.quiet { "No channel names a release of this service. " code { "cargo xtask promote" } " makes one." }
            } @else { (channels(service, now)) }
        }
        @if readable.len() > 1 {
            section { h2 { "Archives by channel" } (archives(&readable)) }
        }
        section {
            h2 { "Releases" }
            (releases(&service.name, service.releases.iter(), now))
            @if service.not_shown > 0 {
                p.quiet { "and " (count(service.not_shown, "release")) " more, uploaded earlier" }
            }
        }
        @if !readable.is_empty() {
            section { h2 { "Promotions" } (history(service, now)) }
        }
    }
}

fn channels(service: &Service, now: Epoch) -> Markup {
    let first = service.channels.first().map_or("", |first| &first.name);
    html! {
        table {
            thead { tr { th { "channel" } th { "release" } th { "promoted" } th { "beside " (first) } } }
            tbody {
                @for channel in &service.channels {
                    tr {
                        td { span.channel { (channel.name) } }
                        @match channel.current() {
                            Some(entry) => {
                                td { (version(&service.name, &entry.version)) }
                                (cell("promoted", &promoted(entry, now)))
                                td { (difference_from_first(service, channel)) }
                            },
                            None => td colspan="3" { (unreadable(channel)) },
                        }
                    }
                }
            }
        }
    }
}

fn difference_from_first(service: &Service, channel: &Channel) -> Markup {
    html! {
        @if let Some(apart) = &channel.lag {
            (lag(apart))
            @if !apart.versions.is_empty() {
                span.quiet { " (" @for (nth, ahead) in apart.versions.iter().enumerate() {
                    @if nth > 0 { ", " } (version(&service.name, ahead))
                } @if apart.more { ", ..." } ")" }
            }
        } @else if service.channels.first().is_some_and(|first| first.name != channel.name) {
            span.quiet { "the same" }
        }
    }
}

/// Makes a table of the archives' digests, with a row for each platform and a column for each channel.
fn archives(channels: &[(&Channel, &Entry)]) -> Markup {
    let platforms: BTreeSet<_> =
        channels.iter().flat_map(|(_, entry)| entry.sha256.keys()).collect();
    let first = channels.first().map(|(_, entry)| *entry);
    html! {
        table.digests {
            thead { tr { th { "platform" } @for (channel, _) in channels { th { (channel.name) } } } }
            tbody {
                @for platform in platforms {
                    tr {
                        td { (platform) }
                        @for (channel, entry) in channels {
                            @let sha256 = entry.sha256.get(platform);
                            @let differs = sha256 != first.and_then(|first| first.sha256.get(platform));
                            td class=[differs.then_some("differs")] data-head=(channel.name) { (digest(sha256, differs)) }
                        }
                    }
                }
            }
        }
    }
}

fn digest(sha256: Option<&String>, differs: bool) -> Markup {
    html! {
        @match sha256 {
            Some(sha256) => code title=(sha256) { (sha256.chars().take(DIGITS).collect::<String>()) },
            None => "none",
        }
        // Colour alone says it to those who see it.
        @if differs { " " small { "differs" } }
    }
}

/// Lists all promotions, newest first. The older ones are folded away.
fn history(service: &Service, now: Epoch) -> Markup {
    let all = service.channels.iter();
    let mut all: Vec<_> =
        all.flat_map(|channel| channel.entries.iter().map(move |e| (channel, e))).collect();
    // What has no time is older than what has.
    all.sort_by_key(|(_, entry)| Reverse(entry.promoted_at));
    let (recent, older) = all.split_at(all.len().min(RECENT));
    html! {
        (promotions(&service.name, recent, now))
        @if !older.is_empty() {
            details {
                summary { (count(older.len(), "older promotion")) }
                (promotions(&service.name, older, now))
            }
        }
    }
}

fn promotions(service: &str, promotions: &[(&Channel, &Entry)], now: Epoch) -> Markup {
    html! {
        table.promotions {
            thead { tr { th { "channel" } th { "release" } th { "promoted" } th { "instead of" } th { "by" } } }
            tbody {
                @for (channel, entry) in promotions {
                    tr {
                        td { span.channel { (channel.name) } }
                        td { (version(service, &entry.version)) }
                        td { (promoted(entry, now)) }
                        (cell("instead of", &html! {
                            @if let Some(replaced) = &entry.replaced { (version(service, replaced)) }
                        }))
                        (cell("by", &html! { (entry.promoted_by) }))
                    }
                }
            }
        }
    }
}

fn promoted(entry: &Entry, now: Epoch) -> Markup {
    html! { @match entry.promoted_at { Some(at) => (ago(at, now)), None => "at an unknown time" } }
}
