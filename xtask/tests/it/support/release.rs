//! Publishes releases that need no build: small archives, which the program uploads.

use std::path::Path;

use catalog::Platform;
use serde_json::{Value, json};
use xtask::build::archive::{self, Entry};
use xtask::system::files;

use crate::support::Repo;
use crate::support::bucket::Bucket;

/// Makes a commit id of 40 digits from a version: `{version}{PADDING}`.
pub(crate) const PADDING: &str = "0000000000000000000000000000000000";

/// A release to be published.
pub(crate) struct Release<'a> {
    pub(crate) service: &'a str,
    /// Six digits.
    pub(crate) version: &'a str,
    pub(crate) platforms: &'a [&'a str],
    /// What every object key begins with.
    pub(crate) prefix: &'a str,
}

impl<'a> Release<'a> {
    /// Describes a release of alpha for one platform.
    pub(crate) fn of_alpha(version: &'a str) -> Self {
        Self { service: "alpha", version, platforms: &["linux_amd64"], prefix: "" }
    }

    /// Packs and uploads it, and returns its manifest.
    pub(crate) fn publish(&self, bucket: &Bucket) -> Value {
        self.publish_with(bucket, None)
    }

    /// Uploads it with the bytes `packed` for archives.
    pub(crate) fn publish_with(&self, bucket: &Bucket, packed: Option<&[u8]>) -> Value {
        let repo = bucket.serve(Repo::empty());
        let snapshot = repo.path().join("pkg/snapshot");
        let artifacts: Vec<_> =
            self.platforms.iter().map(|platform| self.pack(&snapshot, platform, packed)).collect();
        let manifest = json!({
            "schema": 1, "version": self.version, "commit": format!("{}{PADDING}", self.version),
            "dirty": false, "committed_at": 1_369_353_600, "branch": null,
            "platforms": self.platforms, "artifacts": artifacts,
        });
        repo.write("pkg/snapshot/manifest.json", &manifest.to_string());
        repo.xtask("upload").exits(0);
        manifest
    }

    fn pack(&self, snapshot: &Path, platform: &str, packed: Option<&[u8]>) -> Value {
        let Self { service, version, prefix, .. } = self;
        let top = format!("{service}_{platform}");
        let entry = |name: &str, executable, bytes: &[u8]| Entry {
            name: name.to_owned(),
            executable,
            bytes: bytes.to_owned(),
        };
        let binary = format!("{service} {version} {platform}");
        let entries =
            [entry(service, true, binary.as_bytes()), entry("conf/a.toml", false, b"a = 1\n")];
        let path = snapshot.join(format!("{top}.tar.gz"));
        let made = archive::pack(&path, &top, &entries, 1_369_353_600).unwrap();
        let (size_bytes, sha256) = packed.map_or(made, |packed| {
            std::fs::write(&path, packed).unwrap();
            (packed.len() as u64, files::sha256(packed))
        });
        let suffix = suffix(platform);
        let triple = platform.parse::<Platform>().unwrap().triple();
        let stamped = files::sha256(binary.as_bytes());
        let unstamped = files::sha256(format!("{service} {platform}").as_bytes());
        json!({
            "service": service, "platform": platform, "triple": triple,
            "file": format!("{top}.tar.gz"), "size_bytes": size_bytes, "sha256": sha256,
            "binary_sha256": stamped, "unstamped_sha256": unstamped, "rustc": "rustc",
            "object_key": format!("{prefix}{service}/{service}_{version}{suffix}.tar.gz"),
        })
    }
}

/// Returns the part of an object key that names a platform; empty for `linux_amd64`.
pub(crate) fn suffix(platform: &str) -> String {
    if platform == "linux_amd64" { String::new() } else { format!("_{platform}") }
}
