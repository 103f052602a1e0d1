//! Files that appear whole or not at all, and their digests.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// Writes `bytes` beside `path` under a name that ends in `.partial`, then renames it.
///
/// `mode` is the file's mode whatever the umask. What an earlier, killed run left under the partial
/// name is overwritten.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let partial = partial_name(path);
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&partial, bytes)?;
        fs::set_permissions(&partial, fs::Permissions::from_mode(mode))?;
        fs::rename(&partial, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Locks the file `path`, made where it is not there: one holder at a time, among all processes.
///
/// The lock is the open file, so it ends with the process however that ends. `waiting` is called
/// when another holds it.
pub fn lock(path: &Path, waiting: impl FnOnce()) -> anyhow::Result<File> {
    let open = || -> std::io::Result<File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        if file.try_lock().is_err() {
            waiting();
            file.lock()?;
        }
        Ok(file)
    };
    open().with_context(|| format!("locking {}", path.display()))
}

/// Removes a file; that it is not there is fine.
pub fn remove_if_there(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// SHA-256 of `bytes`, in lower hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Length and SHA-256 of a file, read in pieces.
pub fn digest_of(path: &Path) -> anyhow::Result<(u64, [u8; 32])> {
    let read = || -> std::io::Result<(u64, [u8; 32])> {
        let mut file = File::open(path)?;
        let (mut digest, mut size_bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((size_bytes, digest.finalize().into())),
                n => {
                    digest.update(&buffer[..n]);
                    size_bytes += n as u64;
                }
            }
        }
    };
    read().with_context(|| format!("reading {}", path.display()))
}

/// Lower hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{digest_of, hex, sha256, write_whole};

    #[test]
    fn a_file_gets_its_mode_and_leaves_no_partial_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(folder.path().join("a/b.partial"), "left by a killed run").unwrap();
        write_whole(&path, b"one", 0o755).unwrap();
        write_whole(&path, b"two", 0o755).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let (size_bytes, digest) = digest_of(&path).unwrap();
        assert_eq!((size_bytes, hex(&digest)), (3, sha256(b"two")));
    }
}
