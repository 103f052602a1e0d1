//! `interop` where the servers to test against can be neither found nor installed: it is
//! said, and the run fails.
//!
//! That they run where they can be installed is `cargo xtask interop` itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::support::Repo;

/// What installs Debian's packages, and what comes in those of the servers.
const NOT_THERE: [&str; 8] =
    ["apt-get", "sudo", "ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"];

/// A repository that has the tests, as far as the verb looks, on a machine without servers and
/// without a way to get them.
struct Offline {
    repo: Repo,
    _folder: TempDir,
}

impl Offline {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("bin");
        link_programs(&programs);
        let mut repo = Repo::new(&["alpha"]);
        repo.write("foundation/s3/tests/interop/main.rs", "//! Nothing to compile.\n");
        repo.set("PATH", &programs.display().to_string());
        // A target folder of its own: none of the servers was ever installed there.
        repo.set("CARGO_TARGET_DIR", &folder.path().join("target").display().to_string());
        for (name, value) in [
            // Nobody listens there, and nobody is asked twice.
            ("PIP_INDEX_URL", "http://127.0.0.1:1/simple"),
            ("PIP_EXTRA_INDEX_URL", ""),
            ("PIP_FIND_LINKS", ""),
            ("PIP_CONFIG_FILE", "/dev/null"),
            ("PIP_RETRIES", "0"),
            ("PIP_NO_CACHE_DIR", "1"),
            ("CI", "1"),
        ] {
            repo.set(name, value);
        }
        Self { repo, _folder: folder }
    }
}

/// Every program of this machine in one folder, save for those.
fn link_programs(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for place in std::env::split_paths(&path) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !NOT_THERE.iter().any(|gone| name == *gone) {
                // The first one on PATH is the one that counts.
                let _ = symlink(entry.path(), folder.join(name));
            }
        }
    }
}

#[test]
#[ignore = "makes a virtual environment for a server that is not to be had"]
fn servers_that_cannot_be_installed_are_named_and_the_run_fails() {
    let offline = Offline::new();
    let run = offline.repo.xtask("interop").exits(3);
    let run = run
        .says("swift cannot be installed: ")
        .says("ceph cannot be installed: ")
        .says("not tested, not installed: swift, ceph")
        .says("hint: ");
    assert!(!run.stderr.contains("started"), "{}", run.stderr);
    let run = offline.repo.xtask("interop ceph").exits(3);
    run.says("ceph-mon").says("error: not tested, not installed: ceph");
}
