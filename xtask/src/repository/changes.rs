//! The changes that a verb makes to files of a repository: known before any is made, shown as a diff, and made all or
//! not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use crate::model::diff;
use crate::system::files;
use crate::system::undo::Undo;

/// Texts of files, as they are and as they are to become.
#[derive(Debug, Default)]
pub struct Changes(Vec<Change>);

/// A file that changes.
#[derive(Debug)]
pub struct Change {
    /// Its path.
    pub path: PathBuf,
    /// Its text; `None` where it does not exist.
    pub before: Option<String>,
    /// Its new text.
    pub after: String,
}

impl Changes {
    /// Returns the text that a file is to have so far; empty where there is no file.
    pub fn text(&self, path: &Path) -> anyhow::Result<String> {
        match self.0.iter().find(|change| change.path == path) {
            Some(change) => Ok(change.after.clone()),
            None => Ok(read(path)?.unwrap_or_default()),
        }
    }

    /// Notes the new text of a file.
    pub fn set(&mut self, path: &Path, after: String) -> anyhow::Result<()> {
        if let Some(change) = self.0.iter_mut().find(|change| change.path == path) {
            change.after = after;
        } else {
            let before = read(path)?;
            self.0.push(Change { path: path.to_owned(), before, after });
        }
        self.0.retain(|change| change.before.as_ref() != Some(&change.after));
        Ok(())
    }

    /// Returns the files that change, in the order in which they are written.
    pub fn files(&self) -> &[Change] {
        &self.0
    }

    /// Returns all changes as a diff, with paths below `base`.
    pub fn diff(&self, base: &Path) -> String {
        let one = |change: &Change| {
            let path = change.path.strip_prefix(base).unwrap_or(&change.path);
            diff::unified(&path.to_string_lossy(), change.before.as_deref(), &change.after)
        };
        self.0.iter().map(one).collect()
    }

    /// Notes a file that another program has changed since it was `before`: cargo writes Cargo.lock.
    pub fn note_changed(&mut self, path: &Path, before: Option<String>) -> anyhow::Result<()> {
        let after = read(path)?.unwrap_or_default();
        if before.as_ref() != Some(&after) {
            self.0.push(Change { path: path.to_owned(), before, after });
        }
        Ok(())
    }

    /// Writes the files. `undo` takes all of it back unless it is told to keep the changes.
    ///
    /// Fails with [`ferror::Kind::Config`] where a file changed since it was read.
    pub fn write(&self, undo: &mut Undo) -> anyhow::Result<()> {
        let mut new_folders = BTreeMap::<PathBuf, Vec<&Change>>::new();
        let mut others = Vec::new();
        for change in &self.0 {
            undo.save(&change.path)?;
            match missing_folder(&change.path).filter(|folder| undo.covers(folder)) {
                Some(folder) => new_folders.entry(folder).or_default().push(change),
                None => others.push(change),
            }
        }
        for (folder, changes) in new_folders {
            write_new_folder(&folder, &changes, &undo.scratch())?;
        }
        for change in others {
            refuse_changed(change)?;
            files::rewrite(&change.path, change.after.as_bytes())?;
        }
        Ok(())
    }
}

/// Returns the topmost folder above `path` that does not exist.
fn missing_folder(path: &Path) -> Option<PathBuf> {
    let folders = path.ancestors().skip(1);
    folders.take_while(|dir| dir.symlink_metadata().is_err()).last().map(Path::to_owned)
}

/// Fills `scratch` and gives it the name `folder`: while it is filled, a pattern such as `services/*` does not take it
/// for a package.
fn write_new_folder(folder: &Path, changes: &[&Change], scratch: &Path) -> anyhow::Result<()> {
    for change in changes {
        refuse_changed(change)?;
        let inner = change.path.strip_prefix(folder).context("a file of the new folder")?;
        files::write_cheaply(&scratch.join(inner), change.after.as_bytes(), 0o644)?;
    }
    fs::rename(scratch, folder)
        .with_context(|| format!("renaming the new folder to {}", folder.display()))
}

fn refuse_changed(change: &Change) -> anyhow::Result<()> {
    if read(&change.path)? == change.before {
        return Ok(());
    }
    Err(Error::config(format!("{} changed meanwhile", change.path.display()))
        .hint("run it again: nothing was left behind")
        .into())
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}
