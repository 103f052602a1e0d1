//! Packs an archive again under another version: nothing is compiled for that, since a version is written into the
//! linked binary.

use std::path::Path;

use anyhow::Context as _;
use catalog::{Artifact, Manifest};
use ferror::Error;

use crate::build::archive;
use crate::build::stamp;
use crate::system::files;

/// Packs the archive of `artifact` in the folder `from`, which `manifest` describes, into the folder `to` with
/// `version` in its stamp. Returns the artifact with the new digests; its bytes are those that `dist` makes with that
/// version.
pub fn repack(
    manifest: &Manifest,
    artifact: &Artifact,
    version: &str,
    from: &Path,
    to: &Path,
) -> anyhow::Result<Artifact> {
    let path = from.join(&artifact.file);
    let packed = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let invalid = |why: &str| {
        Error::invalid(format!("{} differs from the manifest: {why}", path.display()))
            .hint("run `cargo xtask dist` again, or fetch the artifacts anew")
    };
    if files::sha256(&packed) != artifact.sha256 {
        return Err(invalid("it has another sha256").into());
    }
    let top = format!("{}_{}", artifact.service, artifact.platform);
    let (mut entries, time) =
        archive::read(&packed, &top).with_context(|| format!("reading {}", path.display()))?;
    let binary = entries.iter_mut().find(|entry| entry.name == artifact.service);
    let image = &mut binary.ok_or_else(|| invalid("it holds no binary of the service"))?.bytes;
    // A program without the crate `stamp` has no stamp.
    if let Some(record) = stamp::read(image)? {
        let ours = ::stamp::Record {
            version: manifest.version.clone(),
            commit: manifest.commit.clone(),
            dirty: manifest.dirty,
            committed_at: manifest.committed_at,
            platform: artifact.platform.clone(),
        };
        if record != ours {
            let why = format!(
                "its binary is stamped {} of commit {}, not {} of commit {}",
                record.version, record.commit, ours.version, ours.commit
            );
            return Err(invalid(&why).into());
        }
        let record = ::stamp::Record { version: version.to_owned(), ..ours };
        stamp::write(image, &record, &path.display().to_string())?;
        stamp::verify(image)?;
    }
    let binary_sha256 = files::sha256(image);
    let (size_bytes, sha256) = archive::pack(&to.join(&artifact.file), &top, &entries, time)?;
    Ok(Artifact { size_bytes, sha256, binary_sha256, ..artifact.clone() })
}
