//! Makes snapshots as `dist` in another job would have left them, so that tests of `upload` need no
//! build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::Repo;

/// The version of every snapshot.
pub(crate) const VERSION: &str = "aaaaaa";

/// Makes a folder that is no repository, with a snapshot of one artifact per service, of these
/// bytes.
pub(crate) fn snapshot(services: &[(&str, &[u8])]) -> Repo {
    let repo = Repo::empty();
    let folder = repo.path().join("pkg/snapshot");
    std::fs::create_dir_all(&folder).unwrap();
    let artifacts: Vec<_> = services
        .iter()
        .map(|(service, bytes)| {
            let (sha256, file) =
                (xtask::system::files::sha256(bytes), format!("{service}_linux_amd64.tar.gz"));
            std::fs::write(folder.join(&file), bytes).unwrap();
            json!({
                "service": service, "platform": "linux_amd64", "triple": "x86_64-unknown-linux-gnu",
                "file": file, "size_bytes": bytes.len(), "sha256": sha256, "binary_sha256": sha256,
                "unstamped_sha256": sha256, "object_key": archive(service), "rustc": "none",
            })
        })
        .collect();
    let manifest = json!({
        "schema": 1, "version": VERSION, "commit": "a".repeat(40), "dirty": false,
        "committed_at": 1_700_000_000, "branch": null, "platforms": ["linux_amd64"],
        "artifacts": artifacts,
    });
    repo.write("pkg/snapshot/manifest.json", &manifest.to_string());
    repo
}

/// Writes a workspace with the configuration table and no members, since `upload` needs none.
pub(crate) fn configure(repo: &Repo, table: &str) {
    repo.write("Cargo.toml", &format!("[workspace]\n\n[workspace.metadata.xtask]\n{table}\n"));
}

/// Returns the object key of a service's archive.
pub(crate) fn archive(service: &str) -> String {
    format!("{service}/{service}_{VERSION}.tar.gz")
}

/// Returns the object key of a service's manifest object.
pub(crate) fn manifest_object(service: &str) -> String {
    format!("{service}/{service}_{VERSION}.json")
}

/// Returns all files below a folder, by their paths in it.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

/// Copies what is in the folder of one machine into that of all. No two machines may have a file of one name there, which CI
/// refuses.
pub(crate) fn persist(folder: &Path, into: &Path) {
    for (name, bytes) in files_below(folder) {
        let path = into.join(name);
        assert!(!path.exists(), "two machines made {}", path.display());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
