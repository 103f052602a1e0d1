//! `vendor`: keeps the sources of all dependencies in the repository.
//!
//! Cargo copies them. `vendor` then writes the block in `.cargo/config.toml`, checks that a build needs
//! nothing else, and that git will commit all files. The block is written last, so that builds work as before
//! until everything is copied. A run that fails leaves everything as it was.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use catalog::Platform;
use ferror::{Error, Kind};

use crate::build::toolchain;
use crate::model::cargo_lock::Package;
use crate::repository::vendored::{
    self, ATTRIBUTES, FOLDER, GIT_SOURCES, LIBRARY_LOCK, Problem, block, copy,
};
use crate::repository::{workspace, xtask_source};
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::undo::Undo;
use crate::system::{child_env, files, process};

/// How many lines of a list are shown.
const MOST_LINES: usize = 20;
/// The hint where Cargo.lock and the folder, or a Cargo.toml, disagree: `cargo xtask` cannot start then.
const VENDOR_AGAIN: &str = "run `target/debug/xtask vendor`: the built program, since cargo refuses `cargo xtask` until they agree";
/// The content of [`ATTRIBUTES`].
const ATTRIBUTES_TEXT: &str = "\
# Written by cargo xtask vendor: what cargo has checksums of is committed as it is.
* -text
";

/// The options of `vendor`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// What to do.
    pub mode: Mode,
}

/// What `vendor` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Copies the sources.
    #[default]
    Make,
    /// `--check`.
    Check,
    /// `--remove`.
    Remove,
}

/// Runs `vendor`.
pub fn run(options: Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?
        .ok_or_else(|| Error::config("no workspace here").hint("run it inside the repository"))?;
    let done = match options.mode {
        Mode::Make => changed(&root.dir, ui, |undo| make(&root.dir, undo, env, ui)),
        Mode::Check => check(&root.dir, env, ui),
        Mode::Remove => changed(&root.dir, ui, |undo| remove(&root.dir, undo)),
    }?;
    ui.result(done);
    Ok(())
}

/// Does `work`, and keeps its changes if it succeeds.
fn changed(
    root: &Path,
    ui: &Ui,
    work: impl FnOnce(&mut Undo) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut undo = Undo::begin(root, ui)?;
    let done = work(&mut undo)?;
    undo.keep_changes()?;
    Ok(done)
}

/// Copies the sources, writes the block, and checks both. Where that fails, `undo` takes all of it back.
/// `update` and `new` call it too. Returns the line that says what was done, for the verb to print when all
/// of its work is done.
pub fn make(root: &Path, undo: &mut Undo, env: &Env, ui: &Ui) -> anyhow::Result<String> {
    let config = read_config(root)?;
    refuse_foreign_sources(root, &config)?;
    let lock = root.join("Cargo.lock");
    if !lock.is_file() {
        let error = Error::config(format!("no {}", lock.display()));
        return Err(error.hint("run `cargo generate-lockfile`").into());
    }
    vendored::save(root, undo)?;
    copy::update_lock_file(root, &lock, undo, env, ui)?;
    if vendored::packages_to_vendor(&lock)?.is_empty() {
        let nothing = "Cargo.lock names no source outside the repository: nothing to vendor";
        if block::is_in(&config) {
            return Ok(format!("{nothing}\n{}", remove(root, undo)?));
        }
        return Ok(nothing.to_owned());
    }
    let library = toolchain::distribution_library(env);
    let library_lock = library.as_ref().ok().map(|library| library.join("Cargo.lock"));
    let library_lock = library_lock.filter(|lock| lock.is_file());
    // Where the library's sources are not installed, the packages that another machine vendored for it are
    // kept, so that the folder does not depend on the machine.
    let earlier_library_lock = root.join(LIBRARY_LOCK);
    let mut packages = vendored::packages_to_vendor(&lock)?;
    packages.extend(vendored::packages_to_vendor(
        library_lock.as_ref().unwrap_or(&earlier_library_lock),
    )?);
    packages.extend(packages_of_own_workspace(root)?);
    packages = without_duplicates(packages);
    ui.say("vendoring", format_args!("{} packages into {FOLDER}/", packages.len()));
    // Marks the folder as made by `vendor`, even if this run is killed.
    files::rewrite(&root.join(ATTRIBUTES), ATTRIBUTES_TEXT.as_bytes())?;
    move_away(undo, root, &packages, Folders::Differing)?;
    let sources = copy::copy_sources(
        root,
        library_lock.as_deref(),
        xtask_source::own_workspace(root).as_deref(),
        env,
    )?;
    move_away(undo, root, &packages, Folders::Surplus)?;
    write_or_remove(root, GIT_SOURCES, vendored::git_sources(&packages).as_bytes())?;
    copy::check_library_folders(root, library_lock.as_ref().unwrap_or(&earlier_library_lock))?;
    if let Some(lock) = &library_lock {
        write_or_remove(root, LIBRARY_LOCK, &fs::read(lock)?)?;
    }

    let with_block = block::with(&config, &sources)?;
    if with_block != config {
        files::rewrite(&vendored::config_file(root), with_block.as_bytes())?;
        ui.say("wrote", "the source replacement in .cargo/config.toml");
    }
    check_all(root, &packages, env)?;
    say_covered(earlier_library_lock.is_file(), ui);
    Ok(format!("{FOLDER}/ holds the sources of {} packages", packages.len()))
}

fn check(root: &Path, env: &Env, ui: &Ui) -> anyhow::Result<String> {
    if !block::is_in(&read_config(root)?) {
        let error = Error::config(format!("no vendored sources in {}", root.display()));
        return Err(error.hint("run `cargo xtask vendor`").into());
    }
    let mut packages = vendored::packages_to_vendor(&root.join("Cargo.lock"))?;
    let library = vendored::packages_to_vendor(&root.join(LIBRARY_LOCK))?;
    let covers_library = !library.is_empty();
    packages.extend(library);
    packages.extend(packages_of_own_workspace(root)?);
    packages = without_duplicates(packages);
    check_all(root, &packages, env)?;
    say_covered(covers_library, ui);
    Ok(format!("{FOLDER}/ and Cargo.lock agree: {} packages", packages.len()))
}

fn remove(root: &Path, undo: &mut Undo) -> anyhow::Result<String> {
    let config = read_config(root)?;
    let is_vendored = block::is_in(&config) || is_made_by_vendor(root);
    if !is_vendored {
        return Ok("no vendored sources to remove".to_owned());
    }
    // The block is removed first, since every build fails with the block and without the folder.
    let (path, without) = (vendored::config_file(root), block::without(&config)?);
    undo.save(&path)?;
    if without.is_empty() {
        files::remove_if_there(&path)?;
    } else if without != config {
        files::rewrite(&path, without.as_bytes())?;
    }
    undo.move_away(&root.join(FOLDER))?;
    Ok(format!("removed {FOLDER}/ and its block in .cargo/config.toml"))
}

/// Lists what xtask depends on where it has a Cargo.lock of its own: its cargo reads the block too.
fn packages_of_own_workspace(root: &Path) -> anyhow::Result<Vec<Package>> {
    match xtask_source::own_workspace(root) {
        Some(dir) => vendored::packages_to_vendor(&dir.join("Cargo.lock")),
        None => Ok(Vec::new()),
    }
}

/// Removes duplicates: the workspace and the library may use the same package.
fn without_duplicates(mut packages: Vec<Package>) -> Vec<Package> {
    packages.sort_by_key(Package::folder);
    packages.dedup_by_key(|package| package.folder());
    packages
}

fn read_config(root: &Path) -> anyhow::Result<String> {
    let path = vendored::config_file(root);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.with_context(|| format!("reading {}", path.display())),
    }
}

/// Refuses what `vendor` did not write and would overwrite.
fn refuse_foreign_sources(root: &Path, config: &str) -> anyhow::Result<()> {
    if root.join(".cargo/config").is_file() {
        let error = Error::config(".cargo/config hides .cargo/config.toml from cargo");
        return Err(error.hint("rename it to .cargo/config.toml").into());
    }
    if let Some((number, line)) = block::find_handwritten(config)? {
        return Err(Error::config(format!(
            ".cargo/config.toml:{number}: `{line}`: sources are replaced by hand already"
        ))
        .hint("take those tables out, then run `cargo xtask vendor` again")
        .into());
    }
    let folder = root.join(FOLDER);
    if folder.exists() && !block::is_in(config) && !is_made_by_vendor(root) {
        let error = Error::config(format!(
            "{} exists, and `cargo xtask vendor` did not make it",
            folder.display()
        ));
        return Err(error.hint("move it away: cargo would empty it").into());
    }
    Ok(())
}

fn is_made_by_vendor(root: &Path) -> bool {
    fs::read_to_string(root.join(ATTRIBUTES)).is_ok_and(|text| text == ATTRIBUTES_TEXT)
}

/// Which folders are moved away.
#[derive(Clone, Copy, PartialEq)]
enum Folders {
    /// Folders of packages that hold other files than the package. Cargo reads no more of them than the
    /// package's checksum, and would keep those files.
    Differing,
    /// Folders that no lock file names.
    Surplus,
}

fn move_away(
    undo: &mut Undo,
    root: &Path,
    packages: &[Package],
    which: Folders,
) -> anyhow::Result<()> {
    for Problem { folder, .. } in vendored::problems(root, packages)? {
        let is_wanted = packages.iter().any(|package| package.folder() == folder);
        if !folder.is_empty() && is_wanted == (which == Folders::Differing) {
            undo.move_away(&root.join(FOLDER).join(folder))?;
        }
    }
    Ok(())
}

/// Writes a file in the folder, or removes it where its content would be empty.
fn write_or_remove(root: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = root.join(name);
    if bytes.is_empty() { files::remove_if_there(&path) } else { files::rewrite(&path, bytes) }
}

/// Checks that lock file and folder agree, that git will commit every file, and that cargo needs no network.
fn check_all(root: &Path, packages: &[Package], env: &Env) -> anyhow::Result<()> {
    let lines = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.line).collect();
    let mut problems: Vec<String> = lines(vendored::problems(root, packages)?);
    problems.dedup();
    if !problems.is_empty() {
        let error = listed("vendored sources differ from Cargo.lock", &problems);
        return Err(error.hint(VENDOR_AGAIN).into());
    }
    let ignored = vendored::ignored_files(root, env)?;
    if !ignored.is_empty() {
        let error = listed("git ignores vendored files, so no clone would build", &ignored);
        return Err(error
            .hint("anchor the line (`/target` for `target`), or add `!/vendor/**` below it")
            .into());
    }
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--frozen", "--format-version", "1"]).current_dir(root);
    let output = process::output(&mut cargo).context("running cargo metadata")?;
    if output.status.success() {
        return Ok(());
    }
    let reason = child_env::error_text(&output);
    let what = "cargo metadata --frozen does not succeed with the vendored sources";
    Err(Error::new(Kind::Config, format!("{what}: {reason}")).hint(VENDOR_AGAIN).into())
}

fn listed(what: &str, lines: &[String]) -> Error {
    let mut text = format!("{what}:");
    for line in lines.iter().take(MOST_LINES) {
        text.push_str("\n  ");
        text.push_str(line);
    }
    if lines.len() > MOST_LINES {
        let _ = write!(text, "\n  and {} more", lines.len() - MOST_LINES);
    }
    Error::config(text)
}

fn say_covered(covers_library: bool, ui: &Ui) {
    let platforms = Platform::ALL.map(Platform::as_str).join(", ");
    ui.say("covers", format_args!("{platforms} with rustup's library"));
    if covers_library {
        ui.say(
            "covers",
            "the same with the distribution's library, as of the sources that were installed",
        );
    } else {
        ui.say("lacks", "what the distribution's library depends on: its sources were not there");
    }
}
