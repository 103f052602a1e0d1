//! The arguments.

use std::time::Duration;

use service::{BucketArgs, LogArgs, WorkerArgs, duration};

use crate::policy::{DAY, Policy};

/// Lists the releases that no one can deploy any more, and with --delete removes them
#[derive(clap::Parser)]
pub(crate) struct Args {
    /// Keep the newest N releases of every service
    #[arg(
        long,
        value_name = "N",
        env = "JANITOR_KEEP",
        hide_env_values = true,
        default_value = "10",
        value_parser = keep
    )]
    keep: usize,
    /// Keep everything that was uploaded within D days
    #[arg(
        long,
        value_name = "D",
        env = "JANITOR_DAYS",
        hide_env_values = true,
        default_value = "30",
        value_parser = days
    )]
    days: u32,
    /// Time between two walks through the bucket: 90s, 30m, 1h, 7d
    #[arg(
        long,
        value_name = "TIME",
        env = "JANITOR_INTERVAL",
        hide_env_values = true,
        default_value = "1h",
        value_parser = duration
    )]
    pub(crate) interval: Duration,
    /// Remove what is listed; without it, nothing is ever removed
    // No environment variable: removing is decided by each command line, and never inherited.
    #[arg(long)]
    pub(crate) delete: bool,
    #[command(flatten)]
    pub(crate) worker: WorkerArgs,
    #[command(flatten)]
    pub(crate) bucket: BucketArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl Args {
    pub(crate) fn policy(&self) -> Policy {
        Policy { keep: self.keep, young: DAY * self.days }
    }
}

/// Reads a number from one: a service whose every release is gone cannot be deployed at all.
fn keep(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|keep| *keep >= 1);
    number.ok_or("expected a number from 1")
}

/// Reads a number from one: archives are uploaded before the manifest object that names them, and an upload
/// that is under way must not look like one that was given up.
fn days(text: &str) -> Result<u32, &'static str> {
    let number = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    number.ok_or("expected a number of days from 1 to 36500")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Args;
    use crate::policy::{DAY, Policy};

    fn read(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(["janitor", "--bucket", "builds"].iter().chain(args))
    }

    #[test]
    fn nothing_is_removed_unless_the_command_line_says_so() {
        let check = |args: &[&str], policy: (usize, u32), delete: bool| {
            let args = read(args).unwrap_or_else(|error| panic!("{error}"));
            let policy = Policy { keep: policy.0, young: DAY * policy.1 };
            assert_eq!((args.policy(), args.delete), (policy, delete));
        };
        check(&[], (10, 30), false);
        check(&["--delete", "--keep", "2", "--days=7"], (2, 7), true);
    }

    #[test]
    fn a_policy_that_keeps_nothing_is_refused() {
        for (args, problem) in [
            (["--keep", "0"], "'--keep <N>': expected a number from 1"),
            (["--days", "0"], "'--days <D>': expected a number of days"),
            (["--interval", "soon"], "'--interval <TIME>': expected a time"),
        ] {
            let Err(error) = read(&args) else { panic!("{args:?} must not be accepted") };
            assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
        }
    }
}
