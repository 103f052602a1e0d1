//! What the verb `stamp` prints, on files whose stamp is known.

use std::io::Write as _;
use std::path::PathBuf;

use ferror::Kind;
use tempfile::TempDir;

use super::show_files;
use crate::build::stamp::write;
use crate::build::stamp::{fixture::MachO, fixture::Signed, fixture::elf, fixture::record};

const STAMPED_ELF: &str = "  version       abc123-dirty.0badcafe
  commit        abc123def4567890abc123def4567890abc123de
  dirty         yes
  committed at  2026-11-18T11:06:40Z
  platform      darwin_arm64
  format        ELF x86_64
  needs         glibc 2.17 or newer
  libraries     libc.so.6
";

const FRESH_MACH_O: &str = "  version       DEV (not stamped)
  format        Mach-O aarch64
  needs         macOS 11.0 or newer
  libraries     /usr/lib/libSystem.B.dylib
  signature     3 pages right
";

const NO_SECTION: &str =
    "  version       none: no stamp section, the program does not use the crate `stamp`
";

#[test]
fn each_binary_has_its_block() {
    let folder = TempDir::new().unwrap();
    let files = [
        file(&folder, "stamped", &stamped_elf()),
        file(&folder, "fresh", &MachO::new(Signed::Linker).image()),
        file(&folder, "foreign", &elf(&[])),
    ];
    let shown = show_files(&files, false).unwrap();
    let [stamped, fresh, foreign] = files.each_ref().map(|path| path.display());
    let expected =
        format!("{stamped}\n{STAMPED_ELF}\n{fresh}\n{FRESH_MACH_O}\n{foreign}\n{NO_SECTION}");
    assert!(shown.starts_with(&expected), "expected\n{expected}\nfound\n{shown}");
}

#[test]
fn an_archive_shows_its_binaries_and_not_its_resources() {
    let folder = TempDir::new().unwrap();
    let packed = tar_gz(&[("s/releases", &stamped_elf()), ("s/README.md", b"# releases")]);
    // The name of the file decides nothing.
    let path = file(&folder, "download", &packed);
    let shown = show_files(std::slice::from_ref(&path), false).unwrap();
    assert_eq!(shown, format!("{}: s/releases\n{STAMPED_ELF}", path.display()));
}

#[test]
fn json_says_the_same() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "stamped", &stamped_elf());
    let shown: serde_json::Value =
        serde_json::from_str(&show_files(std::slice::from_ref(&path), true).unwrap()).unwrap();
    let expected = serde_json::json!([{
        "file": path,
        "section": true,
        "stamp": {
            "version": "abc123-dirty.0badcafe",
            "commit": "abc123def4567890abc123def4567890abc123de",
            "dirty": true,
            "committed_at": 1_795_000_000,
            "platform": "darwin_arm64",
        },
        "format": "ELF",
        "cpu": "x86_64",
        "minimum": "glibc 2.17",
        "libraries": ["libc.so.6"],
        "signed_pages": null,
    }]);
    assert_eq!(shown, expected);
}

#[test]
fn what_cannot_be_shown_is_named_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let check = |path: PathBuf, kind: Kind, reason: &str| {
        let error = show_files(std::slice::from_ref(&path), false).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with(&path.display().to_string()), "names no file: {text}");
        assert!(text.contains(reason), "{path:?}: expected {reason:?} in {text}");
        assert_eq!(error.downcast_ref::<ferror::Error>().map(ferror::Error::kind), Some(kind));
    };
    check(folder.path().join("absent"), Kind::Config, "cannot be read");
    check(folder.path().to_owned(), Kind::Config, "not a regular file");
    check(file(&folder, "text", b"#!/bin/sh\n"), Kind::Invalid, "not an executable");
    check(file(&folder, "empty", b""), Kind::Invalid, "not an executable");

    let packed = tar_gz(&[("s/releases", &stamped_elf())]);
    check(file(&folder, "half", &packed[..packed.len() / 2]), Kind::Invalid, "");
    let packed = tar_gz(&[("s/README.md", b"# releases")]);
    check(file(&folder, "none", &packed), Kind::Invalid, "no binary");
    let packed = tar_gz(&[("s/bad\u{1b}[2J", b"\xca\xfe\xba\xbe")]);
    check(file(&folder, "fat", &packed), Kind::Invalid, "s/bad\u{fffd}[2J: a universal");
}

fn stamped_elf() -> Vec<u8> {
    let mut image = elf(&[256]);
    write(&mut image, &record("abc123-dirty.0badcafe"), "fixture").unwrap();
    image
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn tar_gz(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(&mut packed);
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.finish().unwrap();
    drop(archive);
    packed.flush().unwrap();
    packed.finish().unwrap()
}
