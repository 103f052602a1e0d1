//! The manifests in a snapshot folder: that of a whole `dist`, or those of its shards.
//!
//! A shard's files have names of their own, because CI systems put what several machines made into one folder, and
//! some refuse two files of one name.

use std::path::Path;

use anyhow::Context as _;
use catalog::{MANIFEST_FILE, Manifest};
use ferror::Error;

use crate::model::shard::Shard;
use crate::model::shard_manifest::{self, ShardManifest};
use crate::system::files;

/// The digests as `sha256sum -c` reads them.
const SUMS: &str = "SHA256SUMS";

/// Returns the name of the manifest of a shard, or of a whole `dist`.
pub fn manifest_file(shard: Option<Shard>) -> String {
    match shard {
        None => MANIFEST_FILE.to_owned(),
        Some(shard) => format!("manifest.{}.json", shard.in_file()),
    }
}

/// Returns the name of the digests of a shard, or of a whole `dist`.
pub fn sums_file(shard: Option<Shard>) -> String {
    match shard {
        None => SUMS.to_owned(),
        Some(shard) => format!("{SUMS}.{}", shard.in_file()),
    }
}

/// The run whose manifest or digests a file is: that of a shard, or of a whole `dist`.
struct Owner(Option<Shard>);

/// Returns whose manifest or digests a file is; `None` for other files.
fn owner(name: &str) -> Option<Owner> {
    if [MANIFEST_FILE, SUMS].contains(&name) {
        return Some(Owner(None));
    }
    let of_manifest = name.strip_prefix("manifest.").and_then(|rest| rest.strip_suffix(".json"));
    let part = of_manifest.or_else(|| name.strip_prefix(SUMS)?.strip_prefix('.'))?;
    Shard::of_file(part).map(|shard| Owner(Some(shard)))
}

/// Removes the manifests and digests in a folder, but for those of `own` where `keep_own` says so, and of the other shards
/// of as many machines.
pub fn remove(folder: &Path, own: Option<Shard>, keep_own: bool) -> anyhow::Result<()> {
    for name in files::visible_names(folder)? {
        let Some(Owner(of)) = owner(&name) else { continue };
        let is_beside = |of: Shard| own.is_some_and(|own| own.total == of.total && own != of);
        let stays = if of == own { keep_own } else { of.is_some_and(is_beside) };
        if !stays {
            files::remove_if_there(&folder.join(name))?;
        }
    }
    Ok(())
}

/// Reads the manifest in a folder. Those of all shards are read as one; `None` where there is neither.
pub fn read(folder: &Path) -> anyhow::Result<Option<Manifest>> {
    let mut shards = Vec::new();
    for name in files::visible_names(folder)? {
        if let Some(Owner(Some(shard))) = owner(&name).filter(|_| name.starts_with("manifest.")) {
            let path = folder.join(&name);
            let shown = path.display().to_string();
            let bytes = std::fs::read(&path).with_context(|| format!("reading {shown}"))?;
            shards.push((name, ShardManifest::read(&bytes, shard, &shown)?));
        }
    }
    let path = folder.join(MANIFEST_FILE);
    let shown = path.display().to_string();
    match std::fs::read(&path) {
        Ok(_) if !shards.is_empty() => Err(Error::invalid(format!(
            "{shown} is of a whole dist, and {} beside it of a shard",
            shards[0].0
        ))
        .hint("remove the folder, and run dist again, with --shard on all machines or on none")
        .into()),
        Ok(bytes) => Ok(Some(Manifest::read_strict(&bytes, &shown)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if shards.is_empty() {
                return Ok(None);
            }
            let merged = shard_manifest::merge(&shards);
            Ok(Some(merged.map_err(|error| error.context(folder.display().to_string()))?))
        }
        Err(error) => Err(error).with_context(|| format!("reading {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{owner, remove};
    use crate::model::shard::Shard;

    #[test]
    fn files_of_the_other_kind_and_of_other_totals_are_removed() {
        let all = [
            "manifest.json",
            "SHA256SUMS",
            "manifest.1-of-2.json",
            "SHA256SUMS.1-of-2",
            "manifest.2-of-2.json",
            "manifest.1-of-3.json",
            "manifest.03-of-3.json",
            "a_linux_amd64.tar.gz",
        ];
        let kept = |own: Option<Shard>, keep_own| {
            let folder = tempfile::tempdir().unwrap();
            for name in all {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            remove(folder.path(), own, keep_own).unwrap();
            crate::system::files::visible_names(folder.path()).unwrap()
        };
        let others = ["a_linux_amd64.tar.gz", "manifest.03-of-3.json"];
        assert_eq!(kept(None, false), others);
        assert_eq!(kept(None, true), ["SHA256SUMS", others[0], others[1], "manifest.json"]);
        let first = Shard::new(1, 2);
        assert_eq!(kept(first, false), [others[0], others[1], "manifest.2-of-2.json"]);
        assert_eq!(
            kept(first, true),
            [
                "SHA256SUMS.1-of-2",
                others[0],
                others[1],
                "manifest.1-of-2.json",
                "manifest.2-of-2.json"
            ]
        );
        assert!(owner("SHA256SUMS1-of-2").is_none());
    }
}
