//! System packages: the one place that may change the machine, and the rule by which it does.
//!
//! With a person at the terminal: ask. Without one and as root, as in CI: install, and say so.
//! Otherwise, or where nothing may be installed: an error that names the command. Nothing is ever
//! removed to make room.

use std::ffi::OsStr;
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ferror::{Error, Kind, Result};

use super::bounded;
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};

/// Two hundred megabytes over a slow line.
const LIMIT: Duration = Duration::from_mins(15);

/// What decides whether packages are installed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each looked at by name")]
struct Facts {
    may_install: bool,
    has_apt: bool,
    is_root: bool,
    can_ask: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Install,
    Ask,
    Refuse,
}

/// Installs Debian's `packages`, for the reason `why`, by the rule above.
pub(crate) fn install(
    packages: &[&str],
    why: &str,
    may_install: bool,
    env: &Env,
    ui: Ui,
) -> Result<()> {
    let has_apt = find(env, "apt-get").is_some();
    let facts = Facts { may_install, has_apt, is_root: is_root(), can_ask: env.can_ask() };
    let line = command_line(packages, has_apt, facts.is_root);
    match decide(facts) {
        Decision::Refuse => return Err(missing(packages, why, &line)),
        Decision::Ask if !ask(&format!("{why} Run `{line}`?")) => {
            return Err(missing(packages, why, &line));
        }
        Decision::Ask | Decision::Install => {}
    }
    ui.say("installing", format!("{}: {line}", packages.join(", ")));
    let started = Instant::now();
    let mut output = apt(&line, env)?;
    if !output.status.success() && !is_conflict(&output) {
        // A fresh machine has no lists of packages yet, an old one has lists of gone ones.
        let update = if facts.is_root { "apt-get update" } else { "sudo apt-get update" };
        apt(update, env)?;
        output = apt(&line, env)?;
    }
    if !output.status.success() {
        return Err(failed(&line, &output));
    }
    ui.say("installed", format!("{} in {}", packages.join(", "), ui::seconds(started.elapsed())));
    Ok(())
}

/// The command that would install `packages`, for a hint.
pub(super) fn hint(packages: &[&str], env: &Env) -> String {
    format!("run `{}`", command_line(packages, find(env, "apt-get").is_some(), is_root()))
}

/// The first program of that name on PATH.
pub(crate) fn find(env: &Env, program: &str) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(env.get_os("PATH").unwrap_or(OsStr::new("")))
        .map(|folder| folder.join(program))
        .find(is_program)
}

fn decide(facts: Facts) -> Decision {
    match facts {
        Facts { may_install: false, .. } | Facts { has_apt: false, .. } => Decision::Refuse,
        Facts { can_ask: true, .. } => Decision::Ask,
        Facts { is_root: true, .. } => Decision::Install,
        _ => Decision::Refuse,
    }
}

fn command_line(packages: &[&str], has_apt: bool, is_root: bool) -> String {
    let packages = packages.join(" ");
    match (has_apt, is_root) {
        (false, _) => format!("your system's installer for what Debian calls {packages}"),
        (true, true) => {
            format!("apt-get install -y --no-install-recommends --no-remove {packages}")
        }
        (true, false) => {
            format!("sudo apt-get install -y --no-install-recommends --no-remove {packages}")
        }
    }
}

fn apt(line: &str, env: &Env) -> Result<bounded::Output> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or("apt-get"));
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    child_env::clean(&mut command, env);
    bounded::run(&mut command, LIMIT)
}

fn is_conflict(output: &bounded::Output) -> bool {
    [&output.stdout, &output.stderr].iter().any(|said| said.contains("remove is disabled"))
}

fn missing(packages: &[&str], why: &str, line: &str) -> Error {
    let plural = if packages.len() == 1 { "package" } else { "packages" };
    Error::config(format!("{why} The {plural} {} would do it", packages.join(", ")))
        .hint(format!("run `{line}`"))
}

fn failed(line: &str, output: &bounded::Output) -> Error {
    if is_conflict(output) {
        return Error::config(format!(
            "`{line}`: another Rust from packages (rustc, cargo or rustup) is in the way"
        ))
        .hint("nothing was changed; remove those packages, or let rustup have the library");
    }
    Error::new(Kind::Config, format!("`{line}`: {}", output.reason()))
}

/// The owner of our own entry in /proc: the effective user, without unsafe code.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn ask(question: &str) -> bool {
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Decision, Facts, command_line, decide, find};
    use crate::system::env::Env;

    #[test]
    fn a_person_is_asked_root_in_ci_installs_and_all_others_are_told() {
        // may_install, has_apt, is_root, can_ask
        let rows = [
            ([true, true, true, false], Decision::Install),
            ([true, true, true, true], Decision::Ask),
            ([true, true, false, true], Decision::Ask),
            ([true, true, false, false], Decision::Refuse),
            ([false, true, true, true], Decision::Refuse),
            ([false, true, true, false], Decision::Refuse),
            ([true, false, true, true], Decision::Refuse),
        ];
        for ([may_install, has_apt, is_root, can_ask], expected) in rows {
            let facts = Facts { may_install, has_apt, is_root, can_ask };
            assert_eq!(decide(facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn the_command_removes_nothing_and_asks_for_root_where_needed() {
        let line = command_line(&["a", "b"], true, false);
        assert_eq!(line, "sudo apt-get install -y --no-install-recommends --no-remove a b");
        assert!(command_line(&["a"], true, true).starts_with("apt-get "));
        assert!(!command_line(&["a"], false, true).contains("apt-get"));
    }

    #[test]
    fn programs_are_found_in_the_order_of_path_and_only_where_they_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("one/tool", 0o644), ("two/tool", 0o755), ("three/tool", 0o755)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let root = folder.path().display();
        let path = format!("{root}/none:{root}/one:{root}/two:{root}/three");
        let env = Env::for_test(&[("PATH", &path)]);
        assert_eq!(find(&env, "tool"), Some(folder.path().join("two/tool")));
        assert_eq!(find(&env, "other"), None);
    }
}
