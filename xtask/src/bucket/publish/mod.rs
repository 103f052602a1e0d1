//! Publishes a service's release in a bucket exactly once.
//!
//! The manifest object is the commit point: it is read first and written last. What it names is
//! published and keeps its bytes; what no manifest object names may be replaced. So this may be
//! run again at any point, by several jobs at once, and after a run that died.

use std::borrow::Cow;
use std::path::Path;

use anyhow::Context as _;
use catalog::{Artifact, MAX_MANIFEST_BYTES, Manifest};
use ferror::{Error, Kind};
use s3::{Attributes, Body, Client, Fault, Precondition, Put, PutOutcome};

use crate::bucket::destination;
use crate::bucket::progress::Progress;
use crate::system::files;

mod artifact;
mod receipt;

pub use receipt::{Outcome, Receipt};

/// The number of times that a manifest object is read anew when others extend it at the same time.
const ROUNDS: usize = 8;

/// A release to publish: one service's part of a manifest, and the folder of its files.
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
    /// The storage class, encryption and the like of the objects.
    pub attributes: &'a Attributes,
    /// Whether every object is read back.
    pub verify: bool,
}

/// The state of a manifest object in the bucket.
#[derive(Clone)]
enum Seen {
    Absent,
    /// A narrow policy forbids reading it; where listing is forbidden too, S3 answers so for an
    /// absent object as well. Then writing decides.
    Unreadable,
    There(Box<Published>),
}

impl Seen {
    fn published(&self) -> Option<&Published> {
        match self {
            Self::There(published) => Some(published),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// The manifest object that is in the bucket.
#[derive(Clone)]
struct Published {
    manifest: Manifest,
    bytes: Vec<u8>,
    etag: String,
}

/// The version of a release is published already, of another commit whose first digits are the same.
#[derive(Debug)]
pub struct Taken {
    /// The other commit.
    pub commit: String,
}

/// A release, and what the bucket had of it at the beginning.
pub struct Begun<'a> {
    release: &'a Release<'a>,
    part: Manifest,
    /// The manifest object's key.
    key: String,
    seen: Seen,
}

impl Begun<'_> {
    /// Returns what is to be in the bucket.
    pub fn artifacts(&self) -> &[Artifact] {
        &self.part.artifacts
    }

    /// Lists the artifacts whose bytes are published with another record of what built them. That record stays.
    pub fn differences(&self) -> Vec<String> {
        let published = self.seen.published().map_or(&[][..], |it| &it.manifest.artifacts);
        let pairs = self.part.artifacts.iter().filter_map(|ours| {
            let theirs = published.iter().find(|theirs| is_same_artifact(theirs, ours))?;
            (origin(theirs) != origin(ours)).then_some((theirs, ours))
        });
        pairs
            .map(|(theirs, ours)| {
                format!(
                    "{} is published already, with the same bytes, as built by {}; this one was built by {}",
                    ours.object_key,
                    origin(theirs),
                    origin(ours)
                )
            })
            .collect()
    }
}

/// Looks at what is published under the version of `release`. Fails where that is the same commit with other bytes.
pub fn begin<'a>(
    client: &Client,
    release: &'a Release<'a>,
) -> anyhow::Result<Result<Begun<'a>, Taken>> {
    let part = release.manifest.part_of(release.service);
    let key =
        release.manifest.object_key(release.service).context("a service without artifacts")?;
    let seen = look(client, &key)?;
    if let Seen::There(published) = &seen {
        if published.manifest.commit != part.commit {
            return Ok(Err(Taken { commit: published.manifest.commit.clone() }));
        }
        check_same_release(&published.manifest, &part, &key)?;
    }
    Ok(Ok(Begun { release, part, key, seen }))
}

/// Sends one artifact of a release, unless it is there. Nothing is published by that.
pub fn send(
    client: &Client,
    begun: &Begun<'_>,
    artifact: &Artifact,
    progress: &Progress,
) -> anyhow::Result<Receipt> {
    let named = begun.seen.published().is_some_and(|it| is_named(&it.manifest, artifact));
    let receipt = artifact::publish(client, begun.release, artifact, named)?;
    if receipt.outcome == Outcome::AlreadyThere {
        progress.spare(artifact.size_bytes);
    }
    progress.result(&receipt);
    Ok(receipt)
}

/// Publishes what was sent: from its manifest object on, a release is there. Its receipt.
///
/// Until then, another upload of the same version with other bytes may take an artifact for the
/// leftover of one that never finished, and replace it. So they are looked at once more before the
/// manifest object is written, and after it.
pub fn commit(client: &Client, begun: &Begun<'_>, progress: &Progress) -> anyhow::Result<Receipt> {
    let Begun { release, part, key, .. } = begun;
    let mut seen = Cow::Borrowed(&begun.seen);
    for _ in 0..ROUNDS {
        if let Some(mut receipt) = write(client, key, part, seen.published(), release)? {
            if receipt.stored.is_some() {
                artifact::confirm(client, &part.artifacts).map_err(|error| {
                    let was_changed = error.kind() == Kind::Conflict;
                    let error = error.context(format!("{key} is published, but"));
                    if !was_changed {
                        return error;
                    }
                    error.hint("run `cargo xtask upload --verify`: it puts the bytes back")
                })?;
            }
            // Without conditions, another upload may have written over it since it was looked at.
            let is_unsure = receipt.stored.is_some() && !client.has_conditional_writes();
            if release.verify || is_unsure {
                verify(client, key, part)?;
                receipt.verified = release.verify;
            }
            // Said first: it is published, whatever becomes of clearing up.
            progress.result(&receipt);
            artifact::clear_up(client, release, &part.artifacts);
            return Ok(receipt);
        }
        // Another upload wrote it meanwhile: what that one says is looked at before it is extended.
        // An absent object may not be read where listing is forbidden, one that is there may.
        let now = look(client, key)?;
        match &now {
            Seen::There(published) => check_same_release(&published.manifest, part, key)?,
            Seen::Unreadable => return Err(unreadable(key).into()),
            Seen::Absent => {}
        }
        seen = Cow::Owned(now);
    }
    Err(Error::new(
        Kind::Conflict,
        format!("{key} changed {ROUNDS} times while it was being extended"),
    )
    .hint("run upload again when the other uploads of this version have ended")
    .into())
}

/// Checks that the manifest object as it is now names all of `part`; another upload may have extended it.
fn verify(client: &Client, key: &str, part: &Manifest) -> anyhow::Result<()> {
    if let Seen::There(published) = look(client, key)?
        && part.artifacts.iter().all(|ours| is_named(&published.manifest, ours))
    {
        return Ok(());
    }
    Err(Error::new(Kind::Conflict, format!("{key} was read back and does not name this release"))
        .hint("someone else may be writing to this bucket: run upload again when they have ended")
        .into())
}

/// Writes the manifest object. `None` when another upload wrote it since it was read.
fn write(
    client: &Client,
    key: &str,
    part: &Manifest,
    published: Option<&Published>,
    release: &Release<'_>,
) -> anyhow::Result<Option<Receipt>> {
    // It only grows: what it says of an artifact stays as it is.
    let mut whole = published.map_or(part, |published| &published.manifest).clone();
    whole.extend_from(part);
    let bytes = whole.to_json().into_bytes();
    let (precondition, outcome) = match published {
        Some(published) if published.bytes == bytes => {
            let sha256 = files::sha256(&bytes);
            let bucket = &client.location().bucket;
            let there = Receipt::new(bucket, key, bytes.len() as u64, &sha256);
            return Ok(Some(there));
        }
        Some(published) => (Precondition::Matches(&published.etag), Outcome::Extended),
        None => (Precondition::Absent, Outcome::Stored),
    };
    artifact::confirm(client, &part.artifacts)?;
    let branch = release.manifest.branch.name().map(metadata_value);
    let metadata: Vec<_> = branch.as_deref().map(|branch| ("branch", branch)).into_iter().collect();
    let put = Put {
        body: Body::Bytes(&bytes),
        content_type: "application/json",
        metadata: &metadata,
        attributes: Some(release.attributes),
        precondition,
    };
    let put = client.put(key, &put).map_err(|error| explain_refused_put(error, key))?;
    let PutOutcome::Stored(stored) = put else { return Ok(None) };
    let sha256 = files::sha256(&bytes);
    let receipt = Receipt::new(&client.location().bucket, key, bytes.len() as u64, &sha256);
    Ok(Some(receipt.stored(outcome, stored)))
}

/// Looks for the manifest object.
fn look(client: &Client, key: &str) -> anyhow::Result<Seen> {
    let object = match client.get(key, MAX_MANIFEST_BYTES) {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(Seen::Absent),
        Err(error) if is_access_denied(&error) => return Ok(Seen::Unreadable),
        Err(error) => return Err(error.into()),
    };
    let manifest = Manifest::read_object_strict(&object.bytes, &client.location().bucket, key)?;
    let (bytes, etag) = (object.bytes, object.head.etag);
    Ok(Seen::There(Box::new(Published { manifest, bytes, etag })))
}

/// Returns whether `manifest` names that artifact, with those bytes.
fn is_named(manifest: &Manifest, artifact: &Artifact) -> bool {
    manifest.artifacts.iter().any(|named| is_same_artifact(named, artifact))
}

/// Returns whether both are the same bytes under the same object key. How they were built may be recorded differently.
fn is_same_artifact(one: &Artifact, other: &Artifact) -> bool {
    (&one.service, &one.platform, &one.object_key, &one.sha256)
        == (&other.service, &other.platform, &other.object_key, &other.sha256)
}

/// Describes the compiler and the outside flags of an artifact.
fn origin(artifact: &Artifact) -> String {
    if artifact.outside_flags.is_empty() {
        return artifact.rustc.clone();
    }
    format!("{} with {}", artifact.rustc, artifact.outside_flags.join(", "))
}

fn is_access_denied(error: &Error) -> bool {
    // A refusal without a body decides nothing.
    Fault::of(error).is_some_and(|fault| {
        (fault.status, fault.code.as_str()) == (403, "") || fault.code == "AccessDenied"
    })
}

/// Checks that nothing changes that is published: the commit, and the digest of each artifact that both name.
fn check_same_release(published: &Manifest, part: &Manifest, key: &str) -> ferror::Result<()> {
    let conflict =
        |what: String| Error::new(Kind::Conflict, format!("{key} is published already, {what}"));
    if !published.is_same_release(part) {
        let what = format!("of commit {}; this is commit {}", published.commit, part.commit);
        return Err(conflict(what).hint(
            "run upload again: it takes a longer version where another commit has this one",
        ));
    }
    for ours in &part.artifacts {
        let same_place = |theirs: &&Artifact| {
            theirs.object_key == ours.object_key
                || (&theirs.service, &theirs.platform) == (&ours.service, &ours.platform)
        };
        if let Some(theirs) = published.artifacts.iter().find(same_place)
            && (theirs.sha256 != ours.sha256 || theirs.object_key != ours.object_key)
        {
            let origins = if origin(theirs) == origin(ours) {
                String::new()
            } else {
                format!(
                    "\n  that one was built by {}; this one by {}",
                    origin(theirs),
                    origin(ours)
                )
            };
            let what = format!(
                "of commit {} with sha256 {} for {}; this is commit {} with sha256 {} for {}{origins}",
                published.commit,
                theirs.sha256,
                theirs.object_key,
                part.commit,
                ours.sha256,
                ours.object_key
            );
            return Err(conflict(what).hint(
                "what is published never changes: commit again, or take a longer version, by `dist --version` or `version-digits` in [workspace.metadata.xtask]",
            ));
        }
    }
    Ok(())
}

/// Returns the error of a PUT, in words where the server does not know a header.
fn explain_refused_put(error: Error, key: &str) -> Error {
    let is_unknown = Fault::of(&error).is_some_and(|fault| fault.unknown_header == "if-match");
    let error = destination::explain_unknown_header(error);
    if !is_unknown {
        return error;
    }
    let hint = error.hint_text().unwrap_or_default().to_owned();
    let status = Fault::of(&error).map_or(0, |fault| fault.status);
    let message = format!(
        "{key} is there already, and this server cannot replace an object only if it is unchanged ({status})"
    );
    Error::new(Kind::Refused, message)
        .hint(format!("upload all platforms of a version in one run; or {hint}"))
        .caused_by(error)
}

fn unreadable(key: &str) -> Error {
    Error::new(Kind::Denied, format!("{key} may not be read, so what is published is not known"))
        .hint("allow these credentials to get the objects that they put")
}

/// Escapes a text for a header's value with `%XX`, since such a value is visible ASCII while a
/// branch's name may hold any character.
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
