//! `ship`: `dist`, then `upload`, in one command.
//!
//! `upload` reads the manifest from disk here too, as it does in another CI job.

use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::verbs::dist::Purpose;
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
    if !dist.dry_run {
        let workspace = workspace::read(env)?;
        let plan = dist::plan(&workspace, dist, env)?.plan;
        upload::refuse_dirty(&plan.version, plan.commit.dirty.is_some(), upload)?;
        let outside = plan.outside_sources.iter().map(|path| path.to_string_lossy());
        let outside: Vec<_> = outside.collect();
        upload::refuse_outside_sources(&outside, Some(&workspace.config), upload)?;
        let flags: Vec<_> = plan.outside_flags.iter().map(String::as_str).collect();
        upload::refuse_outside_flags(&flags, Some(&workspace.config), upload)?;
        if let Some(compiler) = &plan.other_compiler {
            let what = format!("{compiler} would build");
            upload::refuse_other_compiler(&what, &plan.pin, Some(&workspace.config), upload)?;
        }
    }
    let purpose = if upload.destination.local { Purpose::Local } else { Purpose::Ship };
    // One document on stdout: upload's receipts, which carry the digests too.
    let dist_ui = if dist.dry_run { ui.clone() } else { ui.without_document() };
    match dist::run_for(purpose, dist, env, &dist_ui)? {
        None => upload::say_destination(upload, env, ui),
        Some(_) => upload::run(upload, env, ui),
    }
}
