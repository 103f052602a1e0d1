//! `ship`: `dist`, then `upload`, in one command.
//!
//! Its own file because it is a verb, and short because it is nothing more: `upload` reads the
//! manifest from disk here too, as it does in another job.

use crate::cli::Options;
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::verbs::{dist, upload};

/// Runs `ship`. With `--dry-run`, prints dist's plan, since there is no manifest to upload yet, and
/// says where the upload would go.
pub fn run(options: &Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    // What upload can refuse without looking at artifacts, it refuses before anything is built.
    upload::preflight(options, env, ui)?;
    if !options.dry_run {
        let plan = dist::plan(&workspace::read(env)?, options, env)?;
        upload::refuse_dirty(&plan.version, plan.commit.dirty.is_some(), options)?;
    }
    // One document on stdout: upload's receipts, which carry the digests too.
    match dist::run(options, env, if options.dry_run { ui } else { ui.without_document() })? {
        None => upload::say_destination(options, env, ui),
        Some(_) => upload::run(options, env, ui),
    }
}
