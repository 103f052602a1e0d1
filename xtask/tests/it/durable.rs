//! Tests that a file of `dist` gets its name when the disk has its content, so that a name stands for a whole file
//! also after a loss of power.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Repo, host, run};

/// A library that writes down two calls of the program that loads it, in their order.
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
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let path = |path| OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
    record(&["rename".as_ref(), path(from), path(to)]);
    let real: extern "C" fn(*const c_char, *const c_char) -> c_int =
        unsafe { std::mem::transmute(real(c"rename")) };
    real(from, to)
}
"#;

#[test]
fn files_of_dist_get_their_names_when_the_disk_has_them() {
    let repo = Repo::new(&["alpha"]);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("recorder.rs"), RECORDER).unwrap();
    let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"));
    rustc.args(["--edition", "2024", "--crate-type", "cdylib", "-o"]);
    run(rustc.arg(at("recorder.so")).arg(at("recorder.rs")), "rustc").exits(0);
    let platforms = host().to_string();
    let mut dist = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dist", "--platforms", &platforms]);
    dist.env("LD_PRELOAD", at("recorder.so")).env("RECORDED", at("recorded"));
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
