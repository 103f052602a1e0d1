//! Writes the stamp into a linked binary and reads it back. Every function works on the bytes of one file.
//!
//! The crate `stamp` says why this is done after the link, and defines the record's format and the section's
//! name. This module handles the file formats around the record: it finds the section (`elf`, `macho`), and on
//! macOS it renews the code signature (`signature`), without which an arm64 Mac kills the program as
//! it starts.
//!
//! Each binary that cargo linked goes through [`normalise`], a digest (`unstamped_sha256` in the manifest),
//! [`write()`], and [`verify`] on the finished file.

mod elf;
mod executable;
mod macho;
mod signature;

#[cfg(test)]
mod damaged_file_tests;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod real_program_tests;
#[cfg(test)]
mod tests;

use std::ops::Range;

use anyhow::Context as _;
use ferror::Error;
use stamp::Record;

pub use self::executable::{Facts, Format, Import, Version, is_executable};
use self::executable::{Section, range};

/// The outcome of [`write()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The record is in the image.
    Stamped,
    /// Nothing was changed: the program has no section for a stamp, since it does not use the crate `stamp`.
    NoSection,
}

/// Removes from a linked image what depends on the folder in which it was linked. In a Mach-O image, the
/// UUID is derived from the content instead, and the signature is renewed. An ELF image stays as it is.
pub fn normalise(image: &mut [u8]) -> anyhow::Result<()> {
    match Format::of(image)? {
        Format::Elf => Ok(()),
        Format::MachO => {
            let stamp = record_range(image)?;
            macho::derive_uuid(image, stamp)?;
            macho::sign(image)
        }
    }
}

/// Makes of a stamped image what [`normalise`] made of it when it was linked: the stamp is zero again.
pub fn remove(image: &mut [u8]) -> anyhow::Result<()> {
    if let Some(range) = record_range(image)? {
        image[range].fill(0);
    }
    normalise(image)
}

/// Returns whether a Mach-O image names the object files of this machine that hold its debug information, and their
/// times. ELF images hold the information itself.
pub fn has_debug_map(image: &[u8]) -> anyhow::Result<bool> {
    Ok(Format::of(image)? == Format::MachO && macho::has_debug_map(image)?)
}

/// Writes `record` into the image, over zeros or an earlier stamp, renews the signature of a Mach-O image,
/// and reads the record back. Errors name the binary `name`.
pub fn write(image: &mut [u8], record: &Record, name: &str) -> anyhow::Result<Outcome> {
    write_unnamed(image, record).with_context(|| format!("stamping {name}"))
}

/// Reads the image's stamp; `None` where it was never stamped or has no section for a stamp
/// ([`has_section`] tells them apart).
pub fn read(image: &[u8]) -> anyhow::Result<Option<Record>> {
    match record_range(image)? {
        Some(range) => decode(&image[range]),
        None => Ok(None),
    }
}

/// Returns whether the image has a section for a stamp. Several are an error.
pub fn has_section(image: &[u8]) -> anyhow::Result<bool> {
    Ok(record_range(image)?.is_some())
}

/// Checks a finished image: the stamp can be read, every page hash of a signature is right, and an
/// arm64 Mach-O has a signature.
pub fn verify(image: &[u8]) -> anyhow::Result<()> {
    read(image)?;
    facts(image).map(drop)
}

/// Returns the name of the section that has the byte at `offset` of the file, such as `.text` or `__TEXT,__text`; `None`
/// where no section has it.
pub fn section_at(image: &[u8], offset: u64) -> anyhow::Result<Option<String>> {
    match Format::of(image)? {
        Format::Elf => elf::section_at(image, offset),
        Format::MachO => macho::section_at(image, offset),
    }
}

/// Reads what the image needs from the machine that runs it, and checks the signature.
pub fn facts(image: &[u8]) -> anyhow::Result<Facts> {
    match Format::of(image)? {
        Format::Elf => elf::facts(image),
        Format::MachO => macho::facts(image),
    }
}

fn write_unnamed(image: &mut [u8], record: &Record) -> anyhow::Result<Outcome> {
    let format = Format::of(image)?;
    let bytes = record.encode().map_err(|e| Error::invalid(e.to_string()))?;
    let Some(range) = record_range(image)? else { return Ok(Outcome::NoSection) };
    if format == Format::MachO {
        // Checked first, so that an image whose signature cannot be renewed is not changed.
        macho::check_signable(image)?;
    }
    image[range].copy_from_slice(&bytes);
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

/// Finds the bytes of the record in the image; `None` without a section of the stamp's name.
fn record_range(image: &[u8]) -> anyhow::Result<Option<Range<usize>>> {
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

/// Makes the error for several records. Two versions of the crate `stamp` in one program are two statics,
/// whose sections the linker joins or keeps apart. Which of them the program reports is not known, so neither
/// is written.
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
