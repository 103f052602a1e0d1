//! The version that a running program reports: `DEV`, or what was written into the linked binary afterwards.
//!
//! A version that the compiler sees makes every commit a compile and a link. This one is a static
//! of [`SIZE`] zero bytes in a section of its own ([`ELF_SECTION`], [`MACHO_SECTION`]); the
//! automation finds the section in the finished file and writes a [`Record`] over the zeros. So an
//! unstamped binary does not depend on the commit, and the same code at a new commit is not linked
//! again.
//!
//! A program needs one call and no build script:
//!
//! ```
//! if std::env::args().any(|argument| argument == "--version") {
//!     println!("{}", stamp::line("releases"));
//! }
//! # assert_eq!(stamp::version(), "DEV");
//! # assert_eq!(stamp::line("releases"), "releases DEV (not stamped)");
//! ```
//!
//! The section's name stands for the format as much as the magic inside does: a format that older
//! automation could not write needs a new name, so that old and new never write each other's.

mod format;

use std::sync::OnceLock;

pub use format::{Error, Record, SIZE};

/// The section of the record in an ELF file. A name that begins `.bss` would have no bytes in the file.
pub const ELF_SECTION: &str = ".bowline_stamp";

/// The section of the record in a Mach-O file, in segment `__DATA_CONST`. Names there have at most 16 bytes.
pub const MACHO_SECTION: &str = "__bowline_stamp";

/// The version of a binary that is not stamped.
pub const UNSTAMPED: &str = "DEV";

/// The record's bytes in the running program: never written by it, only by the automation before it runs.
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA_CONST,__bowline_stamp"))]
#[cfg_attr(all(unix, not(target_vendor = "apple")), unsafe(link_section = ".bowline_stamp"))]
#[expect(
    unsafe_code,
    reason = "a section's name is trusted; this one is ours alone, and plain read-only data"
)]
static STAMP: [u8; SIZE] = [0; SIZE];

/// Returns the version of this build, [`UNSTAMPED`] until stamped: `abc123`, or `abc123-dirty.0badcafe`.
pub fn version() -> &'static str {
    record().map_or(UNSTAMPED, |record| &record.version)
}

/// Returns the full commit of this build in lower hex: 40 digits, or 64 in a SHA-256 repository.
pub fn commit() -> Option<&'static str> {
    record().map(|record| record.commit.as_str())
}

/// Returns whether the build had changes that its commit does not hold; false until stamped.
pub fn dirty() -> bool {
    record().is_some_and(|record| record.dirty)
}

/// Returns when the commit was made, in seconds since 1970 UTC.
pub fn committed_at() -> Option<i64> {
    record().map(|record| record.committed_at)
}

/// Returns the platform of this build as in file names: `linux_amd64`.
pub fn platform() -> Option<&'static str> {
    record().map(|record| record.platform.as_str())
}

/// Returns the line that `--version` prints, without a line break: `releases abc123 (commit 0123..., linux_amd64)`.
pub fn line(name: &str) -> String {
    describe(name, record())
}

/// Returns the stamped record of the running program; `None` until stamped.
///
/// A damaged record counts as none: the automation reads back every stamp it writes, so the file
/// was changed later, and the record cannot be trusted.
fn record() -> Option<&'static Record> {
    static RECORD: OnceLock<Option<Record>> = OnceLock::new();
    RECORD.get_or_init(|| Record::decode(&stamp_bytes()).unwrap_or_default()).as_ref()
}

/// Copies [`STAMP`] as it is in memory, not as the compiler saw it.
fn stamp_bytes() -> [u8; SIZE] {
    std::array::from_fn(|index| {
        #[expect(
            unsafe_code,
            reason = "an ordinary read would be folded to the zeros in the source"
        )]
        // SAFETY: the pointer comes from a reference to a byte of a static, which is always readable.
        unsafe {
            std::ptr::read_volatile(&raw const STAMP[index])
        }
    })
}

fn describe(name: &str, record: Option<&Record>) -> String {
    match record {
        Some(Record { version, commit, platform, .. }) => {
            format!("{name} {version} (commit {commit}, {platform})")
        }
        None => format!("{name} {UNSTAMPED} (not stamped)"),
    }
}

#[cfg(test)]
mod tests {
    use super::{MACHO_SECTION, Record, describe};

    #[test]
    fn a_program_that_nobody_stamped_says_so() {
        assert_eq!(super::version(), "DEV");
        assert_eq!(super::commit(), None);
        assert!(!super::dirty());
        assert_eq!(super::committed_at(), None);
        assert_eq!(super::platform(), None);
        assert_eq!(super::line("releases"), "releases DEV (not stamped)");
    }

    #[test]
    fn the_line_of_a_stamped_program_names_version_commit_and_platform() {
        let record = Record {
            version: "abc123-dirty.0badcafe".into(),
            commit: "abc123def4567890abc123def4567890abc123de".into(),
            dirty: true,
            committed_at: 1_795_000_000,
            platform: "linux_amd64".into(),
        };
        assert_eq!(
            describe("releases", Some(&record)),
            "releases abc123-dirty.0badcafe (commit abc123def4567890abc123def4567890abc123de, linux_amd64)",
        );
    }

    #[test]
    fn the_mach_o_name_fits_its_field() {
        assert!(MACHO_SECTION.len() <= 16, "{MACHO_SECTION} is cut off in a Mach-O file");
    }
}
