//! Where objects lie in the bucket: the fixed form, or the template of `object-key`.
//!
//! Pure: names in, a key out, or why not. Whatever a template says, the manifest object's key is
//! [`manifest_object`]: readers of the bucket find releases by it, and artifacts by what it names.

use std::collections::BTreeSet;

use ferror::{Error, Result};

use crate::model::platform::{PLAIN_KEY_PLATFORM, Platform};

mod template;

pub use template::Template;

/// The longest key that S3 takes, in bytes.
const MAX_BYTES: usize = 1024;

/// What an artifact's key is made of.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The service.
    pub service: &'a str,
    /// The version.
    pub version: &'a str,
    /// The commit, all of it; with uncommitted changes marked as a version is.
    pub commit: &'a str,
    /// The platform.
    pub platform: Platform,
    /// The archive's name in the snapshot folder.
    pub file: &'a str,
}

/// The key of an artifact below `prefix`, which is empty or ends in `/`.
///
/// Without a template it is what deployments have always pulled: one platform's archives have no
/// platform in their key.
pub fn artifact(template: Option<&Template>, prefix: &str, names: &Names<'_>) -> Result<String> {
    let Names { service, version, platform, .. } = names;
    match template {
        Some(template) => template.fill(prefix, names),
        None if *platform == PLAIN_KEY_PLATFORM => {
            Ok(format!("{prefix}{service}/{service}_{version}.tar.gz"))
        }
        None => Ok(format!("{prefix}{service}/{service}_{version}_{platform}.tar.gz")),
    }
}

/// The key of a service's manifest object.
pub fn manifest_object(prefix: &str, service: &str, version: &str) -> String {
    format!("{prefix}{service}/{service}_{version}.json")
}

/// The service and the version whose manifest object has this key; `None` when it is another
/// object's.
pub fn parse_manifest_object<'k>(prefix: &str, key: &'k str) -> Option<(&'k str, &'k str)> {
    let (service, file) = key.strip_prefix(prefix)?.split_once('/')?;
    let version = file.strip_prefix(service)?.strip_prefix('_')?.strip_suffix(".json")?;
    (is_service(service) && is_version(version)).then_some((service, version))
}

/// The key of a channel, below the prefix.
pub fn channel(service: &str, channel: &str) -> String {
    format!("{service}/channels/{channel}.json")
}

/// The service and the channel whose object has this key; `None` when it is another object's.
pub fn parse_channel<'k>(prefix: &str, key: &'k str) -> Option<(&'k str, &'k str)> {
    let (service, file) = key.strip_prefix(prefix)?.split_once('/')?;
    let channel = file.strip_prefix("channels/")?.strip_suffix(".json")?;
    (is_service(service) && is_channel(channel)).then_some((service, channel))
}

/// Whether `text` is a channel's name: 1 to 63 lower-case letters, digits and hyphens.
pub fn is_channel(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether `text` can be a service's name in a key. `channels` is a folder's name, never a service's.
pub fn is_service(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=64).contains(&text.len()) && text != "channels" && text.bytes().all(fits)
}

/// Whether `text` is a version: 6 to 40 hex digits, or those, `-dirty.` and 8 hex digits.
pub fn is_version(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (commit, content) = text.split_once("-dirty.").unwrap_or((text, "00000000"));
    (6..=40).contains(&commit.len()) && content.len() == 8 && is_hex(commit) && is_hex(content)
}

/// Why `key` cannot be an artifact's, if it cannot: what S3 does not take, and what `promote` writes
/// below `<service>/channels/`, which no upload replaces.
pub fn problem(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        Some("it is empty")
    } else if key.len() > MAX_BYTES {
        Some("it is longer than 1024 bytes")
    } else if key.chars().any(char::is_control) {
        Some("it holds a control character")
    } else if key.starts_with("channels/") || key.contains("/channels/") {
        Some("channels are not written by an upload")
    } else if key.ends_with('/') {
        Some("it names a folder")
    } else {
        None
    }
}

/// Refuses keys of one plan of which one would overwrite another.
pub fn check_distinct<'a>(
    artifacts: impl IntoIterator<Item = &'a str>,
    manifest_objects: &BTreeSet<String>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for key in artifacts {
        if manifest_objects.contains(key) {
            return Err(Error::config(format!(
                "the object key {key} belongs to a manifest object"
            ))
            .hint("change object-key in [workspace.metadata.xtask]"));
        }
        if !seen.insert(key) {
            return Err(Error::config(format!("the object key {key} is that of two artifacts"))
                .hint("change object-key in [workspace.metadata.xtask]"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
