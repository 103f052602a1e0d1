//! Files and folders that are filled under another name beside their place, and get their name whole.
//!
//! The other name is `.NAME.partial-PID-NUMBER`. It is always made anew, so that it follows no link and two processes
//! do not share it, and is locked while it is filled. So what a killed run left is known by its missing lock,
//! and removed by the next one for the same name.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use s3::file_lock;

use crate::system::interrupt::{self, Hold, Temporary};

/// A file or folder that has its other name; removed when this is dropped.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    handle: File,
    /// `None` for a folder.
    temporary: Option<Temporary>,
    /// A folder cannot be removed while it is being filled, so that its owner does it.
    _hold: Option<Hold>,
    is_kept: bool,
}

impl Partial {
    /// Makes an empty file beside `target`.
    pub fn file(target: &Path) -> io::Result<Self> {
        Self::make(target, |path| {
            let create = || File::options().read(true).write(true).create_new(true).open(path);
            let (file, temporary) = interrupt::create_temporary(path, create)?;
            Ok((file, Some(temporary), None))
        })
    }

    /// Makes an empty folder beside `target`.
    pub fn folder(target: &Path) -> io::Result<Self> {
        Self::make(target, |path| {
            let hold = interrupt::hold();
            fs::create_dir(path)?;
            Ok((File::open(path)?, None, Some(hold)))
        })
    }

    fn make(
        target: &Path,
        create: impl Fn(&Path) -> io::Result<(File, Option<Temporary>, Option<Hold>)>,
    ) -> io::Result<Self> {
        let name = target.file_name().ok_or(ErrorKind::InvalidFilename)?;
        remove_leftovers(target.parent(), name);
        let mut number = 0_u32;
        loop {
            let mut other = prefix(name);
            other.push(format!("{}-{number}", std::process::id()));
            let path = target.with_file_name(other);
            number += 1;
            let (handle, temporary, hold) = match create(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made?,
            };
            let partial = Self { path, handle, temporary, _hold: hold, is_kept: false };
            match file_lock::try_lock(&partial.handle) {
                // Another process took it for a leftover before it was locked.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ if !partial.is_there() => {}
                // A file system without locks of folders is no reason to fail.
                _ => return Ok(partial),
            }
        }
    }

    fn is_there(&self) -> bool {
        let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let (Ok(path), Ok(open)) = (self.path.symlink_metadata(), self.handle.metadata()) else {
            return false;
        };
        id(path) == id(open)
    }

    /// Returns its path, until it gets its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the open file.
    pub fn handle(&self) -> &File {
        &self.handle
    }

    /// Gives it the name `target`, and replaces a file of that name.
    pub fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_kept = true;
        Ok(())
    }

    /// Does what [`Partial::rename`] does, and returns when the disk has the file or folder and its name.
    pub fn rename_durably(self, target: &Path) -> io::Result<()> {
        if self.temporary.is_some() {
            self.handle.sync_all()?;
        } else {
            sync_file_system(&self.path)?;
        }
        self.rename(target)?;
        sync_folder(target);
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            // An error cannot be returned here; the next run tries again.
            let _ = remove(&self.path, self.temporary.is_none());
        }
    }
}

/// Gives a folder that is filled the name `target`, when the disk has everything in it: after a loss of power, whoever finds the
/// name takes the folder for whole.
pub fn rename_folder_durably(folder: &Path, target: &Path) -> io::Result<()> {
    sync_file_system(folder)?;
    fs::rename(folder, target)?;
    sync_folder(target);
    Ok(())
}

/// Waits until the disk has everything that was written to the file system of `folder`. A folder may have tens of thousands of
/// files, which are not opened one by one for this.
#[cfg(target_os = "linux")]
fn sync_file_system(folder: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let folder = File::open(folder)?;
    #[expect(unsafe_code, reason = "the standard library syncs files alone")]
    // SAFETY: the descriptor is open for the call.
    let result = unsafe { libc::syncfs(folder.as_raw_fd()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Does so for all file systems, where there is no call for one.
#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library syncs files alone")]
    // SAFETY: the call takes nothing.
    unsafe {
        libc::sync();
    }
    Ok(())
}

/// Waits until the disk has the entry of `path` in its folder, as far as the file system can.
pub fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}

fn prefix(name: &OsStr) -> std::ffi::OsString {
    let mut other = std::ffi::OsString::from(".");
    other.push(name);
    other.push(".partial-");
    other
}

/// Removes what killed runs left of the name: nobody holds its lock.
fn remove_leftovers(folder: Option<&Path>, name: &OsStr) {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = prefix(name);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let rest = found.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let is_ours = rest.is_some_and(|rest| {
            let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
            rest.split(|byte| *byte == b'-').count() == 2
                && rest.split(|byte| *byte == b'-').all(is_number)
        });
        let Ok(kind) = entry.file_type() else { continue };
        if !is_ours || !(kind.is_file() || kind.is_dir()) {
            continue;
        }
        let is_left = File::open(entry.path()).is_ok_and(|file| file_lock::try_lock(&file).is_ok());
        if is_left {
            // It only takes room; a failure of the work is the one to be told.
            let _ = remove(&entry.path(), kind.is_dir());
        }
    }
}

fn remove(path: &Path, is_folder: bool) -> io::Result<()> {
    if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::Partial;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_another_fills_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at(".a.partial-7-0"), "half").unwrap();
        fs::create_dir_all(at(".a.partial-7-1/inner")).unwrap();
        for theirs in [".a.partial-7", ".a.partial-7-x", ".ab.partial-7-0", "a.partial"] {
            fs::write(at(theirs), "").unwrap();
        }
        let [one, two] = [(); 2].map(|()| Partial::file(&at("a")).unwrap());
        assert_ne!(one.path(), two.path());
        assert!(one.path().is_file() && two.path().is_file());
        let mut left = names(folder.path());
        left.retain(|name| !name.starts_with(&format!(".a.partial-{}", std::process::id())));
        assert_eq!(left, [".a.partial-7", ".a.partial-7-x", ".ab.partial-7-0", "a.partial"]);
        one.rename(&at("a")).unwrap();
        drop(two);
        drop(Partial::folder(&at("a")).unwrap());
        assert_eq!(names(folder.path()).len(), 5);
    }

    #[test]
    fn a_link_that_has_the_name_already_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "theirs").unwrap();
        let name = format!(".a.partial-{}-0", std::process::id());
        symlink(at("theirs"), at(&name)).unwrap();
        let partial = Partial::file(&at("a")).unwrap();
        assert_ne!(partial.path(), at(&name));
        partial.rename(&at("a")).unwrap();
        assert_eq!(fs::read(at("theirs")).unwrap(), b"theirs");
        assert_eq!(fs::read(at("a")).unwrap(), b"");
    }
}
