//! `dist`: from a commit to archives and a manifest.
//!
//! The order of the work stands here and nowhere else: lock, prepare the toolchains, see what the last build on
//! this machine left, build and pack the rest platform by platform, remove the old manifest before the first file is
//! replaced, write the new one last.

mod failures;
mod keys;
mod manifest;
mod options;
mod planned;
mod reuse;
mod step;
mod warnings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use catalog::{Artifact, Manifest, Platform};

use crate::build::compile::{self};
use crate::build::toolchain::{self, Identity, Toolchain};
use crate::model::config::Config;
use crate::model::plan::Plan;
use crate::repository::sources;
use crate::system::env::Env;
use crate::system::file_lock::{self, FileLock};
use crate::system::files;
use crate::system::ui::{self, Ui};

use self::failures::{failed_builds, ready};
pub use self::keys::{Keys, keys};
use self::manifest::{Earlier, Outcome, remove_manifest, write_manifest};
pub use self::options::{Options, Purpose};
use self::planned::{Planned, check_unchanged};
use self::reuse::{Reuse, Why};
use self::step::StepRun;
use self::warnings::{
    ignored_files, refuse_lfs_pointers, warn_of, warn_of_ignored, warn_of_outside,
};

/// Runs `dist`. `None` after a dry run.
///
/// The purpose decides whether the distribution's library may be used without being asked for: where the
/// artifacts are published, a slow network must not choose the compiler. `check` sees the plan before anything is
/// built.
pub fn run(
    purpose: Purpose,
    check: impl FnOnce(&Plan, &Config) -> ferror::Result<()>,
    options: &Options,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Option<Manifest>> {
    let mut planned = planned::plan(options, env)?;
    if let Some(shard) = options::shard(purpose, options, env)? {
        planned.take(shard, env)?;
    }
    let Planned { plan, workspace, .. } = &planned;
    let prepare =
        |install| toolchain::prepare(&planned.toolchains(purpose, options, install, env), ui);
    let our_folders = planned.our_folders();
    let our_folders = our_folders.each_ref().map(PathBuf::as_path);
    let reuse_request = planned.reuse(&our_folders, options.no_reuse, env);
    if options.dry_run {
        let why = if options.why {
            let request = planned.toolchains(purpose, options, false, env);
            let expected = toolchain::expected(&request, ui).unwrap_or_default();
            Some(why(&reuse_request, &prepare(false), &expected))
        } else {
            None
        };
        show(plan, why, options.json, ui);
        return Ok(None);
    }
    check(plan, &workspace.config)?;
    warn_of_outside(plan, purpose, &workspace.config, ui);
    if let Some(part) = &plan.part {
        ui.say("shard", format_args!("{}: {}", part.shard, part.count()));
    }
    let lock_file = plan.snapshot_dir.join(".lock");
    let _lock = lock(&lock_file, ui)?;
    let read_sources = || sources::digests(&planned.packages, &workspace.root, &our_folders, env);
    let toolchains = ready(plan, prepare(true), options.strict)?;
    let identities: Vec<_> = toolchains.iter().map(Toolchain::identity).collect();
    let reuse = Reuse::read(&reuse_request, &identities);
    let earlier = Earlier::read(plan);
    let mut machine = None;
    let (mut reused, mut compiled) = (BTreeSet::new(), BTreeSet::new());
    let (mut artifacts, mut failures, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for (step, toolchain) in plan.steps.iter().zip(&toolchains) {
        let run = StepRun { plan, step, toolchain, reuse: &reuse, env, ui };
        match run.run(&read_sources, options.why, &mut machine) {
            Ok(made) => {
                for made in made {
                    compiled.extend(made.sources.iter().cloned());
                    if made.is_published {
                        reused.insert(made.artifact.file.clone());
                    }
                    warn_of(&made, ui);
                    print(&made.artifact, plan, env, ui);
                    artifacts.push(made.artifact);
                    records.extend(made.record);
                }
            }
            Err(error) => failures.push((step.platform, error)),
        }
    }
    if !failures.is_empty() {
        // Whoever runs `upload` now means what failed here, and not what was built before.
        remove_manifest(plan)?;
        return Err(failed_builds(plan, &failures, earlier.is_there).into());
    }
    check_unchanged(&planned, env)?;
    refuse_lfs_pointers(&compiled)?;
    let ignored = ignored_files(&planned, &compiled, &our_folders, env)?;
    warn_of_ignored(&ignored, ui);
    for (path, record) in records {
        record.write(&path)?;
    }
    let may_offer = ignored.is_empty() && may_offer(plan, &toolchains, env);
    let outcome = Outcome { artifacts, reused, ignored: &ignored, may_offer };
    let (manifest, json) = write_manifest(plan, outcome, earlier)?;
    if plan.part.is_some() {
        // The folders of all machines become one, in which no two files may have one name.
        files::remove_if_there(&lock_file)?;
    }
    ui.document(&json);
    Ok(Some(manifest))
}

/// Returns whether others may get what was built, in place of a build of their own: it was built of a commit and nothing
/// else, in folders to which nothing else has ever written.
fn may_offer(plan: &Plan, toolchains: &[Toolchain], env: &Env) -> bool {
    plan.commit.dirty.is_none()
        && plan.outside_sources.is_empty()
        // Their values are in the key, and not what is in the files that they name.
        && plan.outside_flags.is_empty()
        // The key has the names of libraries of this machine, and not their bytes.
        && plan.requirements.system_libraries.is_empty()
        && toolchains.iter().all(|toolchain| compile::is_only_of_commits(toolchain, env))
}

/// Finds out what a `dist` would build, and why. Where a toolchain has to be installed first, its build keys are known all
/// the same.
fn why(
    request: &reuse::Request<'_>,
    toolchains: &[(Platform, anyhow::Result<Toolchain>)],
    expected: &[Identity],
) -> Vec<Why> {
    let plan = request.plan;
    let identities = toolchains.iter().filter_map(|(platform, toolchain)| match toolchain {
        Ok(toolchain) => Some(toolchain.identity()),
        Err(_) => expected.iter().find(|identity| identity.platform == *platform).cloned(),
    });
    let reuse = Reuse::read(request, &identities.collect::<Vec<_>>());
    let mut all = Vec::new();
    for (step, (_, toolchain)) in plan.steps.iter().zip(toolchains) {
        for build in &step.builds {
            all.push(match toolchain {
                Ok(toolchain) => reuse.decide(build, toolchain).why(build, step.platform),
                Err(error) => {
                    Why::built(build, step.platform, reuse.key(build, step.platform), error)
                }
            });
        }
    }
    all
}

/// Prints a plan, and what of it would be built.
fn show(plan: &Plan, why: Option<Vec<Why>>, json: bool, ui: &Ui) {
    if json {
        let mut document = plan.to_json();
        if let Some(why) = why {
            document["why"] = why.iter().map(Why::to_json).collect();
        }
        ui.document(&format!("{document:#}"));
    } else {
        ui.result(plan.to_string().trim_end());
        if let Some(why) = why {
            ui.result("");
            for line in why {
                ui.result(line);
            }
        }
    }
}

/// Waits until no other `dist` works in the folder, and keeps others out until the lock is dropped.
fn lock(file: &Path, ui: &Ui) -> anyhow::Result<FileLock> {
    let folder = file.parent().unwrap_or(file).display();
    file_lock::lock(file, || ui.say("waiting", format_args!("for another dist into {folder}")))
}

/// Prints the line of an archive that is there.
fn print(artifact: &Artifact, plan: &Plan, env: &Env, ui: &Ui) {
    ui.result(format_args!(
        "{}  {}  sha256 {}",
        ui::path(&plan.snapshot_dir.join(&artifact.file), env),
        ui::size(artifact.size_bytes),
        artifact.sha256
    ));
}
