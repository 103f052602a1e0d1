//! Where things lie: `ROOT/<bucket>/<object key>` for the objects, `ROOT/.local-s3` for the rest.
//!
//! `s3s-fs` keeps JSON files with metadata and `ETag`s directly in its root, beside the bucket
//! folders. So its root is `ROOT/.local-s3`, where each bucket is a link to its folder: what a person
//! finds in ROOT is buckets and objects alone.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use ferror::{Error, Kind};
use s3s::{S3Result, s3_error};

/// The folder below the root that is ours. No bucket can have its name: a bucket's begins with a
/// letter or a digit.
const BOOKKEEPING: &str = ".local-s3";
/// The longest file name on Linux and macOS, in bytes.
const MAX_FILE_NAME_BYTES: usize = 255;

/// The folders of one server.
#[derive(Debug)]
pub(crate) struct Places {
    root: PathBuf,
    buckets: BTreeSet<String>,
    /// Held while the server lives. What is one step under its lock is not for a second server.
    _alone: File,
}

impl Places {
    /// Makes the folders that are missing. Objects of an earlier run stay.
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
        std::fs::create_dir_all(&staging).map_err(cannot_prepare(&staging))?;
        for bucket in &places.buckets {
            let folder = places.root.join(bucket);
            std::fs::create_dir_all(&folder).map_err(cannot_prepare(&folder))?;
            let link = places.bookkeeping().join(bucket);
            if !link.is_symlink() {
                std::os::unix::fs::symlink(Path::new("..").join(bucket), &link)
                    .map_err(cannot_prepare(&link))?;
            }
        }
        Ok(places)
    }

    /// The root, absolute.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What `s3s-fs` takes for its root.
    pub(crate) fn bookkeeping(&self) -> PathBuf {
        self.root.join(BOOKKEEPING)
    }

    /// Where bodies are taken in before they are stored; empty at the start of every run.
    pub(crate) fn staging(&self) -> PathBuf {
        self.bookkeeping().join("_staging")
    }

    /// The folder of a bucket, or `NoSuchBucket`.
    pub(crate) fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        if self.buckets.contains(bucket) {
            return Ok(self.root.join(bucket));
        }
        Err(s3_error!(NoSuchBucket, "The specified bucket does not exist: {bucket}"))
    }

    /// The file of an object that is there; `NoSuchKey` where none is, or none can be.
    pub(crate) fn object(&self, bucket: &str, object_key: &str) -> S3Result<PathBuf> {
        let folder = self.bucket(bucket)?;
        if is_file_name_per_segment(object_key) {
            let file = folder.join(object_key);
            if file.is_file() {
                return Ok(file);
            }
        }
        Err(s3_error!(NoSuchKey, "The specified key does not exist: {object_key}"))
    }

    /// Refuses an object key that cannot be a file name here.
    pub(crate) fn check_storable(&self, bucket: &str, object_key: &str) -> S3Result<()> {
        self.bucket(bucket)?;
        if !is_file_name_per_segment(object_key) {
            return Err(s3_error!(
                InvalidArgument,
                "This server keeps objects as files; {object_key:?} is not the name of a file."
            ));
        }
        let names = bookkeeping_name_bytes(bucket, object_key);
        let segments = object_key.split('/').map(str::len).max().unwrap_or_default();
        if names.max(segments) > MAX_FILE_NAME_BYTES {
            return Err(s3_error!(KeyTooLongError, "This server takes shorter object keys only."));
        }
        Ok(())
    }

    /// Refuses an object that lies where there is a folder, or below another object, now.
    pub(crate) fn check_free(&self, bucket: &str, object_key: &str) -> S3Result<()> {
        let folder = self.bucket(bucket)?;
        let file = folder.join(object_key);
        let above_is_file = |path: &&Path| *path != folder && path.is_file();
        let parents = file.ancestors().skip(1).take_while(|path| path.starts_with(&folder));
        if file.is_dir() || parents.into_iter().any(|path| above_is_file(&path)) {
            return Err(s3_error!(
                InvalidRequest,
                "This server keeps objects as files; {object_key:?} lies above or below another object."
            ));
        }
        Ok(())
    }
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

/// Whether every segment can be a file's name, so that the path stays below the bucket's folder.
fn is_file_name_per_segment(object_key: &str) -> bool {
    !object_key.contains('\0')
        && object_key.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// The length of the longest of the names that `s3s-fs` makes for an object's bookkeeping:
/// `.bucket-<base64>.object-<base64>.metadata.json`.
fn bookkeeping_name_bytes(bucket: &str, object_key: &str) -> usize {
    let base64_bytes = |text: &str| (text.len() * 4).div_ceil(3);
    ".bucket-.object-.metadata.json".len() + base64_bytes(bucket) + base64_bytes(object_key)
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn only_names_of_files_below_the_bucket_can_be_stored() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::prepare(root.path(), &["artifacts".to_owned()]).unwrap();
        let (long, too_long) = ("k".repeat(159), "k".repeat(160));
        for (object_key, expected) in [
            ("a", None),
            ("a/b/c.tar.gz", None),
            (".hidden/...", None),
            (&long, None),
            (&too_long, Some("KeyTooLongError")),
            ("", Some("InvalidArgument")),
            ("/a", Some("InvalidArgument")),
            ("a/", Some("InvalidArgument")),
            ("a//b", Some("InvalidArgument")),
            ("a/../../b", Some("InvalidArgument")),
            ("./a", Some("InvalidArgument")),
            ("a\0b", Some("InvalidArgument")),
        ] {
            let found = places.check_storable("artifacts", object_key).err();
            let found = found.as_ref().map(|error| error.code().as_str());
            assert_eq!(found, expected, "object key {object_key:?}");
        }
        let found = places.check_storable("other", "a").unwrap_err();
        assert_eq!(found.code().as_str(), "NoSuchBucket");
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
