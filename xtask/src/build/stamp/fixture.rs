//! Makes small executables for tests, of which every byte and every page hash is known.
//!
//! The code follows the descriptions of the formats and shares nothing with the code under test, so that
//! a mistake in one does not hide the same mistake in the other.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use stamp::Record;

/// The stamp's place in the files, and the page of the Mach-O file on which it lies.
pub(crate) const STAMP_AT: usize = 0x1100;
pub(crate) const STAMP_PAGE: usize = 1;

const PAGE: usize = 4096;
/// The signature begins here, within the third page.
pub(crate) const SIGNATURE_AT: usize = 0x2210;

/// The signature of the Mach-O file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Signed {
    Nobody,
    /// As linkers do it: with one code directory.
    Linker,
    /// As `codesign --sign -` did it for old systems: with SHA-1, SHA-256 and an empty CMS blob.
    TwoHashes,
    /// With a CMS blob that is not empty.
    Certificate,
}

/// A Mach-O file for an arm64 Mac, without code.
#[derive(Clone)]
pub(crate) struct MachO {
    pub(crate) signed: Signed,
    pub(crate) uuid: [u8; 16],
    /// The sizes of the sections with the stamp's name.
    pub(crate) stamp_sizes: Vec<u64>,
    /// The bytes at the stamp's place.
    pub(crate) stamp: [u8; stamp::SIZE],
}

impl MachO {
    pub(crate) fn new(signed: Signed) -> Self {
        Self { signed, uuid: [7; 16], stamp_sizes: vec![256], stamp: [0; 256] }
    }

    /// Makes the file, with the signature of its content.
    pub(crate) fn image(&self) -> Vec<u8> {
        let size = signature(&[0; SIGNATURE_AT], self.signed).len();
        let mut commands = vec![self.segment(), self.uuid_command(), build_version(), load_dylib()];
        if self.signed != Signed::Nobody {
            // LC_CODE_SIGNATURE: offset and size in the file.
            commands.push(le(&[0x1d, 16, SIGNATURE_AT as u32, size as u32]));
        }
        let commands_size = commands.iter().map(Vec::len).sum::<usize>() as u32;
        // Magic, CPU_TYPE_ARM64, its subtype, MH_EXECUTE, then the load commands.
        let header =
            [0xfeed_facf, 0x0100_000c, 0, 2, commands.len() as u32, commands_size, 0x85, 0];
        let mut image = le(&header);
        image.extend(commands.concat());
        // Any bytes that are not the same on every page.
        image.extend((image.len()..SIGNATURE_AT).map(|at| (at / 7) as u8));
        image[STAMP_AT..STAMP_AT + 256].copy_from_slice(&self.stamp);
        image.extend(signature(&image, self.signed));
        image
    }

    /// Makes `LC_SEGMENT_64` of `__DATA_CONST` with the stamp's sections.
    fn segment(&self) -> Vec<u8> {
        let count = self.stamp_sizes.len() as u32;
        let mut command = le(&[0x19, 72 + 80 * count]);
        command.extend(b"__DATA_CONST\0\0\0\0");
        // Address, size in memory, offset and size in the file: 64 bits each, none of it looked at.
        command.extend([0; 32]);
        command.extend(le(&[3, 3, count, 0x10]));
        for size in &self.stamp_sizes {
            command.extend(b"__bowline_stamp\0__DATA_CONST\0\0\0\0");
            command.extend(0_u64.to_le_bytes());
            command.extend(size.to_le_bytes());
            command.extend(le(&[STAMP_AT as u32, 0, 0, 0, 0, 0, 0, 0]));
        }
        command
    }

    fn uuid_command(&self) -> Vec<u8> {
        [le(&[0x1b, 24]), self.uuid.to_vec()].concat()
    }
}

/// Makes `LC_BUILD_VERSION`: macOS (1), oldest 11.0, SDK 14.5, no tools.
fn build_version() -> Vec<u8> {
    le(&[0x32, 24, 1, 0x000b_0000, 0x000e_0500, 0])
}

/// Makes `LC_LOAD_DYLIB`: the name follows at byte 24, filled up to 8 bytes.
fn load_dylib() -> Vec<u8> {
    let mut command = le(&[0x0c, 56, 24, 2, 0x0001_0000, 0x0001_0000]);
    command.extend(b"/usr/lib/libSystem.B.dylib");
    command.resize(56, 0);
    command
}

/// Makes the signature of `content`, which it follows in the file.
fn signature(content: &[u8], signed: Signed) -> Vec<u8> {
    let sha1 = || content.chunks(PAGE).flat_map(|page| Sha1::digest(page).to_vec()).collect();
    let sha256 = || content.chunks(PAGE).flat_map(|page| Sha256::digest(page).to_vec()).collect();
    let cms = |size: usize| [be(&[0xfade_0b01, 8 + size as u32]), vec![0x30; size]].concat();
    match signed {
        Signed::Nobody => Vec::new(),
        Signed::Linker => super_blob(&[(0, directory(content.len(), 2, 32, sha256()))]),
        Signed::TwoHashes => super_blob(&[
            (0, directory(content.len(), 1, 20, sha1())),
            (0x1000, directory(content.len(), 2, 32, sha256())),
            (0x10000, cms(0)),
        ]),
        Signed::Certificate => {
            super_blob(&[(0, directory(content.len(), 2, 32, sha256())), (0x10000, cms(100))])
        }
    }
}

fn super_blob(blobs: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut offset = 12 + 8 * blobs.len() as u32;
    let size = offset + blobs.iter().map(|(_, blob)| blob.len() as u32).sum::<u32>();
    let mut bytes = be(&[0xfade_0cc0, size, blobs.len() as u32]);
    for (slot, blob) in blobs {
        bytes.extend(be(&[*slot, offset]));
        offset += blob.len() as u32;
    }
    for (_, blob) in blobs {
        bytes.extend(blob);
    }
    bytes
}

/// Makes a code directory of version 0x20400: 88 bytes, the identifier, two special slots, the page hashes.
fn directory(limit: usize, hash_type: u8, hash_size: u8, hashes: Vec<u8>) -> Vec<u8> {
    let identifier = b"fixture\0";
    let special = 2 * u32::from(hash_size);
    let first = 88 + identifier.len() as u32 + special;
    let pages = limit.div_ceil(PAGE) as u32;
    let size = first + hashes.len() as u32;
    // Flags: ad hoc (2) and signed by the linker (0x20000).
    let mut bytes = be(&[0xfade_0c02, size, 0x20400, 0x20002, first, 88, 2, pages, limit as u32]);
    // 2^12 bytes a page.
    bytes.extend([hash_size, hash_type, 0, 12]);
    bytes.resize(88, 0);
    bytes.extend(identifier);
    bytes.resize(first as usize, 0x55);
    bytes.extend(hashes);
    bytes
}

/// Makes an ELF file for x86-64 that needs `libc.so.6` and its version `GLIBC_2.17`, without code.
pub(crate) fn elf(stamp_sizes: &[u64]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.bowline_stamp\0.strings\0.gnu.version_r\0.dynamic\0";
    const STRINGS: &[u8] = b"\0libc.so.6\0GLIBC_2.2.5\0GLIBC_2.17\0";
    // One library (version 1, two versions of it), then its versions: hash, flags, index, name, next.
    let versions = [
        [&[1, 0, 2, 0][..], &le(&[1, 16, 0])].concat(),
        le(&[0, 2 << 16, 11, 16]),
        le(&[0, 3 << 16, 23, 0]),
    ]
    .concat();
    // DT_NEEDED the name at 1, DT_NULL.
    let dynamic = le(&[1, 0, 1, 0, 0, 0, 0, 0]);
    let mut image = vec![0; 0x1000];
    // Type, flags, offset, size, link, info, of each section; the names first.
    let mut headers = vec![[0; 6]];
    let mut add = |name: u32, kind: u32, link: u64, bytes: &[u8]| {
        headers.push([name.into(), kind.into(), image.len() as u64, bytes.len() as u64, link, 1]);
        image.extend(bytes);
        image.resize(image.len().next_multiple_of(16), 0);
    };
    add(0, 3, 0, NAMES);
    add(16, 3, 0, STRINGS);
    add(25, 0x6fff_fffe, 2, &versions);
    add(40, 6, 2, &dynamic);
    assert!(image.len() <= STAMP_AT, "the fixture's tables reach its stamp");
    image.resize(STAMP_AT + 512, 0);
    headers.extend(stamp_sizes.iter().map(|size| [1, 1, STAMP_AT as u64, *size, 0, 0]));
    let table = image.len() as u64;
    for [name, kind, offset, size, link, info] in &headers {
        image.extend(le(&[*name as u32, *kind as u32]));
        for word in [2, 0, *offset, *size, link | info << 32, 1, 0] {
            image.extend(word.to_le_bytes());
        }
    }
    let count = headers.len() as u8;
    // ELF64, little endian; executable, x86-64.
    image[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    image[16..24].copy_from_slice(&le(&[62 << 16 | 2, 1]));
    image[40..48].copy_from_slice(&table.to_le_bytes());
    // Sizes of the header and of a section's, the number of sections, the one with the names.
    image[52..64].copy_from_slice(&[64, 0, 56, 0, 0, 0, 64, 0, count, 0, 1, 0]);
    image
}

/// Makes a record whose version is `version`.
pub(crate) fn record(version: &str) -> Record {
    Record {
        version: version.to_owned(),
        commit: "abc123def4567890abc123def4567890abc123de".to_owned(),
        dirty: version.contains("-dirty"),
        committed_at: 1_795_000_000,
        platform: "darwin_arm64".to_owned(),
    }
}

fn le(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn be(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
