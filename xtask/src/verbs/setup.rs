//! `setup`: installs what the builds for each platform need, or says what is missing.
//!
//! `dist` does the same by itself. `setup` does it in advance, on a new machine or in an image; with
//! `--check` it changes nothing.

use std::collections::BTreeSet;

use catalog::Platform;
use ferror::{Error, Kind};

use crate::build::toolchain::{self, Library, Request, Toolchain, build_tools};
use crate::model::plan;
use crate::model::workspace::Service;
use crate::repository::{native, workspace};
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
/// Fails with [`Kind::Config`] when a platform cannot be built, after the line of every platform is printed.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let workspace = workspace::read(env)?;
    if !options.check {
        toolchain::forget_refusals(&workspace.target_dir)?;
    }
    let pin = toolchain::pin::find(&workspace.root, workspace.config.rust.as_deref())?;
    let services: Vec<_> = workspace.services.iter().collect();
    let asked = options.platforms.as_deref();
    let platforms = |service: &Service| plan::platforms(&workspace.config, service, asked);
    let needs = native::find(&workspace, &services, platforms, None, env);
    let needs: BTreeSet<_> = needs.into_values().flatten().collect();
    let request = Request {
        platforms: options.platforms.as_deref().unwrap_or(&workspace.config.platforms),
        needs: &needs,
        library: options.library,
        may_fall_back: true,
        pin: &pin,
        flags_digest: None,
        install: !options.check,
        glibc: &workspace.config.glibc,
        macos: &workspace.config.macos,
        system_libraries: &workspace.config.system_libraries,
        workspace_root: &workspace.root,
        target_dir: &workspace.target_dir,
        env,
    };
    let prepared = toolchain::prepare(&request, ui);
    for line in lines(&prepared) {
        ui.result(line);
    }
    let tools = build_tools::planned(&needs, env);
    if !tools.is_empty() {
        let tools: Vec<_> = tools.iter().map(ToString::to_string).collect();
        ui.result(format_args!("{:<12}  {}", "tools", tools.join(", ")));
    }
    let missing: Vec<_> = prepared
        .iter()
        .filter(|(_, toolchain)| toolchain.is_err())
        .map(|(platform, _)| platform.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let error = Error::new(Kind::Config, format!("cannot build {}", missing.join(", ")));
    Err(if options.check { error.hint("run `cargo xtask setup`") } else { error }.into())
}

/// Formats a line for each platform, in their order. Platforms that lack the same thing share a line.
fn lines(prepared: &[(Platform, anyhow::Result<Toolchain>)]) -> Vec<String> {
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for (platform, toolchain) in prepared {
        let state = state(toolchain);
        match rows.iter_mut().find(|(_, known)| toolchain.is_err() && *known == state) {
            Some((platforms, _)) => platforms.push(platform.as_str()),
            None => rows.push((vec![platform.as_str()], state)),
        }
    }
    rows.iter().map(|(platforms, state)| format!("{:<12}  {state}", platforms.join(", "))).collect()
}

fn state(toolchain: &anyhow::Result<Toolchain>) -> String {
    match toolchain {
        Ok(Toolchain { library, rustc, .. }) => {
            // Commit and date of the compiler are left out: `rustc 1.95.0`.
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
    use catalog::Platform;
    use ferror::Error;

    use super::lines;

    #[test]
    fn platforms_that_lack_the_same_thing_share_a_line_with_the_hint() {
        let shared = || Err(Error::config("zig is missing").hint("run `pip`").into());
        let own = Error::config("the distribution's compiler lacks bin/rustc").hint("run `apt`");
        let [a, b, c, d] = Platform::DEFAULT;
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
