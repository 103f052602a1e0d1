//! The errors of a `dist`: one for all platforms.

use std::fmt::Write as _;

use catalog::Platform;
use ferror::{Error, Kind};

use crate::build::toolchain::Toolchain;
use crate::model::plan::Plan;
use crate::system::ui::{self};

/// Returns the toolchains when all of them are there. Until then nothing is built or removed: what an earlier
/// `dist` made outlasts a network that fails.
pub(super) fn ready(
    plan: &Plan,
    toolchains: Vec<(Platform, anyhow::Result<Toolchain>)>,
    strict: bool,
) -> anyhow::Result<Vec<Toolchain>> {
    let (mut ready, mut failures) = (Vec::new(), Vec::new());
    for (platform, toolchain) in toolchains {
        let checked = toolchain.and_then(|toolchain| {
            if strict {
                toolchain.check_pin()?;
            }
            Ok(toolchain)
        });
        match checked {
            Ok(toolchain) => ready.push(toolchain),
            Err(error) => failures.push((platform, error)),
        }
    }
    if failures.is_empty() {
        return Ok(ready);
    }
    let others = if ready.is_empty() { "" } else { ", or name the other platforms by --platforms" };
    let hint =
        format!("mend that and run dist again{others}; nothing was built, and nothing removed");
    Err(cannot_build(plan, &failures, "").hint(hint).into())
}

/// Makes the error of the platforms whose build failed. `had_manifest` says that an earlier manifest was removed.
pub(super) fn failed_builds(
    plan: &Plan,
    failures: &[(Platform, anyhow::Error)],
    had_manifest: bool,
) -> Error {
    let others = if failures.len() < plan.steps.len() {
        ", or name by --platforms the others alone, whose archives are made"
    } else {
        ""
    };
    let gone = if had_manifest { " (the earlier one is removed)" } else { "" };
    let note = format!(
        "; mend that and run dist again{others}; until then there is no manifest to upload{gone}"
    );
    cannot_build(plan, failures, &note)
}

/// Joins the errors of all platforms into one, whose kind is the gravest: a compile error goes before all
/// others. What `note` says stands before them, so that the last words are what was wrong and what to do.
fn cannot_build(plan: &Plan, failures: &[(Platform, anyhow::Error)], note: &str) -> Error {
    let kinds =
        || failures.iter().map(|(_, error)| ui::ours(error).map_or(Kind::Config, Error::kind));
    let kind = kinds().find(|kind| *kind == Kind::Failed).or_else(|| kinds().next());
    let mut message =
        format!("{} of {} platforms could not be built{note}", failures.len(), plan.steps.len());
    for (platform, error) in failures {
        let _ = write!(message, "\n  {platform}: {}", format!("{error:#}").replace('\n', "\n    "));
        if let Some(hint) = ui::ours(error).and_then(Error::hint_text) {
            let _ = write!(message, "\n    hint: {hint}");
        }
    }
    Error::new(kind.unwrap_or(Kind::Bug), message)
}
