//! The paths of everything on disk: `ROOT/<bucket>/<object key>` for the objects, `ROOT/.local-s3` for the rest.
//!
//! A person who looks into ROOT finds buckets and objects alone. S3 takes any 1,024 bytes for an object
//! key, a file system does not: a segment may be empty, `.`, `..` or longer than a file name, and an
//! object may lie below another one. Such an object gets a file below `ROOT/.local-s3/odd`, named
//! by the digest of its object key.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use ferror::{Error, Kind};
use s3s::crypto::{Checksum as _, Sha256};
use s3s::{S3Result, s3_error};

use crate::record::hex;

/// The folder below the root that is ours. No bucket can have its name: a bucket's begins with a
/// letter or a digit.
const BOOKKEEPING: &str = ".local-s3";
/// The longest file name on Linux and macOS, in bytes.
const MAX_FILE_NAME_BYTES: usize = 255;
/// The longest path that is handed to the system whole on macOS, in bytes; Linux takes more.
const MAX_PATH_BYTES: usize = 1023;

/// The folders of one server.
#[derive(Debug)]
pub(crate) struct Places {
    root: PathBuf,
    buckets: BTreeSet<String>,
    /// Held while the server lives. What is one step under its lock is not for a second server.
    _alone: File,
}

impl Places {
    /// Makes the folders that are missing. Objects and uploads of an earlier run stay.
    pub(crate) fn prepare(root: &Path, buckets: &[String]) -> ferror::Result<Self> {
        if let Some(name) = buckets.iter().find(|name| !s3s::path::check_bucket_name(name)) {
            return Err(Error::usage(format!("{name:?} is not a bucket name")).hint(
                "take 3 to 63 lower-case letters, digits and hyphens, as S3's naming rules have it",
            ));
        }
        let bookkeeping = root.join(BOOKKEEPING);
        std::fs::create_dir_all(&bookkeeping).map_err(cannot_prepare(&bookkeeping))?;
        let root = root.canonicalize().map_err(cannot_prepare(root))?;
        let alone = lock(&root)?;
        let places = Self { root, buckets: buckets.iter().cloned().collect(), _alone: alone };

        let staging = places.staging();
        if staging.exists() {
            std::fs::remove_dir_all(&staging).map_err(cannot_prepare(&staging))?;
        }
        let mut folders = vec![staging, places.uploads()];
        for bucket in &places.buckets {
            folders.extend([places.root.join(bucket), places.odd(bucket), places.records(bucket)]);
        }
        for folder in folders {
            std::fs::create_dir_all(&folder).map_err(cannot_prepare(&folder))?;
        }
        Ok(places)
    }

    /// Returns the root, absolute.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder that bodies are written to before they are stored; empty at the start of every run.
    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join(BOOKKEEPING).join("staging")
    }

    /// Returns the folder of the uploads, with one folder for each.
    pub(crate) fn uploads(&self) -> PathBuf {
        self.root.join(BOOKKEEPING).join("uploads")
    }

    /// Returns the folder of the objects of `bucket` whose object keys are not paths.
    pub(crate) fn odd(&self, bucket: &str) -> PathBuf {
        self.root.join(BOOKKEEPING).join("odd").join(bucket)
    }

    /// Returns the folder of the records of `bucket`.
    fn records(&self, bucket: &str) -> PathBuf {
        self.root.join(BOOKKEEPING).join("records").join(bucket)
    }

    /// Returns the folder of a bucket, or `NoSuchBucket`.
    pub(crate) fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        if self.buckets.contains(bucket) {
            return Ok(self.root.join(bucket));
        }
        Err(s3_error!(NoSuchBucket, "The specified bucket does not exist: {bucket}"))
    }

    /// Returns the file that an object's record is written to.
    pub(crate) fn record(&self, bucket: &str, object_key: &str) -> PathBuf {
        self.record_named(bucket, &name_by_digest(object_key))
    }

    /// Returns the record of the object whose odd file has this name.
    pub(crate) fn record_named(&self, bucket: &str, name: &str) -> PathBuf {
        self.records(bucket).join(format!("{name}.json"))
    }

    /// Returns the file of an object that is there.
    pub(crate) fn object(&self, bucket: &str, object_key: &str) -> S3Result<Option<PathBuf>> {
        let folder = self.bucket(bucket)?;
        let readable = path_of(&folder, object_key).filter(|file| file.is_file());
        let odd = self.odd(bucket).join(name_by_digest(object_key));
        Ok(readable.or_else(|| odd.is_file().then_some(odd)))
    }

    /// Returns the file to store an object in: the one it lies in, else one that can be made now.
    pub(crate) fn place_for(&self, bucket: &str, object_key: &str) -> S3Result<PathBuf> {
        if let Some(file) = self.object(bucket, object_key)? {
            return Ok(file);
        }
        let folder = self.bucket(bucket)?;
        Ok(path_of(&folder, object_key)
            .filter(|file| is_free(file, &folder))
            .unwrap_or_else(|| self.odd(bucket).join(name_by_digest(object_key))))
    }

    /// Removes the folders of `file` that are empty now, up to the one of `bucket`.
    pub(crate) fn remove_empty_folders(&self, bucket: &str, file: &Path) {
        let bucket = self.root.join(bucket);
        if !file.starts_with(&bucket) {
            return;
        }
        for folder in folders_of(file, &bucket) {
            if std::fs::remove_dir(folder).is_err() {
                return; // Not empty.
            }
        }
    }
}

/// Returns the path that shows an object key as it is; `None` when it has none below `folder`.
fn path_of(folder: &Path, object_key: &str) -> Option<PathBuf> {
    let is_name =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.len() <= MAX_FILE_NAME_BYTES;
    let file = folder.join(object_key);
    let is_path = !object_key.contains('\0') && object_key.split('/').all(is_name);
    (is_path && file.as_os_str().len() <= MAX_PATH_BYTES).then_some(file)
}

/// Returns whether neither a folder lies at `file` nor an object above it.
fn is_free(file: &Path, bucket: &Path) -> bool {
    !file.is_dir() && !folders_of(file, bucket).any(Path::is_file)
}

/// Returns the folders above `file`, the nearest first, below `bucket`.
fn folders_of<'a>(file: &'a Path, bucket: &'a Path) -> impl Iterator<Item = &'a Path> {
    file.ancestors().skip(1).take_while(move |folder| *folder != bucket)
}

/// Returns a file name for any object key.
fn name_by_digest(object_key: &str) -> String {
    hex(Sha256::checksum(object_key.as_bytes()).as_ref())
}

fn cannot_prepare(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let message = format!("cannot prepare {}", path.display());
    move |error| Error::new(Kind::Config, message).caused_by(error)
}

/// Makes sure that no other server uses `root`.
fn lock(root: &Path) -> ferror::Result<File> {
    let path = root.join(BOOKKEEPING).join("lock");
    let file = File::create(&path).map_err(cannot_prepare(&path))?;
    file.try_lock().map_err(|error| {
        Error::new(Kind::Config, format!("another server uses {}", root.display()))
            .caused_by(error)
            .hint("stop the other local-s3, or choose another --root")
    })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn a_key_that_is_a_path_lies_there_and_any_other_apart() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::prepare(root.path(), &["artifacts".to_owned()]).unwrap();
        let bucket = places.bucket("artifacts").unwrap();
        std::fs::create_dir_all(bucket.join("folder")).unwrap();
        std::fs::write(bucket.join("folder/object"), b"").unwrap();
        let (long, too_long) = ("k".repeat(255), "k".repeat(256));
        let (deep, too_deep) = ("k/".repeat(200) + "k", "k/".repeat(511) + "k");
        for (object_key, is_path) in [
            ("a", true),
            ("a/b/c.tar.gz", true),
            (".hidden/...", true),
            ("folder/other", true),
            (&long, true),
            (&deep, true),
            (&too_long, false),
            (&too_deep, false),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a//b", false),
            ("a/../../b", false),
            ("./a", false),
            ("a\0b", false),
            ("folder", false),
            ("folder/object/below", false),
        ] {
            let place = places.place_for("artifacts", object_key).unwrap();
            assert_eq!(place == bucket.join(object_key), is_path, "{object_key:?}: {place:?}");
            let folder = if is_path { &bucket } else { &places.odd("artifacts") };
            assert!(place.starts_with(folder), "{object_key:?}: {place:?}");
            assert_eq!(places.object("artifacts", object_key).unwrap(), None, "{object_key:?}");
        }
        let error = places.place_for("other", "a").unwrap_err();
        assert_eq!(error.code().as_str(), "NoSuchBucket");
    }

    #[test]
    fn one_root_has_one_server_at_a_time() {
        let (root, buckets) = (tempfile::tempdir().unwrap(), ["artifacts".to_owned()]);
        let first = Places::prepare(root.path(), &buckets).unwrap();
        let error = Places::prepare(root.path(), &buckets).unwrap_err();
        assert!(error.message().contains("another server"), "{error}");
        drop(first);
        Places::prepare(root.path(), &buckets).expect("the first server is gone");
    }

    #[test]
    fn a_wrong_bucket_name_is_refused_before_anything_is_made() {
        let root = tempfile::tempdir().unwrap();
        for name in ["", "..", "Upper", "a/b", ".local-s3"] {
            let error = Places::prepare(root.path(), &[name.to_owned()]).unwrap_err();
            assert_eq!(error.kind(), ferror::Kind::Usage, "{name:?}: {error}");
        }
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
