//! Object keys: how they are made and what they say. The one place that knows their grammar.
//!
//! Whatever a template says of archives, a manifest object's key is [`manifest_key`]: readers of the
//! bucket find releases by it, and archives by what it names.

use std::collections::{BTreeMap, BTreeSet};

use ferror::{Error, Result};

use crate::PLAIN_KEY_PLATFORM;

mod template;

pub use template::{Names, Template};

/// The longest object key that S3 takes, in bytes.
const MAX_KEY_BYTES: usize = 1024;

const PLAIN_KEY: &str = PLAIN_KEY_PLATFORM.as_str();

/// The parts of an object key in one of our fixed forms, borrowed from the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectName<'k> {
    /// A manifest object, which makes a release visible.
    Manifest {
        /// The folder, and the first part of the file's name.
        service: &'k str,
        /// See [`is_version`].
        version: &'k str,
    },
    /// An archive of a release.
    Archive {
        /// The folder, and the first part of the file's name.
        service: &'k str,
        /// See [`is_version`].
        version: &'k str,
        /// Such as `linux_arm64`; it need not be one that this program builds for.
        platform: &'k str,
    },
    /// A channel, which names a release.
    Channel {
        /// The folder.
        service: &'k str,
        /// Such as `stable`.
        channel: &'k str,
    },
    /// An entry of the index of binaries.
    IndexEntry {
        /// The digest of everything that can change the binary.
        build_key: &'k str,
        /// The digest of the binary before its stamp.
        unstamped_sha256: &'k str,
    },
    /// The receipt of a release that `verify` built again and found equal.
    Receipt {
        /// The service.
        service: &'k str,
        /// See [`is_version`].
        version: &'k str,
    },
}

impl<'k> ObjectName<'k> {
    /// Reads an object key. `None` when it has none of the fixed forms below `prefix`.
    pub fn parse(prefix: &str, object_key: &'k str) -> Option<Self> {
        let (service, file) = object_key.strip_prefix(prefix)?.split_once('/')?;
        if !is_service(service) {
            return parse_beside_services(service, file);
        }
        if let Some(channel) = file.strip_prefix("channels/") {
            let channel = channel.strip_suffix(".json")?;
            return is_channel(channel).then_some(Self::Channel { service, channel });
        }
        let rest = file.strip_prefix(service)?.strip_prefix('_')?;
        if let Some(version) = rest.strip_suffix(".json") {
            return is_version(version).then_some(Self::Manifest { service, version });
        }
        let rest = rest.strip_suffix(".tar.gz")?;
        // A version has no underscore, so the first one ends it.
        let (version, platform) = match rest.split_once('_') {
            None => (rest, PLAIN_KEY),
            // One platform has one key.
            Some((_, PLAIN_KEY)) => return None,
            Some(parts) => parts,
        };
        (is_version(version) && is_platform(platform)).then_some(Self::Archive {
            service,
            version,
            platform,
        })
    }
}

/// Reads the rest of an object key in one of the folders beside those of services.
fn parse_beside_services<'k>(folder: &str, file: &'k str) -> Option<ObjectName<'k>> {
    let (first, second) = file.split_once('/')?;
    match folder {
        "keys" if is_digest(first) && is_digest(second) => {
            Some(ObjectName::IndexEntry { build_key: first, unstamped_sha256: second })
        }
        "verified" if is_service(first) && is_version(second) => {
            Some(ObjectName::Receipt { service: first, version: second })
        }
        _ => None,
    }
}

/// Returns the key of an archive below `prefix`, which is empty or ends in `/`.
pub fn archive_key(template: Option<&Template>, prefix: &str, names: &Names<'_>) -> Result<String> {
    let Names { service, version, platform, .. } = names;
    match template {
        Some(template) => template.fill(prefix, names),
        None if *platform == PLAIN_KEY_PLATFORM => {
            Ok(format!("{prefix}{service}/{service}_{version}.tar.gz"))
        }
        None => Ok(format!("{prefix}{service}/{service}_{version}_{platform}.tar.gz")),
    }
}

/// Returns the key of the manifest object of a release.
pub fn manifest_key(prefix: &str, service: &str, version: &str) -> String {
    format!("{prefix}{service}/{service}_{version}.json")
}

/// Returns the key of a channel.
pub fn channel_key(prefix: &str, service: &str, channel: &str) -> String {
    format!("{prefix}{service}/channels/{channel}.json")
}

/// Returns the key of an entry of the index of binaries.
pub fn index_key(prefix: &str, build_key: &str, unstamped_sha256: &str) -> String {
    format!("{prefix}keys/{build_key}/{unstamped_sha256}")
}

/// Returns the key of the receipt of a release.
pub fn receipt_key(prefix: &str, service: &str, version: &str) -> String {
    format!("{prefix}verified/{service}/{version}")
}

/// Reads the folder that holds the releases, with or without the `/` at its end: the beginning of all keys, which
/// is empty or ends in `/`. `None` where a name in it is missing, `.` or `..`, which a client that reads keys as
/// paths would look for elsewhere, and where it has control characters.
pub fn folder_prefix(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let folder = text.strip_suffix('/').unwrap_or(text);
    let has_names = folder.split('/').all(|name| !["", ".", ".."].contains(&name));
    (has_names && !text.chars().any(char::is_control)).then(|| format!("{folder}/"))
}

/// Returns whether `text` is a channel's name: 1 to 63 lower-case letters, digits and hyphens.
pub fn is_channel(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fits)
}

/// Returns whether `text` can be a service's name: the grammar of a Cargo package name, in ASCII. `channels`, `keys` and
/// `verified` are names of folders beside those of services.
pub fn is_service(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_folder = ["channels", "keys", "verified"].contains(&text);
    (1..=64).contains(&text.len()) && !is_folder && text.bytes().all(fits)
}

/// Returns whether `text` is a version: 6 to 40 lower-case hex digits, or those, `-dirty.` and 8 more.
pub fn is_version(text: &str) -> bool {
    let (commit, content) = text.split_once("-dirty.").unwrap_or((text, "00000000"));
    (6..=40).contains(&commit.len())
        && content.len() == 8
        && is_lower_hex(commit)
        && is_lower_hex(content)
}

/// Returns whether `text` has no other characters than lower-case hex digits.
pub(crate) fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether `text` is a full commit, of SHA-1 or SHA-256.
pub(crate) fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && is_lower_hex(text)
}

/// Returns whether `text` is a SHA-256 in lower hex.
pub(crate) fn is_digest(text: &str) -> bool {
    s3::parse_digest(text).is_ok()
}

/// Returns whether `text` has the form of a platform's name, known or not.
fn is_platform(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=16).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let mut words = text.split('_');
    let has_two = words.by_ref().take(2).filter(|word| is_word(word)).count() == 2;
    // A third word names the libc.
    let is_libc = |word: &str| is_word(word) && !word.starts_with(|c: char| c.is_ascii_digit());
    has_two && words.next().is_none_or(is_libc) && words.next().is_none()
}

/// Returns whether `key` may be that of an entry of the index of binaries, whatever the prefix.
fn is_in_index(key: &str) -> bool {
    let folders: Vec<_> = key.split('/').collect();
    folders.windows(2).any(|pair| pair[0] == "keys" && is_digest(pair[1]))
}

/// Returns whether `key` may be that of a receipt, whatever the prefix.
fn is_receipt(key: &str) -> bool {
    let mut folders = key.rsplit('/');
    let parts = [(); 3].map(|()| folders.next().unwrap_or_default());
    matches!(parts, [version, service, "verified"] if is_version(version) && is_service(service))
}

/// Returns why `key` cannot be an archive's, if it cannot: what S3 does not take, what `promote` writes
/// below `<service>/channels/`, which no upload replaces, and where the index of binaries and receipts are.
pub(crate) fn problem(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        Some("it is empty")
    } else if key.len() > MAX_KEY_BYTES {
        Some("it is longer than 1024 bytes")
    } else if key.chars().any(char::is_control) {
        Some("it holds a control character")
    } else if key.starts_with("channels/") || key.contains("/channels/") {
        Some("channels are not written by an upload")
    } else if is_in_index(key) {
        Some("it lies in the index of binaries")
    } else if is_receipt(key) {
        Some("it is that of a receipt of verify")
    } else if key.ends_with('/') {
        Some("it names a folder")
    } else {
        None
    }
}

/// Refuses object keys of one plan of which one would overwrite another. `archives` are the archives' files and keys.
pub fn check_distinct<'a>(
    archives: impl IntoIterator<Item = (&'a str, &'a str)>,
    manifest_objects: &BTreeSet<String>,
) -> Result<()> {
    let refuse = |what: String| {
        Err(Error::config(what).hint("change object-key in [workspace.metadata.xtask]"))
    };
    let mut seen = BTreeMap::new();
    for (file, key) in archives {
        if manifest_objects.contains(key) {
            return refuse(format!(
                "{file} has the object key {key}, which is that of a manifest object"
            ));
        }
        if let Some(other) = seen.insert(key, file) {
            return refuse(format!("{other} and {file} have one object key, {key}"));
        }
    }
    Ok(())
}

/// Returns whether an object key may be one that a key template gave to an archive of `service`: below the
/// prefix, naming the service and one of `marks` (the release's version and commit), and neither a
/// channel nor one of our fixed forms that says otherwise. Whoever wrote a manifest object chose the
/// key, so the object has to be asked as well.
pub(crate) fn may_be_templated(
    prefix: &str,
    object_key: &str,
    service: &str,
    marks: &[&str],
) -> bool {
    let Some(below) = object_key.strip_prefix(prefix) else { return false };
    let says_otherwise = match ObjectName::parse(prefix, object_key) {
        None => false,
        // An archive of this very service is fine where the commit stands for the version.
        Some(ObjectName::Archive { service: other, version, .. }) => {
            other != service || !marks.contains(&version)
        }
        Some(_) => true,
    };
    let mut folders = object_key.split('/');
    !says_otherwise
        && object_key.len() <= MAX_KEY_BYTES
        && !object_key.contains(char::is_control)
        && !folders.any(|name| ["", ".", "..", "channels"].contains(&name))
        && stands_alone(below, service, |c| c.is_ascii_alphanumeric())
        && marks.iter().any(|mark| stands_alone(below, mark, |c| c.is_ascii_hexdigit()))
}

/// Returns whether `word` stands somewhere in `text` with nothing that belongs to words on either side.
fn stands_alone(text: &str, word: &str, belongs: impl Fn(char) -> bool) -> bool {
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            !text[..at].ends_with(&belongs) && !text[at + word.len()..].starts_with(&belongs)
        })
}

#[cfg(test)]
mod tests;
