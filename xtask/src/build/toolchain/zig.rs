//! Finds and installs the linker and C compiler: zig, through cargo-zigbuild, both at exactly the pinned
//! version.
//!
//! zig links for every platform without an SDK or a cross toolchain, and against the oldest glibc and
//! macOS that are asked for. Both programs come as wheels from `PyPI`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use ferror::Error;

use super::wheels;
use crate::build::pins;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, process};

/// Enough for a program that prints its version.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// The two programs that link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linker {
    pub(crate) zig: PathBuf,
    pub(crate) cargo_zigbuild: PathBuf,
}

/// Finds the pinned programs below `folder`, else on PATH, else installs them below `folder`.
pub(super) fn find_or_install(
    folder: &Path,
    host: &str,
    may_install: bool,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Linker> {
    let home = folder.join(pins::tools_id());
    if let Some(linker) = installed_in(&home).or_else(|| on_path(env)) {
        return Ok(linker);
    }
    if !may_install {
        return Err(Error::config(format!(
            "zig {} and cargo-zigbuild {} are not installed",
            pins::ZIG,
            pins::CARGO_ZIGBUILD
        ))
        .hint("run `cargo xtask setup`")
        .into());
    }
    install(folder, host, env, ui)?;
    installed_in(&home).with_context(|| format!("{} lacks zig or cargo-zigbuild", home.display()))
}

/// Finds both programs in the folder.
fn installed_in(home: &Path) -> Option<Linker> {
    let linker =
        Linker { zig: home.join("ziglang/zig"), cargo_zigbuild: home.join("bin/cargo-zigbuild") };
    (linker.zig.is_file() && linker.cargo_zigbuild.is_file()).then_some(linker)
}

/// Finds both programs on PATH, if they have exactly the pinned versions.
fn on_path(env: &Env) -> Option<Linker> {
    let zig = env.find_program("zig")?;
    let cargo_zigbuild = env.find_program("cargo-zigbuild")?;
    let has_version = |program: &Path, argument: &str, version: &str| {
        let mut command = Command::new(program);
        child_env::clean(command.arg(argument), env);
        process::run(&mut command, VERSION_LIMIT)
            .is_ok_and(|output| is_version(&output.stdout, version))
    };
    let pinned = has_version(&zig, "version", pins::ZIG)
        && has_version(&cargo_zigbuild, "--version", pins::CARGO_ZIGBUILD);
    pinned.then_some(Linker { zig, cargo_zigbuild })
}

/// Returns whether a program printed this version as its last word: `0.17.1`, `cargo-zigbuild 0.24.0`.
fn is_version(printed: &str, version: &str) -> bool {
    printed.split_whitespace().last() == Some(version)
}

fn install(folder: &Path, host: &str, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let wheels = pins::wheels(host).ok_or_else(|| {
        Error::config(format!("no zig {} is known for {host}", pins::ZIG)).hint(format!(
            "put zig {} and cargo-zigbuild {} on PATH",
            pins::ZIG,
            pins::CARGO_ZIGBUILD
        ))
    })?;
    let what = format!("zig {} and cargo-zigbuild {}", pins::ZIG, pins::CARGO_ZIGBUILD);
    let request = wheels::Request {
        id: &pins::tools_id(),
        what: &what,
        otherwise: &format!("put {what} on PATH"),
        requirements: &pins::requirements(wheels),
        is_whole: &|home| installed_in(home).is_some(),
    };
    wheels::install(folder, &request, env, ui)
}

#[cfg(test)]
mod tests {
    use super::{installed_in, is_version};
    use crate::build::pins;

    #[test]
    fn a_folder_is_accepted_only_with_both_programs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(installed_in(folder.path()), None);
        for (file, expected) in [("ziglang/zig", false), ("bin/cargo-zigbuild", true)] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            assert_eq!(installed_in(folder.path()).is_some(), expected, "after {file}");
        }
    }

    #[test]
    fn only_exactly_the_pinned_version_is_accepted() {
        let rows = [
            (format!("{}\n", pins::ZIG), pins::ZIG, true),
            (format!("cargo-zigbuild {}\n", pins::CARGO_ZIGBUILD), pins::CARGO_ZIGBUILD, true),
            (format!("{}-dev.7\n", pins::ZIG), pins::ZIG, false),
            (format!("{}1\n", pins::ZIG), pins::ZIG, false),
            (String::new(), pins::ZIG, false),
        ];
        for (said, version, expected) in rows {
            assert_eq!(is_version(&said, version), expected, "{said:?} for {version}");
        }
    }
}
