//! Packs archives whose bytes depend on their content alone: no names of users, no clock, no umask, no
//! order of a directory listing.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use ferror::Error;

use crate::build::gzip;
use crate::system::files;

/// A limit that only keeps a made-up archive from filling the memory; real ones are a tenth of that.
const LARGEST_CONTENT: u64 = 8 << 30;

/// One file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the archive's top folder, with `/`.
    pub name: String,
    /// Whether its mode is 0755 rather than 0644.
    pub executable: bool,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Packs `entries`, in their order, below the folder `top`, and writes the archive to `path`.
///
/// Every entry's time is `time`, in seconds since 1970 UTC. The archive is read back before it gets
/// its name. Returns its bytes' digest and length.
pub fn pack(path: &Path, top: &str, entries: &[Entry], time: u64) -> anyhow::Result<(u64, String)> {
    let packed = gzip::compress(&tar(top, entries, time)?)?;
    check(&packed, top, entries).with_context(|| format!("reading back {}", path.display()))?;
    files::write_whole(path, &packed, 0o644)?;
    Ok((packed.len() as u64, files::sha256(&packed)))
}

/// Reads an archive that [`pack`] made: its entries, and their time.
pub fn read(packed: &[u8], top: &str) -> anyhow::Result<(Vec<Entry>, u64)> {
    let content = flate2::read::GzDecoder::new(packed).take(LARGEST_CONTENT);
    let mut archive = tar::Archive::new(content);
    let (mut entries, mut time) = (Vec::new(), 0);
    for found in archive.entries()? {
        let mut found = found?;
        let path = found.path()?.into_owned();
        let name = path.to_str().and_then(|path| path.strip_prefix(top)?.strip_prefix('/'));
        let is_file = found.header().entry_type() == tar::EntryType::Regular;
        let name = name
            .filter(|_| is_file)
            .with_context(|| format!("{}: expected a file in the folder {top}", path.display()))?;
        time = found.header().mtime()?;
        let executable = found.header().mode()? & 0o100 != 0;
        let mut bytes = Vec::new();
        found.read_to_end(&mut bytes)?;
        entries.push(Entry { name: name.to_owned(), executable, bytes });
    }
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).context("reading to the end")?;
    Ok((entries, time))
}

fn tar(top: &str, entries: &[Entry], time: u64) -> anyhow::Result<Vec<u8>> {
    let mut names = BTreeSet::new();
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        if !names.insert(&entry.name) {
            return Err(Error::config(format!("{top}: two files named {}", entry.name))
                .hint("rename one, or narrow an `include` pattern")
                .into());
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(if entry.executable { 0o755 } else { 0o644 });
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        let name = format!("{top}/{}", entry.name);
        builder
            .append_data(&mut header, &name, &entry.bytes[..])
            .with_context(|| format!("packing {name}"))?;
    }
    Ok(builder.into_inner()?)
}

/// Lists the archive and compares names and content with what was meant to be packed.
fn check(packed: &[u8], top: &str, entries: &[Entry]) -> anyhow::Result<()> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let mut expected = entries.iter();
    for found in archive.entries()? {
        let mut found = found?;
        let entry = expected.next().context("it holds more entries than were packed")?;
        let name = format!("{top}/{}", entry.name);
        ensure!(
            found.path()?.to_str() == Some(&name),
            "expected {name}, found {}",
            found.path()?.display()
        );
        let mut bytes = Vec::with_capacity(entry.bytes.len());
        found.read_to_end(&mut bytes)?;
        ensure!(bytes == entry.bytes, "{name} came back with other content");
    }
    ensure!(expected.next().is_none(), "it holds fewer entries than were packed");
    // The tar reader stops at its own end mark; gzip's checksum stands behind it.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).context("reading to the end")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Entry, check, pack};

    fn entry(name: &str, executable: bool, bytes: &[u8]) -> Entry {
        Entry { name: name.into(), executable, bytes: bytes.into() }
    }

    #[test]
    fn entries_have_no_owner_and_the_given_time_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar.gz");
        let long = "deep/".repeat(40) + "name";
        let entries = [
            entry("a", true, b"binary"),
            entry("README", false, b"text"),
            entry(&long, false, b""),
        ];
        let (size_bytes, sha256) = pack(&path, "a_linux_amd64", &entries, 1_700_000_000).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            (size_bytes, &sha256),
            (bytes.len() as u64, &crate::system::files::sha256(&bytes))
        );

        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!(
                    (header.username().unwrap(), header.groupname().unwrap()),
                    (Some(""), Some(""))
                );
                assert_eq!(header.mtime().unwrap(), 1_700_000_000);
                (entry.path().unwrap().display().to_string(), header.mode().unwrap())
            })
            .collect();
        let expected = [("a", 0o755), ("README", 0o644), (long.as_str(), 0o644)];
        assert_eq!(seen, expected.map(|(name, mode)| (format!("a_linux_amd64/{name}"), mode)));
    }

    #[test]
    fn two_files_of_one_name_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar.gz");
        let error =
            pack(&path, "a", &[entry("x", false, b"1"), entry("x", false, b"2")], 0).unwrap_err();
        assert_eq!(error.to_string(), "a: two files named x");
        assert!(!path.exists());
    }

    #[test]
    fn reading_back_sees_what_is_missing_or_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar.gz");
        let entries = [entry("x", false, b"1"), entry("y", false, b"2")];
        pack(&path, "a", &entries, 0).unwrap();
        let packed = std::fs::read(&path).unwrap();
        check(&packed, "a", &entries).unwrap();
        for wrong in [&entries[..1], &[entry("x", false, b"1"), entry("y", false, b"3")], &[]] {
            check(&packed, "a", wrong).unwrap_err();
        }
        check(&packed[..packed.len() - 9], "a", &entries).unwrap_err();
    }
}
