//! The record's bytes: one fixed size, every field at a fixed place, so that writing moves nothing in the file.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | `BOWLINE` and the format's number, 1 |
//! | 8..16 | `committed_at`, little endian |
//! | 16 | `dirty`, 0 or 1 |
//! | 17..24 | zero |
//! | 24..104 | `version`, ASCII, zero to the end |
//! | 104..168 | `commit`, likewise |
//! | 168..200 | `platform`, likewise |
//! | 200..248 | zero, room for a field to come |
//! | 248..256 | FNV-1a of bytes 0..248, little endian: finds damage, not malice |
//!
//! Every record has exactly one encoding, and [`Record::decode`] accepts nothing else.

use std::fmt;
use std::ops::Range;

/// The size of an encoded record, in bytes.
pub const SIZE: usize = 256;

const MAGIC: &[u8; 7] = b"BOWLINE";
const FORMAT: u8 = 1;

const COMMITTED_AT: Range<usize> = 8..16;
const DIRTY: usize = 16;
const VERSION: Range<usize> = 24..104;
const COMMIT: Range<usize> = 104..168;
const PLATFORM: Range<usize> = 168..200;
const CHECKSUM: Range<usize> = 248..SIZE;

/// What is stamped into a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the program reports: 1 to 80 letters, digits, `.`, `_`, `+` and `-`.
    pub version: String,
    /// The full commit in lower hex: 40 digits, or 64 in a SHA-256 repository.
    pub commit: String,
    /// Whether the build had changes that the commit does not hold.
    pub dirty: bool,
    /// When the commit was made, in seconds since 1970 UTC.
    pub committed_at: i64,
    /// The platform built for, such as `linux_amd64`: 1 to 32 lower letters, digits and `_`.
    pub platform: String,
}

/// Why a record cannot be written, or bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A field holds what the format does not allow.
    Field {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: String,
        /// What the format allows there.
        expected: &'static str,
    },
    /// The bytes are not [`SIZE`] many, but this many.
    Size(usize),
    /// The bytes are neither all zero nor do they begin as a record does.
    NotARecord,
    /// The record is of a format that this version of the crate does not know.
    Format(u8),
    /// The bytes begin as a record does, but are not what any record is written as.
    Damaged,
}

impl Record {
    /// Returns the record's bytes. Fails when a field does not fit the format.
    pub fn encode(&self) -> Result<[u8; SIZE], Error> {
        self.check()?;
        let mut bytes = [0; SIZE];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[MAGIC.len()] = FORMAT;
        bytes[COMMITTED_AT].copy_from_slice(&self.committed_at.to_le_bytes());
        bytes[DIRTY] = u8::from(self.dirty);
        for (range, text) in
            [(VERSION, &self.version), (COMMIT, &self.commit), (PLATFORM, &self.platform)]
        {
            // `check` has seen that the text is not longer than its range.
            bytes[range][..text.len()].copy_from_slice(text.as_bytes());
        }
        let checksum = fnv1a(&bytes[..CHECKSUM.start]);
        bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        Ok(bytes)
    }

    /// Reads what [`Record::encode`] wrote; `None` when all bytes are zero, as the linker left them.
    ///
    /// Total: any bytes of any length give a record, `None` or an error.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let bytes: &[u8; SIZE] = bytes.try_into().map_err(|_| Error::Size(bytes.len()))?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(Error::NotARecord);
        }
        if bytes[MAGIC.len()] != FORMAT {
            return Err(Error::Format(bytes[MAGIC.len()]));
        }
        let mut committed_at = [0; 8];
        committed_at.copy_from_slice(&bytes[COMMITTED_AT]);
        let record = Self {
            version: text(&bytes[VERSION])?,
            commit: text(&bytes[COMMIT])?,
            dirty: bytes[DIRTY] == 1,
            committed_at: i64::from_le_bytes(committed_at),
            platform: text(&bytes[PLATFORM])?,
        };
        // One encoding a record: this compares the checksum, the padding and the fields' rules at once.
        match record.encode() {
            Ok(again) if again == *bytes => Ok(Some(record)),
            _ => Err(Error::Damaged),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let checks = [
            (
                "version",
                &self.version,
                "1 to 80 letters, digits, '.', '_', '+' and '-'",
                (1..=VERSION.len()).contains(&self.version.len())
                    && self.version.bytes().all(|byte| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-')
                    }),
            ),
            (
                "commit",
                &self.commit,
                "40 or 64 digits of lower hex",
                matches!(self.commit.len(), 40 | 64) && self.commit.bytes().all(hex),
            ),
            (
                "platform",
                &self.platform,
                "1 to 32 lower letters, digits and '_', such as linux_amd64",
                (1..=PLATFORM.len()).contains(&self.platform.len())
                    && self
                        .platform
                        .bytes()
                        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
            ),
        ];
        for (field, value, expected, fits) in checks {
            if !fits {
                return Err(Error::Field { field, value: value.clone(), expected });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { field, value, expected } => {
                write!(f, "the stamp's {field} is {value:?}; expected {expected}")
            }
            Self::Size(size) => write!(f, "a stamp has {SIZE} bytes, these are {size}"),
            Self::NotARecord => {
                f.write_str("the bytes are neither zero nor a stamp: it begins with BOWLINE")
            }
            Self::Format(format) => {
                write!(f, "the stamp is of format {format}, this program reads format {FORMAT}")
            }
            Self::Damaged => f.write_str("the stamp is damaged: its bytes do not fit its checksum"),
        }
    }
}

impl std::error::Error for Error {}

/// Returns the text of a field: up to its first zero byte.
fn text(field: &[u8]) -> Result<String, Error> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    str::from_utf8(&field[..end]).map(str::to_owned).map_err(|_| Error::Damaged)
}

/// Computes FNV-1a with 64 bits (RFC 9923).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{Error, Record, SIZE, fnv1a};

    fn record() -> Record {
        Record {
            version: "abc123".into(),
            commit: "abc123def4567890abc123def4567890abc123de".into(),
            dirty: false,
            committed_at: 1_795_000_000,
            platform: "linux_amd64".into(),
        }
    }

    #[test]
    fn the_bytes_stand_where_the_table_says() {
        // Binaries outlive the crate that wrote them: these places never change within a format.
        let bytes = record().encode().unwrap();
        assert_eq!(&bytes[..8], b"BOWLINE\x01");
        assert_eq!(bytes[8..16], [0xc0, 0x86, 0xfd, 0x6a, 0, 0, 0, 0]);
        assert_eq!(bytes[16..24], [0; 8]);
        assert_eq!(&bytes[24..31], b"abc123\0");
        assert_eq!(&bytes[104..145], b"abc123def4567890abc123def4567890abc123de\0");
        assert_eq!(&bytes[168..180], b"linux_amd64\0");
        assert_eq!(bytes[200..248], [0; 48]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let longest = Record {
            version: format!("{}-dirty.0badcafe", "f".repeat(64)),
            commit: "f".repeat(64),
            dirty: true,
            committed_at: i64::MIN,
            platform: "a".repeat(32),
        };
        for record in [record(), longest] {
            let bytes = record.encode().unwrap();
            assert_eq!(Record::decode(&bytes), Ok(Some(record)));
        }
        assert_eq!(Record::decode(&[0; SIZE]), Ok(None), "zeros are a binary nobody stamped");
    }

    #[test]
    fn a_field_that_does_not_fit_is_named() {
        let check = |field: &str, change: fn(&mut Record)| {
            let mut record = record();
            change(&mut record);
            match record.encode() {
                Err(error @ Error::Field { .. }) => {
                    assert!(
                        error.to_string().contains(&format!("the stamp's {field} is")),
                        "{error}"
                    );
                }
                other => panic!("{field}: expected an error that names the field, got {other:?}"),
            }
        };
        check("version", |record| record.version.clear());
        check("version", |record| record.version = "v".repeat(81));
        check("version", |record| record.version = "abc 123".into());
        check("version", |record| record.version = "abc\u{1b}[2J".into());
        check("version", |record| record.version = "../abc".into());
        check("commit", |record| record.commit.truncate(39));
        check("commit", |record| record.commit = record.commit.to_uppercase());
        check("platform", |record| record.platform.clear());
        check("platform", |record| record.platform = "a".repeat(33));
        check("platform", |record| record.platform = "linux/amd64".into());
    }

    #[test]
    fn a_single_changed_bit_is_found() {
        let bytes = record().encode().unwrap();
        for bit in 0..SIZE * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let decoded = Record::decode(&changed);
            assert!(decoded.is_err(), "bit {bit} flipped, and still read as {decoded:?}");
        }
    }

    #[test]
    fn padding_is_zero_even_under_a_right_checksum() {
        for place in [17, 30, 31, 144, 167, 180, 199, 200, 247] {
            let mut bytes = record().encode().unwrap();
            bytes[place] ^= 0x80;
            let checksum = fnv1a(&bytes[..248]);
            bytes[248..].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(Record::decode(&bytes), Err(Error::Damaged), "byte {place}");
        }
    }

    #[test]
    fn other_bytes_are_errors_that_say_what_they_are() {
        let mut newer = record().encode().unwrap();
        newer[7] = 2;
        assert_eq!(Record::decode(&newer), Err(Error::Format(2)));
        assert_eq!(Record::decode(&[b'x'; SIZE]), Err(Error::NotARecord));
        for size in [0, 1, SIZE - 1, SIZE + 1, 2 * SIZE] {
            assert_eq!(Record::decode(&vec![0; size]), Err(Error::Size(size)));
        }
    }

    #[test]
    fn fnv1a_gives_the_values_of_rfc_9923() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
