//! One row of a service's table of settings, and the help text that such a table is.

use std::fmt::Write as _;
use std::time::Duration;

/// One thing about a service that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The option without its dashes: `listen` is typed `--listen`.
    pub name: &'static str,
    /// What stands for the value in the help text; empty makes it a switch, which takes none.
    pub value: &'static str,
    /// Environment variables, the first that is set and not blank counts. A switch has none: what
    /// it allows is decided anew by whoever starts the service, never inherited.
    pub vars: &'static [&'static str],
    /// The value when nothing sets it; empty means that there is none.
    pub default: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

impl Setting {
    /// Whether it is a switch: on when given, without a value.
    pub const fn is_switch(&self) -> bool {
        self.value.is_empty()
    }

    /// Every way to set it, for a message: `--bucket or S3_BUCKET`.
    pub(crate) fn ways(&self) -> String {
        let mut ways = format!("--{}", self.name);
        for var in self.vars {
            let _ = write!(ways, " or {var}");
        }
        ways
    }
}

/// The help text: what the service is, every row of its tables, and what `notes` adds.
pub(crate) fn help(service: &str, what_it_is: &str, tables: &[&[Setting]], notes: &str) -> String {
    let mut text = format!(
        "{service}: {what_it_is}\n\nUsage: {service} [OPTIONS]\n\n\
         An option beats its environment variable (in brackets), that beats the default.\n\n"
    );
    for setting in tables.iter().copied().flatten() {
        let typed = format!("--{} {}", setting.name, setting.value);
        let _ = write!(text, "  {typed:<24} {}", setting.help);
        if !setting.vars.is_empty() {
            let _ = write!(text, " [{}]", setting.vars.join(", "));
        }
        if !setting.default.is_empty() {
            let _ = write!(text, " (default: {})", setting.default);
        }
        text.push('\n');
    }
    text.push_str(
        "  --version                print the version that is stamped into this binary\n",
    );
    text.push_str("  --help                   print this\n");
    if !notes.is_empty() {
        let _ = write!(text, "\n{}\n", notes.trim_end());
    }
    text
}

/// A time as people write it, from a second to a year: `90s`, `30m`, `1h`, `7d`. For
/// [`Settings::parsed_by`](crate::Settings::parsed_by).
///
/// # Errors
/// What was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
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

    use super::{Setting, duration, help};

    const TABLE: &[Setting] = &[
        Setting {
            name: "bucket",
            value: "NAME",
            vars: &["S3_BUCKET", "BUCKET"],
            default: "",
            help: "the bucket",
        },
        Setting {
            name: "days",
            value: "D",
            vars: &[],
            default: "30",
            help: "keep what is younger",
        },
        Setting { name: "delete", value: "", vars: &[], default: "", help: "remove" },
    ];

    #[test]
    fn the_help_text_says_every_way_to_set_every_row() {
        let text = help("oddjob", "does odd jobs", &[TABLE], "Credentials: see there.");
        for line in [
            "oddjob: does odd jobs",
            "  --bucket NAME            the bucket [S3_BUCKET, BUCKET]",
            "  --days D                 keep what is younger (default: 30)",
            "  --delete                 remove",
            "Credentials: see there.",
        ] {
            assert!(text.lines().any(|have| have == line), "no line {line:?} in:\n{text}");
        }
    }

    #[test]
    fn ways_name_the_option_and_the_variables() {
        assert_eq!(TABLE[0].ways(), "--bucket or S3_BUCKET or BUCKET");
        assert_eq!(TABLE[1].ways(), "--days");
    }

    #[test]
    fn times_have_a_unit() {
        let check = |text: &str, expected: Option<u64>| {
            let got = duration(text).ok();
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
