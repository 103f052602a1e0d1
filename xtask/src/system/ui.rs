//! Writes the program's output: results to stdout, messages to stderr, in colour on a terminal.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferror::{Error, Kind, Result};

use crate::system::env::Env;

/// Prints what a verb does and its results. Clones share the first error of writing to stdout.
#[derive(Debug, Clone)]
pub struct Ui {
    env: Env,
    colour: bool,
    json: bool,
    document: bool,
    /// The first error of writing to stdout.
    write_error: Arc<Mutex<Option<Error>>>,
}

impl Ui {
    /// Returns an output with the colours of `env`, and with result lines on stdout.
    pub fn new(env: &Env) -> Self {
        let env = env.clone();
        Self {
            colour: env.colour(),
            env,
            json: false,
            document: false,
            write_error: Arc::default(),
        }
    }

    /// Returns the same output for a verb with the option `--json`: if `json` is set, stdout gets
    /// one document, and result lines go to stderr.
    #[must_use]
    pub fn with_json(&self, json: bool) -> Self {
        Self { json, document: json, ..self.clone() }
    }

    /// Returns the same output without the document, for a verb that runs as a part of another,
    /// which prints it.
    #[must_use]
    pub fn without_document(&self) -> Self {
        Self { document: false, ..self.clone() }
    }

    /// Says on stderr what is being done.
    pub fn say(&self, verb: &str, what: impl Display) {
        self.stderr(32, verb, &what);
    }

    /// Warns on stderr of something that a person may not expect.
    pub fn warn(&self, what: impl Display) {
        self.stderr(33, "warning", &what);
    }

    /// Prints a result, such as the line of an artifact; on stderr with `--json`.
    pub fn result(&self, text: impl Display) {
        if self.json {
            talk(&text.to_string());
        } else {
            self.print(&format!("{text}\n"));
        }
    }

    /// Prints the document of `--json`; does nothing without it.
    pub fn document(&self, json: &str) {
        if self.document {
            self.print(&format!("{}\n", json.trim_end_matches('\n')));
        }
    }

    /// Writes a text to stdout as it is. An error of writing is kept for [`Ui::finish`], so that it stops no
    /// work; from then on nothing more is written, so that a result has no hole. A closed pipe is the
    /// reader's choice, and no error.
    pub fn print(&self, text: &str) {
        let mut write_error = self.write_error.lock().unwrap_or_else(PoisonError::into_inner);
        if write_error.is_some() {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                *write_error = Some(
                    Error::config("the result cannot be written to stdout")
                        .hint("all else is done: send stdout to where there is room, and run the command again if you need the result")
                        .caused_by(error),
                );
            }
            _ => {}
        }
    }

    /// Fails with [`Kind::Config`] where a result could not be written, since nobody has it then.
    pub fn finish(&self) -> Result<()> {
        let write_error = self.write_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        write_error.map_or(Ok(()), Err)
    }

    fn stderr(&self, colour: u8, word: &str, what: &dyn Display) {
        let what = self.env.with_alias(&what.to_string());
        let text = if self.colour {
            format!("\u{1b}[1;{colour}m{word:>12}\u{1b}[0m {what}")
        } else {
            format!("{word:>12} {what}")
        };
        talk(&text);
    }
}

/// Finds the error in a chain that is of our own type, which has a kind and a hint.
pub fn ours(error: &anyhow::Error) -> Option<&Error> {
    error.chain().find_map(|error| error.downcast_ref::<Error>())
}

/// Prints an error and its hint on stderr.
pub fn report(error: &anyhow::Error, env: &Env) {
    let talk = |text: &str| talk(&env.with_alias(text));
    talk(&format!("error: {error:#}"));
    if let Some(error) = ours(error)
        && let Some(hint) = error.hint_text()
    {
        // A usage error's hint is the usage, which begins with that word.
        let label = if error.kind() == Kind::Usage { "" } else { "hint: " };
        talk(&format!("{label}{hint}"));
    }
}

/// Writes a line to stderr. A failure is ignored, since messages must not stop any work.
fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Shows a path relative to the current folder if it lies below that, else as it is.
pub fn path<'a>(path: &'a Path, env: &Env) -> std::path::Display<'a> {
    path.strip_prefix(&env.current_dir).unwrap_or(path).display()
}

/// Formats a size for people: `4.1 MiB`.
pub fn size(size_bytes: u64) -> String {
    // In tenths of a unit, as integers: exact, and rounded to nearest.
    let mut unit_bytes: u64 = 1024;
    for unit in ["KiB", "MiB", "GiB"] {
        if size_bytes < 1024 {
            return format!("{size_bytes} B");
        }
        let tenths = (size_bytes.saturating_mul(10) + unit_bytes / 2) / unit_bytes;
        if tenths < 10240 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        unit_bytes *= 1024;
    }
    format!("{} TiB", size_bytes / unit_bytes)
}

/// Formats a duration for people: `0.32 s`, `2 min 5 s`.
pub fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.2} s", duration.as_secs_f64()),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{seconds, size};

    #[test]
    fn sizes_and_durations_read_well() {
        let rows = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (4_300_000, "4.1 MiB"),
            (5 << 30, "5.0 GiB"),
        ];
        for (size_bytes, expected) in rows {
            assert_eq!(size(size_bytes), expected);
        }
        assert_eq!(seconds(Duration::from_millis(320)), "0.32 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }
}
