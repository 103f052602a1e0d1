//! Finds the files packed beside a binary: `INSTALL*`, `README*`, `LICENSE*` of the package's folder, and
//! what the `include` patterns of the service and of the workspace name.
//!
//! Patterns choose among the files that git has, or would show as untracked. What git ignores is not part of
//! the version, and may be a secret.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use ferror::Error;

use crate::model::plan::Resource;
use crate::model::source_file::{LFS_POINTER, SourceFile};
use crate::model::workspace::{Service, Workspace};
use crate::system::files;

const ALWAYS: [&str; 3] = ["INSTALL*", "README*", "LICENSE*"];

/// Finds the resources of a service among the repository's files, sorted by name.
///
/// Fails with [`ferror::Kind::Config`] when a configured pattern names no file (it would be missed
/// only on the host), when a link leads to a file that git does not have, or when files could not be
/// unpacked beside each other.
pub fn find(
    workspace: &Workspace,
    service: &Service,
    files: &[SourceFile],
) -> anyhow::Result<Vec<Resource>> {
    let mut found = BTreeMap::new();
    for pattern in ALWAYS {
        add(&mut found, &service.dir, &Pattern::new(pattern)?, files)?;
    }
    let own_table = format!("[package.metadata.xtask] of {}", service.package);
    for (table, dir, patterns) in [
        (own_table.as_str(), &service.dir, &service.config.include),
        ("[workspace.metadata.xtask]", &workspace.root, &workspace.config.include),
    ] {
        for text in patterns {
            let pattern = Pattern::new(text)?;
            if add(&mut found, dir, &pattern, files)? == 0 {
                return Err(names_no_file(table, text, dir, &pattern).into());
            }
        }
    }
    check_names(&service.name, &found)?;
    Ok(found.into_values().collect())
}

/// A pattern of paths below a folder. One whose last part has no wildcard, or that ends with a slash, may
/// name a folder and then stands for everything below it.
struct Pattern {
    glob: glob::Pattern,
    names_files: bool,
    names_folders: bool,
}

impl Pattern {
    fn new(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<_> = text.split('/').filter(|part| !["", "."].contains(part)).collect();
        let has_wildcard = parts.last().is_some_and(|last| last.contains(['*', '?', '[']));
        let ends_with_slash = text.ends_with('/');
        Ok(Self {
            glob: glob::Pattern::new(&parts.join("/"))
                .with_context(|| format!("reading the pattern {text:?}"))?,
            names_files: !ends_with_slash,
            names_folders: ends_with_slash || !has_wildcard,
        })
    }

    /// How patterns match: by the letter, as git and Linux compare names, and `*` within one folder.
    const OPTIONS: glob::MatchOptions = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };

    fn matches(&self, path: &Path) -> bool {
        let fits = |path: &Path| self.glob.matches_path_with(path, Self::OPTIONS);
        (self.names_files && fits(path))
            || (self.names_folders && path.ancestors().skip(1).any(fits))
    }
}

/// Adds the files that `pattern` names below `dir`, and returns how many there are.
fn add(
    found: &mut BTreeMap<String, Resource>,
    dir: &Path,
    pattern: &Pattern,
    files: &[SourceFile],
) -> anyhow::Result<usize> {
    let dir = dir.canonicalize().with_context(|| format!("reading {}", dir.display()))?;
    let mut count = 0;
    for SourceFile { path, .. } in files {
        let Ok(relative) = path.strip_prefix(&dir) else { continue };
        if !pattern.matches(relative) {
            continue;
        }
        let name = relative.to_str().filter(|name| !name.contains(char::is_control));
        let name = name.ok_or_else(|| {
            Error::config(format!(
                "{:?}: a file in an archive has a name in UTF-8 without control characters",
                path.to_string_lossy()
            ))
            .hint("rename the file, or narrow the `include` pattern")
        })?;
        let executable = check_content(path, files)?;
        let resource = Resource { name: name.to_owned(), source: path.clone(), executable };
        count += 1;
        if let Some(other) = found.insert(name.to_owned(), resource)
            && other.source != *path
        {
            let (one, two) = (other.source.display(), path.display());
            return Err(Error::config(format!("both {one} and {two} would be packed as {name}"))
                .hint("narrow one of the `include` patterns")
                .into());
        }
    }
    Ok(count)
}

/// Checks that what would be read from `path` is a file of the repository, and returns whether it is
/// executable. A link is packed as the file that it leads to.
fn check_content(path: &Path, files: &[SourceFile]) -> ferror::Result<bool> {
    let unreadable = |error| {
        let hint = if path.symlink_metadata().is_err() {
            "the commit has this file, but the sparse checkout leaves it out: add its folder by `git sparse-checkout add`, or narrow the `include` pattern"
        } else {
            "mend the file or link, or narrow the `include` pattern"
        };
        Error::config(format!("cannot read {}", path.display())).hint(hint).caused_by(error)
    };
    let real = path.canonicalize().map_err(unreadable)?;
    let Some(file) = files.iter().find(|file| file.path == real) else {
        let what = if real.is_dir() { "a folder" } else { "not a file that git has" };
        return Err(Error::config(format!(
            "{} is a link to {}, which is {what}",
            path.display(),
            real.display()
        ))
        .hint("let it lead to a committed file, name the folder itself, or narrow the `include` pattern"));
    };
    if files::begins_with(path, LFS_POINTER).map_err(unreadable)? {
        let message = format!("{} holds a pointer of Git LFS, not the file", path.display());
        return Err(Error::config(message).hint("run `git lfs pull`"));
    }
    Ok(file.executable)
}

fn names_no_file(table: &str, text: &str, dir: &Path, pattern: &Pattern) -> Error {
    let on_disk = format!("{}/{}", glob::Pattern::escape(&dir.to_string_lossy()), pattern.glob);
    let ignored = glob::glob_with(&on_disk, Pattern::OPTIONS)
        .ok()
        .and_then(|paths| paths.flatten().find(|path| path != dir && path.is_file()));
    match ignored {
        Some(path) => Error::config(format!(
            "{table}: include = {text:?} names {}, which git ignores",
            path.display()
        ))
        .hint("a version says nothing about what git ignores: commit the file (`git add --force`), or remove the pattern"),
        None => Error::config(format!(
            "{table}: include = {text:?} names no file that git has in {}",
            dir.display()
        ))
        .hint("add the file, or remove the pattern; upper and lower case differ"),
    }
}

/// Refuses names that exclude each other where the archive is unpacked, the binary's included.
fn check_names(binary: &str, found: &BTreeMap<String, Resource>) -> ferror::Result<()> {
    let is_taken = |name: &str| name == binary || found.contains_key(name);
    for (name, Resource { source, .. }) in found {
        let source = source.display();
        let problem = if name == binary {
            format!("service {binary}: {source} would replace the binary in the archive")
        } else if let Some(file) = Path::new(name)
            .ancestors()
            .skip(1)
            .filter_map(Path::to_str)
            .find(|folder| is_taken(folder))
        {
            let what = if file == binary { "the binary" } else { "a file" };
            format!(
                "service {binary}: {source} needs a folder {file} in the archive, where {what} has that name"
            )
        } else {
            continue;
        };
        return Err(Error::config(problem).hint("rename it, or narrow the `include` pattern"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::{Pattern, Resource, check_names};

    #[test]
    fn a_folders_name_stands_for_everything_below_it() {
        let rows: [(&str, &[&str], &[&str]); 10] = [
            ("static", &["static", "static/a", "static/b/c"], &["statics", "x/static/a"]),
            ("static/", &["static/a", "static/b/c"], &["static", "statics/a"]),
            ("static/**", &["static/a", "static/b/c", "static/.x"], &["statics/a"]),
            ("static/**/*", &["static/a", "static/b/c"], &["statics/a"]),
            ("./static//b", &["static/b", "static/b/c"], &["static/a"]),
            ("**/conf", &["conf/a", "x/conf/a", "x/y/conf"], &["x/config"]),
            ("conf/*", &["conf/a", "conf/.a"], &["conf/b/c", "Conf/a", "x/conf/a"]),
            ("conf/*/", &["conf/b/c", "conf/b/c/d"], &["conf/a"]),
            ("README*", &["README", "README.md"], &["readme.md", "README/a"]),
            (".", &["a", "b/c"], &[]),
        ];
        for (text, matching, others) in rows {
            let pattern = Pattern::new(text).unwrap();
            for (paths, expected) in [(matching, true), (others, false)] {
                for path in paths {
                    assert_eq!(pattern.matches(Path::new(path)), expected, "{text} and {path}");
                }
            }
        }
    }

    #[test]
    fn names_that_cannot_be_unpacked_together_are_refused() {
        let rows: [(&[&str], &str); 4] = [
            (&["alpha"], "/s/alpha would replace the binary"),
            (&["alpha/x/y"], "/s/alpha/x/y needs a folder alpha in the archive, where the binary"),
            (&["a", "a/b"], "/s/a/b needs a folder a in the archive, where a file"),
            (&["alphabet/x", "a/alpha"], ""),
        ];
        for (names, expected) in rows {
            let resource = |name: &&str| {
                let source = Path::new("/s").join(name);
                (
                    (*name).to_owned(),
                    Resource { name: (*name).to_owned(), source, executable: false },
                )
            };
            let found: BTreeMap<_, _> = names.iter().map(resource).collect();
            let checked = check_names("alpha", &found);
            let message = checked.map_err(|error| error.to_string()).err().unwrap_or_default();
            assert!(message.contains(expected), "{names:?}: {message}");
            assert_eq!(message.is_empty(), expected.is_empty(), "{names:?}: {message}");
        }
    }
}
