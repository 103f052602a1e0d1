//! The files packed beside a binary: `INSTALL*`, `README*`, `LICENSE*` of the service's folder, the
//! service's own `include` patterns, and the workspace's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use crate::model::plan::Resource;
use crate::model::workspace::{Service, Workspace};

const ALWAYS: [&str; 3] = ["INSTALL*", "README*", "LICENSE*"];

/// The resources of a service, sorted by name.
///
/// Fails with [`ferror::Kind::Config`] when a configured pattern names no file (it would be missed
/// only on the host), or when two files would get one name.
pub fn find(workspace: &Workspace, service: &Service) -> anyhow::Result<Vec<Resource>> {
    let mut found = BTreeMap::new();
    for pattern in ALWAYS {
        add(&mut found, &service.dir, pattern)?;
    }
    let own_table = format!("[package.metadata.xtask] of {}", service.name);
    for (table, dir, patterns) in [
        (own_table.as_str(), &service.dir, &service.config.include),
        ("[workspace.metadata.xtask]", &workspace.root, &workspace.config.include),
    ] {
        for pattern in patterns {
            if add(&mut found, dir, pattern)? == 0 {
                return Err(Error::config(format!(
                    "{table}: include = {pattern:?} names no file in {}",
                    dir.display()
                ))
                .hint("add the file, or remove the pattern")
                .into());
            }
        }
    }
    let name_of_binary = |name: &String| *name == service.name;
    if let Some((name, source)) = found.iter().find(|(name, _)| name_of_binary(name)) {
        let source = source.display();
        return Err(Error::config(format!(
            "service {name}: {source} would replace the binary in the archive"
        ))
        .hint("narrow the `include` pattern")
        .into());
    }
    Ok(found.into_iter().map(|(name, source)| Resource { name, source }).collect())
}

/// Adds the files that `pattern` names below `dir`, and says how many there are.
fn add(found: &mut BTreeMap<String, PathBuf>, dir: &Path, pattern: &str) -> anyhow::Result<usize> {
    let escaped = glob::Pattern::escape(&dir.to_string_lossy());
    let options =
        glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    let mut count = 0;
    for path in glob::glob_with(&format!("{escaped}/{pattern}"), options)? {
        let path = path.with_context(|| format!("looking for {pattern} in {}", dir.display()))?;
        if !path.is_file() {
            continue;
        }
        let relative = path.strip_prefix(dir)?.to_str().map(str::to_owned);
        let name = relative.with_context(|| format!("{} is not named in UTF-8", path.display()))?;
        count += 1;
        if let Some(other) = found.insert(name.clone(), path.clone())
            && other != path
        {
            let (one, two) = (other.display(), path.display());
            return Err(Error::config(format!("both {one} and {two} would be packed as {name}"))
                .hint("narrow one of the `include` patterns")
                .into());
        }
    }
    Ok(count)
}
