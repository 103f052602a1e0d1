//! Reads ELF files: the place of the stamp's section, and what a Linux binary needs from its machine.
//!
//! Source of the format: the "Tool Interface Standard ELF Specification", version 1.2, and for
//! `.gnu.version_r` the "Linux Standard Base Core Specification", chapter "Symbol Versioning".

use ferror::Error;
use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{
    Dyn as _, FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable,
};

use super::executable::{Facts, Format, Section, Version};

type Header = FileHeader64<LittleEndian>;

const ENDIAN: LittleEndian = LittleEndian;

/// Bounds the work on a made-up file; real binaries have far fewer.
const MOST_ENTRIES: usize = 10_000;

/// Finds the sections with the stamp's name.
pub(super) fn stamp_sections(image: &[u8]) -> anyhow::Result<Vec<Section>> {
    let sections = sections(image)?;
    let mut found = Vec::new();
    for header in sections.iter() {
        if sections.section_name(ENDIAN, header).map_err(malformed)?
            != stamp::ELF_SECTION.as_bytes()
        {
            continue;
        }
        found.push(Section {
            offset: header.sh_offset(ENDIAN),
            size: header.sh_size(ENDIAN),
            in_file: header.sh_type(ENDIAN) == elf::SHT_PROGBITS,
        });
    }
    Ok(found)
}

/// Returns the name of the section that has the byte at `offset` of the file; `None` where no section does, as in headers.
pub(super) fn section_at(image: &[u8], offset: u64) -> anyhow::Result<Option<String>> {
    let sections = sections(image)?;
    for header in sections.iter() {
        let start = header.sh_offset(ENDIAN);
        let is_in_file = ![elf::SHT_NULL, elf::SHT_NOBITS].contains(&header.sh_type(ENDIAN));
        if is_in_file && (start..start.saturating_add(header.sh_size(ENDIAN))).contains(&offset) {
            let name = sections.section_name(ENDIAN, header).map_err(malformed)?;
            return Ok(Some(String::from_utf8_lossy(name).into_owned()));
        }
    }
    Ok(None)
}

/// Reads processor, needed glibc, shared libraries and what loads them.
pub(super) fn facts(image: &[u8]) -> anyhow::Result<Facts> {
    let machine = Header::parse(image).map_err(malformed)?.e_machine(ENDIAN);
    let sections = sections(image)?;
    Ok(Facts {
        format: Format::Elf,
        cpu: match machine {
            elf::EM_X86_64 => "x86_64".to_owned(),
            elf::EM_AARCH64 => "aarch64".to_owned(),
            other => format!("machine {}", other.0),
        },
        minimum: glibc_needed(image, &sections)?,
        libraries: libraries(image, &sections)?,
        imports: Vec::new(),
        interpreter: interpreter(image)?,
        signed_pages: None,
    })
}

/// Returns the highest `GLIBC_x.y` version that a symbol is bound to; `None` without any.
fn glibc_needed(
    image: &[u8],
    sections: &SectionTable<'_, Header>,
) -> anyhow::Result<Option<Version>> {
    let Some((needs, strings)) = sections.gnu_verneed(ENDIAN, image).map_err(malformed)? else {
        return Ok(None);
    };
    let strings = sections.strings(ENDIAN, image, strings).map_err(malformed)?;
    let mut highest = None;
    let mut entries = 0;
    for library in needs {
        let (_, versions) = library.map_err(malformed)?;
        for version in versions {
            entries += 1;
            check_count(entries, "symbol versions")?;
            let name = version.map_err(malformed)?.name(ENDIAN, strings).map_err(malformed)?;
            highest = highest.max(glibc_version(name));
        }
    }
    Ok(highest)
}

/// Reads `GLIBC_2.17` or `GLIBC_2.2.5`; `None` for another library's version and for `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let mut parts = str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let update = parts.next().map_or(Ok(0), str::parse).ok()?;
    parts.next().is_none().then_some(Version(major, minor, update))
}

/// Lists the `DT_NEEDED` entries, of which a static binary has none.
fn libraries(image: &[u8], sections: &SectionTable<'_, Header>) -> anyhow::Result<Vec<String>> {
    let Some((entries, strings)) = sections.dynamic(ENDIAN, image).map_err(malformed)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(ENDIAN, image, strings).map_err(malformed)?;
    let mut libraries = Vec::new();
    for entry in entries.iter().filter(|entry| entry.tag(ENDIAN) == elf::DT_NEEDED) {
        let offset = entry.val32(ENDIAN);
        let name = offset.and_then(|offset| strings.get(offset).ok());
        let name =
            name.ok_or_else(|| Error::invalid("a needed library has no name in the file"))?;
        libraries.push(String::from_utf8_lossy(name).into_owned());
        check_count(libraries.len(), "shared libraries")?;
    }
    Ok(libraries)
}

/// Returns the path in `PT_INTERP`. A static binary has none, though one that may lie anywhere in memory
/// (static-pie) has a dynamic section too.
fn interpreter(image: &[u8]) -> anyhow::Result<Option<String>> {
    let header = Header::parse(image).map_err(malformed)?;
    for segment in header.program_headers(ENDIAN, image).map_err(malformed)? {
        if let Some(path) = segment.interpreter(ENDIAN, image).map_err(malformed)? {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

fn sections(image: &[u8]) -> Result<SectionTable<'_, Header>, Error> {
    let header = Header::parse(image).map_err(malformed)?;
    header.sections(ENDIAN, image).map_err(malformed)
}

fn check_count(count: usize, what: &str) -> Result<(), Error> {
    if count <= MOST_ENTRIES {
        return Ok(());
    }
    Err(Error::invalid(format!("a malformed ELF file: more than {MOST_ENTRIES} {what}")))
}

fn malformed(error: object::read::Error) -> Error {
    Error::invalid("a malformed or cut-off ELF file").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::{Version, glibc_version};

    #[test]
    fn glibc_versions_are_ordered_as_numbers() {
        let check = |name: &str, expected| {
            assert_eq!(glibc_version(name.as_bytes()), expected, "{name}");
        };
        check("GLIBC_2.17", Some(Version(2, 17, 0)));
        check("GLIBC_2.2.5", Some(Version(2, 2, 5)));
        check("GLIBC_PRIVATE", None);
        check("GLIBC_ABI_DT_RELR", None);
        check("GLIBC_2", None);
        check("GLIBC_2.2.5.1", None);
        check("GLIBCXX_3.4", None);
        check("GCC_3.0", None);
        assert!(glibc_version(b"GLIBC_2.17") > glibc_version(b"GLIBC_2.3.4"));
        assert!(glibc_version(b"GLIBC_2.2.5") > None);
    }
}
