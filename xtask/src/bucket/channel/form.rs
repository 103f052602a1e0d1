//! A channel's JSON: what is written, and how it is read back, strictly, since it is written again.

use ftime::Epoch;
use serde_json::{Value, json};

use super::{Channel, Entry, MOST_ENTRIES, Promoted, SCHEMA};
use crate::model::json::{self, Object};
use crate::model::object_key;
use crate::system::files;

/// The channel as it is written: pretty JSON and a newline.
pub(super) fn to_json(channel: &Channel) -> String {
    let entries: Vec<_> =
        [&channel.current].into_iter().chain(&channel.before).map(entry).collect();
    let document = json!({
        "schema": SCHEMA,
        "service": channel.service,
        "channel": channel.name,
        "entries": entries,
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

/// Reads the object that lies where the channel `name` of `service` does.
pub(super) fn read(bytes: &[u8], service: &str, name: &str) -> Result<Channel, String> {
    let document = json::parse(bytes)?;
    let mut object = Object::new(&document)?;
    let schema: u64 = object.get("schema")?;
    if schema != SCHEMA {
        return Err(format!("schema {schema}"));
    }
    let own: (String, String) = (object.get("service")?, object.get("channel")?);
    if (own.0.as_str(), own.1.as_str()) != (service, name) {
        return Err(format!("it says channel {:?} of {:?}", own.1, own.0));
    }
    let entries: Vec<Object<'_>> = object.get("entries")?;
    object.end()?;
    if entries.len() > MOST_ENTRIES {
        return Err(format!("{} entries, more than {MOST_ENTRIES}", entries.len()));
    }
    let mut entries = entries.into_iter().map(read_entry);
    let current = entries.next().ok_or("no entries")??;
    let before = entries.collect::<Result<_, _>>()?;
    Ok(Channel { service: own.0, name: own.1, current, before })
}

fn read_entry(object: Object<'_>) -> Result<Entry, String> {
    let entry = fields(object)?;
    let known = [Some(&entry.version), entry.replaced.as_ref()];
    if let Some(wrong) = known.into_iter().flatten().find(|v| !object_key::is_version(v)) {
        return Err(format!("{wrong:?} is no version"));
    }
    // Both are printed.
    if !super::is_who(&entry.by) {
        return Err(format!("`by` is {:?}", entry.by.chars().take(100).collect::<String>()));
    }
    Epoch::parse_rfc3339(&entry.at).map_err(|error| error.to_string())?;
    for artifact in &entry.artifacts {
        files::parse_digest(&artifact.sha256).map_err(|error| error.to_string())?;
    }
    Ok(entry)
}

fn fields(mut object: Object<'_>) -> json::Result<Entry> {
    let artifacts: Vec<Object<'_>> = object.get("artifacts")?;
    let entry = Entry {
        version: object.get("version")?,
        commit: object.get("commit")?,
        artifacts: artifacts.into_iter().map(read_promoted).collect::<json::Result<_>>()?,
        by: object.get("by")?,
        at: object.get("at")?,
        replaced: object.get("replaced")?,
    };
    object.end()?;
    Ok(entry)
}

fn read_promoted(mut object: Object<'_>) -> json::Result<Promoted> {
    let promoted = Promoted {
        platform: object.get("platform")?,
        object_key: object.get("object_key")?,
        size_bytes: object.get("size_bytes")?,
        sha256: object.get("sha256")?,
    };
    object.end()?;
    Ok(promoted)
}
