//! Resolves the adopted workspace in a copy, so that Cargo.lock is known before anything is written.
//!
//! Cargo rather moves a locked version than to take an older release of a new package, and fails where a locked version
//! is in the way. So what moved is pinned, and cargo asked again: if that has a solution, nothing moves. What is in the
//! way is unlocked, so that the moves can be named.
//!
//! The copy is a folder of links to the files of the repository; only those that change are files of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use super::found::Found;
use crate::model::cargo_lock::{self, Move};
use crate::system::env::Env;
use crate::system::partial::Partial;
use crate::system::{child_env, files, process};

/// A file of the copy: its path in the repository, and its text.
pub type CopiedFile = (PathBuf, String);

/// A lock file as cargo writes it with the new package.
#[derive(Debug)]
pub struct Resolved {
    /// Its text.
    pub text: String,
    /// The packages whose locked version changed.
    pub moves: Vec<Move>,
    /// The number of packages that the lock file has more.
    pub added: usize,
}

/// The workspace and the changes for which cargo makes a lock file.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The workspace that is adopted.
    pub found: &'a Found,
    /// The folder of the lock file.
    pub dir: &'a Path,
    /// The lock file that cargo begins with.
    pub seed: Option<&'a str>,
    /// The files that change.
    pub changed: &'a [CopiedFile],
    /// The Cargo.toml of the new package, where no locked version may move.
    pub pinning: Option<&'a Path>,
}

/// Lets the team's cargo resolve a workspace.
///
/// Fails with [`ferror::Kind::Config`] where cargo finds no solution.
pub fn resolve(request: &Request<'_>, env: &Env) -> anyhow::Result<Resolved> {
    let target_dir = &request.found.target_dir;
    let was_there = target_dir.exists();
    let copy = fs::create_dir_all(target_dir)
        .and_then(|()| Partial::folder(&target_dir.join("adopt")))
        .with_context(|| format!("making a folder in {}", target_dir.display()))?;
    let resolved = resolve_in(request, copy.path(), env);
    drop(copy);
    if !was_there {
        // It fails where another program put something there meanwhile.
        let _ = fs::remove_dir(target_dir);
    }
    resolved
}

fn resolve_in(request: &Request<'_>, copy: &Path, env: &Env) -> anyhow::Result<Resolved> {
    let Request { found, dir, seed, changed, .. } = *request;
    let lock = dir.join("Cargo.lock");
    let own: Vec<_> = changed.iter().map(|(path, _)| path.clone()).chain([lock.clone()]).collect();
    link(found, &found.top, copy, &own)?;
    let place = |path: &Path| copy.join(path.strip_prefix(&found.top).unwrap_or(path));
    for (path, text) in changed {
        files::write_cheaply(&place(path), text.as_bytes(), 0o644)?;
    }
    let cargo = CargoInCopy { dir: &place(dir), seed, env };
    let first = cargo.unlocking(|reason| {
        let reason = reason.split_once("\nerror: ").map_or(reason, |(_, reason)| reason);
        let (ours, theirs) = (copy.display().to_string(), found.top.display().to_string());
        let reason = reason.replace(&ours, &theirs);
        if reason.starts_with("failed to parse lock file") {
            return Error::config(format!("cargo cannot read {}: {reason}", lock.display())).hint(
                "mend it, or take it back with `git checkout`: nothing was written",
            );
        }
        Error::config(format!("cargo cannot add xtask to {}: {reason}", lock.display())).hint(
            "nothing was written. Where two requirements do not agree, `--own-lock` gives xtask a Cargo.lock of its own; \
             what is not downloaded yet needs the network",
        )
    })?;
    let manifest =
        request.pinning.and_then(|path| changed.iter().find(|(changed, _)| changed == path));
    let Some((path, text)) = manifest.filter(|_| !first.moves.is_empty()) else { return Ok(first) };
    let pinned = cargo.pinning(&place(path), text, &first.moves)?;
    Ok(pinned.unwrap_or(first))
}

/// Cargo, which runs in the copy.
struct CargoInCopy<'a> {
    dir: &'a Path,
    seed: Option<&'a str>,
    env: &'a Env,
}

impl CargoInCopy<'_> {
    /// Resolves from the lock file `from`. The inner error is what cargo printed.
    fn resolve(&self, from: Option<&str>) -> anyhow::Result<Result<Resolved, String>> {
        let lock = self.dir.join("Cargo.lock");
        match from {
            Some(text) => files::write_cheaply(&lock, text.as_bytes(), 0o644)?,
            None => files::remove_if_there(&lock)?,
        }
        let mut cargo = child_env::tool_in(self.dir, "cargo", self.env);
        cargo.args(["metadata", "--format-version", "1"]);
        let output = process::output(&mut cargo).context("running cargo metadata")?;
        if !output.status.success() {
            return Ok(Err(child_env::error_text(&output)));
        }
        let text = fs::read_to_string(&lock).context("reading the new Cargo.lock")?;
        let old = cargo_lock::parse(self.seed.unwrap_or_default());
        let new = cargo_lock::parse(&text);
        let moves = cargo_lock::moves(&old, &new).into_iter().filter(Move::is_to_another).collect();
        Ok(Ok(Resolved { text, moves, added: new.len().saturating_sub(old.len()) }))
    }

    /// Resolves, and unlocks what cargo names as being in the way.
    fn unlocking(&self, failed: impl Fn(&str) -> Error) -> anyhow::Result<Resolved> {
        let mut from = self.seed.map(str::to_owned);
        loop {
            match self.resolve(from.as_deref())? {
                Ok(resolved) => return Ok(resolved),
                Err(printed) => {
                    let next = from.as_deref().and_then(|lock| without_blocking(lock, &printed));
                    from = Some(next.ok_or_else(|| failed(&printed))?);
                }
            }
        }
    }

    /// Resolves with the package at `manifest` asking for the versions that were locked; `None` where that has no
    /// solution. `text` is its text without that.
    fn pinning(
        &self,
        manifest: &Path,
        text: &str,
        moves: &[Move],
    ) -> anyhow::Result<Option<Resolved>> {
        let mut pins = Vec::new();
        let mut moves = moves.to_vec();
        while !moves.is_empty() {
            let known = pins.len();
            for (name, version) in moves.iter().filter_map(Move::release_before) {
                let pin = format!(
                    "package = \"{name}\"\nversion = \"={version}\"\ndefault-features = false\n"
                );
                if !pins.contains(&pin) {
                    pins.push(pin);
                }
            }
            if pins.len() == known {
                return Ok(None);
            }
            let lines = pins
                .iter()
                .enumerate()
                .map(|(at, pin)| format!("\n[dependencies.pin-{at}]\n{pin}"));
            let pinned = [text.to_owned(), lines.collect::<Vec<_>>().concat()].concat();
            files::write_cheaply(manifest, pinned.as_bytes(), 0o644)?;
            let Ok(resolved) = self.resolve(self.seed)? else { return Ok(None) };
            moves.clone_from(&resolved.moves);
            if moves.is_empty() {
                files::write_cheaply(manifest, text.as_bytes(), 0o644)?;
                let last = self.resolve(Some(&resolved.text))?.ok();
                return Ok(last.filter(|last| last.moves.is_empty()));
            }
        }
        Ok(None)
    }
}

/// Makes `copy` a folder with links to the entries of `real`. What is in `own`, or a folder around it, is no link.
fn link(found: &Found, real: &Path, copy: &Path, own: &[PathBuf]) -> anyhow::Result<()> {
    fs::create_dir_all(copy).with_context(|| format!("making {}", copy.display()))?;
    for entry in fs::read_dir(real).with_context(|| format!("reading {}", real.display()))? {
        let (path, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        if name == ".git" || path == found.target_dir || own.contains(&path) {
            continue;
        }
        if path.is_dir() && own.iter().any(|own| own.starts_with(&path)) {
            link(found, &path, &copy.join(name), own)?;
        } else {
            std::os::unix::fs::symlink(&path, copy.join(&name))
                .with_context(|| format!("linking {}", path.display()))?;
        }
    }
    Ok(())
}

/// Returns the lock file without the first package that cargo names as being in the way: the one that it selected, or one
/// of those that depend on that.
fn without_blocking(lock: &str, printed: &str) -> Option<String> {
    let packages: Vec<_> = lock.split_inclusive("\n[[package]]\n").collect();
    let (_, chain) = printed.split_once("previously selected package ")?;
    chain.split('`').find_map(|named| {
        let (name, version) = named.split_once(" v")?;
        let begin = format!("name = \"{name}\"\nversion = \"{version}\"\nsource = ");
        let at = packages.iter().position(|package| package.starts_with(&begin))?;
        let mut kept = packages.clone();
        kept.remove(at);
        Some(kept.concat())
    })
}

#[cfg(test)]
mod tests {
    use super::without_blocking;

    #[test]
    fn the_version_that_is_in_the_way_is_unlocked() {
        let package = |name: &str, version: &str, source: &str| {
            format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}")
        };
        let registry = "source = \"registry+x\"\n";
        let (own, other) = (package("app", "0.1.0", ""), package("subtle", "2.5.0", registry));
        let old = package("subtle", "2.4.0", registry);
        let lock = ["version = 4\n", &own, &old, &other].concat();
        let printed = "failed to select a version\n\n  previously selected package `subtle v2.3.0`\n    ... which satisfies dependency \
                       `subtle = \"^2\"` of package `subtle v2.4.0`\n";
        let expected = ["version = 4\n", &own, &other].concat();
        assert_eq!(without_blocking(&lock, printed), Some(expected));
        assert_eq!(without_blocking(&lock, "no such host"), None);
    }
}
