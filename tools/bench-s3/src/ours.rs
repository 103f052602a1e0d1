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

/// `bench-s3 put ENDPOINT PREFIX [FILE SHA256]...`: sends the files to `PREFIX` and their names.
pub(crate) fn put(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let mut text = |what: &str| {
        let text = arguments.next().and_then(|argument| argument.into_string().ok());
        text.ok_or_else(|| Error::usage(format!("put needs {what}")))
    };
    let (endpoint, prefix) = (text("an endpoint")?, text("a prefix")?);
    let mut files = Vec::new();
    while let Some(file) = arguments.next() {
        let digest = arguments.next().and_then(|hex| from_hex(hex.to_str()?));
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
        body: Body::File { path: file, size_bytes: status.len(), sha256 },
        content_type: "application/octet-stream",
        metadata: &[],
        attributes: None,
        precondition: Precondition::Absent,
    };
    match client.put(object_key, &put)? {
        PutOutcome::Stored(_) => Ok(()),
        PutOutcome::PreconditionFailed => {
            Err(Error::invalid(format!("{object_key} is there already")))
        }
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (text.len() == 64).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn a_digest_has_64_digits() {
        assert_eq!(from_hex(&"0a".repeat(32)), Some([10; 32]));
        for wrong in [String::new(), "0a".repeat(31), "0a".repeat(33), "0g".repeat(32)] {
            assert_eq!(from_hex(&wrong), None, "{wrong}");
        }
    }
}
