//! `stamp`: prints what is stamped into binaries, alone or inside archives; with `--check`, compares the archives of
//! a manifest with it.
//!
//! It tells a person who deploys which commit a file was built from. Without `--check`, the file is read and never
//! run, so this works on Linux for a macOS binary too. It also checks the code signature, and prints what the binary
//! needs from its machine.

mod check;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;
use flate2::read::MultiGzDecoder;
use ftime::Epoch;
use serde_json::{Value, json};

use crate::build::stamp::{self, Facts, Format};
use crate::system::env::Env;
use crate::system::ui::Ui;

/// Limits on what is read, in bytes and entries. They bound memory and time for a made-up file; real
/// binaries are a tenth of that.
const LARGEST_BINARY: u64 = 1 << 30;
const LARGEST_CONTENT: u64 = 8 << 30;
const MOST_ENTRIES: usize = 100_000;

/// What is printed about one binary.
#[derive(Debug)]
struct BinaryReport {
    /// The path of the file, or of the archive and the entry in it.
    file: String,
    /// Whether the binary has a place for a stamp.
    section: bool,
    stamp: Option<Stamp>,
    format: &'static str,
    cpu: String,
    /// The oldest macOS or glibc it runs with.
    minimum: Option<String>,
    libraries: Vec<String>,
    /// The number of pages that the code signature covers.
    signed_pages: Option<usize>,
}

#[derive(Debug)]
struct Stamp {
    version: String,
    commit: String,
    dirty: bool,
    committed_at: i64,
    platform: String,
}

/// The options of `stamp`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The files; at least one. With `--check`, folders with a manifest.
    pub files: Vec<PathBuf>,
    /// `--check`.
    pub check: bool,
    /// `--json`.
    pub json: bool,
}

/// Runs `stamp`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    if options.check {
        let (mut checked, mut wrong) = (Vec::new(), Vec::new());
        for folder in &options.files {
            wrong.extend(check::run(folder, &mut checked, env, ui).err());
        }
        ui.document(&format!("{:#}", Value::from(checked)));
        return match wrong.len() {
            0 => Ok(()),
            1 => Err(wrong.remove(0)),
            _ => {
                let all: Vec<_> = wrong.iter().map(|error| format!("{error:#}")).collect();
                Err(Error::invalid(all.join("\n")).hint(check::HINT).into())
            }
        };
    }
    ui.print(&show_files(&options.files, options.json)?);
    Ok(())
}

/// Returns what is stamped into each file, or into each binary of a `.tar.gz`: a block of lines for each
/// binary, or with `json` one array. An error names the file that is neither.
fn show_files(files: &[PathBuf], json: bool) -> anyhow::Result<String> {
    let mut reports = Vec::new();
    for path in files {
        let name = path.display().to_string();
        reports.extend(read_file(path, &name).with_context(|| name.clone())?);
    }
    if json {
        return Ok(format!("{:#}\n", reports.iter().map(to_json).collect::<Value>()));
    }
    Ok(reports.iter().map(block).collect::<Vec<_>>().join("\n"))
}

fn read_file(path: &Path, name: &str) -> anyhow::Result<Vec<BinaryReport>> {
    let unreadable = |e: std::io::Error| Error::config("the file cannot be read").caused_by(e);
    // Checked before the file is opened, since opening a pipe waits for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::config("not a regular file; expected a binary or a .tar.gz").into());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(unreadable)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return read_archive(start.chain(file), name);
    }
    Ok(vec![report(&read_binary(&start, file)?, name)?])
}

/// Reads every binary among the archive's entries, and leaves the other entries out.
fn read_archive(packed: impl Read, name: &str) -> anyhow::Result<Vec<BinaryReport>> {
    let damaged = |e: std::io::Error| Error::invalid("not a whole .tar.gz").caused_by(e);
    let content = MultiGzDecoder::new(packed).take(LARGEST_CONTENT);
    let mut archive = tar::Archive::new(content);
    let mut reports = Vec::new();
    for (index, entry) in archive.entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if index == MOST_ENTRIES {
            return Err(Error::invalid(format!("more than {MOST_ENTRIES} entries")).into());
        }
        let mut start = Vec::new();
        entry.by_ref().take(4).read_to_end(&mut start).map_err(damaged)?;
        if entry.header().entry_type().is_file() && stamp::is_executable(&start) {
            let inside = plain(&String::from_utf8_lossy(&entry.path_bytes()));
            let image = read_binary(&start, entry).with_context(|| inside.clone())?;
            reports.push(
                report(&image, &format!("{name}: {inside}")).with_context(|| inside.clone())?,
            );
        }
    }
    if reports.is_empty() {
        return Err(Error::invalid("no binary among the archive's entries").into());
    }
    Ok(reports)
}

/// Reads the rest of a file of which `start` is read already.
fn read_binary(start: &[u8], rest: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut image = Vec::new();
    start
        .chain(rest)
        .take(LARGEST_BINARY + 1)
        .read_to_end(&mut image)
        .map_err(|e| Error::invalid("the file cannot be read to its end").caused_by(e))?;
    if image.len() as u64 > LARGEST_BINARY {
        return Err(Error::invalid(format!("more than {LARGEST_BINARY} bytes")).into());
    }
    Ok(image)
}

fn report(image: &[u8], file: &str) -> anyhow::Result<BinaryReport> {
    let Facts { format, cpu, minimum, libraries, signed_pages, .. } = stamp::facts(image)?;
    let (wants, format) = match format {
        Format::Elf => ("glibc", "ELF"),
        Format::MachO => ("macOS", "Mach-O"),
    };
    Ok(BinaryReport {
        file: file.to_owned(),
        section: stamp::has_section(image)?,
        stamp: stamp::read(image)?.map(|record| Stamp {
            version: record.version,
            commit: record.commit,
            dirty: record.dirty,
            committed_at: record.committed_at,
            platform: record.platform,
        }),
        format,
        cpu,
        minimum: minimum.map(|version| format!("{wants} {version}")),
        libraries: libraries.iter().map(|library| plain(library)).collect(),
        signed_pages,
    })
}

fn to_json(report: &BinaryReport) -> Value {
    let stamp = report.stamp.as_ref().map(|stamp| {
        json!({
            "version": stamp.version,
            "commit": stamp.commit,
            "dirty": stamp.dirty,
            "committed_at": stamp.committed_at,
            "platform": stamp.platform,
        })
    });
    json!({
        "file": report.file,
        "section": report.section,
        "stamp": stamp,
        "format": report.format,
        "cpu": report.cpu,
        "minimum": report.minimum,
        "libraries": report.libraries,
        "signed_pages": report.signed_pages,
    })
}

fn block(report: &BinaryReport) -> String {
    let mut lines = format!("{}\n", report.file);
    let mut line = |name: &str, value: &str| {
        writeln!(lines, "  {name:<14}{value}").expect("writing to a String does not fail");
    };
    match &report.stamp {
        Some(stamp) => {
            line("version", &stamp.version);
            line("commit", &stamp.commit);
            line("dirty", if stamp.dirty { "yes" } else { "no" });
            line("committed at", &Epoch::from_secs(stamp.committed_at).to_rfc3339());
            line("platform", &stamp.platform);
        }
        None if report.section => line("version", "DEV (not stamped)"),
        None => {
            line("version", "none: no stamp section, the program does not use the crate `stamp`");
        }
    }
    line("format", &format!("{} {}", report.format, report.cpu));
    if let Some(minimum) = &report.minimum {
        line("needs", &format!("{minimum} or newer"));
    }
    match report.libraries.as_slice() {
        [] => line("libraries", "none"),
        libraries => line("libraries", &libraries.join(", ")),
    }
    if let Some(pages) = report.signed_pages {
        line("signature", &format!("{pages} pages right"));
    }
    lines
}

/// Replaces control characters, which a terminal would obey, in text from a file.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use ferror::Kind;
    use tempfile::TempDir;

    use super::show_files;
    use crate::build::stamp::fixture::{MachO, Signed, elf, record};
    use crate::build::stamp::write;

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
    fn each_binary_is_shown_as_a_block_of_lines() {
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
    fn json_has_the_same_values() {
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
    fn a_file_that_cannot_be_read_is_named_with_the_reason() {
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
}
