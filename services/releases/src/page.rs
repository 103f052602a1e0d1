//! The page, drawn from a view. maud escapes every value, so a name in the bucket stays text; the
//! one exception is our own style sheet. Nothing is loaded: it works without scripts and offline.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ftime::Epoch;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::view::{Artifact, Details, Release, Service, View};
use crate::web::Failure;

const STYLE: &str = include_str!("style.css");

/// What a browser may do with the pages: show them, with the one style sheet that has this digest.
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

/// The page of all releases, as seen at `now`.
pub(crate) fn index(view: &View, now: Epoch) -> String {
    let content = html! {
        header {
            h1 { "Releases" }
            p.quiet {
                "in the bucket " code { (view.bucket) }
                @if !view.prefix.is_empty() { ", folder " code { (view.prefix) } }
            }
        }
        @if view.truncated {
            p.note { "The bucket holds more objects than this page reads. Services may be missing." }
        }
        @for service in &view.services { (section(service, now)) }
        @if view.services.is_empty() {
            p { "There are no releases yet. A release shows up here once its manifest object is in the bucket." }
        }
        footer {
            p {
                "Read at " (time(view.read_at)) ". Download links work until "
                (time(view.links_until)) "; load the page again for new ones. The same as "
                a href="/api/releases" { "JSON" } "."
            }
            p { (stamp::line(crate::SERVICE.name)) }
        }
    };
    document("Releases", &content)
}

/// The page instead, when the bucket cannot be read.
pub(crate) fn failure(failure: &Failure) -> String {
    let content = html! {
        h1 { "The bucket cannot be read" }
        p { "This service is fine; the bucket behind it is not: " strong { (failure.kind) } "." }
        @if let Some(code) = &failure.code { p { "It answered " code { (code) } "." } }
        p.quiet { "Load the page again in a few seconds. If it stays so, the log of this service says more." }
    };
    document("The bucket cannot be read", &content)
}

/// The page for every path that is none.
pub(crate) fn not_found() -> String {
    let content = html! {
        h1 { "There is no such page" }
        p { "All there is: " a href="/" { "the releases" } ", and the same as " a href="/api/releases" { "JSON" } "." }
    };
    document("There is no such page", &content)
}

fn document(title: &str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (content) }
        }
    };
    page.into_string()
}

fn section(service: &Service, now: Epoch) -> Markup {
    html! {
        section {
            h2 { (service.name) small { (count(service.releases.len() + service.not_shown)) } }
            @for (index, release) in service.releases.iter().enumerate() {
                // The newest is what people come for.
                details open[index == 0] {
                    summary { (summary(release, now)) }
                    div.inside {
                        @if let Some(reason) = &release.unreadable {
                            p.note { "Its manifest object is unreadable: " (reason) }
                        }
                        @if let Some(details) = &release.details { (inside(details)) }
                    }
                }
            }
            @if service.not_shown > 0 {
                p.quiet { "and " (count(service.not_shown)) " more, uploaded earlier" }
            }
        }
    }
}

fn summary(release: &Release, now: Epoch) -> Markup {
    let made_at = release.made_at();
    html! {
        strong { (release.version) }
        time datetime=(made_at) title=(made_at) { (age(made_at, now)) }
        " "
        span.chips {
            @if release.unreadable.is_some() { span.chip.warn { "unreadable" } }
            @if let Some(details) = &release.details {
                @if details.dirty { span.chip.warn { "uncommitted changes" } }
                @for platform in &details.platforms { span.chip { (platform) } }
            }
        }
    }
}

fn inside(details: &Details) -> Markup {
    html! {
        p.quiet { "commit " code.commit { (details.commit) } " of " (time(details.committed_at)) }
        table {
            thead { tr { th { "archive" } th.size { "size" } th { "SHA-256" } } }
            tbody { @for artifact in &details.artifacts { (row(artifact)) } }
        }
    }
}

fn row(artifact: &Artifact) -> Markup {
    html! {
        tr {
            td.name {
                @if let Some(url) = &artifact.download_url {
                    a href=(url) rel="noreferrer" { (artifact.file) }
                } @else {
                    (artifact.file) " " span.chip.warn { "its object key is not of this release" }
                }
            }
            td.size { (size(artifact.size_bytes)) }
            td.digest { code { (artifact.sha256) } }
        }
    }
}

fn time(epoch: Epoch) -> Markup {
    html! { time datetime=(epoch) { (epoch) } }
}

fn count(releases: usize) -> String {
    match releases {
        1 => "1 release".to_owned(),
        many => format!("{many} releases"),
    }
}

/// How long ago, in the largest unit of which there is at least one.
fn age(then: Epoch, now: Epoch) -> String {
    const UNITS: [(u64, &str); 5] = [
        (365 * 86400, "year"),
        (30 * 86400, "month"),
        (86400, "day"),
        (3600, "hour"),
        (60, "minute"),
    ];
    // A clock that is ahead of ours makes it a moment ago, too.
    let secs = now.since(then).unwrap_or(Duration::ZERO).as_secs();
    match UNITS.iter().find(|(unit, _)| secs >= *unit) {
        None => "just now".to_owned(),
        Some((unit, name)) if secs / unit == 1 => format!("1 {name} ago"),
        Some((unit, name)) => format!("{} {name}s ago", secs / unit),
    }
}

/// `4.1 MiB`: one decimal of the largest binary unit of which there is at least one.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((unit, name)) => {
            // In u128, as the largest u64 is a size that a manifest object may claim.
            let tenths = (u128::from(bytes) * 10 + u128::from(*unit) / 2) / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use ftime::Epoch;

    use super::{age, index, size};
    use crate::view::tests::{from_reading, release, view};

    const NOW: Epoch = Epoch::from_secs(1_400_000_000);

    #[test]
    fn the_page_shows_what_a_release_is() {
        let key = "oddjob/oddjob_abc123.tar.gz";
        let page = index(&view("oddjob", vec![release(&["linux_amd64"], "a.tar.gz", key)]), NOW);
        for text in [
            "<h2>oddjob",
            "<strong>abc123</strong>",
            "11 months ago",
            "abc1230000000000000000000000000000000000",
            "linux_amd64",
            "4.1 MiB",
            &"ab".repeat(32),
            "href=\"https://bucket.example/oddjob/oddjob_abc123.tar.gz?a=1&amp;b=&quot;2&quot;\"",
        ] {
            assert!(page.contains(text), "{text:?} is not in:\n{page}");
        }
    }

    #[test]
    fn all_that_comes_from_the_bucket_is_escaped() {
        let check = |hostile: &str, escaped: &str| {
            let mut broken = from_reading(Err(hostile.to_owned()));
            hostile.clone_into(&mut broken.version);
            let mut other = release(&[hostile], hostile, "oddjob/oddjob_abc123.tar.gz");
            if let Some(details) = &mut other.details {
                hostile.clone_into(&mut details.commit);
                hostile.clone_into(&mut details.artifacts[0].sha256);
                details.artifacts[0].download_url = Some(hostile.to_owned());
            }
            let mut shown = view(hostile, vec![broken, other]);
            hostile.clone_into(&mut shown.bucket);
            hostile.clone_into(&mut shown.prefix);
            let page = index(&shown, NOW);
            let body = page.split_once("<body>").expect("a page has a body").1;
            assert!(!body.contains(hostile) || hostile == escaped, "{hostile:?} got through");
            let times = body.matches(escaped).count();
            assert_eq!(
                times, 10,
                "{hostile:?} stands in ten places, in each as {escaped:?}:\n{body}"
            );
        };
        check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
        check("\" onmouseover=\"x", "&quot; onmouseover=&quot;x");
        check("a&amp;b", "a&amp;amp;b");
        check("größer 漢字 🦀", "größer 漢字 🦀");
    }

    #[test]
    fn an_archive_that_is_not_the_releases_own_is_shown_without_a_link() {
        let page = index(&view("oddjob", vec![release(&[], "a.tar.gz", "private/key")]), NOW);
        assert!(page.contains("its object key is not of this release"), "{page}");
        assert!(!page.contains("https://"), "nothing to download: {page}");
    }

    #[test]
    fn an_empty_bucket_says_what_is_missing() {
        let mut empty = view("oddjob", Vec::new());
        empty.services.clear();
        assert!(index(&empty, NOW).contains("There are no releases yet"));
    }

    #[test]
    fn ages_are_in_the_largest_unit() {
        let check = |secs: i64, expected: &str| {
            assert_eq!(age(Epoch::from_secs(NOW.secs() - secs), NOW), expected, "{secs} s");
        };
        check(-100, "just now");
        check(59, "just now");
        check(60, "1 minute ago");
        check(7199, "1 hour ago");
        check(86400 * 3, "3 days ago");
        check(86400 * 45, "1 month ago");
        check(86400 * 800, "2 years ago");
    }

    #[test]
    fn sizes_have_one_decimal() {
        let check = |bytes: u64, expected: &str| assert_eq!(size(bytes), expected, "{bytes}");
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.0 KiB");
        check(4_299_162, "4.1 MiB");
        check(u64::MAX, "17179869184.0 GiB");
    }
}
