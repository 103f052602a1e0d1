//! All that can be set: one table, and the configuration that it is checked into.

use std::ffi::OsString;
use std::time::Duration;

use service::{Asked, BUCKET_SETTINGS, Bucket, CREDENTIALS_NOTE, LOG_SETTINGS, Logs, Setting};

use crate::policy::{DAY, Policy};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "keep",
        value: "N",
        vars: &["JANITOR_KEEP"],
        default: "10",
        help: "keep the newest N releases of every service",
    },
    Setting {
        name: "days",
        value: "D",
        vars: &["JANITOR_DAYS"],
        default: "30",
        help: "keep everything that was uploaded within D days",
    },
    Setting {
        name: "interval",
        value: "TIME",
        vars: &["JANITOR_INTERVAL"],
        default: "1h",
        help: "time between two walks: 90s, 30m, 1h, 7d",
    },
    Setting { name: "once", value: "", vars: &[], default: "", help: "walk once, then end" },
    Setting {
        name: "delete",
        value: "",
        vars: &[],
        default: "",
        help: "remove what is listed; without it, nothing is ever removed",
    },
];

const TABLES: &[&[Setting]] = &[SETTINGS, BUCKET_SETTINGS, LOG_SETTINGS];

/// The checked configuration.
pub(crate) struct Config {
    pub(crate) bucket: Bucket,
    pub(crate) policy: Policy,
    pub(crate) interval: Duration,
    pub(crate) once: bool,
    pub(crate) delete: bool,
    pub(crate) logs: Logs,
}

/// Reads arguments and environment.
///
/// # Errors
/// One error that lists everything missing or bad.
pub(crate) fn read(
    args: impl IntoIterator<Item = OsString>,
    env: &dyn Fn(&str) -> Option<String>,
) -> ferror::Result<Asked<Config>> {
    service::ask(TABLES, args, env, |settings| {
        // Everything is read before the first `?`, so that every problem is found.
        let keep = settings.parsed_by("keep", keep);
        let days = settings.parsed_by("days", days);
        let interval = settings.parsed_by("interval", interval);
        let (once, delete) = (settings.switch("once"), settings.switch("delete"));
        let bucket = Bucket::from_settings(settings);
        let logs = Logs::from_settings(settings);
        let policy = Policy { keep: keep?, young: DAY * days? };
        Some(Config { bucket: bucket?, policy, interval: interval?, once, delete, logs: logs? })
    })
}

/// What `--help` prints.
pub(crate) fn help() -> String {
    let what_it_is =
        "lists the releases that no one can deploy any more, and removes them when told to";
    service::help(crate::NAME, what_it_is, TABLES, CREDENTIALS_NOTE)
}

/// At least one: a service whose every release is gone cannot be deployed at all.
fn keep(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|keep| *keep >= 1);
    number.ok_or_else(|| "expected a number from 1".to_owned())
}

/// At least one: archives are uploaded before the manifest object that names them, and an upload
/// that is under way must not look like one that was given up.
fn days(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    number.ok_or_else(|| "expected a number of days from 1 to 36500".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 90s, 30m, 1h or 7d, from 1s to 365d".to_owned();
    let split = text.len().saturating_sub(1);
    let (number, unit) = text.split_at_checked(split).ok_or_else(expected)?;
    let secs: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(expected()),
    };
    let secs = number.parse::<u64>().ok().and_then(|number| number.checked_mul(secs));
    let secs = secs.filter(|secs| (1..=365 * 86400).contains(secs));
    secs.map(Duration::from_secs).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ferror::Kind;

    use super::{Asked, Config, interval, read};
    use crate::policy::{DAY, Policy};

    fn config(args: &[&str], env: &[(&str, &str)]) -> ferror::Result<Asked<Config>> {
        let get = |name: &str| {
            env.iter().find(|(var, _)| *var == name).map(|(_, text)| (*text).to_owned())
        };
        read(args.iter().map(Into::into), &get)
    }

    const NEEDED: [(&str, &str); 3] =
        [("S3_BUCKET", "builds"), ("S3_KEY", "AKIDEXAMPLE"), ("S3_SECRET", "example")];

    #[test]
    fn nothing_is_removed_unless_the_command_line_says_so() {
        let check = |args: &[&str], more: &[(&str, &str)], policy: (usize, u32), delete: bool| {
            let env = [&NEEDED, more].concat();
            let Ok(Asked::Run(config)) = config(args, &env) else { panic!("{args:?} {more:?}") };
            let policy = Policy { keep: policy.0, young: DAY * policy.1 };
            assert_eq!((config.policy, config.delete), (policy, delete), "{args:?} {more:?}");
        };
        check(&[], &[], (10, 30), false);
        check(
            &[],
            &[("DELETE", "1"), ("JANITOR_DELETE", "1"), ("JANITOR_KEEP", "3")],
            (3, 30),
            false,
        );
        check(&["--delete", "--keep", "2", "--days=7"], &[("JANITOR_KEEP", "3")], (2, 7), true);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let args = ["--keep", "0", "--days", "0", "--interval", "soon"];
        let disabled = ("AWS_EC2_METADATA_DISABLED", "true");
        let Err(error) = config(&args, &[disabled]) else { panic!("nothing of this is good") };
        assert_eq!(error.kind(), Kind::Config);
        for problem in [
            "--keep is \"0\": expected a number from 1",
            "--days is \"0\": expected a number of days",
            "--interval is \"soon\": expected a time",
            "--bucket is missing",
            "no credentials",
        ] {
            assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
        }
    }

    #[test]
    fn intervals_have_a_unit() {
        let check = |text: &str, expected: Option<u64>| {
            let got = interval(text).ok();
            assert_eq!(got, expected.map(Duration::from_secs), "{text:?}");
        };
        check("90s", Some(90));
        check("30m", Some(1800));
        check("1h", Some(3600));
        check("7d", Some(604_800));
        for bad in
            ["", "s", "1", "0s", "-1s", "1.5h", "366d", "1w", "1 h", "5µ", "99999999999999999999d"]
        {
            check(bad, None);
        }
    }
}
