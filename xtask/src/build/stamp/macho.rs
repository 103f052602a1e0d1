//! Reads Mach-O files: the places of the stamp's section, the UUID and the code signature, and what a macOS
//! binary needs from its machine. Replaces the UUID.
//!
//! Source of the format: Apple's `mach-o/loader.h`.

use std::ops::Range;

use ferror::Error;
use object::LittleEndian;
use object::macho::{self, MachHeader64, Section64, SegmentCommand64, SymtabCommand};
use object::read::macho::{LoadCommandVariant, MachHeader as _, Nlist, Segment as _};
use sha2::{Digest as _, Sha256};

use super::executable::{Facts, Format, Import, Section, Version, range};
use super::signature;

const ENDIAN: LittleEndian = LittleEndian;

/// Bounds the work on a made-up file; real binaries have far fewer.
const MOST_COMMANDS: u32 = 10_000;

/// The places that the load commands name.
struct Layout {
    cpu: macho::CpuType,
    stamp_sections: Vec<Section>,
    uuid: Option<Range<usize>>,
    signature: Option<Range<usize>>,
    minimum: Option<Version>,
    libraries: Vec<String>,
    symbols: Option<SymtabCommand<LittleEndian>>,
}

/// Finds the sections with the stamp's name, in all segments.
pub(super) fn stamp_sections(image: &[u8]) -> anyhow::Result<Vec<Section>> {
    Ok(layout(image)?.stamp_sections)
}

/// Returns the segment and section that have the byte at `offset` of the file, or the segment alone, as for what the linker
/// wrote behind all sections; `None` where neither does, as in the headers of a file without sections.
pub(super) fn section_at(image: &[u8], offset: u64) -> anyhow::Result<Option<String>> {
    let name = |bytes: &[u8; 16]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    };
    let has = |start: u64, size: u64| (start..start.saturating_add(size)).contains(&offset);
    let header = MachHeader64::<LittleEndian>::parse(image, 0).map_err(malformed)?;
    for command in header.load_commands(ENDIAN, image, 0).map_err(malformed)? {
        let variant = command.map_err(malformed)?.variant().map_err(malformed)?;
        let LoadCommandVariant::Segment64(segment, data) = variant else { continue };
        for section in segment.sections(ENDIAN, data).map_err(malformed)? {
            let is_in_file = section.flags.get(ENDIAN).typ() != macho::S_ZEROFILL;
            if is_in_file && has(section.offset.get(ENDIAN).into(), section.size.get(ENDIAN)) {
                return Ok(Some(format!("{},{}", name(&section.segname), name(&section.sectname))));
            }
        }
        if has(segment.fileoff.get(ENDIAN), segment.filesize.get(ENDIAN)) {
            return Ok(Some(name(&segment.segname)));
        }
    }
    Ok(None)
}

/// Reads processor, oldest macOS and shared libraries. Fails when a page hash is wrong, or when an arm64
/// image has no signature.
pub(super) fn facts(image: &[u8]) -> anyhow::Result<Facts> {
    let layout = layout(image)?;
    let signed_pages = match &layout.signature {
        Some(blob) => Some(signature::verify(image, blob)?),
        None if layout.cpu == macho::CPU_TYPE_ARM64 => {
            return Err(Error::invalid(
                "an arm64 Mach-O file without a code signature: macOS kills it as it starts",
            )
            .into());
        }
        None => None,
    };
    let imports = imports(image, &layout)?;
    Ok(Facts {
        format: Format::MachO,
        cpu: match layout.cpu {
            macho::CPU_TYPE_X86_64 => "x86_64".to_owned(),
            macho::CPU_TYPE_ARM64 => "aarch64".to_owned(),
            other => format!("CPU type {}", other.0),
        },
        minimum: layout.minimum,
        libraries: layout.libraries,
        imports,
        interpreter: None,
        signed_pages,
    })
}

/// Replaces the UUID by one that depends on the content alone, without the range `stamp`: a UUID names the
/// debug information that fits, which is the same for every version.
///
/// The linker derives its UUID from paths among other things. The new one has version 8 (RFC 9562, section
/// 5.8): the first 128 bits of a SHA-256, but for the six fixed ones.
pub(super) fn derive_uuid(image: &mut [u8], stamp: Option<Range<usize>>) -> anyhow::Result<()> {
    let layout = layout(image)?;
    let Some(uuid) = layout.uuid else { return Ok(()) };
    let content_end = layout.signature.map_or(image.len(), |blob| blob.start);
    let mut content = image.to_vec();
    content[uuid.clone()].fill(0);
    if let Some(stamp) = stamp {
        content[stamp].fill(0);
    }
    let digest = Sha256::digest(&content[..content_end]);
    let bytes = &mut image[uuid];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(())
}

/// Renews every page hash of the image's ad-hoc signature, if it has one.
pub(super) fn sign(image: &mut [u8]) -> anyhow::Result<()> {
    match layout(image)?.signature {
        Some(blob) => signature::sign(image, &blob),
        None => Ok(()),
    }
}

/// Checks that [`sign`] can renew the signature of this image.
pub(super) fn check_signable(image: &[u8]) -> anyhow::Result<()> {
    match layout(image)?.signature {
        Some(blob) => signature::check_signable(image, &blob),
        None => Ok(()),
    }
}

fn layout(image: &[u8]) -> anyhow::Result<Layout> {
    let header = MachHeader64::<LittleEndian>::parse(image, 0).map_err(malformed)?;
    if header.ncmds(ENDIAN) > MOST_COMMANDS {
        return Err(invalid(&format!("more than {MOST_COMMANDS} load commands")).into());
    }
    let mut layout = Layout {
        cpu: header.cputype(ENDIAN),
        stamp_sections: Vec::new(),
        uuid: None,
        signature: None,
        minimum: None,
        libraries: Vec::new(),
        symbols: None,
    };
    for command in header.load_commands(ENDIAN, image, 0).map_err(malformed)? {
        let command = command.map_err(malformed)?;
        match command.variant().map_err(malformed)? {
            LoadCommandVariant::Segment64(segment, data) => layout.add_segment(segment, data)?,
            LoadCommandVariant::Uuid(_) => {
                // The UUID follows the command's number and size, four bytes each.
                set_once(&mut layout.uuid, range(image, command.offset() + 8, 16)?, "LC_UUID")?;
            }
            LoadCommandVariant::LinkeditData(data) if command.cmd() == macho::LC_CODE_SIGNATURE => {
                let (offset, size) = (data.dataoff.get(ENDIAN), data.datasize.get(ENDIAN));
                let blob = range(image, offset.into(), size.into())?;
                set_once(&mut layout.signature, blob, "LC_CODE_SIGNATURE")?;
            }
            LoadCommandVariant::BuildVersion(build, _)
                if build.platform.get(ENDIAN) == macho::PLATFORM_MACOS =>
            {
                layout.minimum = Some(build.minos.get(ENDIAN).into());
            }
            LoadCommandVariant::VersionMin(version)
                if command.cmd() == macho::LC_VERSION_MIN_MACOSX =>
            {
                layout.minimum = Some(version.version.get(ENDIAN).into());
            }
            LoadCommandVariant::Symtab(symbols) => {
                set_once(&mut layout.symbols, *symbols, "LC_SYMTAB")?;
            }
            LoadCommandVariant::Dylib(dylib) => {
                let name = command.string(ENDIAN, dylib.dylib.name).map_err(malformed)?;
                layout.libraries.push(String::from_utf8_lossy(name).into_owned());
            }
            _ => {}
        }
    }
    Ok(layout)
}

/// Returns whether the image names the object files that hold its debug information, and their times.
pub(super) fn has_debug_map(image: &[u8]) -> anyhow::Result<bool> {
    let Some(symbols) = layout(image)?.symbols else { return Ok(false) };
    let table =
        symbols.symbols::<MachHeader64<LittleEndian>, _>(ENDIAN, image).map_err(malformed)?;
    Ok(table.iter().any(Nlist::is_stab))
}

/// Lists the symbols that the file does not define, each with the library that it is bound to.
fn imports(image: &[u8], layout: &Layout) -> anyhow::Result<Vec<Import>> {
    let Some(symbols) = &layout.symbols else { return Ok(Vec::new()) };
    let table =
        symbols.symbols::<MachHeader64<LittleEndian>, _>(ENDIAN, image).map_err(malformed)?;
    let mut imports = Vec::new();
    for symbol in table.iter().filter(|symbol| symbol.is_undefined()) {
        let name = symbol.name(ENDIAN, table.strings()).map_err(malformed)?;
        // The number of a library, from 1; or a mark, such as that for a search in all of them.
        let number = usize::from(symbol.library_ordinal(ENDIAN).0);
        imports.push(Import {
            symbol: String::from_utf8_lossy(name).into_owned(),
            library: number.checked_sub(1).and_then(|at| layout.libraries.get(at)).cloned(),
        });
    }
    Ok(imports)
}

impl Layout {
    fn add_segment(
        &mut self,
        segment: &SegmentCommand64<LittleEndian>,
        data: &[u8],
    ) -> anyhow::Result<()> {
        let sections = segment.sections(ENDIAN, data).map_err(malformed)?;
        self.stamp_sections.extend(sections.iter().filter_map(stamp_section));
        Ok(())
    }
}

fn stamp_section(section: &Section64<LittleEndian>) -> Option<Section> {
    let name = section.sectname.split(|byte| *byte == 0).next()?;
    (name == stamp::MACHO_SECTION.as_bytes()).then(|| Section {
        offset: section.offset.get(ENDIAN).into(),
        size: section.size.get(ENDIAN),
        in_file: section.flags.get(ENDIAN).typ() != macho::S_ZEROFILL,
    })
}

impl From<macho::Version> for Version {
    fn from(version: macho::Version) -> Self {
        Self(version.major().into(), version.minor().into(), version.update().into())
    }
}

fn set_once<T>(place: &mut Option<T>, value: T, command: &str) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(invalid(&format!("two {command} commands"))),
    }
}

fn invalid(what: &str) -> Error {
    Error::invalid(format!("a malformed Mach-O file: {what}"))
}

fn malformed(error: object::read::Error) -> Error {
    Error::invalid("a malformed or cut-off Mach-O file").caused_by(error)
}
