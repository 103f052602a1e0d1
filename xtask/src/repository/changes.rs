//! The changes that a verb makes to files of a repository: known before any is made, shown as a diff, and made all or
//! not at all.

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

    /// Writes the files. `undo` takes all of it back unless it is told to keep the changes.
    ///
    /// Fails with [`ferror::Kind::Config`] where a file changed since it was read.
    pub fn write(&self, undo: &mut Undo) -> anyhow::Result<()> {
        for change in &self.0 {
            undo.save(&change.path)?;
        }
        for Change { path, before, after } in &self.0 {
            if read(path)? != *before {
                return Err(Error::config(format!("{} changed meanwhile", path.display()))
                    .hint("run it again: nothing was left behind")
                    .into());
            }
            files::rewrite(path, after.as_bytes())?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}
