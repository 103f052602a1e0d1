//! All that can be set: one table, and the configuration that it is checked into.

use std::ffi::OsString;
use std::net::SocketAddr;

use service::{Asked, BUCKET_SETTINGS, Bucket, CREDENTIALS_NOTE, LOG_SETTINGS, Logs, Setting};

const SETTINGS: &[Setting] = &[Setting {
    name: "listen",
    value: "ADDR:PORT",
    vars: &["LISTEN"],
    default: "127.0.0.1:8080",
    help: "where to listen; port 0 takes a free one",
}];

const TABLES: &[&[Setting]] = &[SETTINGS, BUCKET_SETTINGS, LOG_SETTINGS];

/// The checked configuration.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) bucket: Bucket,
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
        let listen = settings.parsed("listen");
        let bucket = Bucket::from_settings(settings);
        let logs = Logs::from_settings(settings);
        Some(Config { listen: listen?, bucket: bucket?, logs: logs? })
    })
}

/// What `--help` prints.
pub(crate) fn help() -> String {
    let what_it_is = "shows what is in the release bucket, as a page and as JSON";
    service::help(crate::NAME, what_it_is, TABLES, CREDENTIALS_NOTE)
}

#[cfg(test)]
mod tests {
    use ferror::Kind;

    use super::{Asked, Config, read};

    fn config(args: &[&str], env: &[(&str, &str)]) -> ferror::Result<Asked<Config>> {
        let get = |name: &str| {
            env.iter().find(|(var, _)| *var == name).map(|(_, text)| (*text).to_owned())
        };
        read(args.iter().map(Into::into), &get)
    }

    const NEEDED: [(&str, &str); 3] =
        [("S3_BUCKET", "builds"), ("S3_KEY", "AKIDEXAMPLE"), ("S3_SECRET", "example")];

    #[test]
    fn it_listens_on_loopback_unless_told_otherwise() {
        let check = |args: &[&str], more: &[(&str, &str)], expected: &str| {
            let env = [&NEEDED, more].concat();
            let Ok(Asked::Run(config)) = config(args, &env) else { panic!("{args:?} {more:?}") };
            assert_eq!(config.listen.to_string(), expected, "{args:?} {more:?}");
        };
        check(&[], &[], "127.0.0.1:8080");
        check(&[], &[("LISTEN", "127.0.0.1:81")], "127.0.0.1:81");
        check(&["--listen", "[::1]:82"], &[("LISTEN", "127.0.0.1:81")], "[::1]:82");
        check(&["--listen=0.0.0.0:0"], &[], "0.0.0.0:0");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let env = [("LISTEN", "8080"), ("AWS_EC2_METADATA_DISABLED", "true")];
        let Err(error) = config(&["--log-format", "xml"], &env) else {
            panic!("nothing that is needed is set")
        };
        assert_eq!(error.kind(), Kind::Config);
        for problem in ["LISTEN is \"8080\"", "--bucket is missing", "no credentials", "xml"] {
            assert!(error.to_string().contains(problem), "{problem:?} is not in: {error}");
        }
    }

    #[test]
    fn the_help_text_names_every_option_and_where_credentials_come_from() {
        let help = super::help();
        let options = super::TABLES.iter().copied().flatten().map(|row| format!("--{}", row.name));
        for text in options.chain(["S3_KEY".to_owned(), "--version".to_owned()]) {
            assert!(help.contains(&text), "{text} is not in the help text:\n{help}");
        }
    }
}
