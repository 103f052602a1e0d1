//! Writes the stamp into a linked binary and reads it back. Pure: every function works on the bytes of one file.
//!
//! Why after the link: see the crate `stamp`, which owns the record's format and the section's
//! name. This module owns the two file formats around it: where the section stands (`elf`,
//! `macho`), and on macOS the code signature that covers it (`signature`), without which an
//! arm64 Mac kills the program as it starts.
//!
//! The order of work, for each binary that cargo linked: [`normalise`], digest (the manifest's
//! `unstamped_sha256`), [`write()`], then [`verify`] over what stands in the file.

mod elf;
mod macho;
mod signature;

#[cfg(test)]
mod built;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use anyhow::Context as _;
use ferror::Error;
use stamp::Record;

/// The file formats that can be stamped, both 64-bit and little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Linux.
    Elf,
    /// macOS, one architecture.
    MachO,
}

/// What [`write()`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The record is in the image.
    Stamped,
    /// The program does not use the stamp crate: there is nothing to write to, nothing was changed.
    NoSection,
}

/// What a binary asks of the machine that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The file format.
    pub format: Format,
    /// `x86_64` or `aarch64`; another processor by its number in the file.
    pub cpu: String,
    /// The oldest macOS (Mach-O) or glibc (ELF) it runs with; `None` where the file asks for none.
    pub minimum: Option<Version>,
    /// The shared libraries it loads, in the file's order.
    pub libraries: Vec<String>,
    /// The pages that the code signature covers, each hash of them right; `None` without a signature.
    pub signed_pages: Option<usize>,
}

/// A version of macOS or glibc: major, minor, update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// A section with the stamp's name: where it stands in the file.
struct Section {
    offset: u64,
    size: u64,
    /// Whether its bytes are in the file at all, or made as zeros when the program starts.
    in_file: bool,
}

/// What the first bytes of a file are.
enum Kind {
    Known(Format),
    /// An executable, of a kind that we do not build.
    Foreign(&'static str),
    Other,
}

/// Removes from a linked image what depends on where it was linked: the Mach-O UUID is derived
/// from the content instead, and the signature made right again. An ELF image stays as it is.
pub fn normalise(image: &mut [u8]) -> anyhow::Result<()> {
    match Format::of(image)? {
        Format::Elf => Ok(()),
        Format::MachO => {
            let stamp = slot(image)?;
            macho::derive_uuid(image, stamp)?;
            macho::sign(image)
        }
    }
}

/// Writes `record` into the image, over zeros or an earlier stamp, and signs a Mach-O image again.
/// What is written has been read back; `name` is the binary's, for errors.
pub fn write(image: &mut [u8], record: &Record, name: &str) -> anyhow::Result<Outcome> {
    write_unnamed(image, record).with_context(|| format!("stamping {name}"))
}

/// The image's stamp, found through the file format; `None` when it was never stamped or has no
/// section for it ([`has_section`] tells them apart).
pub fn read(image: &[u8]) -> anyhow::Result<Option<Record>> {
    match slot(image)? {
        Some(slot) => decode(&image[slot]),
        None => Ok(None),
    }
}

/// Whether the image has a place for a stamp: exactly one.
pub fn has_section(image: &[u8]) -> anyhow::Result<bool> {
    Ok(slot(image)?.is_some())
}

/// Checks a finished image: the stamp can be read, every page hash of a signature is right, and an
/// arm64 Mach-O has a signature.
pub fn verify(image: &[u8]) -> anyhow::Result<()> {
    read(image)?;
    facts(image).map(drop)
}

/// What the image asks of the machine that runs it. Checks the signature on the way.
pub fn facts(image: &[u8]) -> anyhow::Result<Facts> {
    match Format::of(image)? {
        Format::Elf => elf::facts(image),
        Format::MachO => macho::facts(image),
    }
}

/// Whether a file that begins with `start` is an executable of any kind, ours or not.
pub fn is_executable(start: &[u8]) -> bool {
    !matches!(kind(start), Kind::Other)
}

impl Format {
    /// The image's format; an error that says what was expected when it is none of ours.
    pub fn of(image: &[u8]) -> anyhow::Result<Self> {
        let found = match kind(image) {
            Kind::Known(format) => return Ok(format),
            Kind::Foreign(found) => found,
            Kind::Other => "not an executable",
        };
        Err(Error::invalid(format!(
            "{found}; expected a 64-bit little-endian ELF file, or a 64-bit Mach-O file of one architecture"
        ))
        .into())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)?;
        if self.2 == 0 { Ok(()) } else { write!(f, ".{}", self.2) }
    }
}

fn write_unnamed(image: &mut [u8], record: &Record) -> anyhow::Result<Outcome> {
    let format = Format::of(image)?;
    let bytes = record.encode().map_err(|e| Error::invalid(e.to_string()))?;
    let Some(slot) = slot(image)? else { return Ok(Outcome::NoSection) };
    if format == Format::MachO {
        // Nothing is written to a file whose signature could not be made right afterwards.
        macho::check_signable(image)?;
    }
    image[slot].copy_from_slice(&bytes);
    if format == Format::MachO {
        macho::sign(image)?;
    }
    if read(image)?.as_ref() != Some(record) {
        return Err(Error::new(
            ferror::Kind::Bug,
            "the stamp does not read back as it was written",
        )
        .into());
    }
    Ok(Outcome::Stamped)
}

fn decode(bytes: &[u8]) -> anyhow::Result<Option<Record>> {
    Record::decode(bytes).map_err(|e| Error::invalid(e.to_string()).into())
}

/// Where the one record stands in the image; `None` without a section of the stamp's name.
fn slot(image: &[u8]) -> anyhow::Result<Option<Range<usize>>> {
    let sections = match Format::of(image)? {
        Format::Elf => elf::stamp_sections(image)?,
        Format::MachO => macho::stamp_sections(image)?,
    };
    let expected = stamp::SIZE as u64;
    match sections.as_slice() {
        [] => Ok(None),
        [Section { offset, size, in_file: true }] if *size == expected => {
            range(image, *offset, *size).map(Some)
        }
        [Section { size, in_file: false, .. }] if *size == expected => {
            Err(Error::invalid("the stamp's section has no bytes in the file").into())
        }
        several => Err(not_one_record(several).into()),
    }
}

/// Two versions of the crate in one program are two statics: the linker joins their sections or keeps
/// both. Which of them the program reports is then a matter of chance, so neither is written.
fn not_one_record(sections: &[Section]) -> Error {
    let bytes = sections.iter().fold(0_u64, |sum, section| sum.saturating_add(section.size));
    let expected = stamp::SIZE as u64;
    if bytes > expected && bytes.is_multiple_of(expected) {
        let records = bytes / expected;
        return Error::config(format!(
            "it holds {records} stamps; expected one: {records} versions of the crate `stamp` are linked into it"
        ))
        .hint("make all of its dependencies use one version of `stamp`; `cargo tree --invert stamp` lists them");
    }
    Error::invalid(format!("the stamp's section has {bytes} bytes; expected {expected}"))
        .hint("build the service with the version of `stamp` that this xtask was built with")
}

/// The range of the file's bytes that a header names.
fn range(image: &[u8], offset: u64, size: u64) -> anyhow::Result<Range<usize>> {
    let end = offset.checked_add(size).filter(|end| *end <= image.len() as u64);
    match (usize::try_from(offset), end.map(usize::try_from)) {
        (Ok(start), Some(Ok(end))) => Ok(start..end),
        _ => Err(Error::invalid(format!(
            "a header names {size} bytes at {offset}, the file has {}: it is cut off or damaged",
            image.len()
        ))
        .into()),
    }
}

/// Reads the magic numbers: the ELF specification ("ELF Identification"), Apple's `mach-o/loader.h`
/// and `mach-o/fat.h`, Microsoft's "PE Format".
fn kind(image: &[u8]) -> Kind {
    match image {
        [0x7f, b'E', b'L', b'F', 2, 1, ..] => Kind::Known(Format::Elf),
        [0x7f, b'E', b'L', b'F', ..] => Kind::Foreign("a 32-bit or big-endian ELF file"),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => Kind::Known(Format::MachO),
        [0xce, 0xfa, 0xed, 0xfe, ..] => Kind::Foreign("a 32-bit Mach-O file"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => Kind::Foreign("a big-endian Mach-O file"),
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => Kind::Foreign("a universal (fat) Mach-O file"),
        [b'M', b'Z', ..] => Kind::Foreign("a Windows (PE) file"),
        _ => Kind::Other,
    }
}
