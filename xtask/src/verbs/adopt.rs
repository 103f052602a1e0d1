//! `adopt`: writes into a repository that exists what it needs to use xtask. All of it is known before anything is
//! written; it is written whole or not at all, and not committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use ferror::Error;
use serde_json::Value;

use crate::build::pins;
use crate::build::toolchain::pin;
use crate::model::cargo_toml::{self, Fields, quoted};
use crate::model::{config, names};
use crate::repository::adopt::found::{self, Found};
use crate::repository::adopt::program::{self, Program};
use crate::repository::adopt::services::{self, Proposal};
use crate::repository::adopt::{alias, ci, inputs, lock_file};
use crate::repository::changes::Changes;
use crate::repository::xtask_source::{self, XtaskOption, XtaskSource};
use crate::repository::{templates, work_tree, workspace};
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::undo::{self, Undo};
use crate::system::{child_env, process};

/// The page about all of this, in the repository of Bowline.
const PAGE: &str = "docs/adopting.md";
/// The page with the lines for CI systems.
const CI_PAGE: &str = "docs/ci-others.md";
/// The name in CI's context, where no bucket is named.
const NO_BUCKET: &str = "releases";
/// The tables, as their headers name them.
const TABLE: &str = "workspace.metadata.xtask";
const PACKAGE_TABLE: &str = "package.metadata.xtask";
/// The comment above the workspace's table, where `adopt` writes a new one.
const TABLE_COMMENT: &str =
    "What `cargo xtask` reads; docs/configuration.md of Bowline lists every field. `bucket = \"...\"` names the bucket that
`upload` publishes to; `services` names packages, `package:binary`, or globs over folders.";

/// The options of `adopt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The folder of the workspace.
    pub dir: PathBuf,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--xtask-git` or `--xtask-path`.
    pub xtask: Option<XtaskOption>,
    /// `--s3-bucket`.
    pub s3_bucket: Option<String>,
    /// `--own-lock`.
    pub own_lock: bool,
}

/// The changes to make, and the messages for the person.
struct Plan {
    changes: Changes,
    program: Program,
    proposal: Proposal,
    /// Where xtask comes from, unless the package exists.
    source: Option<XtaskSource>,
    /// The steps that the person has to do, a sentence each.
    left: Vec<String>,
}

/// Runs `adopt`.
///
/// Fails with [`ferror::Kind::Config`] where the folder is no workspace that can use xtask, where xtask's repository
/// cannot be found, or where a locked version would move.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    options.s3_bucket.as_deref().map_or(Ok(()), names::check_bucket)?;
    let dir = env.current_dir.join(&options.dir);
    let dir = dir.canonicalize().map_err(|error| {
        let named = options.dir.display();
        Error::config(format!("{named}: there is no such folder")).caused_by(error)
    })?;
    undo::take_back_around(&dir, ui)?;
    // Before that compiler is asked: it may be one that nobody has any more.
    pin::of_toolchain_file(&dir)?;
    let found = found::read(&dir, env)?;
    pin::check_age(&found.rustc, &format!("the compiler of {}", found.root.display()))?;
    let plan = plan(options, &found, env, ui)?;
    if options.dry_run {
        ui.print(&plan.changes.diff(&found.top));
        tell(&plan, &found, ui);
        return Ok(());
    }
    if plan.changes.files().is_empty() {
        ui.say("unchanged", format_args!("{} has all of it", found.root.display()));
        tell(&plan, &found, ui);
        return show_plan(&found, env, ui);
    }
    let mut undo = Undo::begin(&found.root, ui)?;
    plan.changes.write(&mut undo)?;
    tell(&plan, &found, ui);
    show_plan(&found, env, ui)?;
    undo.keep_changes()?;
    for change in plan.changes.files() {
        let what = if change.before.is_none() { "wrote" } else { "changed" };
        ui.say(what, ui::path(&change.path, env));
    }
    Ok(())
}

fn plan(options: &Options, found: &Found, env: &Env, ui: &Ui) -> anyhow::Result<Plan> {
    let aliases = alias::aliases(&found.root, &found.top)?;
    let program = program::find(found, &aliases, options.own_lock)?;
    let proposal = services::propose(&found.packages);
    if proposal.entries.is_empty() && found.table["services"].is_null() {
        let left_out: Vec<_> =
            proposal.left_out.iter().map(|(name, why)| format!("{name}: {why}")).collect();
        let error = format!("no binary of {} looks like a service", found.root.display());
        let hint = if left_out.is_empty() {
            "a service is a binary, and no package there has one: add a src/main.rs, and run adopt again".to_owned()
        } else {
            format!(
                "name one as `services = [\"package:binary\"]` in [workspace.metadata.xtask] of its Cargo.toml, and \
                 run adopt again; left out: {}",
                left_out.join("; ")
            )
        };
        return Err(Error::config(error).hint(hint).into());
    }
    let here = workspace::root(env).ok().flatten().map(|root| root.dir);
    let source = if program.is_there {
        None
    } else {
        Some(xtask_source::choose(options.xtask.as_ref(), here.as_deref(), env)?)
    };
    let mut plan =
        Plan { changes: Changes::default(), program, proposal, source, left: Vec::new() };
    add_program(&mut plan, found)?;
    add_inputs(&mut plan, found)?;
    add_table(&mut plan, options, found)?;
    add_alias(&mut plan, found)?;
    add_ignored(&mut plan, found, env)?;
    add_ci(&mut plan, options, found)?;
    add_lock_file(&mut plan, found, here.as_deref(), env, ui)?;
    Ok(plan)
}

/// Adds the package of three lines, and names it in the workspace.
fn add_program(plan: &mut Plan, found: &Found) -> anyhow::Result<()> {
    let Some(source) = &plan.source else { return Ok(()) };
    let program = &plan.program;
    let dir = found.root.join(&program.folder);
    for (path, text) in program::files(program, &source.dependency("xtask", &dir)) {
        plan.changes.set(&dir.join(path), text)?;
    }
    let cargo_toml = found.root.join("Cargo.toml");
    let text = plan.changes.text(&cargo_toml)?;
    let parsed = cargo_toml::parse(&text, &cargo_toml.display().to_string())?;
    let text = match (parsed["workspace"].is_object(), program.has_own_lock) {
        (true, true) => cargo_toml::with_excluded(&text, &program.folder)?,
        (true, false) if cargo_toml::is_covered(&text, &program.folder)? => text,
        (true, false) => cargo_toml::with_member(&text, &program.folder)?,
        // A package alone becomes a workspace, whose table xtask reads.
        (false, own) => {
            let list = if own { "exclude" } else { "members" };
            let fields = [(list, format!("[{}]", quoted(&program.folder)))];
            let fields = Fields { table: "workspace", fields: &fields, comment: "" };
            cargo_toml::with_fields(&text, "Cargo.toml", &fields)?
        }
    };
    plan.changes.set(&cargo_toml, text)
}

/// Adds the table of the workspace.
fn add_table(plan: &mut Plan, options: &Options, found: &Found) -> anyhow::Result<()> {
    let cargo_toml = found.root.join("Cargo.toml");
    let mut fields = Vec::new();
    if !services::is_default(&plan.proposal, &found.packages) {
        let entries: Vec<_> =
            plan.proposal.entries.iter().map(|one| format!("    {},\n", quoted(one))).collect();
        fields.push(("services", format!("[\n{}]", entries.concat())));
    }
    if pin::of_toolchain_file(&found.root)?.is_none() {
        if config::is_pin(&found.rustc) {
            fields.push(("rust", quoted(&found.rustc)));
        } else if found.table["rust"].is_null() {
            plan.left.push(format!(
                "name the compiler: {} has no exact name; write `rust = \"nightly-DATE\"` into \
                 [workspace.metadata.xtask], or a release",
                found.rustc
            ));
        }
    }
    match (&options.s3_bucket, found.table["bucket"].as_str()) {
        (Some(bucket), None) => fields.push(("bucket", quoted(bucket))),
        (None, None) => plan.left.push(
            "name the bucket: `bucket = \"...\"` in [workspace.metadata.xtask], or `S3_BUCKET`; `ship --local` needs \
             none"
                .to_owned(),
        ),
        (Some(bucket), Some(other)) if bucket != other => plan.left.push(format!(
            "the table names the bucket {other} already: --s3-bucket {bucket} changes nothing"
        )),
        (_, Some(_)) => {}
    }
    let text = plan.changes.text(&cargo_toml)?;
    let comment = table_comment(&plan.program);
    let fields = Fields { table: TABLE, fields: &fields, comment: &comment };
    let text = cargo_toml::with_fields(&text, &cargo_toml.display().to_string(), &fields)?;
    plan.changes.set(&cargo_toml, text)
}

/// Adds what builds read outside their packages: to each service, and what libraries read to the workspace, for all
/// services.
fn add_inputs(plan: &mut Plan, found: &Found) -> anyhow::Result<()> {
    let (mut of_all, mut outside) = (BTreeSet::new(), BTreeSet::new());
    for package in found.packages.iter().filter(|package| services::may_be_shipped(package)) {
        let dir = found.root.join(&package.folder);
        let is_library =
            found.packages.iter().any(|other| other.dependencies.contains(&package.name));
        let is_service = plan.proposal.packages.contains(&package.name) && !is_library;
        let from = if is_service { &dir } else { &found.root };
        let found_here = inputs::find(package, &found.root, &found.top, from);
        outside.extend(found_here.outside);
        if is_service {
            add_patterns(plan, &dir.join("Cargo.toml"), PACKAGE_TABLE, &found_here.patterns)?;
        } else {
            of_all.extend(found_here.patterns);
        }
    }
    add_patterns(plan, &found.root.join("Cargo.toml"), TABLE, &of_all)?;
    plan.left.extend(outside.iter().map(|path| {
        format!("{path} is read by a build, and lies outside the repository: a commit does not say what it holds")
    }));
    Ok(())
}

fn add_patterns(
    plan: &mut Plan,
    cargo_toml: &Path,
    table: &str,
    patterns: &BTreeSet<String>,
) -> anyhow::Result<()> {
    if patterns.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = patterns.iter().map(|pattern| quoted(pattern)).collect();
    let fields = [("inputs", format!("[{}]", list.join(", ")))];
    let comment = match table {
        PACKAGE_TABLE => "What the build reads outside this package.".to_owned(),
        _ => table_comment(&plan.program),
    };
    let text = plan.changes.text(cargo_toml)?;
    let fields = Fields { table, fields: &fields, comment: &comment };
    let text = cargo_toml::with_fields(&text, &cargo_toml.display().to_string(), &fields)?;
    plan.changes.set(cargo_toml, text)
}

fn table_comment(program: &Program) -> String {
    TABLE_COMMENT.replace("cargo xtask", &format!("cargo {}", program.name))
}

/// Adds the alias, and the profiles of xtask's own crates.
fn add_alias(plan: &mut Plan, found: &Found) -> anyhow::Result<()> {
    let path = alias::file(&found.root);
    let name = path.display().to_string();
    let text = alias::with_alias(&plan.changes.text(&path)?, &name, &plan.program)?;
    // Cargo warns about profiles of packages that a workspace does not have; the other workspace has its own.
    let text = if plan.program.has_own_lock {
        text
    } else {
        let root = plan.changes.text(&found.root.join("Cargo.toml"))?;
        alias::with_profiles(&text, &name, &cargo_toml::parse(&root, "Cargo.toml")?)?
    };
    plan.changes.set(&path, text)?;
    if plan.program.has_own_lock && plan.source.is_some() {
        let path = found.root.join(&plan.program.folder).join("Cargo.toml");
        let text = alias::with_profiles(&plan.changes.text(&path)?, "Cargo.toml", &Value::Null)?;
        plan.changes.set(&path, text)?;
        plan.left.push(format!(
            "the alias works in {} only, not in folders below: cargo takes its path as relative to the current folder",
            found.root.display()
        ));
    }
    Ok(())
}

/// Adds what git does not ignore yet to `.gitignore`.
fn add_ignored(plan: &mut Plan, found: &Found, env: &Env) -> anyhow::Result<()> {
    let path = found.root.join(".gitignore");
    let mut lines: Vec<_> =
        templates::of_repository(".gitignore").lines().map(str::to_owned).collect();
    if plan.program.has_own_lock {
        lines.push(format!("/{}/target", plan.program.folder));
    }
    let mut text = plan.changes.text(&path)?;
    for line in lines {
        let mut git = work_tree::git(&found.root, env);
        git.args(["check-ignore", "--quiet", "--no-index", "--"]);
        let folder = format!("{}/", line.trim_start_matches('/'));
        let output = process::output(git.arg(folder)).context("running git check-ignore")?;
        if output.status.success() || text.lines().any(|have| have == line) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&line);
        text.push('\n');
    }
    plan.changes.set(&path, text)
}

/// Adds a CI file where the repository has none.
fn add_ci(plan: &mut Plan, options: &Options, found: &Found) -> anyhow::Result<()> {
    if let Some(path) = ci::find(&found.top) {
        if plan.source.is_some() {
            let path = path.strip_prefix(&found.top).unwrap_or(&path).display();
            plan.left.push(format!("CI: {path} is yours; {CI_PAGE} has the lines to add"));
        }
        return Ok(());
    }
    let bucket =
        options.s3_bucket.as_deref().or(found.table["bucket"].as_str()).unwrap_or(NO_BUCKET);
    let pin = pin::of_toolchain_file(&found.root)?
        .or_else(|| found.table["rust"].as_str().map(str::to_owned));
    let is_release = |release: &String| release.bytes().all(|b| b == b'.' || b.is_ascii_digit());
    let rustc = pin.into_iter().chain([found.rustc.clone()]).find(is_release);
    let folder = found.root.strip_prefix(&found.top).unwrap_or(Path::new("")).display().to_string();
    let answers = ci::Answers {
        program: &plan.program,
        bucket,
        rustc: rustc.as_deref().unwrap_or(pins::RUSTC),
        folder: &folder,
    };
    plan.changes.set(&found.top.join(ci::FILE), ci::text(&answers)?)?;
    plan.left.push(format!("CI: {} needs a context `bucket-{bucket}` with credentials", ci::FILE));
    Ok(())
}

/// Adds Cargo.lock as cargo resolves it with the new package.
///
/// Fails with [`ferror::Kind::Config`] where a locked version would move.
fn add_lock_file(
    plan: &mut Plan,
    found: &Found,
    here: Option<&Path>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<()> {
    let Some(source) = &plan.source else { return Ok(()) };
    ui.say("resolving", format_args!("the dependencies of {}", found.root.display()));
    let program_dir = found.root.join(&plan.program.folder);
    let dir = if plan.program.has_own_lock { &program_dir } else { &found.root };
    let read = |path: &Path| fs::read_to_string(path).ok();
    let theirs = read(&found.root.join("Cargo.lock"));
    let seed = match (plan.program.has_own_lock, source) {
        (false, _) => theirs.clone(),
        // With the versions that xtask is tested with.
        (true, XtaskSource::Path { dir, .. }) => read(&dir.join("Cargo.lock")),
        (true, XtaskSource::Git { .. }) => here.and_then(|dir| read(&dir.join("Cargo.lock"))),
    };
    // The copy lies elsewhere, where a relative path would lead to another place.
    let (ours, absolute) = (
        source.dependency("xtask", &program_dir),
        source.absolute().dependency("xtask", &program_dir),
    );
    let changed = plan.changes.files().iter();
    let changed: Vec<_> = changed
        .map(|change| (change.path.clone(), change.after.replace(&ours, &absolute)))
        .collect();
    let manifest = program_dir.join("Cargo.toml");
    let request = lock_file::Request {
        found,
        dir,
        seed: seed.as_deref(),
        changed: &changed,
        // Of a lock file of its own, every version is new.
        pinning: Some(&*manifest).filter(|_| !plan.program.has_own_lock),
    };
    let resolved = lock_file::resolve(&request, env)?;
    if !resolved.moves.is_empty() && !plan.program.has_own_lock {
        let moves: Vec<_> = resolved.moves.iter().map(|one| format!("  {one}")).collect();
        let error = format!(
            "xtask would move locked versions of {}:\n{}",
            found.root.display(),
            moves.join("\n")
        );
        return Err(Error::config(error)
            .hint("`--own-lock` gives xtask a Cargo.lock of its own; or run `cargo update -p NAME` for these first. Nothing was written")
            .into());
    }
    if theirs.is_none() && !plan.program.has_own_lock {
        plan.left.push(
            "there was no Cargo.lock: commit the new one, or a release cannot be built again"
                .to_owned(),
        );
    }
    let named = dir.join("Cargo.lock");
    let what = if plan.program.has_own_lock {
        "a lock file of its own; yours stays".to_owned()
    } else {
        format!("{} packages more, none moved", resolved.added)
    };
    ui.say("resolved", format_args!("{}: {what}", ui::path(&named, env)));
    plan.changes.set(&named, resolved.text)
}

/// Tells the person what was decided, and what is left to do.
fn tell(plan: &Plan, found: &Found, ui: &Ui) {
    let Plan { program, proposal, source, left, .. } = plan;
    if let Some(theirs) = found.table["services"].as_array() {
        let theirs: Vec<_> = theirs.iter().filter_map(Value::as_str).collect();
        ui.say("services", theirs.join(", "));
    } else {
        ui.say("services", proposal.entries.join(", "));
        for (name, why) in &proposal.left_out {
            ui.say("left out", format_args!("{name}: {why}"));
        }
    }
    if let (true, Some(source)) = (program.is_beside_theirs, source) {
        let dir = found.root.join("xtask");
        ui.say("beside", format_args!(
            "your own xtask, with the alias `{}`; for one program, give yours these two lines instead:\n\
             \x20   bowline = {{ package = \"{}\", {} }}\n    bowline::main()",
            program.name,
            xtask_source::PACKAGE,
            source.dependency("xtask", &dir).trim_matches(['{', '}', ' ']),
        ));
    }
    if let Some(XtaskSource::Path { dir, .. }) = source {
        let dir = dir.display();
        ui.warn(format_args!(
            "xtask comes from {dir}, on this machine: for others and for CI, name a repository by --xtask-git"
        ));
    }
    for line in left {
        ui.say("to do", line);
    }
    if source.is_some() {
        let first = "look at the changes, and commit them: a release's version is its commit";
        ui.say("to do", format_args!("{first}; {PAGE} says what comes then"));
    }
}

/// Shows the plan of a `dist` there. It is made by this program in a process of its own, so that the toolchain of that
/// repository counts. A plan that cannot be made is a warning: what is missing is said, and the files are right.
fn show_plan(found: &Found, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut dist: Command = child_env::tool_in(&found.root, &program.to_string_lossy(), env);
    let output =
        process::output(dist.args(["dist", "--dry-run"])).context("running dist --dry-run")?;
    ui.print(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        ui.warn(format_args!("`dist` cannot plan yet: {}", child_env::error_text(&output)));
    }
    Ok(())
}
