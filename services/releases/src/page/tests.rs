//! What the pages show of a view, and that all of it stays text.

use ftime::Epoch;

use super::{draw, not_found};
use crate::source::Scope;
use crate::view::tests::{channel, from_reading, release, release_of_day, view, view_with};
use crate::view::{Channel, Release, View};

const NOW: Epoch = Epoch::from_secs(1_400_000_000);

/// Renders all three pages, with the scopes they have for this name and version.
fn pages(view: &View, version: &str) -> [String; 3] {
    let name = view.services.first().map_or("oddjob", |service| &service.name);
    let (name, version) = (name.to_owned(), version.to_owned());
    [Scope::All, Scope::Service(name.clone()), Scope::Release(name, version)]
        .map(|scope| draw(view, &scope, NOW))
}

fn contains(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text:?} is not in:\n{page}");
    }
}

#[test]
fn the_pages_show_what_a_release_is() {
    let key = "oddjob/oddjob_abc123.tar.gz";
    let link =
        "href=\"https://bucket.example/oddjob/oddjob_abc123.tar.gz?a=1&amp;b=&quot;2&quot;\"";
    let view = view("oddjob", vec![release(&["linux_amd64"], "a.tar.gz", key)]);
    let [index, service, release] = pages(&view, "abc123");
    for page in [&index, &service] {
        contains(
            page,
            &["href=\"/oddjob/abc123\"", "11 months ago", "linux_amd64", "4.1 MiB", link],
        );
    }
    contains(&index, &["<h2><a href=\"/oddjob\">oddjob</a></h2>", "href=\"/api/releases\""]);
    contains(
        &service,
        &["<a href=\"/\">Releases</a>", "<h1>oddjob</h1>", "/api/releases/oddjob\""],
    );
    contains(
        &release,
        &[
            "<a href=\"/\">Releases</a>",
            "<a href=\"/oddjob\">oddjob</a>",
            "abc1230000000000000000000000000000000000",
            "2013-05-24T00:00:00Z",
            "2014-05-13T16:53:20Z",
            "4.1 MiB",
            &"ab".repeat(32),
            link,
            "no channel names it or did",
            "/api/releases/oddjob/abc123\"",
        ],
    );
}

/// Returns a service with a channel that lags, one that cannot be read, and one that is ahead.
fn with_channels() -> View {
    let channels = vec![
        channel("stable", &["aaa111", "000000"], &[("linux_amd64", "55"), ("linux_arm64", "66")]),
        channel("edge", &["ccc333"], &[("linux_amd64", "77"), ("linux_arm64", "66")]),
        Channel::new("broken", Err("schema 2".to_owned())),
    ];
    let releases = [("ccc333", 7), ("bbb222", 3), ("aaa111", 0)];
    let releases = releases.map(|(version, day)| release_of_day(version, day, &channels));
    view_with("oddjob", channels, releases.to_vec())
}

#[test]
fn what_differs_between_channels_is_marked() {
    let [index, service, _] = pages(&with_channels(), "aaa111");
    let lag = "<strong class=\"differs\">2 releases behind edge</strong>\
               <span class=\"quiet\">, 7 days of commits; 1 of 2 archives differ: linux_amd64";
    for page in [&index, &service] {
        contains(page, &[lag, "unreadable: schema 2", "<span class=\"channel\">stable</span>"]);
        let edge = page.find(">edge<").expect("edge is there");
        assert!(edge < page.find(">stable<").expect("stable too"), "what is ahead comes first");
    }
    contains(
        &service,
        &[
            "(<a class=\"version\" href=\"/oddjob/ccc333\">ccc333</a>, <a class=\"version\"",
            "<td class=\"differs\" data-head=\"stable\"><code title=\"55\">55</code> <small>differs</small>",
            "<td data-head=\"stable\"><code title=\"66\">66</code></td>",
            "href=\"/oddjob/000000\"",
            "<td data-head=\"by\">ann</td>",
        ],
    );
}

#[test]
fn a_release_has_the_channels_that_name_it_or_did() {
    let check = |version: &str, texts: &[&str]| {
        let mut view = with_channels();
        view.services[0].releases.retain(|release| release.version == version);
        contains(&pages(&view, version)[2], texts);
    };
    // The example releases have no archives, so they are not what was promoted.
    check("aaa111", &["names it", "by ann", "not those that were promoted", ">stable<"]);
    check("bbb222", &["no channel names it or did"]);
}

#[test]
fn all_that_comes_from_the_bucket_is_escaped() {
    /// How often each page shows the text, which is longer than what is cut: a change of a page
    /// changes its number.
    const TIMES: [usize; 3] = [27, 52, 19];
    let check = |hostile: &str, escaped: &str| {
        let view = hostile_view(hostile);
        for (page, times) in pages(&view, hostile).iter().zip(TIMES) {
            let body = page.split_once("<body>").expect("a page has a body").1;
            assert!(!body.contains(hostile) || hostile == escaped, "{hostile:?} got through");
            assert_eq!(body.matches(escaped).count(), times, "{escaped:?} in:\n{body}");
        }
    };
    check("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
    check("\" onmouseover=\"x", "&quot; onmouseover=&quot;x");
    check("a&amp;b and so on", "a&amp;amp;b and so on");
    check("größer 漢字 🦀 und so fort", "größer 漢字 🦀 und so fort");
}

/// Returns a view in which everything that comes from the bucket is this text.
fn hostile_view(hostile: &str) -> View {
    let text = || hostile.to_owned();
    let archives = [("linux_amd64", hostile), (hostile, "11")];
    let mut channels =
        vec![channel("stable", &["abc123"], &archives), channel("edge", &["abc123"], &[])];
    let mut broken = from_reading(Err(text()));
    broken.version = text();
    let mut other: Release = release(&[hostile], hostile, "oddjob/oddjob_abc123.tar.gz");
    if let Some(details) = &mut other.details {
        details.commit = text();
        details.artifacts[0].sha256 = text();
        details.artifacts[0].platform = text();
        details.artifacts[0].download_url = Some(text());
    }
    other.same_program_as = Some(text());
    other.channels.extend(channels[0].naming("abc123", &|_, _| false));
    for channel in &mut channels {
        channel.name = text();
        let entry = &mut channel.entries[0];
        (entry.version, entry.commit, entry.promoted_by) = (text(), text(), text());
        entry.replaced = Some(text());
    }
    for named in &mut other.channels {
        (named.channel, named.promoted_by) = (text(), text());
    }
    channels.push(Channel::new(hostile, Err(text())));
    let mut view = view_with(hostile, channels, vec![broken, other]);
    (view.bucket, view.prefix) = (text(), text());
    view
}

#[test]
fn an_archive_that_is_not_the_releases_own_is_shown_without_a_link() {
    let view = view("oddjob", vec![release(&["linux_amd64"], "a.tar.gz", "private/key")]);
    let pages = pages(&view, "abc123");
    contains(&pages[2], &["its object key is not of this release"]);
    for page in pages {
        assert!(!page.contains("https://"), "nothing to download: {page}");
    }
}

#[test]
fn an_empty_bucket_says_what_is_missing() {
    let mut empty = view("oddjob", Vec::new());
    empty.services.clear();
    contains(&draw(&empty, &Scope::All, NOW), &["There are no releases yet"]);
    empty.truncated = true;
    contains(&draw(&empty, &Scope::All, NOW), &["more objects in the bucket than this page reads"]);
}

#[test]
fn what_is_not_there_is_named_and_leads_back() {
    let (service, version) = ("oddjob".to_owned(), "abc123".to_owned());
    contains(&not_found(None), &["There is no such page", "href=\"/\""]);
    contains(&not_found(Some(&Scope::Service(service.clone()))), &["There is no service oddjob"]);
    contains(
        &not_found(Some(&Scope::Release(service, version))),
        &[
            "oddjob has no release <span class=\"version\">abc123</span>",
            "<a href=\"/oddjob\">oddjob</a>",
        ],
    );
}
