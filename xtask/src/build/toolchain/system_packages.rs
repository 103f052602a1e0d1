//! Installs packages of the distribution. Nothing else in xtask changes the machine outside the repository.
//!
//! A person at the terminal is asked first. Without one, root (as in CI) installs and says so. In
//! all other cases, and where nothing may be installed, an error names the command. No package is ever
//! removed.

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use ferror::{Error, Kind, Result};

use crate::system::env::Env;
use crate::system::process::{self, Output};
use crate::system::ui::{self, Ui};
use crate::system::{child_env, prompt};

/// Enough for two hundred megabytes over a slow line.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What [`decide`] looks at.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each looked at by name")]
struct Situation {
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

/// Installs Debian's `packages` where the rule above allows it. `why` is a sentence for the question and
/// for the error.
pub(crate) fn install(
    packages: &[&str],
    why: &str,
    may_install: bool,
    env: &Env,
    ui: &Ui,
) -> Result<()> {
    let has_apt = env.find_program("apt-get").is_some();
    let situation = Situation { may_install, has_apt, is_root: is_root(), can_ask: env.can_ask() };
    let line = command_line(packages, has_apt, situation.is_root);
    match decide(situation) {
        Decision::Refuse => return Err(missing(packages, why, &line)),
        Decision::Ask if !prompt::confirm(&format!("{why} Run `{line}`?")) => {
            return Err(missing(packages, why, &line));
        }
        Decision::Ask | Decision::Install => {}
    }
    ui.say("installing", format!("{}: {line}", packages.join(", ")));
    let started = Instant::now();
    let mut output = apt(&line, env)?;
    if !output.status.success() && !is_conflict(&output) {
        // A new machine has no lists of packages yet, and those of an old one name versions that are gone.
        let update = if situation.is_root { "apt-get update" } else { "sudo apt-get update" };
        apt(update, env)?;
        output = apt(&line, env)?;
    }
    if !output.status.success() {
        return Err(failed(&line, &output));
    }
    ui.say("installed", format!("{} in {}", packages.join(", "), ui::seconds(started.elapsed())));
    Ok(())
}

/// Returns a hint with the command that installs `packages`.
pub(super) fn hint(packages: &[&str], env: &Env) -> String {
    format!("run `{}`", command_line(packages, env.find_program("apt-get").is_some(), is_root()))
}

fn decide(situation: Situation) -> Decision {
    match situation {
        Situation { may_install: false, .. } | Situation { has_apt: false, .. } => Decision::Refuse,
        Situation { can_ask: true, .. } => Decision::Ask,
        Situation { is_root: true, .. } => Decision::Install,
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

fn apt(line: &str, env: &Env) -> Result<Output> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or("apt-get"));
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    child_env::clean(&mut command, env);
    process::run(&mut command, LIMIT)
}

fn is_conflict(output: &Output) -> bool {
    [&output.stdout, &output.stderr].iter().any(|text| text.contains("remove is disabled"))
}

fn missing(packages: &[&str], why: &str, line: &str) -> Error {
    let plural = if packages.len() == 1 { "package" } else { "packages" };
    Error::config(format!("{why} The {plural} {} would do it", packages.join(", ")))
        .hint(format!("run `{line}`"))
}

fn failed(line: &str, output: &Output) -> Error {
    if is_conflict(output) {
        return Error::config(format!(
            "`{line}`: another Rust from packages (rustc, cargo or rustup) is in the way"
        ))
        .hint("nothing was changed; remove those packages, or let rustup have the library");
    }
    Error::new(Kind::Config, format!("`{line}`: {}", output.reason()))
}

/// Returns whether the effective user is root: the one that owns this process's entry in /proc.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::{Decision, Situation, command_line, decide};

    #[test]
    fn a_person_is_asked_root_in_ci_installs_and_others_get_an_error() {
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
            let situation = Situation { may_install, has_apt, is_root, can_ask };
            assert_eq!(decide(situation), expected, "{situation:?}");
        }
    }

    #[test]
    fn the_command_removes_nothing_and_uses_sudo_where_needed() {
        let line = command_line(&["a", "b"], true, false);
        assert_eq!(line, "sudo apt-get install -y --no-install-recommends --no-remove a b");
        assert!(command_line(&["a"], true, true).starts_with("apt-get "));
        assert!(!command_line(&["a"], false, true).contains("apt-get"));
    }
}
