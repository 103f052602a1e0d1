//! Reads the configuration of a workspace without cargo, for `upload`.
//!
//! `upload` runs in other CI jobs than `dist`. There may be no cargo there, and members of the workspace
//! may be missing, with which `cargo metadata` fails. So the root's Cargo.toml is found by cargo's own rules
//! (The Cargo Book, "Workspaces") and read here.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::model::cargo_toml;
use crate::model::config::Config;
use crate::system::env::Env;

/// The root of a workspace and its configuration.
#[derive(Debug, Clone)]
pub struct Table {
    /// The folder of the workspace's Cargo.toml.
    pub dir: PathBuf,
    /// `[workspace.metadata.xtask]`, checked.
    pub config: Config,
}

/// Reads the configuration of the workspace around `env.current_dir`; `None` where there is none.
///
/// Fails with [`ferror::Kind::Config`] where a Cargo.toml cannot be read or the table is wrong.
pub fn table(env: &Env) -> anyhow::Result<Option<Table>> {
    let Some((dir, metadata)) = find(&env.current_dir)? else { return Ok(None) };
    let config = Config::read(&metadata)?;
    Ok(Some(Table { dir, config }))
}

/// Finds the root's folder and its `[workspace.metadata]`.
fn find(start: &Path) -> anyhow::Result<Option<(PathBuf, Value)>> {
    let mut package: Option<PathBuf> = None;
    for dir in start.ancestors() {
        let Some(cargo_toml) = read(dir)? else { continue };
        let innermost = package.get_or_insert_with(|| dir.to_owned());
        if let Some(workspace) = cargo_toml.get("workspace") {
            if innermost != dir && is_excluded(innermost, dir, workspace) {
                break;
            }
            return Ok(Some((dir.to_owned(), workspace["metadata"].clone())));
        }
        // A package may name its workspace's folder.
        if let Some(elsewhere) = cargo_toml["package"]["workspace"].as_str() {
            let dir = dir.join(elsewhere);
            let dir =
                dir.canonicalize().with_context(|| format!("looking at {}", dir.display()))?;
            let metadata = read(&dir)?.map(|root| root["workspace"]["metadata"].clone());
            return Ok(Some((dir, metadata.unwrap_or(Value::Null))));
        }
    }
    // A package without a workspace around it is its own.
    Ok(package.map(|dir| (dir, Value::Null)))
}

fn is_excluded(package: &Path, root: &Path, workspace: &Value) -> bool {
    let excluded = workspace["exclude"].as_array().into_iter().flatten();
    excluded.filter_map(Value::as_str).any(|path| package.starts_with(root.join(path)))
}

/// Reads a folder's Cargo.toml as JSON, the form in which cargo prints tables too.
fn read(dir: &Path) -> anyhow::Result<Option<Value>> {
    let path = dir.join("Cargo.toml");
    if !path.is_file() {
        return Ok(None);
    }
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Some(cargo_toml::parse(&text, &path.display().to_string())?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::find;

    const ROOT: &str = "[workspace]\nmembers = [\"services/*\"]\nexclude = [\"apart\"]\n\n\
        [workspace.metadata.xtask]\nbucket = \"b\"\n";

    #[test]
    fn the_root_is_found_by_the_rules_of_cargo() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", ROOT);
        write("services/a/Cargo.toml", "[package]\nname = \"a\"\n");
        write("apart/Cargo.toml", "[package]\nname = \"apart\"\n");
        write("apart/own/Cargo.toml", "[package]\nname = \"own\"\nworkspace = \"../..\"\n");
        write("nested/Cargo.toml", "[workspace]\n");
        for (start, expected, bucket) in [
            ("", "", Some("b")),
            ("services/a", "", Some("b")),
            // The member need not exist.
            ("services/a/src/deep", "", Some("b")),
            ("apart", "apart", None),
            ("apart/own", "", Some("b")),
            ("nested", "nested", None),
        ] {
            let (dir, metadata) = find(&root.join(start)).unwrap().unwrap();
            assert_eq!(dir, root.join(expected).as_path(), "from {start:?}");
            assert_eq!(metadata["xtask"]["bucket"].as_str(), bucket, "from {start:?}");
        }
        assert_eq!(find(Path::new("/")).unwrap(), None);
    }

    #[test]
    fn a_file_that_is_not_toml_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), "[workspace\n").unwrap();
        let error = find(folder.path()).unwrap_err();
        assert!(error.to_string().contains("Cargo.toml is not TOML"), "{error:#}");
    }
}
