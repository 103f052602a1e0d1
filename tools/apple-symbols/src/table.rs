//! Makes the table of symbols from bindings on crates.io. Only names are taken, which are facts.
//!
//! A Mac refuses to start a program that looks for a symbol in the wrong library. So what was generated from Apple's
//! headers goes before what somebody wrote by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use xtask::build::macos_sdk::extern_blocks;

use crate::sources::{BY_HAND, FRAMEWORKS, GENERATED, LIBRARIES, RE_EXPORTS, WRITTEN_BY_HAND};

/// Prints the table.
pub(crate) fn print() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let packages = fetched(folder.path())?;
    let mut table = Table::new();
    for (bindings, only_new) in [(&GENERATED[..], false), (&WRITTEN_BY_HAND[..], true)] {
        let known: BTreeSet<_> = table.values().flatten().cloned().collect();
        for (name, _, library) in bindings {
            let (_, manifest) = packages
                .iter()
                .find(|(package, _)| package == name)
                .with_context(|| (*name).to_owned())?;
            let root = manifest.parent().context("a Cargo.toml lies in a folder")?;
            for (symbol, library) in declared(root, library)? {
                if !(only_new && known.contains(&symbol)) {
                    table.entry(library).or_default().insert(symbol);
                }
            }
        }
    }
    for (library, symbols) in BY_HAND {
        table.entry(library.to_owned()).or_default().extend(symbols.iter().map(|&s| s.to_owned()));
    }
    print!("{HEADER}");
    for (name, path) in FRAMEWORKS.iter().chain(&LIBRARIES) {
        let symbols = table.remove(*name).unwrap_or_default();
        eprintln!("{name}: {} symbols", symbols.len());
        let re_exports = RE_EXPORTS.iter().find(|(one, _)| one == name).map(|(_, others)| others);
        let re_exports =
            re_exports.map(|others| format!(" {}", others.join(" "))).unwrap_or_default();
        println!("\n{name} {path}{re_exports}");
        for symbol in symbols {
            println!("{symbol}");
        }
    }
    for (library, symbols) in table {
        eprintln!("left out: {library}, {} symbols", symbols.len());
    }
    Ok(())
}

/// The symbols of each library.
type Table = BTreeMap<String, BTreeSet<String>>;

const HEADER: &str = "\
# Which library of macOS exports which symbol. Made by `cargo run -p apple-symbols -- table`, from bindings on crates.io.
# A library's line has its name for the linker, its install name, and the libraries that it passes on. The lines below
# it are its symbols, as C has them.
";

/// Fetches the crates, and returns each package's name and Cargo.toml.
fn fetched(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut text =
        "[package]\nname = \"sources\"\nedition = \"2021\"\n\n[dependencies]\n".to_owned();
    for (name, version, _) in GENERATED.iter().chain(&WRITTEN_BY_HAND) {
        writeln!(text, "{name} = {{ version = \"={version}\", default-features = false }}")?;
    }
    fs::write(folder.join("Cargo.toml"), text)?;
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1"]).current_dir(folder);
    let output = cargo.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one =
        |package: &Value| (text(&package["name"]), PathBuf::from(text(&package["manifest_path"])));
    Ok(packages.iter().map(one).collect())
}

/// Returns what the crate in the folder `root` declares, each symbol with a library.
///
/// A block that names no library stands for `library`, or for the only one that the crate links.
fn declared(root: &Path, library: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    rust_files(root, &mut files)?;
    // Tests and examples may link anything.
    let of_others = ["examples", "tests"].map(|folder| root.join(folder));
    files.retain(|file| !of_others.iter().any(|folder| file.starts_with(folder)));
    let read = |path: &PathBuf| anyhow::Ok(extern_blocks::read(&fs::read_to_string(path)?));
    let externs: Vec<_> = files.iter().map(read).collect::<Result<_, _>>()?;
    let linked: BTreeSet<_> = externs.iter().flat_map(|file| &file.libraries).collect();
    let only = linked.first().filter(|_| linked.len() == 1).map(|one| one.name.as_str());
    let default = if library.is_empty() { only } else { Some(library) };
    let mut declared = Vec::new();
    for (symbol, libraries) in externs.iter().flat_map(|file| &file.symbols) {
        let named = libraries.iter().map(|one| one.name.as_str());
        let named = named.chain(default.filter(|_| libraries.is_empty()));
        declared.extend(named.map(|library| (symbol.clone(), library.to_owned())));
    }
    Ok(declared)
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
