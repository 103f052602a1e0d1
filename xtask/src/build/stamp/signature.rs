//! Renews and checks the page hashes in the code signature of a Mach-O file.
//!
//! An ad-hoc signature needs no key: it is a list of hashes, one for each page of the file, that macOS
//! compares as it loads a page. For a changed page, its hash is written again; every other part (identifier,
//! special slots, entitlements) stays as the linker wrote it. A signature by a certificate cannot be renewed
//! here, and is refused.
//!
//! Source of the format: Apple's `kern/cs_blobs.h` (numbers are big endian).
//!
//! | super blob | code directory, from its own start |
//! |---|---|
//! | 0 magic `fade0cc0` | 0 magic `fade0c02`, 4 length, 8 version |
//! | 4 length | 16 offset of page 0's hash |
//! | 8 number of blobs | 28 number of pages, 32 code limit (bytes covered) |
//! | 12 per blob: slot, offset | 36 hash size, 37 hash type, 39 log2 of the page size |
//! | | 44 scatter offset (from version 0x20100), 56 code limit of 64 bits (from 0x20300) |

use std::ops::Range;

use ferror::Error;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384};

const SUPER_BLOB: u32 = 0xfade_0cc0;
const CODE_DIRECTORY: u32 = 0xfade_0c02;

/// The slot of the code directory, and those of its alternates (other hash types).
const DIRECTORY_SLOT: u32 = 0;
const ALTERNATE_SLOTS: Range<u32> = 0x1000..0x1005;
/// The slot of the CMS signature, which an ad-hoc signature leaves out or empty.
const CMS_SLOT: u32 = 0x10000;
/// The size of magic and length, which are all of an empty blob.
const BLOB_HEADER: u32 = 8;

/// Bounds the work on a made-up file; real signatures have far fewer.
const MOST_BLOBS: u32 = 64;

/// The versions of the code directory that added the fields `scatter offset` and `code limit of 64 bits`.
const WITH_SCATTER: u32 = 0x20100;
const WITH_LIMIT_64: u32 = 0x20300;

/// One list of page hashes.
struct Directory {
    hash: Hash,
    page_size: usize,
    /// How many bytes of the file the pages cover.
    limit: usize,
    /// The place of the hashes in the file.
    hashes: Range<usize>,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    /// SHA-256 cut to 20 bytes.
    Sha256Cut,
    Sha384,
}

struct Signature {
    directories: Vec<Directory>,
    has_cms: bool,
}

/// Writes the hash of every page into every code directory of the signature at `blob`.
pub(super) fn sign(image: &mut [u8], blob: &Range<usize>) -> anyhow::Result<()> {
    check_signable(image, blob)?;
    for directory in parse(image, blob)?.directories {
        for page in 0..directory.pages() {
            let hash = directory.page_hash(image, page);
            image[directory.hash_range(page)].copy_from_slice(&hash);
        }
    }
    Ok(())
}

/// Checks that [`sign`] can renew the signature: it was not made with a certificate.
pub(super) fn check_signable(image: &[u8], blob: &Range<usize>) -> anyhow::Result<()> {
    if parse(image, blob)?.has_cms {
        return Err(Error::config(
            "it is signed with a certificate, and a change would break the signature",
        )
        .hint("sign after stamping")
        .into());
    }
    Ok(())
}

/// Checks every page hash of the signature at `blob`, and returns the number of pages.
pub(super) fn verify(image: &[u8], blob: &Range<usize>) -> anyhow::Result<usize> {
    let directories = parse(image, blob)?.directories;
    for directory in &directories {
        for page in 0..directory.pages() {
            if image[directory.hash_range(page)] != directory.page_hash(image, page) {
                return Err(Error::invalid(format!(
                    "the code signature does not fit page {page} of {}: the file was changed after it was signed",
                    directory.pages()
                ))
                .into());
            }
        }
    }
    Ok(directories.iter().map(Directory::pages).max().unwrap_or(0))
}

impl Directory {
    fn pages(&self) -> usize {
        self.limit.div_ceil(self.page_size)
    }

    fn hash_range(&self, page: usize) -> Range<usize> {
        let size = self.hash.size();
        let start = self.hashes.start + page * size;
        start..start + size
    }

    /// Computes the hash of a page, of which the last may be shorter.
    fn page_hash(&self, image: &[u8], page: usize) -> Vec<u8> {
        let start = page * self.page_size;
        let bytes = &image[start..self.limit.min(start + self.page_size)];
        match self.hash {
            Hash::Sha1 => Sha1::digest(bytes).to_vec(),
            Hash::Sha256 => Sha256::digest(bytes).to_vec(),
            Hash::Sha256Cut => Sha256::digest(bytes)[..self.hash.size()].to_vec(),
            Hash::Sha384 => Sha384::digest(bytes).to_vec(),
        }
    }
}

impl Hash {
    fn of_type(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha1),
            2 => Some(Self::Sha256),
            3 => Some(Self::Sha256Cut),
            4 => Some(Self::Sha384),
            _ => None,
        }
    }

    /// Returns the length of a hash in bytes.
    fn size(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha256Cut => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

fn parse(image: &[u8], blob: &Range<usize>) -> Result<Signature, Error> {
    let bytes = &image[blob.clone()];
    let (magic, count) = (be32(bytes, 0)?, be32(bytes, 8)?);
    if magic != SUPER_BLOB {
        return Err(malformed(&format!("it begins with {magic:08x}, not {SUPER_BLOB:08x}")));
    }
    if count > MOST_BLOBS {
        return Err(malformed(&format!("{count} blobs; expected at most {MOST_BLOBS}")));
    }
    let mut signature = Signature { directories: Vec::new(), has_cms: false };
    let mut slots = Vec::new();
    for index in 0..count as usize {
        let (slot, offset) = (be32(bytes, 12 + index * 8)?, be32(bytes, 16 + index * 8)?);
        if slots.contains(&slot) {
            return Err(malformed(&format!("two blobs in slot {slot:#x}")));
        }
        slots.push(slot);
        if slot == DIRECTORY_SLOT || ALTERNATE_SLOTS.contains(&slot) {
            signature.directories.push(parse_directory(bytes, offset, blob.start)?);
        } else if slot == CMS_SLOT {
            signature.has_cms = be32(bytes, offset as usize + 4)? > BLOB_HEADER;
        }
    }
    if !slots.contains(&DIRECTORY_SLOT) {
        return Err(malformed("no code directory"));
    }
    Ok(signature)
}

/// Reads the code directory at `offset` of the signature, whose bytes begin at `signature_start` of the file.
fn parse_directory(
    signature: &[u8],
    offset: u32,
    signature_start: usize,
) -> Result<Directory, Error> {
    let start = offset as usize;
    let directory = signature.get(start..).ok_or_else(cut_off)?;
    if be32(directory, 0)? != CODE_DIRECTORY {
        return Err(malformed("a code directory has the wrong magic number"));
    }
    let directory = directory.get(..be32(directory, 4)? as usize).ok_or_else(cut_off)?;
    let version = be32(directory, 8)?;
    if version >= WITH_SCATTER && be32(directory, 44)? != 0 {
        return Err(malformed("a scattered code directory, which no linker writes today"));
    }
    let hash = Hash::of_type(byte(directory, 37)?)
        .filter(|hash| byte(directory, 36).is_ok_and(|size| usize::from(size) == hash.size()))
        .ok_or_else(|| malformed("an unknown hash; expected SHA-1, SHA-256 or SHA-384"))?;
    let page_size = match byte(directory, 39)? {
        log2 @ 12..=16 => 1_usize << log2,
        _ => return Err(malformed("its pages are not of 4 to 64 KiB")),
    };
    let limit = code_limit(directory, version)?;
    if limit > signature_start as u64 {
        return Err(malformed("it covers more than the bytes before it"));
    }
    // The system would map the bytes between without comparing them with any hash.
    if limit < signature_start as u64 {
        let what = format!("it covers {limit} of the {signature_start} bytes before it");
        return Err(malformed(&what));
    }
    let limit = limit as usize;
    let pages = be32(directory, 28)? as usize;
    if pages != limit.div_ceil(page_size) {
        return Err(malformed(&format!("{pages} page hashes for {limit} bytes")));
    }
    let first = be32(directory, 16)? as usize;
    let hashes = first..first + pages * hash.size();
    if hashes.end > directory.len() {
        return Err(cut_off());
    }
    let base = signature_start + start;
    Ok(Directory { hash, page_size, limit, hashes: base + hashes.start..base + hashes.end })
}

/// Returns how many bytes are covered: by the field of 64 bits where it exists and is not zero.
fn code_limit(directory: &[u8], version: u32) -> Result<u64, Error> {
    if version >= WITH_LIMIT_64 {
        let limit = u64::from(be32(directory, 56)?) << 32 | u64::from(be32(directory, 60)?);
        if limit != 0 {
            return Ok(limit);
        }
    }
    Ok(be32(directory, 32)?.into())
}

fn be32(bytes: &[u8], at: usize) -> Result<u32, Error> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut_off)?;
    Ok(u32::from_be_bytes(*bytes))
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, Error> {
    bytes.get(at).copied().ok_or_else(cut_off)
}

fn cut_off() -> Error {
    malformed("it is cut off")
}

fn malformed(what: &str) -> Error {
    Error::invalid(format!("a malformed code signature: {what}"))
}
