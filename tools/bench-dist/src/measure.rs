//! Takes times of two programs in turn.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ferror::{Error, Result};

/// The medians of two programs.
pub(crate) struct Row {
    ours: Duration,
    theirs: Duration,
}

impl Row {
    pub(crate) fn header() -> String {
        "| what | dist | beside it | ratio | compared with |\n|---|---|---|---|---|".to_owned()
    }

    pub(crate) fn shown(&self, what: &str, other: &str) -> String {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let ratio = self.ours.as_secs_f64() / self.theirs.as_secs_f64();
        format!(
            "| {what} | {} | {} | {ratio:.2} | {other} |",
            seconds(self.ours),
            seconds(self.theirs)
        )
    }
}

/// Runs both in turn, and takes the median of each.
pub(crate) fn compare(
    runs: usize,
    ours: impl Fn() -> Result<Duration>,
    theirs: impl Fn() -> Result<Duration>,
) -> Result<Row> {
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        mine.push(ours()?);
        others.push(theirs()?);
    }
    Ok(Row { ours: median(mine), theirs: median(others) })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Returns how long `work` takes.
pub(crate) fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// Runs a command, and shows what it said only where it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.map_err(|error| Error::config(format!("cannot run {line}")).caused_by(error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::config(format!("{line} failed: {}", said.trim())))
}
