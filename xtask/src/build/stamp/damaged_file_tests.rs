//! Feeds damaged and made-up files to every function, which must return a result or an error, and neither
//! panic nor loop for ever.

use super::fixture::{MachO, Signed, elf, record};
use super::{Outcome, facts, normalise, read, verify, write};

/// The number of changed copies of each image. They are the same in every run.
const CHANGES: usize = 4_000;

/// Values for changed bytes, near the limits of some field.
const EDGES: [u8; 8] = [0x00, 0x01, 0x08, 0x10, 0x7f, 0x80, 0xfe, 0xff];

#[test]
fn a_file_cut_off_anywhere_causes_no_panic() {
    for image in images() {
        for length in (0..image.len()).rev().step_by(13).chain(0..64) {
            try_everything(&image[..length]);
        }
    }
}

#[test]
fn a_file_with_changed_bytes_causes_no_panic() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for image in images() {
        let tables = tables(&image);
        for _ in 0..CHANGES {
            let mut changed = image.clone();
            for _ in 0..=random.below(3) {
                let at = tables[random.below(tables.len())];
                // Wider changes make offsets past the end and huge counts.
                let width = [1, 1, 2, 4, 8][random.below(5)];
                let value = EDGES[random.below(EDGES.len())];
                let end = changed.len().min(at + width);
                changed[at..end].fill(value);
            }
            try_everything(&changed);
        }
    }
}

fn images() -> Vec<Vec<u8>> {
    let signed = [Signed::Nobody, Signed::Linker, Signed::TwoHashes, Signed::Certificate];
    let mut images: Vec<_> = signed.map(|signed| MachO::new(signed).image()).into();
    images.push(elf(&[256]));
    images
}

/// Returns the places to change: the headers in front, and the tables or signature at the end.
fn tables(image: &[u8]) -> Vec<usize> {
    let end = image.len();
    (0..512.min(end)).chain(0x1000..0x1200).chain(end.saturating_sub(700)..end).collect()
}

fn try_everything(image: &[u8]) {
    let _ = (read(image), facts(image), verify(image));
    let _ = normalise(&mut image.to_vec());
    let mut written = image.to_vec();
    if let Ok(Outcome::Stamped) = write(&mut written, &record("abc123"), "damaged") {
        let stamped = read(&written).expect("what was written is readable");
        assert_eq!(stamped, Some(record("abc123")), "the stamp does not read back");
    }
    assert_eq!(written.len(), image.len(), "stamping changed the length");
}

/// xorshift64 (Marsaglia, "Xorshift RNGs", 2003): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
