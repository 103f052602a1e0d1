//! `new`: a service in the workspace, from a template. Everything is checked before anything is
//! written, and what cannot be finished is taken back.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use ferror::Error;

use crate::model::service_kind::ServiceKind;
use crate::model::{cargo_toml, lock_file, names};
use crate::repository::service_template::{self, Site};
use crate::repository::templates::File;
use crate::repository::xtask_source::Origin;
use crate::repository::{vendored, workspace};
use crate::system::env::Env;
use crate::system::file_guard::{Keeper, NewFolder};
use crate::system::ui::{self, Ui};
use crate::system::{child_env, files};
use crate::verbs::vendor;

const AMBIGUOUS: &str =
    "cargo could not tell the two apart; take another name: nothing was written";

/// The options of `new`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The service's name.
    pub name: String,
    /// `--web` or `--worker`.
    pub kind: ServiceKind,
    /// `--dry-run`.
    pub dry_run: bool,
}

/// Everything that is to be written.
struct Plan {
    /// The service's folder, below the workspace.
    folder: String,
    files: Vec<File>,
    /// The workspace's Cargo.toml, where the service has to be named in it.
    root: Option<String>,
}

/// Runs `new`.
///
/// Fails with [`ferror::Kind::Usage`] on a bad name, and with [`ferror::Kind::Config`] where the name
/// is taken or the workspace is none that a service can be put in.
pub fn run(options: &Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    names::check_service(&options.name)?;
    let root = workspace::root(env)?
        .ok_or_else(|| Error::config("no workspace here").hint("run it inside the repository"))?
        .dir;
    let plan = plan(options, &root, env)?;
    if options.dry_run {
        return show(&plan, ui);
    }
    let Options { name, kind, .. } = options;
    if let Some(vendored) = apply(&plan, name, &root, env, ui)? {
        ui.result(vendored)?;
    }
    for (path, _) in &plan.files {
        ui.result(ui::path(&root.join(path), env))?;
    }
    if plan.root.is_some() {
        ui.say("added", format_args!("{} to `members` in Cargo.toml", plan.folder));
    }
    let (what, listen) = match kind {
        ServiceKind::Web => ("web service", " -- --listen 127.0.0.1:8080"),
        ServiceKind::Worker => ("worker", ""),
    };
    ui.say("wrote", format_args!("the {what} {name}; to see it: cargo test -p {name}"));
    ui.say("", format_args!("and: cargo run -p {name}{listen}"));
    Ok(())
}

fn plan(options: &Options, root: &Path, env: &Env) -> anyhow::Result<Plan> {
    let Options { name, kind, .. } = options;
    let folder = format!("services/{name}");
    refuse_what_is_taken(name, &folder, root, env)?;
    let origin = Origin::of_workspace(root, env)?.ok_or_else(|| {
        Error::config("no package of this workspace depends on bowline-xtask")
            .hint("a new service has foundation's crates from where xtask comes from")
    })?;
    let path = root.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let is_covered = cargo_toml::is_covered(&text, &folder)?;
    let changed = (!is_covered).then(|| cargo_toml::with_member(&text, &folder)).transpose()?;
    let toml = cargo_toml::parse(&text, &path.display().to_string())?;
    let site = Site { dir: root, root: &toml, origin: &origin };
    Ok(Plan { files: service_template::service(name, *kind, site)?, folder, root: changed })
}

/// Two packages of one name are two that cargo cannot tell apart.
fn refuse_what_is_taken(name: &str, folder: &str, root: &Path, env: &Env) -> anyhow::Result<()> {
    if root.join(folder).symlink_metadata().is_ok() {
        let error = Error::config(format!("{folder} is there already: nothing was written"));
        return Err(error.hint("take another name, or move it away").into());
    }
    for member in workspace::members(env)? {
        if member.name == name {
            let dir = member.dir.strip_prefix(root).unwrap_or(&member.dir).display();
            let error =
                Error::config(format!("the workspace has a package {name} already, in {dir}"));
            return Err(error.hint("take another name: nothing was written").into());
        }
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    if lock_file::parse(&lock).iter().any(|package| package.name == name) {
        let error = format!("the workspace depends on a package {name} already, by Cargo.lock");
        return Err(Error::config(error).hint(AMBIGUOUS).into());
    }
    Ok(())
}

/// The same, once Cargo.lock names what the new service itself depends on.
fn refuse_ambiguous(name: &str, root: &Path) -> anyhow::Result<()> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("reading Cargo.lock")?;
    if lock_file::is_ambiguous(&lock, name) {
        let error = format!("the new service would depend on a package {name} itself");
        return Err(Error::config(error).hint(AMBIGUOUS).into());
    }
    Ok(())
}

fn show(plan: &Plan, ui: Ui) -> anyhow::Result<()> {
    for (path, bytes) in &plan.files {
        ui.result(format_args!("would write {path}:\n"))?;
        for line in String::from_utf8_lossy(bytes).lines() {
            ui.result(format_args!("    {line}").to_string().trim_end())?;
        }
        ui.result("")?;
    }
    if plan.root.is_some() {
        ui.result(format_args!("would add {:?} to `members` in Cargo.toml", plan.folder))?;
    }
    Ok(ui.result("would add the package to Cargo.lock")?)
}

/// Writes all of it. Where sources were vendored again, returns the line that says so.
fn apply(
    plan: &Plan,
    name: &str,
    root: &Path,
    env: &Env,
    ui: Ui,
) -> anyhow::Result<Option<String>> {
    let lock = Keeper::read_if_there(root.join("Cargo.lock"))?;
    let cargo_toml = Keeper::read(&root.join("Cargo.toml"), "")?;
    // Elsewhere until it is whole: a pattern such as services/* takes every folder for a package.
    let partial = NewFolder::at(root.join(format!(".{name}.partial-{}", std::process::id())));
    for (path, bytes) in &plan.files {
        let inner = path.strip_prefix(&plan.folder).unwrap_or(path).trim_start_matches('/');
        files::write_whole(&partial.path().join(inner), bytes, 0o644)?;
    }
    let folder = root.join(&plan.folder);
    fs::create_dir_all(root.join("services"))
        .and_then(|()| fs::rename(partial.path(), &folder))
        .with_context(|| format!("renaming the new folder to {}", folder.display()))?;
    let folder = NewFolder::at(folder);
    if let Some(text) = &plan.root {
        cargo_toml.write(text)?;
    }
    let vendored = update_lock_file(name, root, env, ui)?;
    folder.done();
    cargo_toml.leave();
    lock.leave();
    Ok(vendored)
}

/// Adds the package to Cargo.lock, and vendors what it needs besides where sources are vendored.
fn update_lock_file(name: &str, root: &Path, env: &Env, ui: Ui) -> anyhow::Result<Option<String>> {
    let first = resolve(root, env)?;
    let Err(said) = first else {
        refuse_ambiguous(name, root)?;
        return Ok(None);
    };
    let failed = |said: &str| {
        Error::config(format!("cargo cannot take in {name}: {said}"))
            .hint("nothing was left behind; what is not downloaded yet needs the network")
    };
    let Some(config) = vendored::aside(root)? else { return Err(failed(&said).into()) };
    // It needs something that is not vendored, which cargo has to look for elsewhere.
    let second = resolve(root, env)?;
    drop(config);
    second.map_err(|said| failed(&said))?;
    refuse_ambiguous(name, root)?;
    vendor::make(root, env, ui).map(Some)
}

/// Lets cargo bring Cargo.lock up to date; what it said where it cannot.
fn resolve(root: &Path, env: &Env) -> anyhow::Result<Result<(), String>> {
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--format-version", "1"]).current_dir(root);
    let output = cargo.output().context("running cargo metadata")?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    Ok(Err(child_env::said(&output)))
}
