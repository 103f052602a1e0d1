//! Builds one service for one platform by `xtask dist`, unpacks the archive and runs the program.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ferror::{Error, Result};
use sha2::{Digest as _, Sha256};

use crate::cannot;
use crate::results::Outcome;
use crate::services::Service;

/// Limits the time of a program, also in an emulator.
const RUN_LIMIT: Duration = Duration::from_mins(2);

/// Knows the folders of the zoo, and builds its services.
pub(crate) struct Zoo {
    /// The zoo's workspace.
    workspace: PathBuf,
    /// What is built lies there.
    target_dir: PathBuf,
    xtask: PathBuf,
    /// What stands for xtask, the lock file and the crate that services share.
    common: Sha256,
}

impl Zoo {
    pub(crate) fn new(root: &Path, target_dir: &Path, xtask: &Path) -> Result<Self> {
        let workspace = root.join("tools/zoo");
        let mut common = Sha256::new();
        add(&mut common, xtask)?;
        for path in ["Cargo.toml", "Cargo.lock", "support"] {
            add(&mut common, &workspace.join(path))?;
        }
        let target_dir = target_dir.join("zoo");
        Ok(Self { workspace, target_dir, xtask: xtask.to_owned(), common })
    }

    /// Returns what stands for everything that a result depends on.
    pub(crate) fn key(&self, service: &Service, platform: &str) -> Result<String> {
        let mut digest = self.common.clone();
        add(&mut digest, &self.workspace.join("services").join(&service.name))?;
        digest.update(&service.prints);
        digest.update(runner(platform).map_or("", |_| "runs"));
        let mut key = String::new();
        for byte in digest.finalize() {
            let _ = write!(key, "{byte:02x}");
        }
        Ok(key)
    }

    /// Builds the service, and runs it where it can run.
    pub(crate) fn attempt(&self, service: &Service, platform: &str) -> Result<Outcome> {
        let folder = self.target_dir.join("attempts").join(platform).join(&service.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(cannot(folder.display().to_string()))?;
        }
        std::fs::create_dir_all(&folder).map_err(cannot(folder.display().to_string()))?;
        let log = folder.join("dist.log");
        let package = service.package();
        let mut dist = Command::new(&self.xtask);
        dist.args(["dist", &package, "--platforms", platform, "--dest"]).arg(&folder);
        dist.current_dir(&self.workspace).env("CARGO_TARGET_DIR", &self.target_dir);
        if !finish(&mut dist, &log, None)? {
            let text = read(&log)?;
            if text.contains("the source changed while it was built") {
                return Err(Error::config(format!("files changed while {package} was built"))
                    .hint("run it again, and leave the repository alone meanwhile"));
            }
            return Ok(Outcome::NotBuilt(self.without_paths(&summary(&text))));
        }
        let Some(mut command) = runner(platform) else { return Ok(Outcome::Built) };
        let name = format!("{package}_{platform}");
        let archive = folder.join("snapshot").join(format!("{name}.tar.gz"));
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(archive).arg("-C").arg(&folder);
        if !finish(&mut tar, &folder.join("tar.log"), None)? {
            return Ok(Outcome::NotRight("tar cannot unpack the archive".to_owned()));
        }
        let program = folder.join(&name).join(&package);
        command.push(program.into_os_string());
        let log = folder.join("run.log");
        let mut run = Command::new(&command[0]);
        let ended_well =
            finish(run.args(&command[1..]).current_dir(&folder), &log, Some(RUN_LIMIT))?;
        let output = read(&log)?;
        if ended_well && output.starts_with(&service.prints) {
            return Ok(Outcome::Ran(output.trim_end().to_owned()));
        }
        let output = self.without_paths(output.trim());
        Ok(Outcome::NotRight(format!("it does not print `{}`: {output}", service.prints)))
    }

    /// Leaves out what differs from machine to machine.
    fn without_paths(&self, text: &str) -> String {
        let mut text = text.replace(&*self.target_dir.to_string_lossy(), "target/zoo");
        text = text.replace(&*self.workspace.to_string_lossy(), ".");
        match std::env::home_dir() {
            Some(home) if home.components().count() > 1 => {
                text.replace(&*home.to_string_lossy(), "~")
            }
            _ => text,
        }
    }
}

/// Returns the error of the compiler, the linker or a build script that a log begins with, and what xtask says at its
/// end. An error with a place or a symbol in it says more than cargo's word that a build script failed.
fn summary(log: &str) -> String {
    const EXACT: [&str; 4] = [": error:", ": fatal error:", "ld.lld: error:", "undefined symbol:"];
    const ANY: [&str; 3] = ["error:", "error[", "thread 'main'"];
    let lines: Vec<_> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_exact = |line: &&&str| EXACT.iter().any(|part| line.contains(part));
    let is_any = |line: &&&str| ANY.iter().any(|start| line.starts_with(start));
    let first = lines.iter().find(is_exact).or_else(|| lines.iter().find(is_any));
    let first = first.map(|line| line.trim_start_matches("cargo:warning="));
    let last = &lines[lines.len().saturating_sub(4)..];
    let last = last.iter().copied().filter(|line| Some(*line) != first);
    first.into_iter().chain(last).collect::<Vec<_>>().join(" / ")
}

/// Returns the command, without the program, that runs a platform's programs here; nothing where none does.
fn runner(platform: &str) -> Option<Vec<OsString>> {
    let (system, processor) = platform.split_once('_')?;
    let processor = match processor.split('_').next()? {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    let system = if system == "darwin" { "macos" } else { system };
    if system != std::env::consts::OS {
        return None;
    }
    if processor == std::env::consts::ARCH {
        return Some(Vec::new());
    }
    let path = std::env::var_os("PATH")?;
    let emulator = format!("qemu-{processor}");
    let emulator =
        std::env::split_paths(&path).map(|at| at.join(&emulator)).find(|at| at.exists())?;
    // Debian's folder of that processor's C library.
    let libraries = format!("/usr/{processor}-linux-gnu");
    let mut command = vec![emulator.into_os_string()];
    if Path::new(&libraries).exists() {
        command.extend(["-L".into(), libraries.into()]);
    }
    Some(command)
}

/// Runs a program to its end, its output in `log`. Returns whether it ended well, within the limit.
fn finish(command: &mut Command, log: &Path, limit: Option<Duration>) -> Result<bool> {
    let what = format!("{command:?}");
    let output = File::create(log).map_err(cannot(log.display().to_string()))?;
    let errors = output.try_clone().map_err(cannot(log.display().to_string()))?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let mut child = command.spawn().map_err(cannot(what.clone()))?;
    let begin = Instant::now();
    loop {
        let Some(limit) = limit else {
            return Ok(child.wait().map_err(cannot(what))?.success());
        };
        if let Some(status) = child.try_wait().map_err(cannot(what.clone()))? {
            return Ok(status.success());
        }
        if begin.elapsed() > limit {
            child.kill().and_then(|()| child.wait()).map_err(cannot(what))?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(cannot(path.display().to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds a file, or every file of a folder, to a digest.
fn add(digest: &mut Sha256, path: &Path) -> Result<()> {
    let shown = path.display().to_string();
    if !path.is_dir() {
        let bytes = std::fs::read(path).map_err(cannot(shown))?;
        digest.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(cannot(shown.clone()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(cannot(shown.clone()))?;
    paths.sort_unstable();
    if paths.is_empty() {
        return Err(Error::config(format!("{shown} is empty")));
    }
    paths.iter().try_for_each(|path| add(digest, path))
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn a_summary_has_the_exact_error_and_the_end() {
        let log = "\
error: failed to run custom build command
  cargo:warning=src/x.c:1:1: fatal error: 'zlib.h' file not found
  more
  and more

error: it failed
hint: install it
";
        let exact = "src/x.c:1:1: fatal error: 'zlib.h' file not found";
        let end = "more / and more / error: it failed / hint: install it";
        assert_eq!(summary(log), format!("{exact} / {end}"));
        assert_eq!(summary("   building\nerror: no\n"), "error: no / building");
        assert_eq!(summary(""), "");
    }
}
