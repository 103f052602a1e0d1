//! Finds where an archive differs from one that should be equal to it: the entry, the section of a binary, the byte.

use std::fmt;

use crate::build::archive::{self, Entry};
use crate::build::stamp;
use crate::system::files;

/// A place at which two archives differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The entry's path in the archive; `None` where the archives differ and their entries do not.
    pub entry: Option<String>,
    /// The section of a binary that has the first differing byte.
    pub section: Option<String>,
    /// The first differing byte of the entry, or of the archive; `None` where not the content differs.
    pub offset: Option<u64>,
    /// The kind of difference, as a sentence goes on behind the name of the entry.
    pub what: String,
}

/// The differences between two archives, in the order of their entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Empty where the archives are equal.
    pub differences: Vec<Difference>,
    /// The binary in the published archive, where it has one.
    pub binary: Option<Binary>,
}

/// The binary that is in a published archive, whatever its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Its digest.
    pub sha256: String,
    /// The digest without its stamp; `None` where it is no program that can be read.
    pub unstamped_sha256: Option<String>,
    /// Whether it is the one that was built.
    pub is_equal: bool,
}

/// Compares the archive of `service` that is published with the one that was built. `top` is the folder in both.
///
/// # Errors
/// Those of reading the archive that was built. One that is published and cannot be read differs.
pub fn compare(
    published: &[u8],
    built: &[u8],
    service: &str,
    top: &str,
) -> anyhow::Result<Compared> {
    let (ours, our_time) = archive::read(built, top)?;
    let whole = |what: String| Difference {
        entry: None,
        section: None,
        offset: first_difference(published, built),
        what,
    };
    let (theirs, their_time) = match archive::read(published, top) {
        Ok(read) => read,
        Err(error) => {
            // The error may name an entry, whose name may be anything.
            let why = format!("cannot be read: {error:#}").replace(char::is_control, "\u{fffd}");
            let differences = vec![whole(why)];
            return Ok(Compared { differences, binary: None });
        }
    };
    let mut differences = Vec::new();
    for entry in &theirs {
        let at = |what: &str| Difference {
            entry: Some(format!("{top}/{}", entry.name)),
            section: None,
            offset: None,
            what: what.to_owned(),
        };
        match find(&ours, &entry.name) {
            None => differences.push(at("is published, and was not built")),
            Some(our) if our.bytes != entry.bytes => {
                let offset = first_difference(&entry.bytes, &our.bytes);
                let section = offset.and_then(|offset| section_at(&our.bytes, offset));
                differences.push(Difference { section, offset, ..at("has other bytes") });
            }
            Some(our) if our.executable != entry.executable => {
                differences.push(at("has another mode"));
            }
            Some(_) => {}
        }
    }
    for entry in ours.iter().filter(|entry| find(&theirs, &entry.name).is_none()) {
        differences.push(Difference {
            entry: Some(format!("{top}/{}", entry.name)),
            section: None,
            offset: None,
            what: "was built, and is not published".to_owned(),
        });
    }
    if differences.is_empty() && published != built {
        differences.push(whole(if their_time == our_time {
            "has equal entries that are packed otherwise".to_owned()
        } else {
            format!("has equal entries of the time {their_time} instead of {our_time}")
        }));
    }
    let binary = find(&theirs, service).map(|entry| Binary {
        sha256: files::sha256(&entry.bytes),
        unstamped_sha256: unstamped(&entry.bytes),
        is_equal: find(&ours, service).is_some_and(|our| our.bytes == entry.bytes),
    });
    Ok(Compared { differences, binary })
}

fn find<'a>(entries: &'a [Entry], name: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.name == name)
}

/// Returns the place of the first byte that differs; of two texts of which one is the beginning of the other, the end
/// of the shorter.
fn first_difference(one: &[u8], other: &[u8]) -> Option<u64> {
    let differing = one.iter().zip(other).position(|(one, other)| one != other);
    let end = (one.len() != other.len()).then(|| one.len().min(other.len()));
    differing.or(end).map(|at| at as u64)
}

/// Returns the section at an offset of a binary; `None` of any other file.
fn section_at(bytes: &[u8], offset: u64) -> Option<String> {
    stamp::section_at(bytes, offset).ok().flatten()
}

/// Returns the digest of a binary without its stamp.
fn unstamped(bytes: &[u8]) -> Option<String> {
    let mut image = bytes.to_vec();
    stamp::remove(&mut image).ok()?;
    Some(files::sha256(&image))
}

/// `billing_linux_amd64/billing has other bytes, in section .text, from byte 4096 on`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, section, offset, what } = self;
        let entry: String = entry.as_deref().unwrap_or("the archive").escape_debug().collect();
        write!(f, "{entry} {what}")?;
        if let Some(section) = section {
            write!(f, ", in section {}", section.escape_debug())?;
        }
        offset.map_or(Ok(()), |offset| write!(f, ", from byte {offset} on"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Compared, compare};
    use crate::build::archive::{self, Entry};
    use crate::build::stamp::fixture::{MachO, Signed, elf, record};
    use crate::build::stamp::{normalise, write};
    use crate::system::files;

    fn packed(entries: &[(&str, bool, &[u8])], time: u64) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let entry = |(name, executable, bytes): &(&str, bool, &[u8])| Entry {
            name: (*name).to_owned(),
            executable: *executable,
            bytes: bytes.to_vec(),
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        let path = folder.path().join("a.tar.gz");
        archive::pack(&path, "top", &entries, time).unwrap();
        std::fs::read(path).unwrap()
    }

    fn compared(published: &[u8], built: &[u8]) -> (Compared, Vec<String>) {
        let compared = compare(published, built, "alpha", "top").unwrap();
        let shown = compared.differences.iter().map(ToString::to_string).collect();
        (compared, shown)
    }

    #[test]
    fn entries_modes_times_and_packing_are_compared() {
        let built = packed(&[("alpha", true, b"binary"), ("README", false, b"text")], 7);
        assert_eq!(compared(&built, &built).1, [""; 0]);
        let other = packed(
            &[("alpha", false, b"binary"), ("more", false, b""), ("README", false, b"texts")],
            7,
        );
        let expected = [
            "top/alpha has another mode",
            "top/more is published, and was not built",
            "top/README has other bytes, from byte 4 on",
        ];
        assert_eq!(compared(&other, &built).1, expected);
        assert_eq!(compared(&built, &other).1[2], "top/more was built, and is not published");
        let later = packed(&[("alpha", true, b"binary"), ("README", false, b"text")], 8);
        let shown = compared(&later, &built).1;
        assert!(
            shown[0].starts_with("the archive has equal entries of the time 8 instead of 7"),
            "{shown:?}"
        );
        // Another compressor's: the system byte of gzip's head.
        let mut repacked = built.clone();
        repacked[9] = 3;
        let expected = "the archive has equal entries that are packed otherwise, from byte 9 on";
        assert_eq!(compared(&repacked, &built).1, [expected]);
        let (cut, shown) = compared(&built[..built.len() / 2], &built);
        assert!(shown[0].starts_with("the archive cannot be read: "), "{shown:?}");
        assert_eq!(cut.binary, None);
    }

    #[test]
    fn a_binary_differs_in_a_section_and_its_digest_without_the_stamp_is_known() {
        for mut linked in [elf(&[256]), MachO::new(Signed::Linker).image()] {
            normalise(&mut linked).unwrap();
            let stamped = |version: &str| {
                let mut image = linked.clone();
                write(&mut image, &record(version), "fixture").unwrap();
                packed(&[("alpha", true, &image)], 7)
            };
            let (compared, shown) = compared(&stamped("abc123"), &stamped("abc124"));
            assert!(shown[0].contains("top/alpha has other bytes, in section "), "{shown:?}");
            assert!(shown[0].contains("bowline_stamp, from byte "), "{shown:?}");
            let binary = compared.binary.unwrap();
            assert_eq!(binary.unstamped_sha256, Some(files::sha256(&linked)));
            assert!(!binary.is_equal);
        }
    }
}
