//! Measures one run of a tool: wall time, CPU seconds, peak memory.
//!
//! The system counts the peak of a child from the moment before it becomes the tool, when it still
//! is a copy of its parent. So a small process stands in between: `bench-s3 measure` runs one
//! command and prints one line about it. The numbers are those of `getrusage` for all children, so
//! a tool's own children count.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ferror::{Error, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A tool that takes longer is killed.
const LIMIT: Duration = Duration::from_mins(10);

/// The measurements of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    pub(crate) wall_seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: f64,
}

/// Runs `command` below a small process that measures it.
pub(crate) fn run(command: &Command, log: &Path) -> Result<Usage> {
    let own = std::env::current_exe()
        .map_err(|error| Error::config("this program cannot find itself").caused_by(error))?;
    let mut measured = Command::new(own);
    measured.arg("measure").arg("--").arg(command.get_program()).args(command.get_args());
    measured.env_clear();
    for (name, value) in command.get_envs() {
        measured.env(name, value.unwrap_or_default());
    }
    if let Some(folder) = command.get_current_dir() {
        measured.current_dir(folder);
    }
    let cannot = |error| Error::config(format!("cannot write {}", log.display())).caused_by(error);
    let stderr = File::create(log).map_err(cannot)?;
    let tool = command.get_program().display().to_string();
    let output = measured
        .stdin(Stdio::null())
        .stderr(stderr)
        .output()
        .map_err(|error| Error::config(format!("cannot run {tool}")).caused_by(error))?;
    if !output.status.success() {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let said = said.trim().lines().last().unwrap_or("it said nothing").to_owned();
        return Err(Error::config(format!("{tool} failed: {said}"))
            .hint(format!("read {} for all it said", log.display())));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Error::invalid(format!("{tool} was not measured")))
}

/// Does `bench-s3 measure -- COMMAND`: runs the command, prints its usage and returns its exit
/// code.
pub(crate) fn run_and_print_usage(mut command: impl Iterator<Item = OsString>) -> Result<u8> {
    let program = command.next().ok_or_else(|| Error::usage("measure needs a command"))?;
    let started = Instant::now();
    let cannot =
        |error| Error::config(format!("cannot run {}", program.display())).caused_by(error);
    let mut child =
        Command::new(&program).args(command).stdout(Stdio::null()).spawn().map_err(cannot)?;
    end_after_limit(child.id());
    let status = child.wait().map_err(cannot)?;
    let wall = started.elapsed().as_secs_f64();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|error| Error::config("the system does not say what was used").caused_by(error))?;
    let seconds = |time: nix::sys::time::TimeVal| {
        f64::from(i32::try_from(time.tv_sec()).unwrap_or(i32::MAX))
            + f64::from(i32::try_from(time.tv_usec()).unwrap_or_default()) / 1e6
    };
    let cpu = seconds(used.user_time()) + seconds(used.system_time());
    // Linux counts KiB, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let line = format!("{wall} {cpu} {}\n", used.max_rss() * unit);
    let _ = std::io::stdout().write_all(line.as_bytes());
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Kills the child when it takes longer than anything here should; this process ends with it.
fn end_after_limit(child: u32) {
    let Ok(child) = i32::try_from(child) else { return };
    std::thread::spawn(move || {
        std::thread::sleep(LIMIT);
        let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
    });
}

fn parse(line: &str) -> Option<Usage> {
    let mut numbers = line.split_ascii_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Usage { wall_seconds: next()?, cpu_seconds: next()?, peak_bytes: next()? })
}

#[cfg(test)]
mod tests {
    use super::{Usage, parse};

    #[test]
    fn the_line_in_between_is_read_back() {
        let expected = Usage { wall_seconds: 1.5, cpu_seconds: 0.25, peak_bytes: 4096.0 };
        assert_eq!(parse("1.5 0.25 4096\n"), Some(expected));
        assert_eq!(parse("1.5 0.25"), None);
        assert_eq!(parse("1.5 x 4096"), None);
    }
}
