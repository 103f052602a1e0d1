//! Unpacks downloaded archives, which are checked as a whole before anything is written.
//!
//! A digest only proves that an archive is the one that was uploaded, not that it is harmless.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;
use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::system::interrupt;
use crate::system::partial::Partial;

/// Limits that only keep a made-up archive from filling the disk; real ones are a tenth of that.
const LARGEST_CONTENT: u64 = 8 << 30;
const MOST_ENTRIES: usize = 100_000;

type Packed<'a> = io::Take<MultiGzDecoder<&'a File>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    File,
    Folder,
}

/// Unpacks the `.tar.gz` `archive`, whose one top folder is `top`, to the folder `into`/`top`, which is
/// not there yet, and returns the paths of its files there, sorted.
///
/// The folder gets its name when it is complete. Files get mode 0755 or 0644, whatever the umask.
///
/// # Errors
/// [`ferror::Kind::Invalid`], with nothing left, where an entry is no file or folder, is not below
/// `top`, has the name of another, or is part of a git repository.
pub fn unpack(archive: &Path, into: &Path, top: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut file = File::open(archive).with_context(|| format!("reading {}", archive.display()))?;
    let mut names = BTreeMap::new();
    each_entry(&file, |entry| {
        let (path, what) = place(entry, top)?;
        add(&mut names, &path, what)
    })
    .context("nothing was unpacked")?;

    file.rewind()?;
    let folder = into.join(top);
    let writing = || format!("writing {}", folder.display());
    let partial = Partial::folder(&folder).with_context(writing)?;
    fill(&file, partial.path(), top)?;
    partial.rename(&folder).with_context(writing)?;
    let files = names.into_iter().filter(|(_, what)| *what == What::File);
    Ok(files.map(|(path, _)| folder.join(path)).collect())
}

/// Writes every entry below a folder. No entry is a link, so none leads out of it.
fn fill(file: &File, folder: &Path, top: &str) -> anyhow::Result<()> {
    each_entry(file, |entry| {
        interrupt::check()?;
        let (path, what) = place(entry, top)?;
        let path = folder.join(path);
        let written = match what {
            What::Folder => fs::create_dir_all(&path),
            What::File => write(entry, &path),
        };
        written.with_context(|| format!("writing {}", path.display()))
    })
}

fn each_entry(
    file: &File,
    mut work: impl FnMut(&mut Entry<'_, Packed<'_>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let damaged = |e: io::Error| Error::invalid("not a whole .tar.gz").caused_by(e);
    let mut archive = Archive::new(MultiGzDecoder::new(file).take(LARGEST_CONTENT));
    for (index, entry) in archive.entries().map_err(damaged)?.enumerate() {
        if index == MOST_ENTRIES {
            return Err(Error::invalid(format!("more than {MOST_ENTRIES} entries")).into());
        }
        work(&mut entry.map_err(damaged)?)?;
    }
    Ok(())
}

/// Returns where an entry goes below the folder `top`, and what it is.
fn place(entry: &Entry<'_, Packed<'_>>, top: &str) -> ferror::Result<(PathBuf, What)> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let refuse = |why: &str| Err(Error::invalid(format!("the entry {name:?} {why}")));
    // Names are printed.
    if name.contains(char::is_control) {
        return refuse("has a control character in its name");
    }
    let what = match entry.header().entry_type() {
        EntryType::Regular => What::File,
        EntryType::Directory => What::Folder,
        other => return refuse(&format!("is a {other:?}: expected a file or a folder")),
    };
    let mut path = PathBuf::new();
    let Ok(given) = entry.path() else { return refuse("has a name that is no path") };
    for component in given.components() {
        match component {
            Component::Normal(part) if part.eq_ignore_ascii_case(".git") => {
                return refuse(
                    "is part of a git repository, whose settings and hooks git would run",
                );
            }
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return refuse(&format!("is not below {top}/, the one folder of this archive")),
        }
    }
    match path.strip_prefix(top) {
        Ok(below) if what == What::Folder || !below.as_os_str().is_empty() => {
            Ok((below.to_owned(), what))
        }
        _ => refuse(&format!("is not below {top}/, the one folder of this archive")),
    }
}

/// Adds an entry and the folders above it.
fn add(names: &mut BTreeMap<PathBuf, What>, path: &Path, what: What) -> anyhow::Result<()> {
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        if names.insert(folder.to_owned(), What::Folder) == Some(What::File) {
            return Err(
                Error::invalid(format!("{} is a file and a folder", folder.display())).into()
            );
        }
    }
    match (names.insert(path.to_owned(), what), what) {
        (None, _) | (Some(What::Folder), What::Folder) => Ok(()),
        _ => Err(Error::invalid(format!("two entries are named {}", path.display())).into()),
    }
}

fn write(entry: &mut Entry<'_, Packed<'_>>, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let is_executable = entry.header().mode()? & 0o111 != 0;
    let mut file = File::create_new(path)?;
    io::copy(entry, &mut file)?;
    file.set_permissions(fs::Permissions::from_mode(if is_executable { 0o755 } else { 0o644 }))
}
