//! The objects on disk: looking, replacing and removing, each one step under one lock.
//!
//! The lock is the whole server's, not an object's. It is held while looking and renaming, never
//! while a client sends or receives: a slow client keeps no one waiting.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use s3s::crypto::{Checksum as _, Md5};
use s3s::{S3Result, s3_error};

use crate::conditions::Conditions;
use crate::places::Places;
use crate::record::{Record, broken, hex};

/// How much of a file is read at a time.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// All objects of one server.
#[derive(Debug)]
pub(crate) struct Store {
    places: Places,
    lock: RwLock<()>,
    next: AtomicU64,
}

/// An object as it was at one moment. The open file keeps its bytes, whatever replaces it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) file: File,
    pub(crate) modified: SystemTime,
    pub(crate) record: Record,
}

/// A file that is not an object yet; removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Store {
    /// Returns the store in the folders that `places` has made.
    pub(crate) fn new(places: Places) -> Self {
        Self { places, lock: RwLock::default(), next: AtomicU64::default() }
    }

    /// Returns the paths on disk.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// Returns a name for a file that nobody else uses.
    pub(crate) fn scratch(&self) -> Scratch {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Scratch(self.places.staging().join(number.to_string()))
    }

    /// Locks out writers.
    pub(crate) fn reading(&self) -> RwLockReadGuard<'_, ()> {
        // It guards files, which a panic elsewhere leaves as they are.
        self.lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Locks out readers and writers.
    pub(crate) fn writing(&self) -> RwLockWriteGuard<'_, ()> {
        self.lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns an object that is there; `NoSuchKey` where none is.
    pub(crate) fn find(&self, bucket: &str, object_key: &str) -> S3Result<Found> {
        let _reading = self.reading();
        self.look(bucket, object_key)?
            .ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist: {object_key}"))
    }

    /// Does what [`Store::find`] does, for a caller that holds the lock.
    pub(crate) fn look(&self, bucket: &str, object_key: &str) -> S3Result<Option<Found>> {
        let Some(path) = self.places.object(bucket, object_key)? else { return Ok(None) };
        let file = File::open(&path).map_err(broken)?;
        let status = file.metadata().map_err(broken)?;
        let record = Record::read(&self.places.record(bucket, object_key))
            .filter(|record| record.size_bytes == status.len());
        let record = match record {
            Some(record) => record,
            None => Record {
                object_key: object_key.to_owned(),
                etag: hex(&md5_of(&path).map_err(broken)?),
                size_bytes: status.len(),
                ..Record::default()
            },
        };
        let modified = status.modified().map_err(broken)?;
        Ok(Some(Found { file, modified, record }))
    }

    /// Makes `body` the object that `record` describes, if `conditions` hold.
    pub(crate) fn replace(
        &self,
        bucket: &str,
        record: &Record,
        body: Scratch,
        conditions: &Conditions,
    ) -> S3Result<()> {
        let _writing = self.writing();
        self.replace_locked(bucket, record, body, conditions)
    }

    /// Does what [`Store::replace`] does, for a caller that holds the lock.
    pub(crate) fn replace_locked(
        &self,
        bucket: &str,
        record: &Record,
        body: Scratch,
        conditions: &Conditions,
    ) -> S3Result<()> {
        let object_key = &record.object_key;
        let present = self.look(bucket, object_key)?;
        conditions.check_write(present.as_ref().map(|found| found.record.etag.as_str()))?;
        let place = self.places.place_for(bucket, object_key)?;
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder).map_err(broken)?;
        }
        let scratch = self.scratch();
        body.rename(&place).map_err(broken)?;
        record.write(&self.places.record(bucket, object_key), scratch.path()).map_err(broken)
    }

    /// Removes an object, if there is one and `conditions` hold.
    pub(crate) fn remove(
        &self,
        bucket: &str,
        object_key: &str,
        conditions: &Conditions,
    ) -> S3Result<()> {
        let _writing = self.writing();
        let Some(place) = self.places.object(bucket, object_key)? else {
            return Ok(()); // Removing what is not there is a success in S3.
        };
        let present = self.look(bucket, object_key)?;
        conditions.check_write(present.as_ref().map(|found| found.record.etag.as_str()))?;
        std::fs::remove_file(&place).map_err(broken)?;
        // An object that was put there by hand has none.
        let _ = std::fs::remove_file(self.places.record(bucket, object_key));
        self.places.remove_empty_folders(bucket, &place);
        Ok(())
    }
}

impl Scratch {
    /// Returns the path to write to.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Moves the file to its place, in one step.
    pub(crate) fn rename(self, place: &Path) -> std::io::Result<()> {
        std::fs::rename(&self.0, place)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It has its place, or was never written; what stays is removed at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns the MD5 of a file.
fn md5_of(path: &Path) -> std::io::Result<[u8; 16]> {
    copy(&mut File::open(path)?, &mut std::io::sink())
}

/// Copies what is left of `from`; the MD5 of what was copied.
pub(crate) fn copy(from: &mut File, to: &mut impl std::io::Write) -> std::io::Result<[u8; 16]> {
    let (mut buffer, mut md5) = (vec![0; READ_BYTES], Md5::new());
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(md5.finalize());
        }
        md5.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}
