//! The door: what every `main` does before a service's own work begins.

use std::ffi::OsString;
use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use ferror::Error;
use tracing::info;

use crate::settings::ask;
use crate::{Asked, LOG_SETTINGS, Logs, Setting, Settings, Stop, run, setting};

/// What a service is, as plain data: a constant of its `main.rs`.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Its name, as `--version` and `/version` say it: that of its package.
    pub name: &'static str,
    /// What it does, in one line of the help text, such as `greets whoever asks`.
    pub what_it_is: &'static str,
    /// All that can be set. The rows for logs are not among them: every service has those.
    pub tables: &'static [&'static [Setting]],
    /// What the help text ends with; may be empty.
    pub notes: &'static str,
}

/// A service's whole `main`: reads the command line and the environment, answers `--help` and
/// `--version`, else starts the logs and [runs](run()) what `start` makes of the configuration.
///
/// `read` makes the configuration of the [`Settings`]. It answers `None` when a value that it needs
/// is a problem already; so it reads everything before the first `?`, and every problem is found.
///
/// The exit code: 0 done or stopped, else that of the error's kind: 2 for a wrong command line, 3 for
/// a configuration that is not complete.
pub fn main<C, F>(
    service: &Service,
    read: impl FnOnce(&mut Settings<'_>) -> Option<C>,
    start: impl FnOnce(C, Stop) -> F,
) -> ExitCode
where
    F: Future<Output = ferror::Result<()>>,
{
    let with_logs = |settings: &mut Settings<'_>| {
        let (config, logs) = (read(settings), Logs::from_settings(settings));
        Some((config?, logs?))
    };
    let asked =
        service.ask(std::env::args_os().skip(1), &|name| std::env::var(name).ok(), with_logs);
    let text = match asked {
        Ok(Asked::Help) => service.help(),
        Ok(Asked::Version) => stamp::line(service.name) + "\n",
        Ok(Asked::Run((config, logs))) => {
            logs.start();
            info!(service = service.name, version = stamp::version(), "started");
            return run(|stop| start(config, stop));
        }
        Err(error) => return refuse(service.name, &error),
    };
    // A reader that went away has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

impl Service {
    /// Reads a command line (without the program's name) and an environment, which come in as
    /// values: what [`main`] does with those of the process, and a test with its own.
    ///
    /// # Errors
    /// One error that lists every problem: [`Kind::Usage`](ferror::Kind::Usage) when an argument is
    /// none of the tables', else [`Kind::Config`](ferror::Kind::Config).
    pub fn ask<C>(
        &self,
        args: impl IntoIterator<Item = OsString>,
        env: &dyn Fn(&str) -> Option<String>,
        read: impl FnOnce(&mut Settings<'_>) -> Option<C>,
    ) -> ferror::Result<Asked<C>> {
        ask(&self.all_tables(), args, env, read)
    }

    /// What `--help` prints.
    pub fn help(&self) -> String {
        setting::help(self.name, self.what_it_is, &self.all_tables(), self.notes)
    }

    fn all_tables(&self) -> Vec<&'static [Setting]> {
        self.tables.iter().copied().chain([LOG_SETTINGS]).collect()
    }
}

/// Ends a service that cannot start: the error and its hint go to stderr as plain lines (there are
/// no logs yet, and whoever just typed the command reads them), its kind decides the exit code.
fn refuse(service: &str, error: &Error) -> ExitCode {
    eprintln!("{service}: {error:#}");
    if let Some(hint) = error.hint_text() {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(error.kind().exit_code())
}

#[cfg(test)]
mod tests {
    use super::Service;
    use crate::{Asked, Logs, Setting, WEB_SETTINGS, WORKER_SETTINGS};

    const GREETING: &[Setting] = &[Setting {
        name: "greeting",
        value: "TEXT",
        vars: &["GREETING"],
        default: "hello",
        help: "what to say",
    }];

    const SERVICE: Service = Service {
        name: "oddjob",
        what_it_is: "does odd jobs",
        tables: &[GREETING, WEB_SETTINGS],
        notes: "Ask again.",
    };

    #[test]
    fn the_help_text_has_the_services_rows_and_those_of_every_service() {
        let help = SERVICE.help();
        for text in ["oddjob: does odd jobs", "--greeting TEXT", "--listen", "--log-format"] {
            assert!(help.contains(text), "{text:?} is not in:\n{help}");
        }
        assert!(help.ends_with("\nAsk again.\n"), "{help}");
    }

    #[test]
    fn the_services_own_values_and_the_logs_are_read_in_one_go() {
        let read = |args: &[&str]| {
            SERVICE.ask(args.iter().map(Into::into), &|_| None, |settings| {
                let (greeting, logs) =
                    (settings.required("greeting"), Logs::from_settings(settings));
                Some((greeting?, logs?))
            })
        };
        let Ok(Asked::Run((greeting, _))) = read(&["--log", "debug"]) else { panic!("all is set") };
        assert_eq!(greeting, "hello");
        let Err(error) = read(&["--greeting", " ", "--log-format", "xml"]) else {
            panic!("both bad")
        };
        for problem in ["--greeting is missing", "--log-format is \"xml\""] {
            assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
        }
    }

    #[test]
    fn no_two_rows_of_ours_have_one_name() {
        for ours in [WEB_SETTINGS, WORKER_SETTINGS] {
            let all = [ours, crate::LOG_SETTINGS, crate::BUCKET_SETTINGS].concat();
            let mut names: Vec<_> = all.iter().map(|row| row.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all.len(), "{names:?}");
        }
    }
}
