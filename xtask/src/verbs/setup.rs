//! `setup`: makes every platform of the line buildable, or says what is missing.
//!
//! `dist` does the same by itself. `setup` is for doing it ahead: on a new machine, in an image, or
//! with `--check` to look without changing anything.

use ferror::{Error, Kind};

use crate::build::toolchain::{self, Buildable, Library, Wanted};
use crate::model::platform::Platform;
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};

/// The options of `setup`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--check`.
    pub check: bool,
    /// `--library`.
    pub library: Option<Library>,
}

/// Runs `setup`.
///
/// Fails with [`Kind::Config`] when a platform cannot be built; every platform has been said by then.
pub fn run(options: &Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let workspace = workspace::read(env)?;
    if !options.check {
        toolchain::forget_refusals(&workspace.target_dir)?;
    }
    let wanted = Wanted {
        platforms: options.platforms.as_deref().unwrap_or(&workspace.config.platforms),
        library: options.library,
        install: !options.check,
        glibc: &workspace.config.glibc,
        macos: &workspace.config.macos,
        workspace_root: &workspace.root,
        target_dir: &workspace.target_dir,
        env,
    };
    let prepared = toolchain::prepare(&wanted, ui);
    for line in lines(&prepared) {
        ui.result(line)?;
    }
    let missing: Vec<_> = prepared
        .iter()
        .filter(|(_, buildable)| buildable.is_err())
        .map(|(platform, _)| platform.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let error = Error::new(Kind::Config, format!("cannot build {}", missing.join(", ")));
    Err(if options.check { error.hint("run `cargo xtask setup`") } else { error }.into())
}

/// One line a platform, in their order; a reason that several share is said once, for all of them.
fn lines(prepared: &[(Platform, anyhow::Result<Buildable>)]) -> Vec<String> {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for (platform, buildable) in prepared {
        let state = state(buildable);
        match rows.iter_mut().find(|(_, known)| buildable.is_err() && *known == state) {
            Some((platforms, _)) => platforms.push(platform.as_str()),
            None => rows.push((vec![platform.as_str()], state)),
        }
    }
    rows.iter().map(|(platforms, state)| format!("{:<12}  {state}", platforms.join(", "))).collect()
}

fn state(buildable: &anyhow::Result<Buildable>) -> String {
    match buildable {
        Ok(Buildable { library, rustc, .. }) => {
            // `rustc 1.95.0`; commit and date of the compiler are for manifests.
            let rustc = rustc.split(" (").next().unwrap_or(rustc);
            format!("ready ({library}, {rustc})")
        }
        Err(error) => {
            let hint = ui::ours(error).and_then(Error::hint_text);
            let hint = hint.map_or(String::new(), |hint| format!("; {hint}"));
            format!("missing: {error:#}{hint}")
        }
    }
}

#[cfg(test)]
mod tests {
    use ferror::Error;

    use super::lines;
    use crate::model::platform::Platform;

    #[test]
    fn a_reason_is_said_once_with_what_to_do_and_its_platforms() {
        let shared = || Err(Error::config("zig is missing").hint("run `pip`").into());
        let own = Error::config("the distribution's compiler lacks bin/rustc").hint("run `apt`");
        let [a, b, c, d] = Platform::ALL;
        let prepared = [(a, shared()), (b, Err(own.into())), (c, shared()), (d, shared())];
        assert_eq!(
            lines(&prepared),
            [
                "linux_amd64, darwin_amd64, darwin_arm64  missing: zig is missing; run `pip`",
                "linux_arm64   missing: the distribution's compiler lacks bin/rustc; run `apt`",
            ]
        );
    }
}
