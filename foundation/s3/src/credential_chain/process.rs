//! `credential_process`: a program that prints credentials.
//!
//! (AWS SDKs and Tools Reference Guide, "Process credential provider".) It is run without a shell,
//! for a bounded time, and without the variables that hold other credentials. Its output is never
//! shown; what it writes to stderr is.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ferror::{Error, Kind};

use super::document::{self, Dialect};
use super::server::redacted;
use crate::credential_provider::Issued;
use crate::xml::one_line;

/// Long enough for a person to touch a security key.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How often a process that closed its output is checked for its end.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Larger than any document.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// Variables whose names begin with one of these are not passed to the process.
const WITHHELD_PREFIXES: [&str; 3] = ["S3_", "AWS_", "CIRCLE_OIDC_"];

/// Variables that a `credential_process` gets although their names begin like those of secrets: AWS's
/// own tools need them to read the same files.
pub const PROCESS_VARIABLES: [&str; 6] = [
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
];

/// A command, split, and the environment to run it in.
pub(super) struct Process {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(OsString, OsString)>,
}

impl Process {
    /// Splits `command` without starting it.
    pub(super) fn new(command: &str, environment: &[(OsString, OsString)]) -> ferror::Result<Self> {
        let mut words = split(command)?.into_iter();
        let program = words.next().ok_or_else(|| Error::config("credential_process is empty"))?;
        let passed_on = |name: &OsStr| {
            PROCESS_VARIABLES.iter().any(|known| name == *known)
                || !WITHHELD_PREFIXES
                    .iter()
                    .any(|it| name.as_encoded_bytes().starts_with(it.as_bytes()))
        };
        let environment = environment.iter().filter(|(name, _)| passed_on(name)).cloned();
        Ok(Self { program, arguments: words.collect(), environment: environment.collect() })
    }

    /// Runs the process and reads the credentials that it prints.
    pub(super) fn issue(&self) -> ferror::Result<Issued> {
        self.issue_within(TIME_LIMIT)
    }

    fn issue_within(&self, limit: Duration) -> ferror::Result<Issued> {
        // Arguments may be secrets, the program's name is not.
        let label =
            |error: Error| error.context(format!("credential_process {}", one_line(&self.program)));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| label(Error::config("it cannot be started").caused_by(error)))?;
        let ended = wait(&mut child, limit);
        if !matches!(ended, Ok((Some(_), ..))) {
            // Both fail only when it has ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
        }
        let (status, stdout, stderr) = ended.map_err(label)?;
        let complaint = || match last_line_like(&stderr) {
            said if said.is_empty() => String::new(),
            said => format!(": {said}"),
        };
        let Some(status) = status else {
            let message = format!("it did not end within {} s{}", limit.as_secs_f32(), complaint());
            return Err(label(Error::new(Kind::Unavailable, message)));
        };
        if !status.success() {
            return Err(label(Error::config(format!("it failed ({status}){}", complaint()))));
        }
        if stdout.len() as u64 > MAX_OUTPUT_BYTES {
            return Err(label(Error::invalid(format!(
                "it printed more than {MAX_OUTPUT_BYTES} bytes"
            ))));
        }
        document::read(&stdout, Dialect::Process).map_err(label)
    }
}

/// Waits until the process closed both outputs and ended; a status of `None`: the time is up.
fn wait(
    child: &mut Child,
    limit: Duration,
) -> ferror::Result<(Option<ExitStatus>, Vec<u8>, Vec<u8>)> {
    let end = Instant::now() + limit;
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    let mut in_time = true;
    let mut collect = |receiver: Option<mpsc::Receiver<Vec<u8>>>| {
        let left = end.saturating_duration_since(Instant::now());
        let bytes = receiver.and_then(|receiver| receiver.recv_timeout(left).ok());
        in_time &= bytes.is_some();
        bytes.unwrap_or_default()
    };
    let (stdout, stderr) = (collect(stdout), collect(stderr));
    let mut status = None;
    while in_time && status.is_none() {
        status = child.try_wait().map_err(|error| {
            Error::new(Kind::Unavailable, "it cannot be waited for").caused_by(error)
        })?;
        if status.is_none() {
            in_time = Instant::now() < end;
            thread::sleep(POLL_INTERVAL);
        }
    }
    Ok((status, stdout, stderr))
}

/// Reads to the end, so that the process never blocks; keeps one byte more than is allowed.
fn drain(mut output: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.by_ref().take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut output, &mut std::io::sink());
        // Nobody waits any more when the time is up.
        let _ = sender.send(bytes);
    });
    receiver
}

/// Returns the end of its stderr in one line, without secrets.
fn last_line_like(stderr: &[u8]) -> String {
    const SHOWN: usize = 500;
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    let from = text.chars().count().saturating_sub(SHOWN);
    // It may have printed a token.
    one_line(&redacted(&text.chars().skip(from).collect::<String>(), &[]))
}

/// Splits a command into its words: blanks part them, quotation marks (either) hold them together,
/// a backslash takes the next character as it is, outside of single ones. Nothing is expanded.
fn split(command: &str) -> ferror::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let unfinished = |what| Error::config(format!("credential_process ends {what}"));
    let mut characters = command.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                // Within quotation marks it stays where it protects nothing: Windows-like paths.
                let protects = quote.is_none() || matches!(characters.peek(), Some('"' | '\\'));
                let next = if protects { characters.next() } else { Some('\\') };
                let next = next.ok_or_else(|| unfinished("in a backslash"))?;
                word.get_or_insert_default().push(next);
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(unfinished("within quotation marks"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ferror::Kind;
    use proptest::prelude::proptest;

    use super::{Process, split};
    use crate::credentials::tests::bounded;

    #[test]
    fn commands_are_split_as_documented() {
        for (command, expected) in [
            ("", vec![]),
            ("  \t", vec![]),
            ("a b  c", vec!["a", "b", "c"]),
            ("\"/a b/c\" d", vec!["/a b/c", "d"]),
            ("a \"b c\"d 'e \"f'", vec!["a", "b cd", "e \"f"]),
            (r#"a "b\"c\\d\e" f\ g"#, vec!["a", r#"b"c\d\e"#, "f g"]),
            (r"'a\b'", vec![r"a\b"]),
            ("a '' \"\"", vec!["a", "", ""]),
            ("a $HOME ~ `b` | c; d > e", vec!["a", "$HOME", "~", "`b`", "|", "c;", "d", ">", "e"]),
        ] {
            assert_eq!(split(command).unwrap(), expected, "{command:?}");
        }
        for command in ["\"a", "a 'b", "a \\", "\"a\\\""] {
            assert_eq!(split(command).unwrap_err().kind(), Kind::Config, "{command:?}");
        }
    }

    #[test]
    fn a_process_that_does_not_end_is_ended() {
        for command in ["sleep 600", "sh -c 'exec >&- 2>&-; sleep 600'"] {
            let path = ("PATH".into(), std::env::var_os("PATH").unwrap());
            let process = Process::new(command, &[path]).unwrap();
            let started = Instant::now();
            let error = process.issue_within(Duration::from_millis(100)).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
            assert!(error.to_string().contains("did not end within 0.1 s"), "{error}");
            assert!(started.elapsed() < Duration::from_secs(5 * 60));
        }
    }

    proptest! {
        #![proptest_config(bounded())]

        #[test]
        fn no_command_panics(command in "[a\"'\\\\ \u{e9}\n]{0,16}") {
            let _ = split(&command);
        }
    }
}
