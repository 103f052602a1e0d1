//! Tells the formats of executables apart, and holds what is read from one.

use std::fmt;
use std::ops::Range;

use ferror::Error;

/// The file formats that can be stamped, both 64-bit and little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Linux.
    Elf,
    /// macOS, one architecture.
    MachO,
}

/// The needs of a binary from the machine that runs it.
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
    /// The symbols that a Mach-O file takes from its libraries. They are not read from an ELF file.
    pub imports: Vec<Import>,
    /// The program that loads them (ELF); `None` in a static binary.
    pub interpreter: Option<String>,
    /// The number of pages that the code signature covers; `None` without a signature.
    pub signed_pages: Option<usize>,
}

/// A symbol that a program takes from a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The symbol, as the file names it.
    pub symbol: String,
    /// The library; `None` where it is looked for in all of them.
    pub library: Option<String>,
}

/// A version of macOS or glibc: major, minor, update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// The place in the file of a section with the stamp's name.
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) size: u64,
    /// Whether its bytes are in the file, or are zeros that the system makes when the program starts.
    pub(super) in_file: bool,
}

/// The kind of a file, by its first bytes.
enum Kind {
    Known(Format),
    /// An executable of a kind that cannot be stamped.
    Unsupported(&'static str),
    Other,
}

/// Returns whether a file that begins with `start` is an executable, of whatever kind.
pub fn is_executable(start: &[u8]) -> bool {
    !matches!(kind(start), Kind::Other)
}

impl Format {
    /// Returns the image's format. The error of any other file says what was expected.
    pub fn of(image: &[u8]) -> anyhow::Result<Self> {
        let found = match kind(image) {
            Kind::Known(format) => return Ok(format),
            Kind::Unsupported(found) => found,
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

/// Returns the range of bytes that a header names, if the file has it.
pub(super) fn range(image: &[u8], offset: u64, size: u64) -> anyhow::Result<Range<usize>> {
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
        [0x7f, b'E', b'L', b'F', ..] => Kind::Unsupported("a 32-bit or big-endian ELF file"),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => Kind::Known(Format::MachO),
        [0xce, 0xfa, 0xed, 0xfe, ..] => Kind::Unsupported("a 32-bit Mach-O file"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => Kind::Unsupported("a big-endian Mach-O file"),
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => Kind::Unsupported("a universal (fat) Mach-O file"),
        [b'M', b'Z', ..] => Kind::Unsupported("a Windows (PE) file"),
        _ => Kind::Other,
    }
}
