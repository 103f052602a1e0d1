//! Tests that a file of `dist`, and a tool that is installed, gets its name when the disk has its content, so that a name stands
//! for a whole file or folder also after a loss of power.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Repo, host, run};

/// A library that writes down three calls of the program that loads it, in their order.
const RECORDER: &str = r#"use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

unsafe fn real(name: &CStr) -> *mut c_void {
    unsafe { dlsym(-1_isize as *mut c_void, name.as_ptr()) }
}

fn record(line: &[&OsStr]) {
    let list = std::env::var_os("RECORDED").unwrap();
    let mut list = std::fs::File::options().append(true).create(true).open(list).unwrap();
    let line: Vec<_> = line.iter().map(|word| word.as_bytes()).collect();
    list.write_all(&[&line.join(&b'\t')[..], b"\n"].concat()).unwrap();
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int {
    let path = std::fs::read_link(format!("/proc/self/fd/{file}")).unwrap();
    record(&["fsync".as_ref(), path.as_os_str()]);
    let real: extern "C" fn(c_int) -> c_int = unsafe { std::mem::transmute(real(c"fsync")) };
    real(file)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncfs(file: c_int) -> c_int {
    let path = std::fs::read_link(format!("/proc/self/fd/{file}")).unwrap();
    record(&["syncfs".as_ref(), path.as_os_str()]);
    let real: extern "C" fn(c_int) -> c_int = unsafe { std::mem::transmute(real(c"syncfs")) };
    real(file)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let path = |path| OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
    record(&["rename".as_ref(), path(from), path(to)]);
    let real: extern "C" fn(*const c_char, *const c_char) -> c_int =
        unsafe { std::mem::transmute(real(c"rename")) };
    real(from, to)
}
"#;

/// Compiles the library, and returns its path.
fn recorder(folder: &Path) -> PathBuf {
    let library = folder.join("recorder.so");
    fs::write(folder.join("recorder.rs"), RECORDER).unwrap();
    let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"));
    rustc.args(["--edition", "2024", "--crate-type", "cdylib", "-o"]);
    run(rustc.arg(&library).arg(folder.join("recorder.rs")), "rustc").exits(0);
    library
}

/// A python3 whose pip installs two programs that do nothing.
const PYTHON: &str = "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n  if [ \"$1\" = --target ]; then\n    \
    mkdir -p \"$2/ziglang\" \"$2/bin\"\n    \
    for program in ziglang/zig bin/cargo-zigbuild; do\n      \
      printf '#!/bin/sh\\n' > \"$2/$program\"\n      chmod +x \"$2/$program\"\n    done\n  fi\n  shift\ndone\n";

#[test]
fn tools_get_their_names_when_the_disk_has_them() {
    let mut repo = Repo::new(&["alpha"]);
    let folder = tempfile::tempdir().unwrap();
    let library = recorder(folder.path());
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    fs::write(programs.join("python3"), PYTHON).unwrap();
    fs::set_permissions(programs.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let target = repo.path().join("target/empty");
    repo.set("CARGO_TARGET_DIR", target.to_str().unwrap());
    let platforms = host().to_string();
    let mut setup =
        repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["setup", "--platforms", &platforms]);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    setup.env("PATH", path).env("LD_PRELOAD", library);
    setup.env("RECORDED", folder.path().join("recorded"));
    // What is installed here builds nothing, so how it ends does not count.
    setup.output().unwrap();

    let recorded = fs::read_to_string(folder.path().join("recorded")).unwrap();
    let calls: Vec<Vec<_>> = recorded.lines().map(|line| line.split('\t').collect()).collect();
    let tools = target.join("dist/tools");
    let is_tool = |call: &Vec<&str>| match call[..] {
        ["rename", _, to] => Path::new(to).parent() == Some(&tools) && to.contains("/zig-"),
        _ => false,
    };
    let at = calls.iter().position(|call| is_tool(call) && !call[2].ends_with(".requirements"));
    let at = at.unwrap_or_else(|| panic!("zig was not installed:\n{recorded}"));
    assert!(calls[..at].contains(&vec!["syncfs", calls[at][1]]), "named first:\n{recorded}");
    let folder = tools.to_str().unwrap();
    assert!(calls[at..].contains(&vec!["fsync", folder]), "it may lose its name:\n{recorded}");
}

#[test]
fn files_of_dist_get_their_names_when_the_disk_has_them() {
    let repo = Repo::new(&["alpha"]);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let library = recorder(folder.path());
    let platforms = host().to_string();
    let mut dist = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dist", "--platforms", &platforms]);
    dist.env("LD_PRELOAD", library).env("RECORDED", at("recorded"));
    run(&mut dist, "dist").exits(0);

    let recorded = fs::read_to_string(at("recorded")).unwrap();
    let calls: Vec<Vec<_>> = recorded.lines().map(|line| line.split('\t').collect()).collect();
    let snapshot = repo.path().join("pkg/snapshot");
    let is_ours = |path: &str| Path::new(path).starts_with(&snapshot);
    let mut named = Vec::new();
    for (nth, call) in calls.iter().enumerate() {
        let ["rename", from, to] = call[..] else { continue };
        if !is_ours(to) {
            continue;
        }
        assert!(calls[..nth].contains(&vec!["fsync", from]), "{to} was named first:\n{recorded}");
        let folder = Path::new(to).parent().unwrap().to_str().unwrap();
        assert!(calls[nth..].contains(&vec!["fsync", folder]), "{to} may lose its name");
        named.push(Path::new(to).strip_prefix(&snapshot).unwrap().to_str().unwrap());
    }
    let (binary, archive) = (format!("{platforms}/alpha"), format!("alpha_{platforms}.tar.gz"));
    let expected = BTreeSet::from([&binary, &archive, "SHA256SUMS", "manifest.json"]);
    assert_eq!(named.iter().copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(named.last(), Some(&"manifest.json"), "its name says that the others are there");
}
