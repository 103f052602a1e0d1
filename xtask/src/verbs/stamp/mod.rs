//! The verb `stamp`: prints what is stamped into binaries, alone or inside archives.
//!
//! It answers the question of the person who deploys: which commit is this file? It reads the file,
//! never runs it, so a macOS binary can be asked on Linux; and as it reads everything anyway, it
//! checks the code signature and says what the binary needs from its machine.

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
use crate::system::ui;

/// Limits on what is read, in bytes and entries. They only keep a made-up file from filling the
/// memory or taking the day; real binaries are a tenth of that.
const LARGEST_BINARY: u64 = 1 << 30;
const LARGEST_CONTENT: u64 = 8 << 30;
const MOST_ENTRIES: usize = 100_000;

/// What is known of one binary; the form of `--json`.
#[derive(Debug)]
struct Shown {
    /// The file, or archive and entry.
    file: String,
    /// Whether the binary has a place for a stamp.
    section: bool,
    stamp: Option<Stamp>,
    format: &'static str,
    cpu: String,
    /// The oldest macOS or glibc it runs with.
    minimum: Option<String>,
    libraries: Vec<String>,
    /// Pages under a code signature, each of them right.
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
    /// The files; at least one.
    pub files: Vec<PathBuf>,
    /// `--json`.
    pub json: bool,
}

/// Runs `stamp`.
pub fn run(options: &Options) -> anyhow::Result<()> {
    Ok(ui::print(&show_files(&options.files, options.json)?)?)
}

/// What is stamped into each file, or into each binary of a `.tar.gz`: one block of lines a binary,
/// or with `json` one array. An error names the file that cannot be read as either.
fn show_files(files: &[PathBuf], json: bool) -> anyhow::Result<String> {
    let mut shown = Vec::new();
    for path in files {
        let name = path.display().to_string();
        shown.extend(show_file(path, &name).with_context(|| name.clone())?);
    }
    if json {
        return Ok(format!("{:#}\n", shown.iter().map(to_json).collect::<Value>()));
    }
    Ok(shown.iter().map(block).collect::<Vec<_>>().join("\n"))
}

fn show_file(path: &Path, name: &str) -> anyhow::Result<Vec<Shown>> {
    let unreadable = |e: std::io::Error| Error::config("the file cannot be read").caused_by(e);
    // Asked before it is opened: opening a pipe waits for its other end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::config("not a regular file; expected a binary or a .tar.gz").into());
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(unreadable)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return show_archive(start.chain(file), name);
    }
    Ok(vec![show(&read_binary(&start, file)?, name)?])
}

/// Every binary among the archive's entries; other entries are resources and say nothing.
fn show_archive(packed: impl Read, name: &str) -> anyhow::Result<Vec<Shown>> {
    let damaged = |e: std::io::Error| Error::invalid("not a whole .tar.gz").caused_by(e);
    let content = MultiGzDecoder::new(packed).take(LARGEST_CONTENT);
    let mut archive = tar::Archive::new(content);
    let mut shown = Vec::new();
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
            shown.push(show(&image, &format!("{name}: {inside}")).with_context(|| inside.clone())?);
        }
    }
    if shown.is_empty() {
        return Err(Error::invalid("no binary among the archive's entries").into());
    }
    Ok(shown)
}

/// The whole image, of which `start` has been read already.
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

fn show(image: &[u8], file: &str) -> anyhow::Result<Shown> {
    let Facts { format, cpu, minimum, libraries, signed_pages } = stamp::facts(image)?;
    let (wants, format) = match format {
        Format::Elf => ("glibc", "ELF"),
        Format::MachO => ("macOS", "Mach-O"),
    };
    Ok(Shown {
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

fn to_json(shown: &Shown) -> Value {
    let stamp = shown.stamp.as_ref().map(|stamp| {
        json!({
            "version": stamp.version,
            "commit": stamp.commit,
            "dirty": stamp.dirty,
            "committed_at": stamp.committed_at,
            "platform": stamp.platform,
        })
    });
    json!({
        "file": shown.file,
        "section": shown.section,
        "stamp": stamp,
        "format": shown.format,
        "cpu": shown.cpu,
        "minimum": shown.minimum,
        "libraries": shown.libraries,
        "signed_pages": shown.signed_pages,
    })
}

fn block(shown: &Shown) -> String {
    let mut lines = format!("{}\n", shown.file);
    let mut line = |name: &str, value: &str| {
        writeln!(lines, "  {name:<14}{value}").expect("writing to a String does not fail");
    };
    match &shown.stamp {
        Some(stamp) => {
            line("version", &stamp.version);
            line("commit", &stamp.commit);
            line("dirty", if stamp.dirty { "yes" } else { "no" });
            line("committed at", &Epoch::from_secs(stamp.committed_at).to_rfc3339());
            line("platform", &stamp.platform);
        }
        None if shown.section => line("version", "DEV (not stamped)"),
        None => {
            line("version", "none: no stamp section, the program does not use the crate `stamp`");
        }
    }
    line("format", &format!("{} {}", shown.format, shown.cpu));
    if let Some(minimum) = &shown.minimum {
        line("needs", &format!("{minimum} or newer"));
    }
    match shown.libraries.as_slice() {
        [] => line("libraries", "none"),
        libraries => line("libraries", &libraries.join(", ")),
    }
    if let Some(pages) = shown.signed_pages {
        line("signature", &format!("{pages} pages right"));
    }
    lines
}

/// Text from a file, fit for a terminal: control characters are shown, not obeyed.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
