//! Writes files that appear whole or not at all, and computes digests.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::system::partial::Partial;

/// Writes the file `path` whole or not at all: beside its place, and then renamed. When this returns, the disk has
/// it. The file gets `mode`, whatever the umask.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    write(path, bytes, mode, Partial::rename_durably)
}

/// Does what [`write_whole`] does without waiting for the disk, for what is new or can be made again: after a loss
/// of power the file may be empty.
pub fn write_cheaply(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    write(path, bytes, mode, Partial::rename)
}

/// Does what [`write_whole`] does to a file that a person may have made: it keeps its mode, and where it is a link,
/// the file that the link names is replaced.
pub fn rewrite(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mode = path.metadata().map_or(0o644, |metadata| metadata.permissions().mode() & 0o7777);
    write_whole(&path, bytes, mode)
}

fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    rename: fn(Partial, &Path) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let partial = Partial::file(path)?;
        partial.handle().write_all(bytes)?;
        partial.handle().set_permissions(fs::Permissions::from_mode(mode))?;
        rename(partial, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Returns the path of `to` relative to the folder `from`, both absolute.
pub fn relative(to: &Path, from: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

/// Returns whether the file begins with these bytes.
pub fn begins_with(path: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    let mut start = Vec::new();
    fs::File::open(path)?.take(bytes.len() as u64).read_to_end(&mut start)?;
    Ok(start == bytes)
}

/// Removes a file, if it exists.
pub fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with everything in it, if it exists.
pub fn remove_folder_if_there(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Lists the names in a folder, sorted, without hidden ones; empty where there is no folder.
pub fn visible_names(dir: &Path) -> anyhow::Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend((!name.starts_with('.')).then_some(name));
    }
    names.sort_unstable();
    Ok(names)
}

/// Computes the digest of a file's kind and content; that of a link is of where it leads and what is there. A file that
/// is not there has one, too.
pub fn content_digest(path: &Path) -> anyhow::Result<[u8; 32]> {
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok([0; 32]);
    };
    let mut digest = Sha256::new();
    if metadata.is_symlink() {
        let target = fs::read_link(path).with_context(|| format!("reading {}", path.display()))?;
        digest.update([b'l']);
        digest.update(target.as_os_str().as_bytes());
    } else {
        let is_executable = metadata.permissions().mode() & 0o111 != 0;
        digest.update([if is_executable { b'x' } else { b'f' }]);
    }
    // A link may lead to a folder or to nothing, and a socket or the like holds nothing.
    if path.is_file() {
        digest.update(fs::read(path).with_context(|| format!("reading {}", path.display()))?);
    }
    Ok(digest.finalize().into())
}

/// Returns the SHA-256 of `bytes` in lower hex.
pub fn sha256(bytes: &[u8]) -> String {
    s3::hex(&s3::sha256(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::{relative, rewrite, write_whole};

    #[test]
    fn a_file_gets_its_mode_and_leaves_no_partial_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        write_whole(&path, b"one", 0o755).unwrap();
        write_whole(&path, b"two", 0o755).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        // What cannot get its name leaves nothing either.
        std::fs::create_dir(folder.path().join("a/dir")).unwrap();
        write_whole(&folder.path().join("a/dir"), b"three", 0o644).unwrap_err();
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn a_persons_file_keeps_its_mode_and_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "one").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink("file", &link).unwrap();
        rewrite(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn paths_go_up_to_the_common_folder() {
        let rows = [
            ("/a/b/lib", "/a/b", "lib"),
            ("/a/lib", "/a/b", "../lib"),
            ("/x/lib", "/a/b", "../../x/lib"),
            ("/a/bc", "/a/b", "../bc"),
        ];
        for (to, from, expected) in rows {
            assert_eq!(relative(Path::new(to), Path::new(from)), Path::new(expected), "{to}");
        }
    }
}
