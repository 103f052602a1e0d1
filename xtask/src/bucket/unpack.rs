//! Archives that came from elsewhere: checked as a whole before anything of them is written.
//!
//! A digest says that an archive is the one that was uploaded, not that it means well.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;
use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::system::files;

/// Limits that only keep a made-up archive from filling the disk; real ones are a tenth of that.
const LARGEST_CONTENT: u64 = 8 << 30;
const MOST_ENTRIES: usize = 100_000;

type Packed<'a> = io::Take<MultiGzDecoder<&'a File>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    File,
    Folder,
}

/// Unpacks the `.tar.gz` `archive` below the folder `into`, which is there, and returns the paths of
/// its files there, sorted.
///
/// Files get mode 0755 or 0644, whatever the umask, and replace what has their name at once.
///
/// # Errors
/// [`ferror::Kind::Invalid`], with nothing written, where an entry is no file or folder, is not below
/// `into` or would go through a link that is there, or has the name of another or of the archive, or one of
/// these names with `.partial`.
pub fn unpack(archive: &Path, into: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut file = File::open(archive).with_context(|| format!("reading {}", archive.display()))?;
    let mut names = BTreeMap::new();
    each_entry(&file, |entry| {
        let (path, what) = place(entry)?;
        add(&mut names, &path, what)
    })
    .and_then(|()| check_places(&names, archive, into))
    .with_context(|| format!("{}: nothing was unpacked", archive.display()))?;

    file.rewind()?;
    each_entry(&file, |entry| {
        let (path, what) = place(entry)?;
        let path = into.join(path);
        let written = match what {
            What::Folder => fs::create_dir_all(&path),
            What::File => write(entry, &path),
        };
        written.with_context(|| format!("writing {}", path.display()))
    })?;
    let files = names.into_iter().filter(|(_, what)| *what == What::File);
    Ok(files.map(|(path, _)| into.join(path)).collect())
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

/// Where an entry goes below the folder, and what it is.
fn place(entry: &Entry<'_, Packed<'_>>) -> ferror::Result<(PathBuf, What)> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    // Names are printed.
    if name.contains(char::is_control) {
        let message = format!("the entry {name:?} has a control character in its name");
        return Err(Error::invalid(message));
    }
    let what = match entry.header().entry_type() {
        EntryType::Regular => What::File,
        EntryType::Directory => What::Folder,
        other => {
            let message = format!("the entry {name:?} is a {other:?}: expected a file or a folder");
            return Err(Error::invalid(message));
        }
    };
    let leaves = || Error::invalid(format!("the entry {name:?} leaves the folder"));
    let mut path = PathBuf::new();
    for component in entry.path().map_err(|_| leaves())?.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(leaves()),
        }
    }
    if what == What::File && path.as_os_str().is_empty() {
        return Err(Error::invalid(format!("the entry {name:?} is a file without a name")));
    }
    Ok((path, what))
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

/// Looks at what is there already under the names of an archive.
fn check_places(
    names: &BTreeMap<PathBuf, What>,
    archive: &Path,
    into: &Path,
) -> anyhow::Result<()> {
    for (name, what) in names {
        let path = into.join(name);
        if [archive.to_owned(), files::partial_name(archive)].contains(&path) {
            let message = format!("the entry {} has the archive's name", name.display());
            return Err(Error::invalid(message).into());
        }
        let partial = files::partial_name(name);
        if *what == What::File && names.contains_key(&partial) {
            let (partial, name) = (partial.display(), name.display());
            let message =
                format!("the entry {partial} has the name that {name} has until it is whole");
            return Err(Error::invalid(message).into());
        }
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            // Below a file that should be a folder, which has its own turn.
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) =>
            {
                continue;
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let problem = match what {
            What::Folder if found.is_symlink() => "is a link, through which files would leave",
            What::Folder if !found.is_dir() => "is no folder",
            What::File if found.is_dir() => "is a folder",
            _ => continue,
        };
        return Err(Error::invalid(format!("{} {problem}", path.display()))
            .hint("move it away, or unpack into another folder")
            .into());
    }
    Ok(())
}

fn write(entry: &mut Entry<'_, Packed<'_>>, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = files::partial_name(path);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let is_executable = entry.header().mode()? & 0o111 != 0;
    let mut file = File::create_new(&partial)?;
    io::copy(entry, &mut file)?;
    file.set_permissions(fs::Permissions::from_mode(if is_executable { 0o755 } else { 0o644 }))?;
    fs::rename(&partial, path)
}
