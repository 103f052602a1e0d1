//! How far each channel lags behind the one whose release is newest.

use std::cmp::Reverse;

use super::channel::{Channel, Entry, Lag};
use super::release::Release;

/// Sorts channels by the age of their releases, those of unknown age last, and sets how each differs
/// from the first. `releases` are those of the service that are known, newest first; after the
/// first `complete` of them, some may be missing.
pub(crate) fn compare(channels: &mut [Channel], releases: &[Release], complete: usize) {
    let place = |channel: &Channel| {
        let version = &channel.current()?.version;
        releases.iter().position(|release| release.version == *version)
    };
    channels.sort_by_key(|channel| {
        (channel.current().is_none(), Reverse(place(channel).map(Reverse)), channel.name.clone())
    });
    let Some((ahead, others)) = channels.split_first_mut() else { return };
    let Some(first) = ahead.current() else { return };
    for other in others {
        let Some(entry) = other.current() else { continue };
        let places = place(ahead).zip(place(other));
        let mut lag = Lag::new((&ahead.name, first), entry, releases, places);
        lag.more = places.is_some_and(|(_, here)| here >= complete);
        let differs = first.version != entry.version || first.sha256 != entry.sha256;
        other.lag = differs.then_some(lag);
    }
}

impl Lag {
    fn new(
        (behind, first): (&str, &Entry),
        entry: &Entry,
        releases: &[Release],
        places: Option<(usize, usize)>,
    ) -> Self {
        let mut lag = Self {
            behind: behind.to_owned(),
            versions: Vec::new(),
            more: false,
            secs: None,
            differ: Vec::new(),
            same: Vec::new(),
            missing: Vec::new(),
            extra: Vec::new(),
        };
        if let Some((ahead, here)) = places {
            lag.versions.extend(releases[ahead..here].iter().map(|r| r.version.clone()));
            let apart = releases[ahead].made_at().since(releases[here].made_at());
            lag.secs = apart.map(|apart| apart.as_secs());
        }
        for (platform, sha256) in &first.sha256 {
            let list = match entry.sha256.get(platform) {
                None => &mut lag.missing,
                Some(own) if own == sha256 => &mut lag.same,
                Some(_) => &mut lag.differ,
            };
            list.push(platform.clone());
        }
        let is_extra = |platform: &&String| !first.sha256.contains_key(*platform);
        lag.extra.extend(entry.sha256.keys().filter(is_extra).cloned());
        lag
    }
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::view::tests::{channel, release_of_day};
    use crate::view::{Channel, Lag};

    /// Returns the names in their order, and the lag of the last.
    fn compared(mut channels: Vec<Channel>) -> (Vec<String>, Option<Lag>) {
        let releases = [("ddd444", 9), ("ccc333", 7), ("bbb222", 3), ("aaa111", 0)];
        let releases = releases.map(|(version, day)| release_of_day(version, day, &[]));
        compare(&mut channels, &releases, 3);
        assert!(channels[0].lag.is_none(), "the first is ahead: {channels:?}");
        let last = channels.last().and_then(|channel| channel.lag.clone());
        (channels.into_iter().map(|channel| channel.name).collect(), last)
    }

    #[test]
    fn a_channel_lags_by_the_releases_between_and_the_archives_that_differ() {
        let edge = [("linux_amd64", "11"), ("linux_arm64", "22"), ("darwin_arm64", "33")];
        let stable = [("linux_amd64", "11"), ("linux_arm64", "99"), ("darwin_amd64", "44")];
        let (names, lag) = compared(vec![
            channel("stable", &["aaa111"], &stable),
            channel("edge", &["ccc333"], &edge),
        ]);
        assert_eq!(names, ["edge", "stable"]);
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let expected = Lag {
            behind: "edge".to_owned(),
            versions: words(&["ccc333", "bbb222"]),
            more: true,
            secs: Some(7 * 86400),
            differ: words(&["linux_arm64"]),
            same: words(&["linux_amd64"]),
            missing: words(&["darwin_arm64"]),
            extra: words(&["darwin_amd64"]),
        };
        assert_eq!(lag, Some(expected));
    }

    #[test]
    fn channels_that_name_the_same_do_not_lag_until_one_has_other_archives() {
        let archives = [("linux_amd64", "11")];
        let two = |other: &[(&str, &str)]| {
            compared(vec![channel("b", &["bbb222"], other), channel("a", &["bbb222"], &archives)])
        };
        assert_eq!(two(&archives), (vec!["a".to_owned(), "b".to_owned()], None));
        let lag = two(&[]).1.expect("it misses a platform");
        assert_eq!(
            (lag.versions.len(), lag.more, lag.missing),
            (0, false, vec!["linux_amd64".to_owned()])
        );
    }

    #[test]
    fn what_is_not_known_comes_last_and_is_compared_as_far_as_it_is_known() {
        let unreadable = Channel::new("broken", Err("schema 2".to_owned()));
        let gone = channel("gone", &["999999"], &[("linux_amd64", "11")]);
        let edge = channel("edge", &["ddd444"], &[("linux_amd64", "22")]);
        let (names, lag) = compared(vec![unreadable.clone(), gone.clone(), edge.clone()]);
        assert_eq!((names, lag), (["edge", "gone", "broken"].map(str::to_owned).to_vec(), None));
        let lag = compared(vec![gone, edge]).1.expect("another release");
        assert_eq!((lag.secs, lag.differ), (None, vec!["linux_amd64".to_owned()]));
        assert_eq!(compared(vec![unreadable]).0, ["broken"]);
    }
}
