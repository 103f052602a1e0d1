//! A channel's JSON: what is written, and how it is read, strictly before it is written again, and
//! leniently where it is shown.

use ferror::{Error, Result};
use ftime::Epoch;
use serde_json::{Value, json};

use super::{Channel, Entry, MAX_ENTRIES, Promoted, SCHEMA, is_promoter};
use crate::json::{self, Object};
use crate::keys::{is_digest, is_version};

/// Returns the channel as it is written: pretty JSON and a newline.
pub(super) fn to_json(channel: &Channel) -> String {
    let document = json!({
        "schema": SCHEMA,
        "service": channel.service,
        "channel": channel.name,
        "entries": channel.entries().map(entry).collect::<Value>(),
    });
    format!("{document:#}\n")
}

fn entry(entry: &Entry) -> Value {
    let artifacts = entry.artifacts.iter().map(|artifact| {
        json!({
            "platform": artifact.platform,
            "object_key": artifact.object_key,
            "size_bytes": artifact.size_bytes,
            "sha256": artifact.sha256,
        })
    });
    json!({
        "version": entry.version,
        "commit": entry.commit,
        "artifacts": artifacts.collect::<Value>(),
        "by": entry.by,
        "at": entry.at,
        "replaced": entry.replaced,
    })
}

/// Reads the object that lies where the channel `name` of `service` does: every field is known, there,
/// and of its form.
pub(super) fn read_strict(bytes: &[u8], service: &str, name: &str) -> Result<Channel, String> {
    let document = json::parse(bytes)?;
    let mut object = Object::new(&document)?;
    object.expect_schema(SCHEMA)?;
    let own: (String, String) = (object.get("service")?, object.get("channel")?);
    if (own.0.as_str(), own.1.as_str()) != (service, name) {
        return Err(format!("it says channel {:?} of {:?}", own.1, own.0));
    }
    let entries: Vec<Object<'_>> = object.get("entries")?;
    object.end()?;
    if entries.len() > MAX_ENTRIES {
        return Err(format!("{} entries, more than {MAX_ENTRIES}", entries.len()));
    }
    let mut entries = entries.into_iter().map(checked_entry);
    let current = entries.next().ok_or("no entries")??;
    let before = entries.collect::<Result<_, _>>()?;
    Ok(Channel { service: own.0, name: own.1, current, before })
}

fn checked_entry(object: Object<'_>) -> Result<Entry, String> {
    let entry = entry_strict(object)?;
    let known = [Some(&entry.version), entry.replaced.as_ref()];
    if let Some(wrong) = known.into_iter().flatten().find(|version| !is_version(version)) {
        return Err(format!("{wrong:?} is no version"));
    }
    // Both are printed.
    if !is_promoter(&entry.by) {
        return Err(format!("`by` is {:?}", entry.by.chars().take(100).collect::<String>()));
    }
    Epoch::parse_rfc3339(&entry.at).map_err(|error| error.to_string())?;
    match entry.artifacts.iter().find(|artifact| !is_digest(&artifact.sha256)) {
        Some(Promoted { sha256, .. }) => Err(format!("{sha256:?} is no SHA-256 in lower hex")),
        None => Ok(entry),
    }
}

fn entry_strict(mut object: Object<'_>) -> json::Result<Entry> {
    let artifacts: Vec<Object<'_>> = object.get("artifacts")?;
    let entry = Entry {
        version: object.get("version")?,
        commit: object.get("commit")?,
        artifacts: artifacts.into_iter().map(promoted_strict).collect::<json::Result<_>>()?,
        by: object.get("by")?,
        at: object.get("at")?,
        replaced: object.get("replaced")?,
    };
    object.end()?;
    Ok(entry)
}

fn promoted_strict(mut object: Object<'_>) -> json::Result<Promoted> {
    let promoted = Promoted {
        platform: object.get("platform")?,
        object_key: object.get("object_key")?,
        size_bytes: object.get("size_bytes")?,
        sha256: object.get("sha256")?,
    };
    object.end()?;
    Ok(promoted)
}

/// Reads the object that lies where the channel `name` of `service` does, with whatever fields beside
/// the known ones.
pub(super) fn read_lenient(bytes: &[u8], service: &str, name: &str) -> Result<Channel> {
    let (own, entries) =
        fields_lenient(bytes).map_err(|error| Error::invalid(format!("not a channel: {error}")))?;
    for (what, says, is) in [("service", &own.0, service), ("channel", &own.1, name)] {
        if let Some(other) = says.as_ref().filter(|says| *says != is) {
            let message = format!("says {what} {other:?} but lies under {is:?}");
            return Err(Error::invalid(message));
        }
    }
    for entry in &entries {
        if !is_version(&entry.version) {
            return Err(Error::invalid(format!("{:?} is no version", entry.version)));
        }
        if !entry.at.is_empty() {
            Epoch::parse_rfc3339(&entry.at)?;
        }
    }
    let mut entries = entries.into_iter();
    let current = entries.next().ok_or_else(|| Error::invalid("it names no release"))?;
    let (service, name) = (service.to_owned(), name.to_owned());
    Ok(Channel { service, name, current, before: entries.collect() })
}

/// The service and the channel that a document names, where it does, and its entries.
type Lenient = ((Option<String>, Option<String>), Vec<Entry>);

fn fields_lenient(bytes: &[u8]) -> json::Result<Lenient> {
    let document = json::parse(bytes)?;
    let mut object = Object::new(&document)?;
    object.expect_schema(SCHEMA)?;
    let own = (object.find::<Option<_>>("service")?, object.find::<Option<_>>("channel")?);
    let entries: Vec<Object<'_>> = object.get("entries")?;
    let entries = entries.into_iter().map(entry_lenient).collect::<json::Result<_>>()?;
    Ok(((own.0.flatten(), own.1.flatten()), entries))
}

fn entry_lenient(mut object: Object<'_>) -> json::Result<Entry> {
    let artifacts: Vec<Object<'_>> = object.find("artifacts")?.unwrap_or_default();
    Ok(Entry {
        version: object.get("version")?,
        commit: object.find("commit")?.unwrap_or_default(),
        artifacts: artifacts.into_iter().map(promoted_lenient).collect::<json::Result<_>>()?,
        by: object.find("by")?.unwrap_or_default(),
        at: object.find("at")?.unwrap_or_default(),
        replaced: object.find::<Option<_>>("replaced")?.flatten(),
    })
}

fn promoted_lenient(mut object: Object<'_>) -> json::Result<Promoted> {
    Ok(Promoted {
        platform: object.get("platform")?,
        object_key: object.find("object_key")?.unwrap_or_default(),
        size_bytes: object.get("size_bytes")?,
        sha256: object.get("sha256")?,
    })
}
