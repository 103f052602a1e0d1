//! `ship`: `dist`, then `upload`, in one command.
//!
//! `upload` reads the manifest from disk here too, as it does in another CI job.

use crate::model::config::Config;
use crate::model::plan::Plan;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::verbs::dist::Purpose;
use crate::verbs::upload::refusals;
use crate::verbs::{dist, upload};

/// The options of `ship`: an option that both verbs have stands in both parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What `dist` is told.
    pub dist: dist::Options,
    /// What `upload` is told.
    pub upload: upload::Options,
}

/// Runs `ship`. With `--dry-run`, prints dist's plan, since there is no manifest to upload yet, and
/// says where the upload would go.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let Options { dist, upload } = options;
    // What `upload` can find wrong without artifacts is an error before anything is built.
    upload::preflight(upload, env, ui)?;
    let purpose = if upload.destination.local { Purpose::Local } else { Purpose::Ship };
    // One document on stdout: upload's receipts, which carry the digests too.
    let dist_ui = if dist.dry_run { ui.clone() } else { ui.without_document() };
    let check = |plan: &Plan, config: &Config| check(plan, config, upload);
    match dist::run(purpose, check, dist, env, &dist_ui)? {
        None => upload::say_destination(upload, env, ui),
        Some(_) => upload::run(upload, env, ui),
    }
}

/// Fails for a plan whose artifacts `upload` would refuse.
fn check(plan: &Plan, config: &Config, options: &upload::Options) -> ferror::Result<()> {
    let local = options.destination.local;
    refusals::dirty(&plan.version, plan.commit.dirty.is_some(), options.allow_dirty, local)?;
    let outside: Vec<_> = plan.outside_sources.iter().map(|path| path.to_string_lossy()).collect();
    refusals::outside_sources(&outside, Some(config), local)?;
    let flags: Vec<_> = plan.outside_flags.iter().map(String::as_str).collect();
    refusals::outside_flags(&flags, Some(config), local)?;
    let Some(compiler) = &plan.other_compiler else { return Ok(()) };
    let what = format!("{compiler} would build");
    refusals::other_compiler(&what, &plan.pin, Some(config), local)
}
