//! The program: with the servers as `cargo xtask ci --all` runs it, and where none can be installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The servers that have a test here: all of them.
const SERVERS: [&str; 3] = ["swift", "ceph", "versity"];

/// Programs that install Debian's packages, and those that come in the packages of the servers.
const NOT_THERE: [&str; 9] = [
    "apt-get",
    "sudo",
    "go",
    "ceph",
    "ceph-mon",
    "ceph-osd",
    "monmaptool",
    "radosgw",
    "radosgw-admin",
];

fn interop() -> Command {
    Command::new(env!("CARGO_BIN_EXE_interop"))
}

/// Runs the program for one server. Where that cannot be installed, the program only warns; the
/// warning is shown although the test passes, because the program inherits stderr.
fn passes_or_is_missing(server: &str) {
    let status = interop().args([server, "--skip-missing"]).status().unwrap();
    assert!(status.success(), "interop {server}: {status}; what it printed says why");
}

#[test]
#[ignore = "installs and starts servers"]
fn swift() {
    passes_or_is_missing("swift");
}

#[test]
#[ignore = "installs and starts servers"]
fn ceph() {
    passes_or_is_missing("ceph");
}

#[test]
#[ignore = "installs and starts servers"]
fn versity() {
    passes_or_is_missing("versity");
}

#[test]
fn an_unknown_server_is_refused_with_the_names_of_all() {
    let output = interop().arg("minio").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let all = format!("unknown server `minio`: the servers are {}\n", SERVERS.join(", "));
    assert!(stderr.contains(&all), "a new server needs a test in this file:\n{stderr}");
}

#[test]
#[ignore = "makes virtual environments for a server that cannot be installed"]
fn servers_that_cannot_be_installed_fail_the_run_unless_they_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    link_programs(&folder.path().join("bin"));
    let rows = [
        (
            &[][..],
            3,
            &[
                "swift cannot be installed: ",
                "ceph cannot be installed: ",
                "versity cannot be installed: ",
                "error: not tested, not installed: swift, ceph, versity\nhint: ",
            ][..],
        ),
        (&["ceph"], 3, &["ceph-mon", "error: not tested, not installed: ceph\nhint: "]),
        (
            &["--skip-missing"],
            0,
            &["warning swift is not tested: ", "warning ceph is not tested: "],
        ),
    ];
    for (arguments, code, texts) in rows {
        let (found, stderr) = run_offline(folder.path(), arguments);
        assert_eq!(found, Some(code), "{arguments:?}\n{stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{arguments:?}: no {text:?} in\n{stderr}");
        }
        assert!(!stderr.contains("started"), "{arguments:?}\n{stderr}");
    }
}

/// Runs the program where no server is installed and none can be; returns exit code and stderr.
fn run_offline(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = interop();
    command.args(arguments).arg("--folder").arg(folder.join("interop")).envs([
        // Nothing listens there, and it is asked only once.
        ("PIP_INDEX_URL", "http://127.0.0.1:1/simple"),
        ("PIP_EXTRA_INDEX_URL", ""),
        ("PIP_FIND_LINKS", ""),
        ("PIP_CONFIG_FILE", "/dev/null"),
        ("PIP_RETRIES", "0"),
        ("PIP_NO_CACHE_DIR", "1"),
        ("CI", "1"),
    ]);
    let output = command.env("PATH", folder.join("bin")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Links every program of this machine into one folder, save for those of [`NOT_THERE`].
fn link_programs(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for place in std::env::split_paths(&path) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !NOT_THERE.iter().any(|gone| name == *gone) {
                // Fails for a name that is there already: the first one on PATH counts.
                let _ = symlink(entry.path(), folder.join(name));
            }
        }
    }
}
