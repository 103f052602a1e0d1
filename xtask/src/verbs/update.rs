//! `update`: moves dependencies to newer versions, and lists the old and new version of each.
//!
//! Cargo chooses the versions. `update` finds the packages that the patterns name, compares the lock file
//! before and after, and vendors again where sources are vendored. Patterns are checked before anything is
//! changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use ferror::Error;

use crate::model::cargo_lock::{self, Package};
use crate::model::suggest;
use crate::model::workspace::Member;
use crate::repository::vendored;
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::undo::Undo;
use crate::system::{child_env, process};
use crate::verbs::vendor;

/// The options of `update`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What to move; at least one.
    pub patterns: Vec<String>,
    /// `--dry-run`.
    pub dry_run: bool,
}

/// Runs `update`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?
        .ok_or_else(|| Error::config("no workspace here").hint("run it inside the repository"))?;
    let members = workspace::members(env)?;
    let lock = root.dir.join("Cargo.lock");
    let old = cargo_lock::parse(&fs::read_to_string(&lock).map_err(|error| {
        Error::config(format!("cannot read {}", lock.display()))
            .hint("run `cargo generate-lockfile`")
            .caused_by(error)
    })?);
    let mut chosen = BTreeSet::new();
    for pattern in &options.patterns {
        chosen.extend(matching(pattern, &old, &members, &root.dir)?);
    }
    ui.say("updating", format_args!("{} of the packages in Cargo.lock", chosen.len()));
    let mut undo = Undo::begin(&root.dir, ui)?;
    undo.save(&lock)?;
    update(&root.dir, chosen.iter().map(|&at| &old[at]), &mut undo, env)?;
    let new = cargo_lock::parse(&fs::read_to_string(&lock)?);
    let moves = cargo_lock::moves(&old, &new);
    if moves.is_empty() {
        ui.say(
            "current",
            "nothing moved: Cargo.lock has the newest versions that the Cargo.toml files allow",
        );
    }
    let mut vendored = None;
    // Where vendoring fails, the lock file is restored, and nothing has moved.
    if !options.dry_run && !moves.is_empty() && vendored::is_vendored(&root.dir) {
        vendored = Some(vendor::make(&root.dir, &mut undo, env, ui)?);
    }
    // What is done stays done, whether or not it can be printed.
    if options.dry_run {
        drop(undo);
    } else {
        undo.keep_changes()?;
    }
    if let Some(line) = vendored {
        ui.result(line);
    }
    for line in &moves {
        ui.result(line);
    }
    Ok(())
}

/// Finds the packages that a pattern names, as indexes of `packages`.
///
/// Fails with [`ferror::Kind::Config`] where there are none.
fn matching(
    pattern: &str,
    packages: &[Package],
    members: &[Member],
    root: &Path,
) -> anyhow::Result<Vec<usize>> {
    let is_outside = |at: &usize| packages[*at].source.is_some();
    if let Some(folder) = pattern.strip_suffix("...") {
        let dir = root.join(folder.trim_start_matches("./"));
        let below = members.iter().filter(|member| member.dir.starts_with(&dir));
        let names: Vec<_> = below.map(|member| member.name.clone()).collect();
        if names.is_empty() {
            return Err(no_package_below(pattern, folder, members, root).into());
        }
        let found: Vec<_> =
            cargo_lock::dependencies_of(packages, &names).into_iter().filter(is_outside).collect();
        if found.is_empty() {
            let error =
                format!("{pattern}: the packages there depend on none outside the repository");
            return Err(Error::config(error).into());
        }
        return Ok(found);
    }
    let glob = glob::Pattern::new(pattern)
        .map_err(|error| Error::config(format!("pattern `{pattern}`: {error}")))?;
    let found: Vec<_> = (0..packages.len())
        .filter(|at| is_outside(at) && glob.matches(&packages[*at].name))
        .collect();
    if found.is_empty() {
        Err(no_match(pattern, packages, members, root).into())
    } else {
        Ok(found)
    }
}

fn no_match(pattern: &str, packages: &[Package], members: &[Member], root: &Path) -> Error {
    let error = |near: &str| {
        Error::config(format!("{pattern}: {near}no package of Cargo.lock from outside matches"))
    };
    if let Some(member) = members.iter().find(|member| member.name == pattern) {
        let folder = member.dir.strip_prefix(root).unwrap_or(&member.dir).display();
        return error("a package of this repository; ")
            .hint(format!("to move what it depends on: `{folder}/...`"));
    }
    let outside: BTreeSet<_> =
        packages.iter().filter(|p| p.source.is_some()).map(|p| p.name.as_str()).collect();
    // A pattern without its wildcards is a name, or part of one.
    let word: String = pattern.chars().filter(|c| !"*?[]".contains(*c)).collect();
    let near = suggest::did_you_mean(&word, outside.iter().copied());
    let part = outside.iter().find(|name| word.len() >= 3 && name.contains(&word));
    let near = match part {
        Some(name) if near.is_empty() => format!("did you mean `{name}`? "),
        _ => near,
    };
    error(&near)
        .hint("a name, a name with `*`, or a folder with `/...`: `serde*`, `foundation/...`")
}

fn no_package_below(pattern: &str, folder: &str, members: &[Member], root: &Path) -> Error {
    let folders: BTreeSet<_> = members
        .iter()
        .filter_map(|member| member.dir.strip_prefix(root).ok()?.to_str())
        .flat_map(|path| [Some(path), path.split_once('/').map(|(top, _)| top)])
        .flatten()
        .filter(|path| !path.is_empty())
        .collect();
    let near = suggest::did_you_mean(folder, folders.iter().copied());
    Error::config(format!("{pattern}: {near}no package of the workspace lies there"))
        .hint(format!("the folders are {}", folders.into_iter().collect::<Vec<_>>().join(", ")))
}

/// Runs `cargo update` for these packages.
fn update<'a>(
    root: &Path,
    packages: impl Iterator<Item = &'a Package>,
    undo: &mut Undo,
    env: &Env,
) -> anyhow::Result<()> {
    let mut cargo = child_env::cargo(env);
    cargo.args(["update", "--quiet"]).current_dir(root);
    for package in packages {
        cargo.arg("--package").arg(format!("{}@{}", package.name, package.version));
    }
    // With the block, cargo would find only the versions that are vendored.
    let output = vendored::without_block(root, undo, || {
        process::output(&mut cargo).context("running cargo update")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let reason = child_env::error_text(&output);
    Err(Error::config(format!("cargo update failed: {reason}"))
        .hint("it needs the network; nothing was changed")
        .into())
}
