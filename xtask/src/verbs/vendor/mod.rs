//! `vendor`: the sources of all dependencies, kept in the repository.
//!
//! Cargo copies them; this adds what cargo leaves to the reader: the block in `.cargo/config.toml`,
//! the proof that a build needs nothing else, and the check that git will commit all of it. The
//! block is written last, so that until all is there builds go on as before; a run that fails leaves
//! everything as it was.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use ferror::{Error, Kind};

use crate::build::toolchain;
use crate::model::lock_file::Package;
use crate::repository::vendored::{
    self, ATTRIBUTES, FOLDER, GIT_SOURCES, LIBRARY_LOCK, Problem, block,
};
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, files};

mod before;
mod copy;

use before::Before;
use copy::{copy, follow_manifests, refuse_gaps};

/// How many lines of a list are shown.
const MOST_LINES: usize = 20;
/// `cargo xtask` cannot be started where Cargo.lock and the folder, or a Cargo.toml, disagree.
const VENDOR_AGAIN: &str = "run `target/debug/xtask vendor`: the built program, since cargo refuses `cargo xtask` until they agree";
/// Cargo's checksums cover line ends.
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
pub fn run(options: Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?
        .ok_or_else(|| Error::config("no workspace here").hint("run it inside the repository"))?;
    let done = match options.mode {
        Mode::Make => make(&root.dir, env, ui),
        Mode::Check => check(&root.dir, env, ui),
        Mode::Remove => remove(&root.dir),
    }?;
    Ok(ui.result(done)?)
}

/// Copies the sources, writes the block, and proves both. `update` does it again after a move.
/// Where that fails, everything is as before. Returns the line that says what was done, for the
/// verb to print when all of its work is.
pub fn make(root: &Path, env: &Env, ui: Ui) -> anyhow::Result<String> {
    let config = read_config(root)?;
    refuse_what_is_not_ours(root, &config)?;
    let lock = root.join("Cargo.lock");
    if !lock.is_file() {
        let error = Error::config(format!("no {}", lock.display()));
        return Err(error.hint("run `cargo generate-lockfile`").into());
    }
    let before = Before::of(root)?;
    follow_manifests(root, &lock, env, ui)?;
    if vendored::wanted(&lock)?.is_empty() {
        before.done()?;
        let nothing = "Cargo.lock names no source outside the repository: nothing to vendor";
        if block::is_in(&config) {
            return Ok(format!("{nothing}\n{}", remove(root)?));
        }
        return Ok(nothing.to_owned());
    }
    let library = toolchain::distribution_library(env);
    let library_lock = library.as_ref().ok().map(|library| library.join("Cargo.lock"));
    let library_lock = library_lock.filter(|lock| lock.is_file());
    // Where its sources are not installed, what another machine vendored for the library is kept:
    // the folder is the same wherever this runs.
    let kept = root.join(LIBRARY_LOCK);
    let mut packages = vendored::wanted(&lock)?;
    packages.extend(vendored::wanted(library_lock.as_ref().unwrap_or(&kept))?);
    packages = each_once(packages);
    ui.say("vendoring", format_args!("{} packages into {FOLDER}/", packages.len()));
    // Marks the folder as ours, whatever becomes of this run.
    files::write_whole(&root.join(ATTRIBUTES), ATTRIBUTES_TEXT.as_bytes(), 0o644)?;
    put_aside(&before, root, &packages, Put::Differing)?;
    let sources = copy(root, library_lock.as_deref(), env)?;
    put_aside(&before, root, &packages, Put::Surplus)?;
    keep_beside(root, GIT_SOURCES, vendored::git_sources(&packages).as_bytes())?;
    refuse_gaps(root, library_lock.as_ref().unwrap_or(&kept))?;
    if let Some(lock) = &library_lock {
        keep_beside(root, LIBRARY_LOCK, &fs::read(lock)?)?;
    }

    let with_block = block::with(&config, &sources)?;
    if with_block != config {
        files::write_whole(&vendored::config_file(root), with_block.as_bytes(), 0o644)?;
        ui.say("wrote", "the source replacement in .cargo/config.toml");
    }
    prove(root, &packages, env)?;
    before.done()?;
    say_covered(kept.is_file(), ui);
    Ok(format!("{FOLDER}/ holds the sources of {} packages", packages.len()))
}

fn check(root: &Path, env: &Env, ui: Ui) -> anyhow::Result<String> {
    if !block::is_in(&read_config(root)?) {
        let error = Error::config(format!("no vendored sources in {}", root.display()));
        return Err(error.hint("run `cargo xtask vendor`").into());
    }
    let mut packages = vendored::wanted(&root.join("Cargo.lock"))?;
    let library = vendored::wanted(&root.join(LIBRARY_LOCK))?;
    let covers_library = !library.is_empty();
    packages.extend(library);
    packages = each_once(packages);
    prove(root, &packages, env)?;
    say_covered(covers_library, ui);
    Ok(format!("{FOLDER}/ and Cargo.lock agree: {} packages", packages.len()))
}

fn remove(root: &Path) -> anyhow::Result<String> {
    let config = read_config(root)?;
    let is_ours = block::is_in(&config) || is_our_folder(root);
    if !is_ours {
        return Ok("no vendored sources to remove".to_owned());
    }
    // The block first: without the folder, it would stop every build.
    let without = block::without(&config)?;
    if without.is_empty() {
        files::remove_if_there(&vendored::config_file(root))?;
    } else if without != config {
        files::write_whole(&vendored::config_file(root), without.as_bytes(), 0o644)?;
    }
    remove_folder(&root.join(FOLDER))?;
    Ok(format!("removed {FOLDER}/ and its block in .cargo/config.toml"))
}

/// The workspace and the library may use the same package.
fn each_once(mut packages: Vec<Package>) -> Vec<Package> {
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

fn refuse_what_is_not_ours(root: &Path, config: &str) -> anyhow::Result<()> {
    if root.join(".cargo/config").is_file() {
        let error = Error::config(".cargo/config hides .cargo/config.toml from cargo");
        return Err(error.hint("rename it to .cargo/config.toml").into());
    }
    if let Some((number, line)) = block::by_hand(config)? {
        return Err(Error::config(format!(
            ".cargo/config.toml:{number}: `{line}`: sources are replaced by hand already"
        ))
        .hint("take those tables out, then run `cargo xtask vendor` again")
        .into());
    }
    let folder = root.join(FOLDER);
    if folder.exists() && !block::is_in(config) && !is_our_folder(root) {
        let error = Error::config(format!("{} is there, and not from here", folder.display()));
        return Err(error.hint("move it away: cargo would empty it").into());
    }
    Ok(())
}

fn is_our_folder(root: &Path) -> bool {
    fs::read_to_string(root.join(ATTRIBUTES)).is_ok_and(|text| text == ATTRIBUTES_TEXT)
}

/// Which folders are put aside.
#[derive(Clone, Copy, PartialEq)]
enum Put {
    /// Cargo believes the package's checksum in a folder that is there, and would keep its files.
    Differing,
    /// What no lock file names.
    Surplus,
}

fn put_aside(before: &Before, root: &Path, packages: &[Package], what: Put) -> anyhow::Result<()> {
    for Problem { folder, .. } in vendored::problems(root, packages)? {
        let is_wanted = packages.iter().any(|package| package.folder() == folder);
        if !folder.is_empty() && is_wanted == (what == Put::Differing) {
            before.put_aside(&folder)?;
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file of our own in the folder, or removes it where there is nothing to say.
fn keep_beside(root: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = root.join(name);
    if bytes.is_empty() {
        files::remove_if_there(&path)
    } else {
        files::write_whole(&path, bytes, 0o644)
    }
}

/// Lock file and folder agree, git will commit it all, and cargo needs neither network nor home.
fn prove(root: &Path, packages: &[Package], env: &Env) -> anyhow::Result<()> {
    let lines = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.line).collect();
    let mut problems: Vec<String> = lines(vendored::problems(root, packages)?);
    problems.dedup();
    if !problems.is_empty() {
        let error = listed("vendored sources differ from Cargo.lock", &problems);
        return Err(error.hint(VENDOR_AGAIN).into());
    }
    let ignored = vendored::ignored(root, env)?;
    if !ignored.is_empty() {
        let error = listed("git ignores vendored files, so no clone would build", &ignored);
        return Err(error
            .hint("anchor the line (`/target` for `target`), or add `!/vendor/**` below it")
            .into());
    }
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--frozen", "--format-version", "1"]).current_dir(root);
    let output = cargo.output().context("running cargo metadata")?;
    if output.status.success() {
        return Ok(());
    }
    let said = child_env::said(&output);
    let what = "cargo metadata --frozen does not succeed with the vendored sources";
    Err(Error::new(Kind::Config, format!("{what}: {said}")).hint(VENDOR_AGAIN).into())
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

fn say_covered(covers_library: bool, ui: Ui) {
    ui.say("covers", "linux_amd64, linux_arm64, darwin_amd64, darwin_arm64 with rustup's library");
    if covers_library {
        ui.say(
            "covers",
            "the same with the distribution's library, as of the sources that were installed",
        );
    } else {
        ui.say("lacks", "what the distribution's library depends on: its sources were not there");
    }
}
