//! Reads the command line and the environment with clap.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Parser};
use ferror::Kind;

/// Reads the arguments of the process, as [`Parser::parse`] does, with four differences that suit
/// services:
///
/// - `--version` prints the stamp of the binary.
/// - An environment variable that is set to nothing counts as not set: files of variables for
///   containers and units often have such lines.
/// - Neither `--help` nor an error prints the value of an environment variable: it may be a secret
///   that was put into the wrong variable. The address that a service cannot listen at is none.
/// - The exit code is 2 when the command line is wrong, and 3 when a required setting is missing or
///   an environment variable is wrong.
pub fn parse<A: Parser>() -> A {
    let args: Vec<_> = std::env::args_os().collect();
    try_parse(&args).unwrap_or_else(|(error, kind)| {
        // Nothing can be done about a closed stdout or stderr.
        let _ = error.print();
        std::process::exit(kind.map_or(0, |kind| kind.exit_code().into()))
    })
}

/// Reads `args`. What it prints instead is clap's error, also for `--help`, which has no kind.
fn try_parse<A: Parser>(args: &[OsString]) -> Result<A, (clap::Error, Option<Kind>)> {
    let mut command = A::command();
    let name = command.get_name().to_owned();
    let version = stamp::line(&name);
    let version = version.strip_prefix(&name).unwrap_or(&version).trim_start().to_owned();
    command = command.version(version).mut_args(|arg| arg.hide_env_values(true));

    let without_blanks = command
        .clone()
        .mut_args(|arg| if has_blank_variable(&arg) { arg.env(Resettable::Reset) } else { arg });
    let read = without_blanks.try_get_matches_from(args);
    read.and_then(|matches| A::from_arg_matches(&matches)).map_err(|error| match error.kind() {
        // The help text names every variable, also those that are blank now.
        ErrorKind::DisplayHelp => {
            (command.try_get_matches_from_mut(args).err().unwrap_or(error), None)
        }
        ErrorKind::DisplayVersion => (error, None),
        ErrorKind::MissingRequiredArgument => {
            (with_variables(error, &mut command), Some(Kind::Config))
        }
        // clap names nothing here. What is on the command line goes before what is in a variable.
        ErrorKind::InvalidUtf8 if args.iter().all(|arg| arg.to_str().is_some()) => {
            (not_utf8(&mut command), Some(Kind::Config))
        }
        _ => match environment_value(&error, args) {
            Some(value) => (of_variable(&error, value, &mut command), Some(Kind::Config)),
            None => (error, Some(Kind::Usage)),
        },
    })
}

fn has_blank_variable(arg: &Arg) -> bool {
    arg.get_env().and_then(std::env::var_os).is_some_and(|value| is_blank(&value))
}

pub(crate) fn is_blank(value: &OsStr) -> bool {
    value.to_string_lossy().trim().is_empty()
}

/// Makes an error that names the environment variables that are not UTF-8.
fn not_utf8(command: &mut Command) -> clap::Error {
    let variables = command.get_arguments().filter_map(Arg::get_env);
    let wrong: Vec<_> = variables
        .filter(|name| std::env::var_os(name).is_some_and(|value| value.to_str().is_none()))
        .map(OsStr::to_string_lossy)
        .collect();
    let message = format!("the environment has a value that is not UTF-8: {}", wrong.join(", "));
    command.error(ErrorKind::InvalidUtf8, message)
}

/// Adds the environment variables to an error that lists missing options.
fn with_variables(mut error: clap::Error, command: &mut Command) -> clap::Error {
    if let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) {
        let ways = missing.iter().map(|shown| match variable_of(shown, command) {
            Some(variable) => format!("{shown}, or the environment variable {variable}"),
            None => shown.clone(),
        });
        let ways = ContextValue::Strings(ways.collect());
        error.insert(ContextKind::InvalidArg, ways);
    }
    error
}

/// Returns the environment variable of the option that clap shows as `shown`.
fn variable_of(shown: &str, command: &mut Command) -> Option<String> {
    command.build();
    let arg = command.get_arguments().find(|arg| arg.to_string() == shown)?;
    Some(arg.get_env()?.to_string_lossy().into_owned())
}

/// Makes an error that names the environment variable, and does not quote its value.
fn of_variable(error: &clap::Error, value: &str, command: &mut Command) -> clap::Error {
    let shown = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let variable = variable_of(&shown, command);
    let (source, name) = match &variable {
        Some(name) => (format!("the environment variable {name}"), name.as_str()),
        None => ("an environment variable".to_owned(), "VALUE"),
    };
    let expected = expected(error, name, value);
    command.error(error.kind(), format!("invalid value in {source} for '{shown}'{expected}"))
}

/// Returns the value that the error quotes when it comes from the environment. What is on the command
/// line need not be hidden, so a value that is a part of it counts as typed.
fn environment_value<'e>(error: &'e clap::Error, args: &[OsString]) -> Option<&'e str> {
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else {
        return None;
    };
    let is_typed = args.iter().skip(1).any(|arg| arg.to_string_lossy().contains(value.as_str()));
    (!is_typed).then_some(value)
}

/// Says what was expected, unless that repeats a part of the value.
fn expected(error: &clap::Error, variable: &str, value: &str) -> String {
    let reason = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("expected one of {}", values.join(", ")),
        _ => match std::error::Error::source(error) {
            Some(reason) => without_value(&reason.to_string(), variable, value),
            None => return String::new(),
        },
    };
    let mut words = value.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    if words.any(|word| reason.contains(word)) { String::new() } else { format!(": {reason}") }
}

/// Puts `$NAME` in place of the value of the variable `name`, also where only the host of a URL is
/// quoted. Words of up to four letters are no secrets and may be anywhere: they are hidden in quotes only.
pub(crate) fn without_value(text: &str, name: &str, value: &str) -> String {
    let host = value.split_once("://").map(|(_, rest)| {
        rest.split([':', '/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase()
    });
    let hidden = text.replace(&format!("{value:?}"), &format!("\"${name}\""));
    [value, &host.unwrap_or_default()]
        .into_iter()
        .filter(|part| part.len() > 4)
        .fold(hidden, |text, part| text.replace(part, &format!("${name}")))
}

/// Reads a time as people write it, from a second to a year: `90s`, `30m`, `1h`, `7d`. For
/// `#[arg(value_parser = service::duration)]`.
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
    use std::ffi::OsString;
    use std::time::Duration;

    use clap::error::ErrorKind;
    use clap::{CommandFactory as _, Parser};
    use ferror::Kind;

    use super::{duration, environment_value, of_variable, try_parse, without_value};

    /// Does odd jobs
    #[derive(Debug, Parser)]
    #[command(name = "oddjob")]
    struct Args {
        /// Who is greeted
        #[arg(long, env = "ODDJOB_GREETED")]
        greeted: Option<String>,
        #[command(flatten)]
        web: crate::WebArgs,
        #[command(flatten)]
        log: crate::LogArgs,
    }

    fn read(args: &[&str]) -> Result<Args, (clap::Error, Option<Kind>)> {
        try_parse(&[&["oddjob"], args].concat().iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for (arg, expected) in [
            ("--help", "Does odd jobs\n\nUsage: oddjob [OPTIONS]\n"),
            ("-h", "[env: ODDJOB_GREETED]\n"),
            ("--version", "oddjob DEV (not stamped)\n"),
            ("-V", "oddjob DEV (not stamped)\n"),
        ] {
            let (error, kind) = read(&[arg]).unwrap_err();
            assert!(kind.is_none() && !error.use_stderr(), "{arg}");
            let text = error.to_string();
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
        }
    }

    #[test]
    fn what_is_typed_wrongly_is_quoted_and_a_usage_error() {
        let (error, kind) = read(&["--listen", "nowhere"]).unwrap_err();
        assert_eq!(kind, Some(Kind::Usage));
        let text = error.to_string();
        assert!(text.contains("invalid value 'nowhere' for '--listen <ADDR:PORT>'"), "{text}");
        let (error, kind) = read(&["--listne", "127.0.0.1:0"]).unwrap_err();
        assert_eq!(kind, Some(Kind::Usage));
        assert!(error.to_string().contains("a similar argument exists: '--listen'"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named_with_its_variable() {
        #[derive(Debug, Parser)]
        struct Args {
            #[arg(long, env = "ODDJOB_NEEDED")]
            needed: String,
            #[arg(long)]
            typed: String,
        }
        let (error, kind) = try_parse::<Args>(&["oddjob".into()]).unwrap_err();
        assert_eq!(kind, Some(Kind::Config));
        let text = error.to_string();
        let lines =
            "  --needed <NEEDED>, or the environment variable ODDJOB_NEEDED\n  --typed <TYPED>\n";
        assert!(text.contains(lines), "{text}");
    }

    #[test]
    fn our_own_options_hide_their_variables_under_plain_clap_too() {
        #[derive(Parser)]
        struct All {
            #[command(flatten)]
            web: crate::WebArgs,
            #[command(flatten)]
            log: crate::LogArgs,
            #[cfg(feature = "s3")]
            #[command(flatten)]
            bucket: crate::BucketArgs,
        }
        #[derive(Parser)]
        struct Worker {
            #[command(flatten)]
            worker: crate::WorkerArgs,
        }
        let (all, worker) = (All::command(), Worker::command());
        let with_variable: Vec<_> = all
            .get_arguments()
            .chain(worker.get_arguments())
            .filter(|arg| arg.get_env().is_some())
            .collect();
        assert!(with_variable.len() >= 7, "{with_variable:?}");
        for arg in with_variable {
            assert!(arg.is_hide_env_values_set(), "{arg:?}");
        }
    }

    #[test]
    fn the_groups_of_options_leave_a_programs_description_and_its_headings_alone() {
        #[derive(Parser)]
        #[command(name = "oddjob")]
        struct Plain {
            /// Stands before
            #[arg(long)]
            before: bool,
            #[command(flatten)]
            web: crate::WebArgs,
            #[command(flatten)]
            log: crate::LogArgs,
            #[cfg(feature = "s3")]
            #[command(flatten)]
            bucket: crate::BucketArgs,
            /// Stands behind
            #[arg(long)]
            behind: bool,
        }
        #[derive(Parser)]
        #[command(name = "oddjob")]
        struct Worker {
            #[command(flatten)]
            worker: crate::WorkerArgs,
        }
        #[derive(Parser)]
        #[command(about)]
        struct Described {
            #[command(flatten)]
            web: crate::WebArgs,
        }
        let command = Plain::command();
        assert!(command.get_about().is_none() && command.get_long_about().is_none());
        assert!(Worker::command().get_about().is_none());
        let about = Described::command().get_about().map(ToString::to_string);
        assert_eq!(about.as_deref(), Some(env!("CARGO_PKG_DESCRIPTION")));
        let heading = |id: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            arg.unwrap_or_else(|| panic!("no {id}")).get_help_heading()
        };
        assert_eq!(["before", "behind"].map(heading), [None, None]);
        assert_eq!(["listen", "levels"].map(heading), [Some("Web server"), Some("Logs")]);
    }

    #[test]
    fn a_name_stands_for_a_value_that_is_quoted_in_whole_or_as_a_host() {
        for (text, value, expected) in [
            ("no bucket \"a\\nb\" at a", "a\nb", "no bucket \"$X\" at a"),
            ("cannot read /srv/jo/.aws", "/srv/jo", "cannot read $X/.aws"),
            (
                "plain http to s3.local is refused",
                "http://S3.local:9/",
                "plain http to $X is refused",
            ),
            ("a \"to\" told", "to", "a \"$X\" told"),
        ] {
            assert_eq!(without_value(text, "X", value), expected);
        }
    }

    /// Returns the error for this value of an option, as if it came from the environment.
    fn of_environment(option: &str, value: &str) -> String {
        let (error, _) = read(&[option, value]).unwrap_err();
        assert!(error.to_string().contains(value), "clap quotes values: {error}");
        let found = environment_value(&error, &["oddjob".into()]).expect("it was not typed");
        of_variable(&error, found, &mut Args::command()).to_string()
    }

    #[test]
    fn an_error_does_not_quote_what_comes_from_the_environment() {
        for (option, expected) in [
            ("--listen", "variable LISTEN for '--listen <ADDR:PORT>': invalid socket address"),
            ("--header-timeout", "variable HEADER_TIMEOUT for '--header-timeout <TIME>': expected"),
            ("--log", "variable RUST_LOG for '--log <LEVEL>'"),
            (
                "--log-format",
                "variable LOG_FORMAT for '--log-format <FORMAT>': expected one of auto, ",
            ),
        ] {
            let text = of_environment(option, "c4nary=v4lue");
            assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
            assert!(!text.contains("c4nary") && !text.contains("v4lue"), "{text}");
        }
    }

    #[test]
    fn a_reason_that_repeats_a_part_of_the_value_is_left_out() {
        let quotes = |text: &str| Err::<(), _>(format!("{:?} is not known", &text[..6]));
        let mut command = Args::command().mut_arg("greeted", |arg| arg.value_parser(quotes));
        let error = command.try_get_matches_from_mut(["oddjob", "--greeted", "c4nary v4lue"]);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        let value = environment_value(&error, &[]).expect("it was not typed");
        let text = of_variable(&error, value, &mut command).to_string();
        assert!(text.contains("ODDJOB_GREETED for '--greeted <GREETED>'\n"), "{text}");
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
