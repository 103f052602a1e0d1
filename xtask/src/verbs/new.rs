//! `new`: adds a service to the workspace, from a template. What can be checked is checked before anything is written;
//! what only cargo knows is known once the files are there, and a failure, a signal or a dry run takes them back.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use crate::model::service_kind::ServiceKind;
use crate::model::workspace::Workspace;
use crate::model::{cargo_lock, cargo_toml, names, services};
use crate::repository::changes::Changes;
use crate::repository::service_template::{self, ParentWorkspace};
use crate::repository::xtask_source::XtaskSource;
use crate::repository::{vendored, workspace};
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::undo::Undo;
use crate::system::{child_env, process};
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

/// Everything that `new` writes, apart from what cargo does.
struct Plan {
    changes: Changes,
    /// The service's files.
    files: Vec<PathBuf>,
    /// The items that come into the workspace's Cargo.toml, each with the name of its list.
    added: Vec<(String, &'static str)>,
}

/// Runs `new`.
///
/// Fails with [`ferror::Kind::Usage`] on a bad name, and with [`ferror::Kind::Config`] where the name
/// is taken or no service can be added to the workspace.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    names::check_service(&options.name)?;
    if workspace::root(env)?.is_none() {
        return Err(Error::config("no workspace here").hint("run it inside the repository").into());
    }
    let workspace = workspace::read(env)?;
    let root = workspace.root.clone();
    let mut plan = plan(options, &workspace, env)?;
    let Options { name, kind, .. } = options;
    let (lock, mut undo) = (root.join("Cargo.lock"), Undo::begin(&root, ui)?);
    undo.save(&lock)?;
    let before = fs::read_to_string(&lock).ok();
    plan.changes.write(&mut undo)?;
    let has_sources = update_lock_file(name, &root, &mut undo, env)?;
    if options.dry_run {
        plan.changes.note_changed(&lock, before)?;
        // Whoever reads the diff sees files that are as they were.
        drop(undo);
        ui.print(&plan.changes.diff(&root));
        if !has_sources {
            ui.say("dry run", "what the service depends on comes into vendor/ too");
        }
        return Ok(());
    }
    let vendored = if has_sources { None } else { Some(vendor::make(&root, &mut undo, env, ui)?) };
    undo.keep_changes()?;
    if let Some(vendored) = vendored {
        ui.result(vendored);
    }
    for path in &plan.files {
        ui.result(ui::path(path, env));
    }
    for (item, list) in &plan.added {
        ui.say("added", format_args!("{item} to `{list}` in Cargo.toml"));
    }
    let (what, listen) = match kind {
        ServiceKind::Web => ("web service", " -- --listen 127.0.0.1:8080"),
        ServiceKind::Worker => ("worker", ""),
    };
    ui.say("wrote", format_args!("the {what} {name}; to see it: cargo test -p {name}"));
    ui.say("", format_args!("and: cargo run -p {name}{listen}"));
    Ok(())
}

fn plan(options: &Options, workspace: &Workspace, env: &Env) -> anyhow::Result<Plan> {
    let Options { name, kind, .. } = options;
    let root = &*workspace.root;
    let folder = format!("services/{name}");
    refuse_taken_name(name, &folder, workspace)?;
    let xtask_source = XtaskSource::of_workspace(root, env)?.ok_or_else(|| {
        Error::config("no package of this workspace depends on bowline-xtask")
            .hint("add it as `cargo xtask init` writes it: a service takes its other crates from the same place")
    })?;
    let path = root.join("Cargo.toml");
    let (mut changes, mut added) = (Changes::default(), Vec::new());
    let mut text = changes.text(&path)?;
    let toml = cargo_toml::parse(&text, &path.display().to_string())?;
    if !cargo_toml::is_covered(&text, &folder)? {
        text = cargo_toml::with_member(&text, &folder)?;
        added.push((folder.clone(), "members"));
    }
    if !services::cover(workspace.config.services.as_deref(), name, &folder) {
        text = cargo_toml::with_service(&text, name)?;
        added.push((name.clone(), "services"));
    }
    let parent = ParentWorkspace { dir: root, cargo_toml: &toml, xtask_source: &xtask_source };
    let mut files = Vec::new();
    for (file, text) in service_template::service(name, *kind, parent)? {
        files.push(root.join(&file));
        changes.set(&root.join(file), text)?;
    }
    changes.set(&path, text)?;
    Ok(Plan { changes, files, added })
}

/// Refuses a name that a package of the workspace or of Cargo.lock has, since cargo could not tell the two apart, and
/// one that a service has.
fn refuse_taken_name(name: &str, folder: &str, workspace: &Workspace) -> anyhow::Result<()> {
    let root = &*workspace.root;
    if root.join(folder).symlink_metadata().is_ok() {
        let error = Error::config(format!("{folder} is there already: nothing was written"));
        return Err(error.hint("take another name, or move it away").into());
    }
    for member in &workspace.packages {
        if member.name == name {
            let dir = member.dir.strip_prefix(root).unwrap_or(&member.dir).display();
            let error =
                Error::config(format!("the workspace has a package {name} already, in {dir}"));
            return Err(error.hint("take another name: nothing was written").into());
        }
    }
    if let Some(service) = workspace.services.iter().find(|service| service.name == name) {
        let package = &service.package;
        let error = Error::config(format!("the package {package} has a service {name} already"));
        return Err(error.hint("take another name: nothing was written").into());
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    if cargo_lock::parse(&lock).iter().any(|package| package.name == name) {
        let error = format!("the workspace depends on a package {name} already, by Cargo.lock");
        return Err(Error::config(error).hint(AMBIGUOUS).into());
    }
    Ok(())
}

/// Refuses a name that a dependency of the new service has, once Cargo.lock names those.
fn refuse_ambiguous(name: &str, root: &Path) -> anyhow::Result<()> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("reading Cargo.lock")?;
    if cargo_lock::is_ambiguous(&lock, name) {
        let error = format!("the new service would depend on a package {name} itself");
        return Err(Error::config(error).hint(AMBIGUOUS).into());
    }
    Ok(())
}

/// Adds the package to Cargo.lock. Returns whether sources are there for all that it depends on: where sources are
/// vendored, those may not have it.
fn update_lock_file(name: &str, root: &Path, undo: &mut Undo, env: &Env) -> anyhow::Result<bool> {
    let first = resolve(root, env)?;
    let is_resolved = first.is_ok();
    if let Err(reason) = first {
        let failed = |reason: &str| {
            Error::config(format!("cargo cannot add {name}: {reason}"))
                .hint("nothing was left behind; what is not downloaded yet needs the network")
        };
        if !vendored::has_block(root) {
            return Err(failed(&reason).into());
        }
        // The service needs a package that is not vendored; without the block, cargo looks for it elsewhere.
        vendored::without_block(root, undo, || resolve(root, env))?
            .map_err(|reason| failed(&reason))?;
    }
    refuse_ambiguous(name, root)?;
    Ok(is_resolved)
}

/// Lets cargo bring Cargo.lock up to date. The inner error is the reason that cargo printed.
fn resolve(root: &Path, env: &Env) -> anyhow::Result<Result<(), String>> {
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--format-version", "1"]).current_dir(root);
    let output = process::output(&mut cargo).context("running cargo metadata")?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    Ok(Err(child_env::error_text(&output)))
}
