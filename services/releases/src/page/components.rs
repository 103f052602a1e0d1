//! HTML that several pages share: times, sizes, links, the marks of a release and of a channel.

use std::time::Duration;

use ftime::Epoch;
use maud::{Markup, html};

use crate::view::{Channel, Details, Lag, Release};

/// Returns the path of a service's page. Its name needs no escaping: it has the grammar of object keys.
pub(super) fn service_path(service: &str) -> String {
    format!("/{service}")
}

/// Shows a release's version, with a link to its page.
pub(super) fn version(service: &str, version: &str) -> Markup {
    html! { a.version href={ "/" (service) "/" (version) } { (version) } }
}

/// Shows a time to the minute.
pub(super) fn time(epoch: Epoch) -> Markup {
    // RFC 3339 begins with them.
    let text = epoch.to_rfc3339();
    let minute = text.get(..16).unwrap_or(&text).replace('T', " ");
    html! { time datetime=(text) { (minute) " UTC" } }
}

/// Shows a time by its age, with the time itself as the tooltip.
pub(super) fn ago(epoch: Epoch, now: Epoch) -> Markup {
    html! { time datetime=(epoch) title=(epoch) { (age(epoch, now)) } }
}

/// Makes a cell of a table that names its column, for narrow screens, which do not show the head.
pub(super) fn cell(head: &str, content: &Markup) -> Markup {
    html! { td data-head=(head) { (content) } }
}

/// Makes a table of releases of one service.
pub(super) fn releases<'r>(
    service: &str,
    releases: impl Iterator<Item = &'r Release>,
    now: Epoch,
) -> Markup {
    html! {
        table.releases {
            thead { tr { th { "release" } th { "committed" } th { "channels" } th { "platforms" } th.number { "size" } } }
            tbody {
                @for release in releases {
                    tr {
                        td {
                            (version(service, &release.version))
                            @if let Some(same) = &release.same_program_as {
                                div { small { "same program as " (version(service, same)) } }
                            }
                        }
                        td { (ago(release.made_at(), now)) }
                        td { (marks(release)) }
                        td { (platforms(release)) }
                        td.number { @if let Some(details) = &release.details { (size(total(details))) } }
                    }
                }
            }
        }
    }
}

/// Shows the channels that name a release now, and warnings for those who want to deploy it.
pub(super) fn marks(release: &Release) -> Markup {
    html! {
        @for named in release.channels.iter().filter(|named| named.current) {
            span.channel { (named.channel) } " "
        }
        @if release.channels.iter().any(|named| named.current && !named.as_promoted) {
            span.warn { "not as promoted" } " "
        }
        @if release.unreadable.is_some() { span.warn { "unreadable" } " " }
        @if release.details.as_ref().is_some_and(|details| details.dirty) {
            span.warn { "uncommitted" }
        }
    }
}

/// Shows the platforms of a release, each with a download link where there is one.
fn platforms(release: &Release) -> Markup {
    let Some(details) = &release.details else { return html! {} };
    html! {
        @for platform in &details.platforms {
            @let artifact = details.artifacts.iter().find(|artifact| artifact.platform == *platform);
            @match artifact.and_then(|artifact| artifact.download_url.as_ref()) {
                Some(url) => a.platform href=(url) rel="noreferrer" title={ "download " (artifact.map_or("", |a| &a.file)) } { (platform) },
                None => span.platform { (platform) },
            }
            " "
        }
    }
}

/// Says in a sentence how a channel differs from the one that is ahead of it.
pub(super) fn lag(lag: &Lag) -> Markup {
    let days = lag.secs.map(|secs| span(Duration::from_secs(secs)));
    html! {
        span.lag {
            strong.differs {
                @if !lag.versions.is_empty() {
                    @if lag.more { "at least " }
                    (count(lag.versions.len(), "release")) " behind " (lag.behind)
                } @else if lag.secs == Some(0) {
                    "same release as " (lag.behind)
                } @else {
                    "not the release of " (lag.behind)
                }
            }
            span.quiet {
                @if let (Some(days), false) = (days, lag.versions.is_empty()) { ", " (days) " of commits" }
                "; " (archives(lag))
            }
        }
    }
}

/// Says which archives differ.
fn archives(lag: &Lag) -> String {
    let of = lag.differ.len() + lag.same.len();
    let mut words = match (lag.differ.len(), of) {
        (_, 0) => vec!["no archive in common".to_owned()],
        (0, _) => vec!["the archives are the same".to_owned()],
        (differ, of) if differ == of => vec!["all archives differ".to_owned()],
        (differ, of) => {
            vec![format!("{differ} of {of} archives differ: {}", lag.differ.join(", "))]
        }
    };
    if !lag.missing.is_empty() {
        words.push(format!("without {}", lag.missing.join(", ")));
    }
    if !lag.extra.is_empty() {
        words.push(format!("with {} besides", lag.extra.join(", ")));
    }
    words.join("; ")
}

/// Says why a channel cannot be read.
pub(super) fn unreadable(channel: &Channel) -> Markup {
    html! {
        @if let Some(reason) = &channel.unreadable { span.warn { "unreadable: " (reason) } }
    }
}

/// Writes a number with its noun: `1 release`, `3 releases`.
pub(super) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Says how long ago a time was, in the largest unit of which there is at least one.
pub(super) fn age(then: Epoch, now: Epoch) -> String {
    // A clock that is ahead of ours makes it a moment ago, too.
    let passed = now.since(then).unwrap_or(Duration::ZERO);
    if passed.as_secs() < 60 { "just now".to_owned() } else { format!("{} ago", span(passed)) }
}

/// Writes a time span in the largest unit of which there is at least one.
fn span(passed: Duration) -> String {
    const UNITS: [(u64, &str); 5] = [
        (365 * 86400, "year"),
        (30 * 86400, "month"),
        (86400, "day"),
        (3600, "hour"),
        (60, "minute"),
    ];
    let secs = passed.as_secs();
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| secs >= *unit).unwrap_or((1, "second"));
    count(usize::try_from(secs / unit).unwrap_or(usize::MAX), name)
}

/// Adds up the sizes of all archives.
pub(super) fn total(details: &Details) -> u64 {
    details.artifacts.iter().fold(0, |sum, artifact| sum.saturating_add(artifact.size_bytes))
}

/// Writes a size as `4.1 MiB`: one decimal of the largest binary unit of which there is at least one.
pub(super) fn size(bytes: u64) -> String {
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

    use super::{age, size};

    const NOW: Epoch = Epoch::from_secs(1_400_000_000);

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
