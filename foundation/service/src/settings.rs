//! Settings as typed -> values as meant. It collects problems instead of stopping at the first: who
//! sets up a service mends all of them in one go.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;

use ferror::{Error, Kind};

use crate::Setting;

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked<T> {
    /// `--help`: print the help text.
    Help,
    /// `--version`: print the stamp.
    Version,
    /// Nothing special: do the work, with this.
    Run(T),
}

/// Reads the command line and the environment by the `tables`, and hands the [`Settings`] to
/// `configure`, which turns them into the service's own configuration. `configure` answers `None`
/// when a value that it needs is a problem already.
///
/// Pure: arguments (without the program's name) and environment come in as values.
///
/// # Errors
/// One error that lists every problem: [`Kind::Usage`] when an argument is none of the table's,
/// else [`Kind::Config`].
pub(crate) fn ask<T>(
    tables: &[&[Setting]],
    args: impl IntoIterator<Item = OsString>,
    env: &dyn Fn(&str) -> Option<String>,
    configure: impl FnOnce(&mut Settings<'_>) -> Option<T>,
) -> ferror::Result<Asked<T>> {
    let mut settings = Settings {
        rows: tables.iter().flat_map(|table| table.iter()).copied().collect(),
        typed: BTreeMap::new(),
        env,
        problems: Vec::new(),
        misused: false,
    };
    match settings.read(args) {
        Typed::Help => return Ok(Asked::Help),
        Typed::Version => return Ok(Asked::Version),
        Typed::Settings => {}
    }
    let config = configure(&mut settings);
    match config {
        Some(config) if settings.problems.is_empty() => Ok(Asked::Run(config)),
        _ => Err(settings.into_error()),
    }
}

/// The values that were set, and the problems found with them so far.
pub struct Settings<'a> {
    rows: Vec<Setting>,
    typed: BTreeMap<&'static str, String>,
    env: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
    /// Whether a problem is the command line's own.
    misused: bool,
}

enum Typed {
    Help,
    Version,
    Settings,
}

impl Settings<'_> {
    /// Whether the switch `name` is on.
    pub fn switch(&self, name: &str) -> bool {
        self.typed.contains_key(name)
    }

    /// The text of `name`, where it is set or has a default. Blank is unset; a blank option hides
    /// what the environment says.
    pub fn text(&self, name: &str) -> Option<String> {
        self.find(name).map(|(_, text)| text).filter(|text| !text.trim().is_empty())
    }

    /// The text of `name`; a problem when there is none.
    pub fn required(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        if text.is_none() {
            let ways = self.row(name).ways();
            self.problem(format!("--{name} is missing: set {ways}"));
        }
        text
    }

    /// The value of `name`; a problem when there is none or it cannot be read.
    pub fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.parsed_by(name, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// Like [`Settings::parsed`], for a value without a `FromStr` of its own. `parse` answers an
    /// error with what was expected.
    pub fn parsed_by<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.required(name)?;
        let (origin, text) = self.find(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.problem(format!("{origin} is {text:?}: {expected}"));
                None
            }
        }
    }

    /// Adds a problem that the service found itself.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// An environment variable that is no setting of the table (credentials, which no command line
    /// should carry). Blank is unset.
    pub fn env(&self, var: &str) -> Option<String> {
        (self.env)(var).filter(|text| !text.trim().is_empty())
    }

    fn read(&mut self, args: impl IntoIterator<Item = OsString>) -> Typed {
        let mut parser = lexopt::Parser::from_args(args);
        loop {
            let name = match parser.next() {
                Ok(None) => return Typed::Settings,
                Ok(Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h'))) => {
                    return Typed::Help;
                }
                Ok(Some(lexopt::Arg::Long("version") | lexopt::Arg::Short('V'))) => {
                    return Typed::Version;
                }
                Ok(Some(lexopt::Arg::Long(name))) => name.to_owned(),
                Ok(Some(other)) => {
                    let problem = other.unexpected().to_string();
                    self.misuse(problem);
                    continue;
                }
                Err(error) => {
                    self.misuse(error.to_string());
                    continue;
                }
            };
            let Some(row) = self.rows.iter().copied().find(|row| row.name == name) else {
                // Its value, when it has one attached, is not worth a second problem.
                let _ = parser.optional_value();
                self.misuse(format!("--{name} is no option"));
                continue;
            };
            if row.is_switch() {
                self.typed.insert(row.name, String::new());
                continue;
            }
            match parser.value().map(OsString::into_string) {
                Ok(Ok(text)) => drop(self.typed.insert(row.name, text)),
                Ok(Err(_)) => self.misuse(format!("--{name} is not Unicode text")),
                Err(error) => self.misuse(error.to_string()),
            }
        }
    }

    fn misuse(&mut self, problem: String) {
        self.misused = true;
        self.problems.push(problem);
    }

    /// Where the value comes from, for a message, and the value.
    fn find(&self, name: &str) -> Option<(String, String)> {
        let row = self.row(name);
        if let Some(text) = self.typed.get(name) {
            return Some((format!("--{name}"), text.clone()));
        }
        if let Some((var, text)) = row.vars.iter().find_map(|var| Some((var, self.env(var)?))) {
            return Some(((*var).to_owned(), text));
        }
        let default = (!row.default.is_empty()).then(|| row.default.to_owned())?;
        Some((format!("the default of --{name}"), default))
    }

    fn row(&self, name: &str) -> Setting {
        let row = self.rows.iter().copied().find(|row| row.name == name);
        row.unwrap_or_else(|| panic!("{name:?} is read but stands in no table of settings"))
    }

    fn into_error(self) -> Error {
        let kind = if self.misused { Kind::Usage } else { Kind::Config };
        let message = match self.problems.as_slice() {
            [] => "the configuration is not complete".to_owned(),
            [problem] => problem.clone(),
            problems => {
                format!("{} settings are wrong:\n  {}", problems.len(), problems.join("\n  "))
            }
        };
        Error::new(kind, message).hint("see --help for every setting")
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use ferror::Kind;

    use super::{Asked, ask};
    use crate::Setting;

    const fn row(
        name: &'static str,
        value: &'static str,
        vars: &'static [&'static str],
        default: &'static str,
    ) -> Setting {
        Setting { name, value, vars, default, help: "" }
    }

    const TABLE: &[Setting] = &[
        row("bucket", "NAME", &["S3_BUCKET", "BUCKET"], ""),
        row("port", "N", &["PORT"], "80"),
        row("delete", "", &[], ""),
    ];

    type Config = (String, u16, bool);

    fn read(args: &[&str], env: &[(&str, &str)]) -> ferror::Result<Asked<Config>> {
        let get = |name: &str| {
            env.iter().find(|(var, _)| *var == name).map(|(_, text)| (*text).to_owned())
        };
        ask(&[TABLE], args.iter().map(OsString::from), &get, |settings| {
            let (bucket, port) = (settings.required("bucket"), settings.parsed("port"));
            Some((bucket?, port?, settings.switch("delete")))
        })
    }

    #[test]
    fn an_option_beats_the_environment_that_beats_the_default() {
        type Env<'a> = &'a [(&'a str, &'a str)];
        let check = |args: &[&str], env: Env<'_>, expected: (&str, u16, bool)| {
            let Ok(Asked::Run(config)) = read(args, env) else {
                panic!("{args:?} with {env:?} is no configuration");
            };
            assert_eq!((config.0.as_str(), config.1, config.2), expected, "{args:?} with {env:?}");
        };
        check(&["--bucket", "a"], &[], ("a", 80, false));
        check(&["--bucket=a", "--delete"], &[("S3_BUCKET", "b")], ("a", 80, true));
        check(&[], &[("S3_BUCKET", "b"), ("BUCKET", "c"), ("PORT", "81")], ("b", 81, false));
        check(&["--port", "82"], &[("BUCKET", "c"), ("PORT", "81")], ("c", 82, false));
        check(&[], &[("S3_BUCKET", "  "), ("BUCKET", "c"), ("PORT", "")], ("c", 80, false));
        check(&["--bucket", "a", "--bucket", "b"], &[], ("b", 80, false));
    }

    #[test]
    fn one_error_lists_every_problem_and_its_kind_says_whose_it_is() {
        let check = |args: &[&str], env: &[(&str, &str)], kind: Kind, problems: &[&str]| {
            let error = read(args, env).expect_err("bad settings must not be accepted");
            assert_eq!(error.kind(), kind, "{args:?}: {error}");
            for problem in problems {
                assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
            }
            let lines = problems.len() + usize::from(problems.len() > 1);
            assert_eq!(error.to_string().lines().count(), lines, "{args:?}: {error}");
        };
        let missing = "--bucket is missing: set --bucket or S3_BUCKET or BUCKET";
        check(&[], &[], Kind::Config, &[missing]);
        check(&[], &[("PORT", "x")], Kind::Config, &[missing, "PORT is \"x\": invalid digit"]);
        check(
            &["--port", "99999", "--frobnicate=1", "stray", "-x", "--bucket", "b"],
            &[],
            Kind::Usage,
            &["--port is \"99999\": number too large", "--frobnicate is no option", "stray", "-x"],
        );
        check(&["--delete=yes", "--bucket=b"], &[], Kind::Usage, &["--delete"]);
        check(&["--bucket="], &[("BUCKET", "b")], Kind::Config, &[missing]);
        check(&["--bucket"], &[("BUCKET", "b")], Kind::Usage, &["--bucket"]);
    }

    #[test]
    fn help_and_version_win_over_missing_settings() {
        assert!(matches!(read(&["--help"], &[]), Ok(Asked::Help)));
        assert!(matches!(read(&["-h"], &[]), Ok(Asked::Help)));
        assert!(matches!(read(&["--version"], &[]), Ok(Asked::Version)));
        assert!(matches!(read(&["-V"], &[]), Ok(Asked::Version)));
    }
}
