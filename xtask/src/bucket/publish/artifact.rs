//! Uploads one artifact unless it is there, and reads it back where that is wanted.

use std::path::PathBuf;

use catalog::Artifact;
use ferror::{Error, Kind};
use s3::{Body, Client, FileMismatch, Head, Precondition, Put, PutOutcome, Stored};
use sha2::{Digest as _, Sha256};

use super::{
    Outcome, Receipt, Release, Seen, check_same_release, explain_refused_put, is_named, look,
    unreadable,
};
use crate::bucket::download;
use crate::system::parallel;

/// The size of the pieces in which an object is read back: it bounds the memory, whatever the object's size
/// and however many are read at once.
const READ_BYTES: u64 = 1024 * 1024;
/// The number of HEAD requests at once for the few artifacts of a service: they have no body that would take memory.
const LOOKS_AT_ONCE: usize = 4;

/// Publishes one artifact; `named`: the manifest object in the bucket lists it with this digest.
pub(super) fn publish(
    client: &Client,
    release: &Release<'_>,
    artifact: &Artifact,
    named: bool,
) -> anyhow::Result<Receipt> {
    let bucket = &client.location().bucket;
    let Artifact { object_key, size_bytes, sha256, .. } = artifact;
    let mut receipt = Receipt::new(bucket, object_key, *size_bytes, sha256);
    if !named && let Some((outcome, stored)) = send(client, release, artifact)? {
        receipt = receipt.stored(outcome, stored);
    }
    if release.verify
        && let Err(error) = verify(client, &mut receipt)
    {
        // What is published keeps its bytes: where someone changed or removed the object by other
        // means, these are the ones.
        let differs = error.downcast_ref().map(Error::kind) == Some(Kind::Conflict);
        if !named || !differs {
            return Err(error);
        }
        let stored = restore(client, release, artifact)?;
        receipt = receipt.stored(Outcome::Restored, stored);
        verify(client, &mut receipt)?;
    }
    Ok(receipt)
}

/// Uploads an artifact that no manifest object names; `None` when the same bytes are there.
fn send(
    client: &Client,
    release: &Release<'_>,
    artifact: &Artifact,
) -> anyhow::Result<Option<(Outcome, Stored)>> {
    let put = |precondition| put(client, release, artifact, precondition);
    if let PutOutcome::Stored(stored) = put(Precondition::Absent)? {
        return Ok(Some((Outcome::Stored, stored)));
    }
    let found = client.head(&artifact.object_key).map_err(|error| match error.kind() {
        Kind::Denied => {
            unreadable(&artifact.object_key).context("an object is there already").caused_by(error)
        }
        _ => error,
    })?;
    let Some(found) = found else {
        return Err(changed_meanwhile(&artifact.object_key).into());
    };
    if is_same(client, artifact, &found)? {
        return Ok(None);
    }
    // Other bytes. Another upload may have published them since we looked, so look again: only the
    // leftover of one that never finished is replaced, and only those very bytes.
    let key = release.manifest.object_key(release.service).unwrap_or_default();
    match look(client, &key)? {
        Seen::Absent => {}
        Seen::There(published) => {
            let part = release.manifest.part_of(release.service);
            check_same_release(&published.manifest, &part, &key)?;
            if is_named(&published.manifest, artifact) {
                return Err(changed_meanwhile(&artifact.object_key).into());
            }
        }
        Seen::Unreadable => return Err(unreadable(&key).into()),
    }
    match put(Precondition::Matches(&found.etag))? {
        PutOutcome::Stored(stored) => {
            check_not_outrun(client, release, artifact, &key)?;
            Ok(Some((Outcome::Replaced, stored)))
        }
        // Another upload of the same bytes may have been as fast.
        PutOutcome::PreconditionFailed => match client.head(&artifact.object_key)? {
            Some(now) if is_same(client, artifact, &now)? => Ok(None),
            _ => Err(changed_meanwhile(&artifact.object_key).into()),
        },
    }
}

/// Uploads an artifact.
fn put(
    client: &Client,
    release: &Release<'_>,
    artifact: &Artifact,
    precondition: Precondition<'_>,
) -> anyhow::Result<PutOutcome> {
    let path = release.dir.join(&artifact.file);
    let sha256 = s3::parse_digest(&artifact.sha256)?;
    let metadata = [
        ("version", release.manifest.version.as_str()),
        ("commit", release.manifest.commit.as_str()),
    ];
    let put = Put {
        body: Body::File { path: &path, size_bytes: artifact.size_bytes, sha256 },
        content_type: release.content_type,
        metadata: &metadata,
        attributes: Some(release.attributes),
        precondition,
    };
    let outcome = client.put_resumable(&artifact.object_key, &put, &journals(release));
    Ok(outcome.map_err(|error| {
        if FileMismatch::is_in(&error) {
            return error
                .context(format!("{} differs from the manifest", artifact.file))
                .hint("run `cargo xtask dist` again, or fetch the artifacts anew");
        }
        explain_refused_put(error, &artifact.object_key)
    })?)
}

/// Checks after a leftover was replaced. Another upload may have published it in that very moment, and
/// then its release lacks bytes that only they have: that must not pass in silence.
fn check_not_outrun(
    client: &Client,
    release: &Release<'_>,
    artifact: &Artifact,
    key: &str,
) -> anyhow::Result<()> {
    let Seen::There(published) = look(client, key)? else { return Ok(()) };
    let part = release.manifest.part_of(release.service);
    check_same_release(&published.manifest, &part, key).map_err(|error| {
        let what = format!("{} was replaced while another upload published it", artifact.object_key);
        error.context(what).hint(
            "run `cargo xtask upload --verify` where that release was built: it puts its bytes back",
        )
    })?;
    Ok(())
}

/// Uploads a published artifact again whose object is not what its manifest object says, or is gone.
fn restore(client: &Client, release: &Release<'_>, artifact: &Artifact) -> anyhow::Result<Stored> {
    let found = client.head(&artifact.object_key)?;
    let found = found.as_ref();
    let precondition = found.map_or(Precondition::Absent, |it| Precondition::Matches(&it.etag));
    match put(client, release, artifact, precondition)? {
        PutOutcome::Stored(stored) => Ok(stored),
        PutOutcome::PreconditionFailed => Err(changed_meanwhile(&artifact.object_key).into()),
    }
}

/// Ends what is left of uploads of artifacts that are published: parts that runs which died, here or
/// elsewhere, left in the bucket. They can never become anything, since the objects are there for
/// good. No credentials for that, or a server that cannot: a lifecycle rule is for those.
pub(super) fn clear_up(client: &Client, release: &Release<'_>, artifacts: &[Artifact]) {
    for artifact in artifacts.iter().filter(|artifact| s3::body_count(artifact.size_bytes) > 1) {
        let _ = client.abort_uploads(&artifact.object_key, Some(&journals(release)));
    }
}

/// Returns the folder for the journals of uploads under way, beside the manifest.
fn journals(release: &Release<'_>) -> PathBuf {
    release.dir.join(".uploads")
}

/// Returns whether the object holds the artifact's bytes: by our own digest in its metadata, else by
/// reading it.
fn is_same(client: &Client, artifact: &Artifact, found: &Head) -> anyhow::Result<bool> {
    if found.size_bytes != artifact.size_bytes {
        return Ok(false);
    }
    if let Some(sha256) = found.metadata.get("sha256") {
        return Ok(*sha256 == artifact.sha256);
    }
    let sha256 = read_back(client, &artifact.object_key, found)?;
    Ok(sha256.is_some_and(|sha256| sha256 == artifact.sha256))
}

/// Checks that every artifact is still what was sent, as far as the bucket lets us look.
pub(super) fn confirm(client: &Client, artifacts: &[Artifact]) -> ferror::Result<()> {
    parallel::map(artifacts, LOOKS_AT_ONCE, |artifact| {
        let Artifact { object_key, size_bytes, sha256, .. } = artifact;
        let found = match client.head(object_key) {
            // A refused look decides nothing: a narrow policy forbids it.
            Err(error) if error.kind() == Kind::Denied => return Ok(()),
            found => found?,
        };
        let same = found.is_some_and(|found| {
            let theirs = found.metadata.get("sha256");
            found.size_bytes == *size_bytes && theirs.is_none_or(|theirs| theirs == sha256)
        });
        if same { Ok(()) } else { Err(changed_meanwhile(object_key)) }
    })
    .map(drop)
}

/// Reads the object of a receipt back and compares its digest.
pub(super) fn verify(client: &Client, receipt: &mut Receipt) -> anyhow::Result<()> {
    let key = &receipt.object_key;
    let differs = |how: String| {
        Error::new(Kind::Conflict, format!("{key} was read back and differs: {how}"))
            .hint("someone else may be writing to this bucket, or the server does not keep what it is given")
    };
    let Some(found) = client.head(key)? else {
        return Err(differs("it is not there".to_owned()).into());
    };
    if found.size_bytes != receipt.size_bytes {
        let sizes = format!("it has {} bytes, not {}", found.size_bytes, receipt.size_bytes);
        return Err(differs(sizes).into());
    }
    match read_back(client, key, &found)? {
        Some(sha256) if sha256 == receipt.sha256 => {
            receipt.verified = true;
            Ok(())
        }
        Some(sha256) => {
            let expected = &receipt.sha256;
            Err(differs(format!("its sha256 is {sha256}, not {expected}")).into())
        }
        None => Err(differs("it is not there".to_owned()).into()),
    }
}

/// Returns the digest of an object's bytes; `None` when it is gone.
fn read_back(client: &Client, object_key: &str, found: &Head) -> anyhow::Result<Option<String>> {
    let mut hasher = Sha256::new();
    let whole = download::each_piece(client, object_key, found, READ_BYTES, |piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(whole.then(|| s3::hex(&hasher.finalize())))
}

fn changed_meanwhile(key: &str) -> Error {
    Error::new(Kind::Conflict, format!("{key} was changed by someone else during this upload"))
        .hint("run upload again when the other one has ended")
}
