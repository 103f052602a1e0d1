//! Channels: which release a service's stable one is, which the tested one, and which were before.

use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;
use s3::Client;
use serde::Deserialize;

use crate::name::{channel_folder, is_version, parse_channel};
use crate::{Found, Reading};

/// A service has a handful of channels; with more than this, something else lies there.
const MAX_CHANNELS: usize = 1000;
/// A channel keeps 20 entries of some artifacts each.
const MAX_CHANNEL_BYTES: u64 = 1 << 20;
/// The layout that this code reads.
const SCHEMA: u64 = 1;

/// What a channel says: which release it names, and which it named before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Such as `stable`.
    pub name: String,
    /// The entry that counts, then those before it, newest first. There is at least one.
    pub entries: Vec<Entry>,
}

/// A release that a channel names or named. Fields that no reader needs are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The version.
    pub version: String,
    /// The commit, all 40 hex digits; empty where the writer left it out.
    #[serde(default)]
    pub commit: String,
    /// Its archives when it was promoted.
    #[serde(default)]
    pub artifacts: Vec<Promoted>,
    /// Who promoted it; empty where the writer left it out.
    #[serde(default)]
    pub by: String,
    /// When it was promoted.
    #[serde(default, deserialize_with = "rfc3339")]
    pub at: Option<Epoch>,
    /// The version that the channel named until then.
    #[serde(default)]
    pub replaced: Option<String>,
}

/// What a channel keeps of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Promoted {
    /// Such as `linux_arm64`.
    pub platform: String,
    /// Length of the archive.
    pub size_bytes: u64,
    /// SHA-256 of the archive in lower hex.
    pub sha256: String,
}

impl Channel {
    /// Reads the object that lies where the channel `name` of `service` does. Unknown fields are fine.
    ///
    /// # Errors
    /// [`Kind::Invalid`], with a reason that is fit to be shown.
    pub fn read(bytes: &[u8], service: &str, name: &str) -> ferror::Result<Self> {
        #[derive(Deserialize)]
        struct Numbered {
            schema: u64,
        }
        #[derive(Deserialize)]
        struct Object {
            service: Option<String>,
            channel: Option<String>,
            entries: Vec<Entry>,
        }
        let Numbered { schema } = serde_json::from_slice(bytes).map_err(not_a_channel)?;
        if schema != SCHEMA {
            return Err(Error::invalid(format!("schema {schema}, this program reads {SCHEMA}")));
        }
        let object: Object = serde_json::from_slice(bytes).map_err(not_a_channel)?;
        for (what, says, is) in
            [("service", object.service, service), ("channel", object.channel, name)]
        {
            if let Some(other) = says.filter(|says| says != is) {
                let message = format!("says {what} {other:?} but lies under {is:?}");
                return Err(Error::invalid(message));
            }
        }
        if let Some(Entry { version, .. }) = object.entries.iter().find(|e| !is_version(&e.version))
        {
            return Err(Error::invalid(format!("{version:?} is no version")));
        }
        if object.entries.is_empty() {
            return Err(Error::invalid("it names no release"));
        }
        Ok(Self { name: name.to_owned(), entries: object.entries })
    }

    /// The entry that counts.
    pub fn current(&self) -> &Entry {
        &self.entries[0]
    }

    /// The entry that counts, and the one that a rollback would go to: what must not be removed.
    pub fn kept(&self) -> &[Entry] {
        &self.entries[..self.entries.len().min(2)]
    }
}

/// Reads a channel that was listed. `None` when it is gone.
///
/// # Errors
/// What the bucket answers. An object that is no channel is no error: it is in [`Reading::content`].
pub fn read_channel(
    client: &Client,
    service: &str,
    found: &Found,
) -> ferror::Result<Option<Reading<Channel>>> {
    let read = |bytes: &[u8]| Channel::read(bytes, service, &found.name);
    crate::shelf::read_object(client, &found.object_key, MAX_CHANNEL_BYTES, read)
        .with_context(|| format!("reading the channel {} of {service}", found.name))
}

/// All channels of `service` as they are now.
///
/// # Errors
/// What the bucket answers. A channel that cannot be read is [`Kind::Invalid`]: what it names is not
/// known, and so nothing of the service should be removed.
pub fn read_channels(client: &Client, prefix: &str, service: &str) -> ferror::Result<Vec<Channel>> {
    let folder = channel_folder(prefix, service);
    let listing = client.list(&folder, MAX_CHANNELS).context("listing the channels")?;
    if listing.truncated {
        let message = format!("{folder} holds more than {MAX_CHANNELS} objects");
        return Err(Error::new(Kind::Invalid, message));
    }
    let mut channels = Vec::new();
    for object in listing.objects {
        let Some((_, name)) = parse_channel(prefix, &object.object_key) else { continue };
        let found = Found::new(name.to_owned(), object);
        let Some(Reading { content, .. }) = read_channel(client, service, &found)? else {
            continue;
        };
        channels.push(content.map_err(|reason| {
            Error::invalid(format!("{} is no channel that can be read: {reason}", found.object_key))
        })?);
    }
    Ok(channels)
}

fn not_a_channel(error: serde_json::Error) -> Error {
    Error::new(Kind::Invalid, format!("not a channel: {error}")).caused_by(error)
}

fn rfc3339<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Epoch>, D::Error> {
    ftime::as_rfc3339::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Channel;

    fn read(value: &Value) -> ferror::Result<Channel> {
        Channel::read(value.to_string().as_bytes(), "oddjob", "stable")
    }

    fn example() -> Value {
        json!({
            "schema": 1, "service": "oddjob", "channel": "stable",
            "entries": [
                {"version": "abc123", "commit": "abc1230000000000000000000000000000000000",
                    "artifacts": [{"platform": "linux_amd64", "size_bytes": 7, "sha256": "00",
                        "object_key": "oddjob/oddjob_abc123.tar.gz"}],
                    "by": "ann", "at": "2013-05-24T00:00:00Z", "replaced": "def456"},
                {"version": "def456"}, {"version": "aaaaaa"},
            ],
        })
    }

    #[test]
    fn a_channel_is_read_and_keeps_the_release_it_names_and_the_one_before() {
        let channel = read(&example()).expect("it is one");
        let current = channel.current();
        assert_eq!((current.version.as_str(), current.by.as_str()), ("abc123", "ann"));
        assert_eq!(current.at.expect("a time").to_string(), "2013-05-24T00:00:00Z");
        assert_eq!(current.artifacts[0].platform, "linux_amd64");
        let kept: Vec<_> = channel.kept().iter().map(|entry| entry.version.as_str()).collect();
        assert_eq!(kept, ["abc123", "def456"]);
        let mut only = example();
        only["entries"].as_array_mut().unwrap().truncate(1);
        assert_eq!(read(&only).expect("it is one").kept().len(), 1);
    }

    #[test]
    fn what_is_no_channel_of_this_key_says_why() {
        let check = |name: &str, to: Value, expected: &str| {
            let mut value = example();
            value[name] = to;
            let error = read(&value).expect_err(expected).to_string();
            assert!(error.contains(expected), "{name}: {expected:?} is not in {error:?}");
        };
        check("schema", json!(2), "schema 2, this program reads 1");
        check("schema", json!("1"), "not a channel");
        check("service", json!("other"), "says service \"other\"");
        check("channel", json!("edge"), "says channel \"edge\"");
        check("entries", json!([]), "it names no release");
        check("entries", json!([{}]), "missing field `version`");
        check("entries", json!([{"version": "../../x"}]), "is no version");
        check("entries", json!([{"version": "abc123", "at": "noon"}]), "noon");
    }
}
