//! Takes back what a verb changed in a repository, unless all of it succeeds.
//!
//! What is about to change is noted first, in a journal with copies of the files: the folder `.xtask-undo` at the
//! workspace's root, on whose file system folders can be moved into it. A failure or a signal takes the changes
//! back before the program ends. After a SIGKILL or a loss of power, the next run does.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;
use serde_json::{Value, json};

use crate::system::file_lock::{self, FileLock};
use crate::system::files;
use crate::system::interrupt::{self, Hold};
use crate::system::partial::sync_folder;
use crate::system::ui::Ui;

/// The folder with the journal, while there is one.
pub const FOLDER: &str = ".xtask-undo";
const JOURNAL: &str = "journal";
const LOCK: &str = "lock";

/// Changes to a repository that are taken back when this is dropped before [`Undo::keep_changes`].
#[derive(Debug)]
pub struct Undo {
    root: PathBuf,
    folder: PathBuf,
    journal: File,
    entries: Vec<Entry>,
    is_done: bool,
    _lock: FileLock,
    _hold: Hold,
}

/// What the repository was like before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// A file had the content of the numbered copy.
    File { path: PathBuf, copy: usize, mode: u32 },
    /// There was nothing.
    Nothing { path: PathBuf },
    /// A folder had these entries, hidden ones aside.
    Names { path: PathBuf, names: Vec<String> },
    /// A folder was the one that has the number now.
    Folder { path: PathBuf, moved: usize },
}

impl Undo {
    /// Begins changes in the workspace at `root`. Waits for another run that makes some there.
    pub fn begin(root: &Path, ui: &Ui) -> anyhow::Result<Self> {
        let hold = interrupt::hold();
        let folder = root.join(FOLDER);
        let waiting = || {
            ui.say("waiting", format_args!("for another run that changes {}", root.display()));
        };
        let lock = file_lock::lock(&folder.join(LOCK), waiting)?;
        interrupt::check()?;
        take_back_left(root, ui)?;
        clear(&folder)?;
        // Whoever commits meanwhile does not commit it.
        files::write_cheaply(&folder.join(".gitignore"), b"*\n", 0o644)?;
        let path = folder.join(JOURNAL);
        let journal =
            File::create_new(&path).with_context(|| format!("making {}", path.display()))?;
        sync_folder(&path);
        let root = root.to_owned();
        let entries = Vec::new();
        Ok(Self { root, folder, journal, entries, is_done: false, _lock: lock, _hold: hold })
    }

    /// Notes the file `path`, which may be missing. Where it is a link, the file that it names is noted.
    pub fn save(&mut self, path: &Path) -> anyhow::Result<()> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let Ok(metadata) = path.metadata() else { return self.save_nothing(&path) };
        let path = self.relative(&path);
        if self
            .entries
            .iter()
            .any(|entry| matches!(entry, Entry::File { path: of, .. } if *of == path))
        {
            return Ok(());
        }
        let (copy, mode) = (self.entries.len(), metadata.permissions().mode() & 0o7777);
        let copied = self.folder.join(copy.to_string());
        let from = self.root.join(&path);
        let bytes = fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
        files::write_whole(&copied, &bytes, 0o600)?;
        self.note(Entry::File { path, copy, mode })
    }

    /// Notes that there is nothing at `path`, so that what comes there is removed, with the folders above it that
    /// are missing, too.
    fn save_nothing(&mut self, path: &Path) -> anyhow::Result<()> {
        let missing = path.ancestors().take_while(|path| path.symlink_metadata().is_err()).last();
        let Some(missing) = missing else { return Ok(()) };
        let path = self.relative(missing);
        let entry = Entry::Nothing { path };
        if self.entries.contains(&entry) { Ok(()) } else { self.note(entry) }
    }

    /// Notes which entries a folder has, so that others that come into it are removed. Hidden ones do not count.
    pub fn save_names(&mut self, path: &Path) -> anyhow::Result<()> {
        if path.symlink_metadata().is_err() {
            return self.save_nothing(path);
        }
        let names = files::visible_names(path)?;
        let path = self.relative(path);
        self.note(Entry::Names { path, names })
    }

    /// Moves a folder away, if it exists.
    pub fn move_away(&mut self, path: &Path) -> anyhow::Result<()> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        let moved = self.entries.len();
        self.note(Entry::Folder { path: self.relative(path), moved })?;
        fs::rename(path, self.folder.join(moved.to_string()))
            .with_context(|| format!("moving {} away", path.display()))
    }

    /// Returns a path at which a folder can be made before it is moved to its place below the workspace's root.
    pub fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Returns whether `path` lies below the workspace's root.
    pub fn covers(&self, path: &Path) -> bool {
        path.starts_with(&self.root)
    }

    /// Keeps everything as it is now. After a signal this fails, and the changes are taken back.
    pub fn keep_changes(mut self) -> anyhow::Result<()> {
        interrupt::check()?;
        let journal = self.folder.join(JOURNAL);
        fs::remove_file(&journal).with_context(|| format!("removing {}", journal.display()))?;
        self.is_done = true;
        sync_folder(&journal);
        files::remove_folder_if_there(&self.folder)
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }

    /// Writes an entry to the disk before the change that it is about.
    fn note(&mut self, entry: Entry) -> anyhow::Result<()> {
        let line = format!("{}\n", entry.to_json()?);
        self.journal
            .write_all(line.as_bytes())
            .and_then(|()| self.journal.sync_data())
            .with_context(|| format!("writing {}", self.folder.join(JOURNAL).display()))?;
        self.entries.push(entry);
        Ok(())
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        // An error cannot be returned here; with the journal, the next run tries again, and returns it.
        if !self.is_done && take_back(&self.root, &self.entries).is_ok() {
            let _ = fs::remove_file(self.folder.join(JOURNAL));
            let _ = files::remove_folder_if_there(&self.folder);
        }
    }
}

/// Takes back what a run changed that was killed, in the workspace around `dir`.
pub fn take_back_around(dir: &Path, ui: &Ui) -> anyhow::Result<()> {
    let is_left = |root: &&Path| root.join(FOLDER).join(JOURNAL).is_file();
    let Some(root) = dir.ancestors().find(is_left) else { return Ok(()) };
    let folder = root.join(FOLDER);
    if file_lock::is_locked(&folder.join(LOCK)) {
        // It still works on it.
        return Ok(());
    }
    let _hold = interrupt::hold();
    let _lock = file_lock::lock(&folder.join(LOCK), || {})?;
    take_back_left(root, ui)?;
    clear(&folder)?;
    files::remove_folder_if_there(&folder)
}

/// Takes back what the journal names, if there is one; for a caller that holds the lock.
fn take_back_left(root: &Path, ui: &Ui) -> anyhow::Result<()> {
    let journal = root.join(FOLDER).join(JOURNAL);
    let text = match fs::read_to_string(&journal) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.with_context(|| format!("reading {}", journal.display()))?,
    };
    let mut entries = Vec::new();
    // A last line that is not whole is about a change that was never made.
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let entry = serde_json::from_str(line).ok().as_ref().and_then(Entry::from_json);
        entries.push(entry.ok_or_else(|| {
            Error::config(format!("{} has a line that xtask did not write", journal.display()))
                .hint(format!("look what `git status` says, and remove {FOLDER}"))
        })?);
    }
    take_back(root, &entries).with_context(|| {
        format!("taking back what a killed run changed, by {}", journal.display())
    })?;
    files::remove_if_there(&journal)?;
    if !entries.is_empty() {
        ui.say("restored", format_args!("what a killed run had changed in {}", root.display()));
    }
    Ok(())
}

/// Removes all of the folder but the lock.
fn clear(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name() != LOCK {
            remove(&entry.path()).with_context(|| format!("emptying {}", folder.display()))?;
        }
    }
    Ok(())
}

/// Takes changes back, the last first. Done twice, it does the same.
fn take_back(root: &Path, entries: &[Entry]) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    for entry in entries.iter().rev() {
        match entry {
            Entry::File { path, copy, mode } => {
                let (path, copy) = (root.join(path), folder.join(copy.to_string()));
                let bytes =
                    fs::read(&copy).with_context(|| format!("reading {}", copy.display()))?;
                // What is the same keeps its time, for cargo.
                if fs::read(&path).ok().as_deref() != Some(&bytes) {
                    files::write_whole(&path, &bytes, *mode)?;
                }
            }
            Entry::Nothing { path } => {
                let path = root.join(path);
                remove(&path).with_context(|| format!("removing {}", path.display()))?;
            }
            Entry::Names { path, names } => {
                let dir = root.join(path);
                for name in files::visible_names(&dir)? {
                    if !names.contains(&name) {
                        remove(&dir.join(&name))
                            .with_context(|| format!("removing {}", dir.join(name).display()))?;
                    }
                }
            }
            Entry::Folder { path, moved } => {
                let (path, moved) = (root.join(path), folder.join(moved.to_string()));
                if moved.symlink_metadata().is_ok() {
                    remove(&path)
                        .and_then(|()| fs::rename(&moved, &path))
                        .with_context(|| format!("moving {} back", path.display()))?;
                }
            }
        }
    }
    Ok(())
}

/// Removes a file or a folder, if it exists.
fn remove(path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

impl Entry {
    fn to_json(&self) -> anyhow::Result<Value> {
        let text = |path: &Path| -> anyhow::Result<String> {
            Ok(path
                .to_str()
                .with_context(|| format!("{} is not UTF-8", path.display()))?
                .to_owned())
        };
        Ok(match self {
            Self::File { path, copy, mode } => {
                json!({ "was": "file", "path": text(path)?, "copy": copy, "mode": mode })
            }
            Self::Nothing { path } => json!({ "was": "nothing", "path": text(path)? }),
            Self::Names { path, names } => {
                json!({ "was": "names", "path": text(path)?, "names": names })
            }
            Self::Folder { path, moved } => {
                json!({ "was": "folder", "path": text(path)?, "moved": moved })
            }
        })
    }

    fn from_json(line: &Value) -> Option<Self> {
        let path = PathBuf::from(line["path"].as_str()?);
        let number = |name: &str| usize::try_from(line[name].as_u64()?).ok();
        Some(match line["was"].as_str()? {
            "file" => {
                let mode = u32::try_from(line["mode"].as_u64()?).ok()?;
                Self::File { path, copy: number("copy")?, mode }
            }
            "nothing" => Self::Nothing { path },
            "names" => {
                let names = line["names"].as_array()?.iter();
                let names = names.map(|name| name.as_str().map(str::to_owned));
                Self::Names { path, names: names.collect::<Option<_>>()? }
            }
            "folder" => Self::Folder { path, moved: number("moved")? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{FOLDER, JOURNAL, Undo, take_back_around};
    use crate::system::env::Env;
    use crate::system::ui::Ui;

    fn ui() -> Ui {
        Ui::new(&Env::for_test(&[]))
    }

    /// Makes the root of a workspace with a file, a folder, and another in that.
    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "before").unwrap();
        fs::create_dir_all(root.path().join("dir/old")).unwrap();
        fs::write(root.path().join("dir/old/inner"), "before").unwrap();
        root
    }

    fn change(root: &Path) -> Undo {
        let at = |path: &str| root.join(path);
        let mut undo = Undo::begin(root, &ui()).unwrap();
        undo.save(&at("file")).unwrap();
        undo.save(&at("new/deep/file")).unwrap();
        undo.save_names(&at("dir")).unwrap();
        undo.move_away(&at("dir/old")).unwrap();
        fs::write(at("file"), "after").unwrap();
        // What is noted twice is what it was at first.
        undo.save(&at("file")).unwrap();
        fs::create_dir_all(at("new/deep")).unwrap();
        fs::write(at("new/deep/file"), "after").unwrap();
        for folder in ["dir/old", "dir/other"] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join("inner"), "after").unwrap();
        }
        undo
    }

    fn content(root: &Path) -> Vec<(String, String)> {
        let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let name = entry.path().strip_prefix(root).unwrap().display().to_string();
                if entry.path().is_dir() {
                    open.push(entry.path());
                    found.push((name, String::new()));
                } else {
                    found.push((name, fs::read_to_string(entry.path()).unwrap()));
                }
            }
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn what_is_not_kept_is_taken_back() {
        let root = repository();
        let before = content(root.path());
        drop(change(root.path()));
        assert_eq!(content(root.path()), before);

        change(root.path()).keep_changes().unwrap();
        let after = content(root.path());
        let all = after.iter().filter(|(_, text)| text == "after").count();
        assert_eq!((all, after.len()), (4, 9), "{after:?}");
        assert!(!root.path().join(FOLDER).exists());
    }

    #[test]
    fn the_next_run_takes_back_what_a_killed_one_changed() {
        let root = repository();
        let before = content(root.path());
        let killed = || {
            let undo = change(root.path());
            // As a kill leaves it: the lock is gone, and the journal stays.
            let copy = tempfile::tempdir().unwrap();
            let folder = root.path().join(FOLDER);
            fs::rename(&folder, copy.path().join("left")).unwrap();
            std::mem::forget(undo);
            fs::rename(copy.path().join("left"), &folder).unwrap();
            fs::remove_file(folder.join("lock")).unwrap();
        };
        killed();
        let journal = root.path().join(FOLDER).join(JOURNAL);
        let torn = fs::read_to_string(&journal).unwrap() + "{\"was\":\"noth";
        fs::write(&journal, torn).unwrap();
        take_back_around(&root.path().join("dir"), &ui()).unwrap();
        assert_eq!(content(root.path()), before);

        killed();
        drop(Undo::begin(root.path(), &ui()).unwrap());
        assert_eq!(content(root.path()), before);
        take_back_around(root.path(), &ui()).unwrap();
    }

    #[test]
    fn while_a_run_works_nobody_takes_its_changes_back() {
        let root = repository();
        let undo = change(root.path());
        let changed = content(root.path());
        take_back_around(root.path(), &ui()).unwrap();
        assert_eq!(content(root.path()), changed);
        undo.keep_changes().unwrap();
    }
}
