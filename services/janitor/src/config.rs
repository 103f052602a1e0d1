//! All that can be set: one table, and the configuration that it is checked into.

use service::{
    BUCKET_SETTINGS, Bucket, CREDENTIALS_NOTE, Service, Setting, Settings, WORKER_SETTINGS, Worker,
};

use crate::policy::{DAY, Policy};

pub(crate) const SERVICE: Service = Service {
    name: env!("CARGO_PKG_NAME"),
    what_it_is: "lists the releases that no one can deploy any more, and removes them when told to",
    tables: &[SETTINGS, WORKER_SETTINGS, BUCKET_SETTINGS],
    notes: CREDENTIALS_NOTE,
};

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
    Setting {
        name: "delete",
        value: "",
        vars: &[],
        default: "",
        help: "remove what is listed; without it, nothing is ever removed",
    },
];

/// The checked configuration.
pub(crate) struct Config {
    pub(crate) worker: Worker,
    pub(crate) bucket: Bucket,
    pub(crate) policy: Policy,
    pub(crate) delete: bool,
}

impl Config {
    /// Reads the rows of [`SERVICE`].
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<Self> {
        // Everything is read before the first `?`, so that every problem is found.
        let keep = settings.parsed_by("keep", keep);
        let days = settings.parsed_by("days", days);
        let worker = Worker::from_settings(settings);
        let bucket = Bucket::from_settings(settings);
        let policy = Policy { keep: keep?, young: DAY * days? };
        Some(Self { worker: worker?, bucket: bucket?, policy, delete: settings.switch("delete") })
    }
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

#[cfg(test)]
mod tests {
    use ferror::Kind;
    use service::Asked;

    use super::{Config, SERVICE};
    use crate::policy::{DAY, Policy};

    fn config(args: &[&str], env: &[(&str, &str)]) -> ferror::Result<Asked<Config>> {
        let get = |name: &str| {
            env.iter().find(|(var, _)| *var == name).map(|(_, text)| (*text).to_owned())
        };
        SERVICE.ask(args.iter().map(Into::into), &get, Config::read)
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
}
