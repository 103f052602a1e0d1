//! Reads cargo's configuration files, and finds in them what may change the bytes of a build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::model::cargo_toml;
use crate::system::env::Env;

/// Variables of cargo's that change no byte of a binary.
const HARMLESS: [&str; 9] = [
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_TERM_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "RUST_LOG",
];
/// Settings of `[build]` that change what is built.
const BUILD: [&str; 5] =
    ["rustflags", "target", "rustc", "rustc-wrapper", "rustc-workspace-wrapper"];
/// Profiles that no profile for publishing inherits from, unless it says so.
const DEVELOPMENT: [&str; 4] = ["dev", "test", "bench", "doc"];
/// More files than this include each other in a circle.
const MOST_FILES: usize = 64;

/// A cargo configuration file.
pub(super) struct File {
    pub(super) path: PathBuf,
    table: Value,
}

impl File {
    /// Returns the variables that `[env]` sets.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        // Relative to the folder that holds `.cargo`.
        let base = self.path.ancestors().nth(2).unwrap_or(Path::new("/"));
        let value = |entry: &Value| match entry {
            Value::String(text) => Some(text.clone()),
            entry if entry["relative"] == true => {
                Some(base.join(entry["value"].as_str()?).to_string_lossy().into_owned())
            }
            entry => entry["value"].as_str().map(str::to_owned),
        };
        let entries = self.table["env"].as_object().into_iter().flatten();
        entries.filter_map(|(name, entry)| Some((name.clone(), value(entry)?))).collect()
    }

    /// Lists the settings that may change what is built, with their values.
    pub(super) fn settings(&self, profile: &str) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let fields = |table: &str| self.table[table].as_object().into_iter().flatten();
        for (name, value) in fields("build").filter(|(name, _)| BUILD.contains(&name.as_str())) {
            add_settings(&format!("build.{name}"), value, &mut settings);
        }
        for (name, value) in fields("profile") {
            if !is_development(&format!("{name}."), ".", profile) {
                add_settings(&format!("profile.{name}"), value, &mut settings);
            }
        }
        for (triple, table) in fields("target") {
            let entries = table.as_object().into_iter().flatten();
            for (name, value) in entries.filter(|(name, _)| *name != "runner") {
                add_settings(&format!("target.{triple}.{name}"), value, &mut settings);
            }
        }
        for table in ["host", "unstable"] {
            add_settings(table, &self.table[table], &mut settings);
        }
        let is_harmless = |name: &str| {
            HARMLESS.iter().any(|harmless| name.starts_with(harmless))
                || name.to_ascii_lowercase().ends_with("_proxy")
        };
        for (name, value) in fields("env").filter(|(name, _)| !is_harmless(name)) {
            settings.push((format!("env.{name}"), value.to_string()));
        }
        settings
    }

    /// Returns the path with `~` for the home folder, whose name is nobody's business in a bucket.
    pub(super) fn shown_path(&self, env: &Env) -> String {
        let home = env.get_os("HOME").map(Path::new);
        let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_owned()));
        match home.and_then(|home| self.path.strip_prefix(home).ok().map(Path::to_owned)) {
            Some(below) => format!("~/{}", below.display()),
            None => self.path.display().to_string(),
        }
    }
}

/// Reads the configuration files that cargo reads in `root`, and those that they include.
pub(super) fn read_files(root: &Path, env: &Env) -> anyhow::Result<Vec<File>> {
    let root = root.canonicalize().with_context(|| format!("looking at {}", root.display()))?;
    let cargo_home = match env.get_os("CARGO_HOME") {
        Some(home) => Some(env.current_dir.join(home)),
        None => env.get_os("HOME").map(|home| Path::new(home).join(".cargo")),
    };
    let folders = root.ancestors().map(|folder| folder.join(".cargo")).chain(cargo_home);
    // Cargo takes the name without an ending where both are there.
    let mut paths: Vec<PathBuf> = folders
        .filter_map(|folder| {
            let names = ["config", "config.toml"].map(|name| folder.join(name));
            names.into_iter().find(|path| path.is_file())
        })
        .collect();
    let mut files: Vec<File> = Vec::new();
    while let Some(path) = paths.pop() {
        // Cargo's home is often in a folder above the repository too.
        let Ok(path) = path.canonicalize() else { continue };
        if files.len() >= MOST_FILES || files.iter().any(|file| file.path == path) {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let table = cargo_toml::parse(&text, &path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        paths.extend(included(&table["include"]).into_iter().map(|name| folder.join(name)));
        files.push(File { path, table });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads `include`: a path, or a list of paths and of tables with a path.
fn included(include: &Value) -> Vec<&str> {
    match include {
        Value::Array(all) => all.iter().flat_map(included).collect(),
        Value::Object(table) => table.get("path").and_then(Value::as_str).into_iter().collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// Adds a setting, or each setting of a table.
fn add_settings(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = match value {
        Value::Null => return,
        Value::Object(fields) => {
            for (field, value) in fields {
                add_settings(&format!("{name}.{field}"), value, settings);
            }
            return;
        }
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(" "),
        other => text(other),
    };
    settings.push((name.to_owned(), value));
}

/// Returns whether a setting is of a profile for development, which is not what `profile` builds. A profile
/// with a name of its own may inherit from any.
pub(super) fn is_development(setting: &str, separator: &str, profile: &str) -> bool {
    let setting = setting.to_ascii_lowercase();
    profile == "release"
        && DEVELOPMENT
            .iter()
            .any(|name| setting.strip_prefix(name).is_some_and(|rest| rest.starts_with(separator)))
}
