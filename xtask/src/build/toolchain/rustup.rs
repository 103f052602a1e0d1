//! Adds rustup's compiled standard libraries to a toolchain.
//!
//! Some networks let only package registries through, and rustup's server cannot be reached. Such a refusal is
//! noted in a file beside the tools, so that a machine which builds with the distribution's library does
//! not ask again at every build; `setup` asks again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use catalog::Platform;
use ferror::{Error, Kind, Result};

use super::compiler::Compiler;
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::files;
use crate::system::process;
use crate::system::ui::Ui;

/// How long rustup is not asked again after a refusal. It is short: once the server can be reached, the same
/// commit should again give the bytes of the pinned compiler.
const REFUSAL_HOLDS: Duration = Duration::from_secs(60 * 60);
/// Enough for several libraries of some thirty megabytes each.
const LIMIT: Duration = Duration::from_secs(2 * 60);

/// Runs `rustup target add` for all of `platforms`, in one call.
pub(super) fn add(compiler: &Compiler, platforms: &[Platform], env: &Env, ui: &Ui) -> Result<()> {
    let mut command = command(compiler, platforms)?;
    let line = process::command_line(&command);
    child_env::clean(&mut command, env);
    // With this variable, rustup prints its chain of causes in another form, and a backtrace.
    command.env_remove("RUST_BACKTRACE");
    ui.say("installing", format!("standard libraries: {line}"));
    let output = process::run(&mut command, LIMIT)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, format!("`{line}`: {}", reason(&output.stderr))))
}

/// Returns a hint with the command that adds the library; `None` where rustup does not keep the compiler.
pub(super) fn hint(compiler: &Compiler, platform: Platform) -> Option<String> {
    command(compiler, &[platform])
        .ok()
        .map(|command| format!("run `{}`", process::command_line(&command)))
}

/// Notes that rustup could not add libraries for this compiler.
pub(super) fn remember_refusal(folder: &Path, compiler: &Compiler) -> anyhow::Result<()> {
    files::write_cheaply(&refusal_note(folder), compiler.version.as_bytes(), 0o644)
}

/// Returns whether an earlier run noted a refusal for this compiler, at most [`REFUSAL_HOLDS`] ago.
pub(super) fn was_refused(folder: &Path, compiler: &Compiler) -> bool {
    let path = refusal_note(folder);
    let age =
        fs::metadata(&path).and_then(|noted| noted.modified()).ok().and_then(|t| t.elapsed().ok());
    age.is_some_and(|age| age < REFUSAL_HOLDS)
        && fs::read(&path).is_ok_and(|noted| noted == compiler.version.as_bytes())
}

/// Removes the note.
pub(super) fn forget_refusal(folder: &Path) -> anyhow::Result<()> {
    files::remove_if_there(&refusal_note(folder))
}

fn refusal_note(folder: &Path) -> PathBuf {
    folder.join("rustup-refused")
}

fn command(compiler: &Compiler, platforms: &[Platform]) -> Result<Command> {
    let Some(toolchain) = &compiler.toolchain else {
        return Err(Error::config(format!(
            "{} in {} is not rustup's, so rustup has no library for it",
            compiler.version,
            compiler.sysroot.display()
        )));
    };
    let mut command = Command::new("rustup");
    command.args(["target", "add", "--toolchain", toolchain]);
    command.args(platforms.iter().map(|platform| platform.triple()));
    Ok(command)
}

/// Picks what failed and its innermost cause out of what rustup printed: a chain joined by `": "`.
fn reason(printed: &str) -> String {
    let Some(error) = printed.lines().find_map(|line| line.strip_prefix("error: ")) else {
        return printed.lines().last().unwrap_or("it printed nothing").to_owned();
    };
    match (error.split_once(": "), error.rsplit_once(": ")) {
        (Some((what, _)), Some((_, why))) => format!("{what}: {why}"),
        _ => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use catalog::Platform;

    use super::{command, forget_refusal, reason, remember_refusal, was_refused};
    use crate::build::toolchain::compiler::Compiler;
    use crate::system::process;

    fn compiler(toolchain: Option<&str>) -> Compiler {
        Compiler {
            sysroot: PathBuf::from("/r/toolchains/stable"),
            version: "rustc 1.95.0 (59807616e 2026-04-14)".into(),
            release: "1.95.0".into(),
            host: "x86_64-unknown-linux-gnu".into(),
            toolchain: toolchain.map(str::to_owned),
        }
    }

    #[test]
    fn all_platforms_are_asked_for_in_one_call() {
        let command = command(&compiler(Some("stable")), &Platform::ALL[1..3]).unwrap();
        assert_eq!(
            process::command_line(&command),
            "rustup target add --toolchain stable aarch64-unknown-linux-gnu x86_64-apple-darwin",
        );
        let error = super::command(&compiler(None), &Platform::ALL).unwrap_err();
        assert!(error.to_string().contains("is not rustup's"), "{error}");
    }

    #[test]
    fn the_reason_is_the_error_and_its_innermost_cause() {
        let rows = [
            (
                "info: downloading component rust-std\nerror: component download failed for rust-std: \
                 error downloading file: tcp connect error: Connection refused (os error 111)\n",
                "component download failed for rust-std: Connection refused (os error 111)",
            ),
            ("error: toolchain 'x' is not installed\n", "toolchain 'x' is not installed"),
            ("Killed\n", "Killed"),
            ("", "it printed nothing"),
        ];
        for (said, expected) in rows {
            assert_eq!(reason(said), expected, "{said:?}");
        }
    }

    #[test]
    fn a_refusal_is_remembered_for_one_compiler_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let stable = compiler(Some("stable"));
        let other = Compiler { version: "rustc 1.96.0".into(), ..stable.clone() };
        assert!(!was_refused(folder.path(), &stable));
        remember_refusal(folder.path(), &stable).unwrap();
        assert!(was_refused(folder.path(), &stable) && !was_refused(folder.path(), &other));
        forget_refusal(folder.path()).unwrap();
        assert!(!was_refused(folder.path(), &stable));
    }
}
