//! Finds the symbols that the crates of a workspace declare in libraries of macOS.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use ferror::Error;
use serde_json::Value;

use super::extern_blocks;
use crate::build::toolchain::Toolchain;
use crate::model::sources::SourceDigest;
use crate::system::env::Env;
use crate::system::{child_env, files, process};

/// A symbol, and the library that a crate links for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Declared {
    pub(super) symbol: String,
    pub(super) library: String,
    pub(super) is_framework: bool,
    /// The package that declares it, with its version where that is locked.
    pub(super) package: String,
}

/// Rises with every change of what is read, so that what another version kept does not count.
const FORM: u32 = 1;

/// Returns what the crates declare that may be compiled for the toolchain's platform.
///
/// Those of registries and of commits do not change, so they are read once for each Cargo.lock. Those of `sources` are
/// read each time.
pub(super) fn find(
    toolchain: &Toolchain,
    sources: &[SourceDigest],
    lock_option: &str,
    env: &Env,
) -> anyhow::Result<Vec<Declared>> {
    let lock = fs::read(toolchain.workspace_root.join("Cargo.lock")).unwrap_or_default();
    let digest = &files::sha256(&lock)[..16];
    let triple = toolchain.platform.triple();
    let path = toolchain.cache_dir.join(format!("macos-declared-{FORM}-{digest}-{triple}"));
    let kept = if let Ok(kept) = fs::read_to_string(&path) {
        kept
    } else {
        let kept = read_locked(toolchain, lock_option, env)?;
        files::write_cheaply(&path, kept.as_bytes(), 0o644)?;
        kept
    };
    let mut declared: BTreeSet<_> = kept.lines().filter_map(parse).collect();
    for package in sources {
        declared.extend(read_package(&package.name, &package.dir)?);
    }
    Ok(declared.into_iter().collect())
}

/// Reads a line that [`line`] made.
fn parse(line: &str) -> Option<Declared> {
    let mut words = line.splitn(4, ' ').map(str::to_owned);
    let (kind, library, symbol) = (words.next()?, words.next()?, words.next()?);
    Some(Declared { symbol, library, is_framework: kind == "framework", package: words.next()? })
}

fn line(declared: &Declared) -> String {
    let kind = if declared.is_framework { "framework" } else { "library" };
    let Declared { library, symbol, package, .. } = declared;
    format!("{kind} {library} {symbol} {package}\n")
}

/// Asks cargo where the locked packages lie, and returns what they declare, a line each.
fn read_locked(toolchain: &Toolchain, lock_option: &str, env: &Env) -> anyhow::Result<String> {
    let mut command = Command::new(toolchain.compiler.cargo());
    // Which features the services have together is not known here.
    command.args(["metadata", "--format-version", "1", "--all-features", lock_option]);
    command.arg("--filter-platform");
    command.arg(toolchain.platform.triple()).current_dir(&toolchain.workspace_root);
    child_env::clean(&mut command, env);
    command.env("RUSTC", toolchain.compiler.rustc());
    let output = process::output(&mut command).context("running cargo metadata")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::config(format!("cargo metadata failed: {}", said.trim())).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let resolved = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let ids: BTreeSet<_> = resolved.filter_map(|node| node["id"].as_str()).collect();
    let mut text = String::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = package["manifest_path"].as_str().map(Path::new);
        let Some(folder) = manifest.and_then(Path::parent) else { continue };
        if !package["id"].as_str().is_some_and(|id| ids.contains(id)) {
            continue;
        }
        if !package["source"].is_null() {
            let text_of = |name: &str| package[name].as_str().unwrap_or_default();
            let name = format!("{} {}", text_of("name"), text_of("version"));
            text.extend(read_package(&name, folder)?.iter().map(line));
        }
    }
    Ok(text)
}

/// Reads the package in a folder.
///
/// A block that names no library stands for the only one that the package links, by an attribute or by its build
/// script. Where it links several, nobody knows.
fn read_package(package: &str, folder: &Path) -> anyhow::Result<BTreeSet<Declared>> {
    let mut texts = Vec::new();
    read_sources(&folder.join("src"), &mut texts)?;
    let script = fs::read_to_string(folder.join("build.rs")).unwrap_or_default();
    if !script.contains("framework") && !texts.iter().any(|text| text.contains("framework")) {
        return Ok(BTreeSet::new());
    }
    let externs: Vec<_> = texts
        .iter()
        .filter(|text| text.contains("extern"))
        .map(|text| extern_blocks::read(text))
        .collect();
    let mut linked: BTreeSet<_> = externs.iter().flat_map(|file| file.libraries.clone()).collect();
    linked.extend(of_script(&script));
    let only: Vec<_> = linked.iter().filter(|_| linked.len() == 1).cloned().collect();
    let mut declared = BTreeSet::new();
    for (symbol, libraries) in externs.into_iter().flat_map(|file| file.symbols) {
        for library in if libraries.is_empty() { &only } else { &libraries } {
            declared.insert(Declared {
                symbol: symbol.clone(),
                library: library.name.clone(),
                is_framework: library.is_framework,
                package: package.to_owned(),
            });
        }
    }
    Ok(declared)
}

/// Returns the frameworks that a build script links: `cargo:rustc-link-lib=framework=IOKit`.
fn of_script(script: &str) -> impl Iterator<Item = extern_blocks::Library> {
    script.split("framework=").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        (!name.is_empty()).then_some(extern_blocks::Library { name, is_framework: true })
    })
}

fn read_sources(folder: &Path, texts: &mut Vec<String>) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_sources(&path, texts)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // What is not UTF-8 is not Rust.
            texts.extend(fs::read_to_string(&path));
        }
    }
    Ok(())
}
