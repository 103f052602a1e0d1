//! Downloads objects piece by piece: only one piece is in memory.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use catalog::Artifact;
use ferror::{Error, Kind};
use s3::{Client, Head};
use sha2::{Digest as _, Sha256};

use crate::system::partial::Partial;

/// The size of the pieces in which an artifact is downloaded.
const PIECE_BYTES: u64 = 8 * 1024 * 1024;

/// Reads all of the object that `found` is the head of, in order, `piece_bytes` at a time. `false` when it is gone; one that
/// was replaced meanwhile is a [`Kind::Conflict`].
pub fn each_piece(
    client: &Client,
    object_key: &str,
    found: &Head,
    piece_bytes: u64,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let mut start = 0;
    while start < found.size_bytes {
        let end = found.size_bytes.min(start + piece_bytes);
        let Some(piece) = client.get_range(object_key, start..end, &found.etag)? else {
            return Ok(false);
        };
        if piece.bytes.len() as u64 != end - start {
            let message = format!("GET {object_key}: the server sent another range than asked for");
            return Err(Error::invalid(message).into());
        }
        take(&piece.bytes)?;
        start = end;
    }
    Ok(true)
}

/// Downloads an artifact whose object is `found` into a file beside `path`, which the caller gives that name; its
/// size and digest are right.
///
/// # Errors
/// [`Kind::Invalid`] where the object's bytes are not those that the manifest says.
pub fn beside(
    client: &Client,
    artifact: &Artifact,
    found: &Head,
    path: &Path,
) -> anyhow::Result<Partial> {
    let Artifact { object_key, size_bytes, sha256, .. } = artifact;
    let writing = || format!("writing {}", path.display());
    let partial = Partial::file(path).with_context(writing)?;
    let mut file = partial.handle();
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let whole = each_piece(client, object_key, found, PIECE_BYTES, |piece| {
        hasher.update(piece);
        size += piece.len() as u64;
        file.write_all(piece).with_context(writing)
    })?;
    if !whole {
        let message = format!("{object_key} was removed while it was downloaded");
        return Err(Error::new(Kind::Conflict, message).into());
    }
    let is = s3::hex(&hasher.finalize());
    if (size, &is) != (*size_bytes, sha256) {
        let message = format!(
            "{object_key} has {size} bytes with sha256 {is}; its release's manifest object says \
             {size_bytes} bytes with sha256 {sha256}"
        );
        let hint = "someone wrote to this bucket by other means: run `cargo xtask upload --verify` where the release was built, which puts its bytes back";
        return Err(Error::invalid(message).hint(hint).into());
    }
    Ok(partial)
}
