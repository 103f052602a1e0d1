//! The page of one release: what it was made from, its archives, and the channels that name it.

use ftime::Epoch;
use maud::{Markup, html};

use super::components::{age, cell, service_path, size, time, total};
use crate::view::{Artifact, Details, Named, Release, Service};

pub(super) fn page(service: &Service, now: Epoch) -> Markup {
    html! { @for release in &service.releases { (one(service, release, now)) } }
}

fn one(service: &Service, release: &Release, now: Epoch) -> Markup {
    html! {
        h1 { a href=(service_path(&service.name)) { (service.name) } " " span.version { (release.version) } }
        @if let Some(reason) = &release.unreadable {
            p.note { "Its manifest object is unreadable: " (reason) }
        }
        dl {
            @if let Some(details) = &release.details {
                dt { "commit" }
                dd {
                    code.whole { (details.commit) }
                    @if details.dirty { " " span.warn { "with uncommitted changes" } }
                }
                dt { "committed" } dd { (both(details.committed_at, now)) }
            }
            dt { "uploaded" } dd { (both(release.published_at, now)) }
            @for named in &release.channels {
                dt { span.channel { (named.channel) } }
                dd { (naming(named, now)) }
            }
            @if release.channels.is_empty() { dt { "channels" } dd { "no channel names it or did" } }
        }
        @if let Some(details) = &release.details { (archives(details)) }
    }
}

fn both(epoch: Epoch, now: Epoch) -> Markup {
    html! { (time(epoch)) span.quiet { ", " (age(epoch, now)) } }
}

fn naming(named: &Named, now: Epoch) -> Markup {
    html! {
        @if named.current { "names it" } @else { "named it before" }
        span.quiet {
            @if let Some(at) = named.promoted_at { ", promoted " (age(at, now)) }
            @if !named.promoted_by.is_empty() { " by " (named.promoted_by) }
        }
        @if !named.as_promoted { " " span.warn { "its archives are not those that were promoted" } }
    }
}

fn archives(details: &Details) -> Markup {
    html! {
        section {
            h2 { "Archives" }
            table.archives {
                thead { tr { th { "platform" } th { "archive" } th.number { "size" } th { "SHA-256" } } }
                tbody { @for artifact in &details.artifacts { (row(artifact)) } }
            }
            p.quiet { (size(total(details))) " in all" }
        }
    }
}

fn row(artifact: &Artifact) -> Markup {
    html! {
        tr {
            td { (artifact.platform) }
            td {
                @if let Some(url) = &artifact.download_url {
                    a href=(url) rel="noreferrer" { (artifact.file) }
                } @else {
                    (artifact.file) " " span.warn { "its object key is not of this release" }
                }
            }
            td.number { (size(artifact.size_bytes)) }
            (cell("SHA-256", &html! { code.whole { (artifact.sha256) } }))
        }
    }
}
