//! CRC-64/NVME, the checksum that S3 recommends for whole objects. (NVM Express, "NVM Command Set
//! Specification", "64b CRC Definition".)
//!
//! Sixteen tables take sixteen bytes a step. The checksum of a file is combined from those of its
//! parts, which are computed by the threads that send them.

use crate::digest;

/// The polynomial, its lowest power in the highest bit, as all values here.
const POLYNOMIAL: u64 = 0x9A6C_9329_AC4B_C9B5;
/// The polynomial 1.
const ONE: u64 = 1 << 63;
/// The polynomial x⁸, by which a byte moves what comes before it.
const BYTE: u64 = 1 << (63 - 8);

/// In row n, what each byte adds to the checksum when n bytes follow it.
static TABLES: [[u64; 256]; 16] = tables();

/// The checksum of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crc64(u64);

impl Crc64 {
    /// The checksum of no bytes.
    pub(crate) const EMPTY: Self = Self(0);

    /// Computes the checksum of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (blocks, rest) = bytes.as_chunks::<16>();
        let mut crc = !0;
        for block in blocks {
            let block = u128::from_le_bytes(*block);
            let (low, high) = (block as u64 ^ crc, (block >> 64) as u64);
            crc = TABLES[15][(low & 0xff) as usize]
                ^ TABLES[14][(low >> 8 & 0xff) as usize]
                ^ TABLES[13][(low >> 16 & 0xff) as usize]
                ^ TABLES[12][(low >> 24 & 0xff) as usize]
                ^ TABLES[11][(low >> 32 & 0xff) as usize]
                ^ TABLES[10][(low >> 40 & 0xff) as usize]
                ^ TABLES[9][(low >> 48 & 0xff) as usize]
                ^ TABLES[8][(low >> 56) as usize]
                ^ TABLES[7][(high & 0xff) as usize]
                ^ TABLES[6][(high >> 8 & 0xff) as usize]
                ^ TABLES[5][(high >> 16 & 0xff) as usize]
                ^ TABLES[4][(high >> 24 & 0xff) as usize]
                ^ TABLES[3][(high >> 32 & 0xff) as usize]
                ^ TABLES[2][(high >> 40 & 0xff) as usize]
                ^ TABLES[1][(high >> 48 & 0xff) as usize]
                ^ TABLES[0][(high >> 56) as usize];
        }
        for byte in rest {
            crc = TABLES[0][(crc as u8 ^ byte) as usize] ^ crc >> 8;
        }
        Self(!crc)
    }

    /// Returns the checksum of what this is of, followed by `next_bytes` bytes whose checksum is `next`.
    pub(crate) fn followed_by(self, next: Self, next_bytes: u64) -> Self {
        Self(product(self.0, power_of_byte(next_bytes)) ^ next.0)
    }

    /// Returns the value of a header: base64 of the bytes, the highest first.
    pub(crate) fn base64(self) -> String {
        digest::base64(&self.0.to_be_bytes())
    }
}

#[expect(clippy::large_stack_arrays, reason = "it is computed while this is compiled")]
const fn tables() -> [[u64; 256]; 16] {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u64, 0);
        while bit < 8 {
            crc = times_x(crc);
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut row = 1;
    while row < 16 {
        byte = 0;
        while byte < 256 {
            let before: u64 = tables[row - 1][byte];
            tables[row][byte] = tables[0][(before & 0xff) as usize] ^ before >> 8;
            byte += 1;
        }
        row += 1;
    }
    tables
}

const fn times_x(value: u64) -> u64 {
    value >> 1 ^ if value & 1 == 1 { POLYNOMIAL } else { 0 }
}

/// Multiplies two polynomials modulo the polynomial.
fn product(left: u64, right: u64) -> u64 {
    let (mut product, mut shifted) = (0, right);
    for bit in (0..64).rev() {
        if left >> bit & 1 == 1 {
            product ^= shifted;
        }
        shifted = times_x(shifted);
    }
    product
}

/// Returns the power of [`BYTE`] with this exponent, by squaring.
fn power_of_byte(mut exponent: u64) -> u64 {
    let (mut power, mut square) = (ONE, BYTE);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = product(power, square);
        }
        square = product(square, square);
        exponent >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::{Crc64, POLYNOMIAL};

    /// Bytes and their checksums: the catalogue's check value, the four examples of NVM Express, and others that
    /// AWS's own implementation (awscrt 0.38.1) gave.
    fn known() -> Vec<(Vec<u8>, u64)> {
        let up: Vec<u8> = (0..=255).collect();
        let down: Vec<u8> = (0..=255).rev().collect();
        vec![
            (b"123456789".to_vec(), 0xAE8B_1486_0A79_9888),
            (vec![0; 4096], 0x6482_D367_EB22_B64E),
            (vec![0xff; 4096], 0xC0DD_BA73_02EC_A3AC),
            (up.repeat(16), 0x3E72_9F5F_6750_449C),
            (down.repeat(16), 0x9A2D_F64B_8E9E_517E),
            (Vec::new(), 0),
            (b"a".to_vec(), 0x8C2F_8445_B4CB_FC3C),
            ((0..1000_u32).map(|number| (number % 251) as u8).collect(), 0x3A2D_3571_B699_8416),
        ]
    }

    /// Computes the checksum bit by bit, as the definition has it.
    fn bitwise(bytes: &[u8]) -> u64 {
        let mut crc = !0;
        for byte in bytes {
            crc ^= u64::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn published_values_come_out() {
        for (bytes, expected) in known() {
            assert_eq!(Crc64::of(&bytes).0, expected, "{} bytes", bytes.len());
        }
        assert_eq!(Crc64::of(b"small").base64(), "oSWzL9WeJr4=");
    }

    #[test]
    fn every_length_and_every_cut_gives_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..100_u32).map(|number| (number * number + 7) as u8).collect();
        for length in 0..bytes.len() {
            let whole = &bytes[..length];
            assert_eq!(Crc64::of(whole).0, bitwise(whole), "{length} bytes");
            for cut in 0..=length {
                let (first, second) = whole.split_at(cut);
                let joined = Crc64::of(first).followed_by(Crc64::of(second), second.len() as u64);
                assert_eq!(joined, Crc64::of(whole), "{length} bytes, cut after {cut}");
            }
        }
        for (bytes, expected) in known() {
            let joined = bytes.chunks(333).fold(Crc64::EMPTY, |crc, part| {
                crc.followed_by(Crc64::of(part), part.len() as u64)
            });
            assert_eq!(joined.0, expected, "{} bytes in parts", bytes.len());
        }
    }
}
