//! `bench-s3 put`: uploads with the client of `foundation/s3` and as little else as possible.
//!
//! The files' digests are arguments, because `xtask upload` knows them from the manifest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ferror::{Error, Result};
use s3::{Body, Client, Credentials, Location, Precondition, Put, PutOutcome, Signature};

use crate::setup::{ACCESS_KEY_ID, BUCKET, REGION, SECRET_ACCESS_KEY};

/// How many files are sent at a time.
const JOBS: usize = 4;

/// Does `bench-s3 put ENDPOINT PREFIX [FILE SHA256]...`: sends each file to the object key made of
/// `PREFIX` and the file's name.
pub(crate) fn put(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let mut text = |what: &str| {
        let text = arguments.next().and_then(|argument| argument.into_string().ok());
        text.ok_or_else(|| Error::usage(format!("put needs {what}")))
    };
    let (endpoint, prefix) = (text("an endpoint")?, text("a prefix")?);
    let mut files = Vec::new();
    while let Some(file) = arguments.next() {
        let digest = arguments.next().and_then(|hex| s3::parse_digest(hex.to_str()?).ok());
        let digest = digest.ok_or_else(|| Error::usage("put needs a digest after each file"))?;
        files.push((PathBuf::from(file), digest));
    }
    let location = Location {
        bucket: BUCKET.to_owned(),
        region: REGION.to_owned(),
        endpoint: Some(endpoint),
        path_style: None,
        signature: Signature::V4,
    };
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None)?;
    let client = Client::new(location, credentials)?;

    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some((file, sha256)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("unnamed");
            send(&client, file, *sha256, &format!("{prefix}/{name}"))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..JOBS.min(files.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_| Error::config("a worker has panicked"))?
        })
    })
}

/// Sends one file.
fn send(client: &Client, file: &Path, sha256: [u8; 32], object_key: &str) -> Result<()> {
    let status = file.metadata().map_err(|error| {
        Error::config(format!("cannot read {}", file.display())).caused_by(error)
    })?;
    let put = Put {
        precondition: Precondition::Absent,
        ..Put::new(
            Body::File { path: file, size_bytes: status.len(), sha256 },
            "application/octet-stream",
        )
    };
    match client.put(object_key, &put)? {
        PutOutcome::Stored(_) => Ok(()),
        PutOutcome::PreconditionFailed => {
            Err(Error::invalid(format!("{object_key} is there already")))
        }
    }
}
