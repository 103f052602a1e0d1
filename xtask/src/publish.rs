//! One service's release, put into a bucket exactly once.
//!
//! The manifest object is the commit point: it is read first and written last. What it names is
//! published and keeps its bytes; what no manifest object names may be replaced. So this may be
//! run again at any point, by several jobs at once, and after a run that died.

use std::path::Path;

use ferror::{Error, Kind};
use s3::{Body, Client, Precondition, Put, PutOutcome};

use crate::files;
use crate::manifest::{Artifact, Manifest};
use crate::ui::Ui;

mod receipt;

pub use receipt::{Outcome, Receipt};

/// How often a manifest object that others extend at the same time is read anew.
const ROUNDS: usize = 8;
/// A manifest object larger than this is none of ours: four platforms take three KiB.
const MANIFEST_MAX_BYTES: u64 = 1 << 20;

/// What is published: one service's part of a manifest, and where its files are.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The service.
    pub service: &'a str,
    /// The folder of the files.
    pub dir: &'a Path,
    /// The content type of archives.
    pub content_type: &'a str,
}

/// What is known of a manifest object.
enum Seen {
    Absent,
    /// A narrow policy forbids reading it; where listing is forbidden too, S3 answers so for an
    /// absent object as well. Then writing decides.
    Unreadable,
    There(Published),
}

/// The manifest object that is in the bucket.
struct Published {
    manifest: Manifest,
    bytes: Vec<u8>,
    etag: String,
}

/// Publishes `release`: every artifact that is not there, then the manifest object.
pub fn publish(client: &Client, release: &Release<'_>, ui: Ui) -> anyhow::Result<Vec<Receipt>> {
    let part = release.manifest.part_of(release.service);
    let Some(key) = release.manifest.object_key(release.service) else {
        return Ok(Vec::new());
    };
    let mut receipts: Vec<Receipt> = Vec::new();
    for _ in 0..ROUNDS {
        let seen = look(client, &key)?;
        let published = match &seen {
            Seen::There(published) => Some(published),
            Seen::Absent | Seen::Unreadable => None,
        };
        if let Some(published) = published {
            check_same_release(&published.manifest, &part, &key)?;
        }
        for artifact in &part.artifacts {
            if receipts.iter().any(|receipt| receipt.object_key == artifact.object_key) {
                continue;
            }
            let named = published.is_some_and(|p| p.manifest.artifacts.contains(artifact));
            let outcome =
                if named { Outcome::AlreadyThere } else { send(client, release, artifact, &part)? };
            let receipt =
                Receipt::new(&artifact.object_key, artifact.size_bytes, &artifact.sha256, outcome);
            ui.result(&receipt);
            receipts.push(receipt);
        }
        if let Some((outcome, bytes)) = commit(client, &key, &part, published, release)? {
            let receipt = Receipt::new(&key, bytes.len() as u64, &files::sha256(&bytes), outcome);
            ui.result(&receipt);
            receipts.push(receipt);
            return Ok(receipts);
        }
        if matches!(seen, Seen::Unreadable) {
            return Err(unreadable(&key).into());
        }
    }
    Err(Error::new(
        Kind::Conflict,
        format!("{key} changed {ROUNDS} times while it was being extended"),
    )
    .hint("run upload again when the other uploads of this version have ended")
    .into())
}

/// Writes the manifest object. `None` when another upload wrote it since it was read.
fn commit(
    client: &Client,
    key: &str,
    part: &Manifest,
    published: Option<&Published>,
    release: &Release<'_>,
) -> anyhow::Result<Option<(Outcome, Vec<u8>)>> {
    // It only grows: what it says of an artifact stays as it is.
    let mut whole = published.map_or(part, |published| &published.manifest).clone();
    whole.extend_from(part);
    let bytes = whole.to_json().into_bytes();
    let (precondition, outcome) = match published {
        Some(published) if published.bytes == bytes => {
            return Ok(Some((Outcome::AlreadyThere, bytes)));
        }
        Some(published) => (Precondition::Matches(&published.etag), Outcome::Extended),
        None => (Precondition::Absent, Outcome::Stored),
    };
    let branch = release.manifest.branch.name().map(metadata_value);
    let metadata: Vec<_> = branch.as_deref().map(|branch| ("branch", branch)).into_iter().collect();
    let put = Put {
        body: Body::Bytes(&bytes),
        content_type: "application/json",
        metadata: &metadata,
        precondition,
    };
    match client.put(key, &put)? {
        PutOutcome::Stored(_) => Ok(Some((outcome, bytes))),
        PutOutcome::PreconditionFailed => Ok(None),
    }
}

/// Looks for the manifest object.
fn look(client: &Client, key: &str) -> anyhow::Result<Seen> {
    let object = match client.get(key, MANIFEST_MAX_BYTES) {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(Seen::Absent),
        Err(error) if is_access_denied(&error) => return Ok(Seen::Unreadable),
        Err(error) => return Err(error.into()),
    };
    let origin = format!("object {}/{key}", client.location().bucket);
    let manifest = Manifest::parse(&object.bytes, &origin)?;
    Ok(Seen::There(Published { manifest, bytes: object.bytes, etag: object.head.etag }))
}

fn is_access_denied(error: &Error) -> bool {
    let fault =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<s3::Fault>());
    fault.is_some_and(|fault| fault.code == "AccessDenied")
}

/// What is published never changes: the same commit, and equal digests for what both name.
fn check_same_release(published: &Manifest, part: &Manifest, key: &str) -> ferror::Result<()> {
    let conflict = |what: String| {
        Err(Error::new(Kind::Conflict, format!("{key} is published already, {what}"))
            .hint("what is published never changes: commit again, or take a longer --version"))
    };
    if !published.is_same_release(part) {
        return conflict(format!("of commit {}; this is commit {}", published.commit, part.commit));
    }
    for ours in &part.artifacts {
        let same_place = |theirs: &&Artifact| {
            theirs.object_key == ours.object_key
                || (&theirs.service, &theirs.platform) == (&ours.service, &ours.platform)
        };
        if let Some(theirs) = published.artifacts.iter().find(same_place)
            && (theirs.sha256 != ours.sha256 || theirs.object_key != ours.object_key)
        {
            return conflict(format!(
                "of commit {} with sha256 {} for {}; this is commit {} with sha256 {} for {}",
                published.commit,
                theirs.sha256,
                theirs.object_key,
                part.commit,
                ours.sha256,
                ours.object_key
            ));
        }
    }
    Ok(())
}

/// PUTs one artifact that no manifest object names.
fn send(
    client: &Client,
    release: &Release<'_>,
    artifact: &Artifact,
    part: &Manifest,
) -> anyhow::Result<Outcome> {
    let path = release.dir.join(&artifact.file);
    let (size_bytes, sha256) = (artifact.size_bytes, check_digest(release.dir, artifact)?);
    let metadata = [
        ("sha256", artifact.sha256.as_str()),
        ("version", release.manifest.version.as_str()),
        ("commit", release.manifest.commit.as_str()),
    ];
    let put = |precondition| Put {
        body: Body::File { path: &path, size_bytes, sha256 },
        content_type: release.content_type,
        metadata: &metadata,
        precondition,
    };
    if let PutOutcome::Stored(_) = client.put(&artifact.object_key, &put(Precondition::Absent))? {
        return Ok(Outcome::Stored);
    }
    let Some(found) = client.head(&artifact.object_key)? else {
        return Err(changed_meanwhile(&artifact.object_key).into());
    };
    if is_same(client, artifact, &found)? {
        return Ok(Outcome::AlreadyThere);
    }
    // Other bytes. Another upload may have published them since we looked, so look again: only the
    // leftover of one that never finished is replaced, and only those very bytes.
    let key = release.manifest.object_key(release.service).unwrap_or_default();
    match look(client, &key)? {
        Seen::Absent => {}
        Seen::There(published) => {
            check_same_release(&published.manifest, part, &key)?;
            if published.manifest.artifacts.contains(artifact) {
                return Err(changed_meanwhile(&artifact.object_key).into());
            }
        }
        Seen::Unreadable => return Err(unreadable(&key).into()),
    }
    match client.put(&artifact.object_key, &put(Precondition::Matches(&found.etag)))? {
        PutOutcome::Stored(_) => Ok(Outcome::Replaced),
        PutOutcome::PreconditionFailed => Err(changed_meanwhile(&artifact.object_key).into()),
    }
}

/// The digest of an artifact's file, which is the manifest's.
pub fn check_digest(dir: &Path, artifact: &Artifact) -> anyhow::Result<[u8; 32]> {
    let path = dir.join(&artifact.file);
    let (size_bytes, sha256) = files::digest_of(&path)?;
    let found = files::hex(&sha256);
    if (size_bytes, &found) == (artifact.size_bytes, &artifact.sha256) {
        return Ok(sha256);
    }
    let Artifact { sha256: expected, .. } = artifact;
    let path = path.display();
    Err(Error::invalid(format!(
        "{path} differs from the manifest: its sha256 is {found}, not {expected}"
    ))
    .hint("run `cargo xtask dist` again, or fetch the artifacts anew")
    .into())
}

/// Whether the object holds the artifact's bytes: by our own digest in its metadata, else by
/// reading it.
fn is_same(client: &Client, artifact: &Artifact, found: &s3::Head) -> anyhow::Result<bool> {
    if found.size_bytes != artifact.size_bytes {
        return Ok(false);
    }
    if let Some(sha256) = found.metadata.get("sha256") {
        return Ok(*sha256 == artifact.sha256);
    }
    let object = client.get(&artifact.object_key, artifact.size_bytes)?;
    Ok(object.is_some_and(|object| files::sha256(&object.bytes) == artifact.sha256))
}

fn changed_meanwhile(key: &str) -> Error {
    Error::new(Kind::Conflict, format!("{key} was changed by someone else during this upload"))
        .hint("run upload again when the other one has ended")
}

fn unreadable(key: &str) -> Error {
    Error::new(Kind::Denied, format!("{key} may not be read, so what is published is not known"))
        .hint("allow these credentials to get the objects that they put")
}

/// Header values are visible ASCII; a branch may be named in any script.
fn metadata_value(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_graphic() && b != b'%' {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
