//! What a `dist` warns about or refuses of what was built.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use catalog::Artifact;
use ferror::Error;

use crate::model::config::Config;
use crate::model::plan::Plan;
use crate::model::source_file::LFS_POINTER;
use crate::repository::sources;
use crate::system::env::Env;
use crate::system::files;
use crate::system::ui::Ui;

use super::options::Purpose;
use super::planned::Planned;
use super::step::Made;

/// Warns about what is compiled and does not belong to the repository.
pub(super) fn warn_of_outside(plan: &Plan, purpose: Purpose, config: &Config, ui: &Ui) {
    if !plan.outside_sources.is_empty() {
        let paths: Vec<_> =
            plan.outside_sources.iter().map(|path| path.to_string_lossy()).collect();
        ui.warn(format_args!(
            "outside the repository: {}: these sources are compiled, and the version does not say what they held",
            paths.join(", ")
        ));
    }
    if !plan.outside_flags.is_empty() && purpose != Purpose::Local && !config.outside_flags {
        ui.warn(format_args!(
            "flags from outside the repository change the bytes, so `upload` refuses them: {}",
            plan.outside_flags.join(", ")
        ));
    }
}

/// Fails where a file that stands for another one was compiled in its place: a clone with the real file would make
/// another program of the same commit.
pub(super) fn refuse_lfs_pointers(compiled: &BTreeSet<PathBuf>) -> ferror::Result<()> {
    // What a build script names need not be there, and may be a folder.
    let is_pointer = |path: &&PathBuf| files::begins_with(path, LFS_POINTER).unwrap_or_default();
    match compiled.iter().find(is_pointer) {
        None => Ok(()),
        Some(path) => {
            let path = path.display();
            let message =
                format!("{path} was compiled, and holds a pointer of Git LFS, not the file");
            Err(Error::config(message).hint("run `git lfs pull`, then dist again"))
        }
    }
}

/// Finds the compiled files that no commit holds, beside the folders that the plan names already.
pub(super) fn ignored_files(
    planned: &Planned,
    compiled: &BTreeSet<PathBuf>,
    our_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<Vec<PathBuf>> {
    let Planned { workspace, plan, files, .. } = planned;
    let named: Vec<_> = plan.outside_sources.iter().map(|dir| workspace.root.join(dir)).collect();
    let known: Vec<_> = our_folders.iter().copied().chain(named.iter().map(|dir| &**dir)).collect();
    sources::ignored_files(compiled, &workspace.root, files, &known, env)
}

pub(super) fn warn_of_ignored(paths: &[PathBuf], ui: &Ui) {
    if !paths.is_empty() {
        let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        ui.warn(format_args!(
            "in no commit: {}: git ignores these files or they lie elsewhere, they are compiled, and the version does not say what they held",
            paths.join(", ")
        ));
    }
}

/// Warns of what a person may not expect of an artifact.
pub(super) fn warn_of(made: &Made, ui: &Ui) {
    let Artifact { service, platform, unchecked_symbols, .. } = &made.artifact;
    if !unchecked_symbols.is_empty() {
        ui.warn(format_args!(
            "{service} for {platform}: that macOS has these symbols is known only from the crates that use them: {}",
            unchecked_symbols.join("; ")
        ));
    }
    if !made.is_stamped {
        ui.warn(format_args!(
            "{service} for {platform} carries no stamp: it will not know its version (use the crate `stamp` in its main)"
        ));
    }
}
