//! The texts of `--help`, made from the table: a short usage, which usage errors show too, and a
//! long text with what each option means and examples.

use std::fmt::Write as _;

use crate::cli::table::{Flag, Verb};

/// How wide a text is.
const WIDTH: usize = 100;
/// An option whose name is longer than this has its meaning on the next line.
const LONGEST_NAME: usize = 22;

/// The exit codes and what each means.
pub const EXIT_CODES: [(&str, &str); 6] = [
    ("0", "done"),
    ("1", "a server refused or could not be reached"),
    ("2", "the command line is wrong"),
    (
        "3",
        "configuration, plan or environment: an unknown service or platform, a platform that \
         cannot be built, a file that differs from the manifest, no credentials, no repository, a \
         result that cannot be written to stdout",
    ),
    ("101", "a compile error or a failed check"),
    ("130", "interrupted by SIGINT (Ctrl-C), SIGTERM or SIGHUP"),
];

/// Joins the names of all verbs that are not hidden, for an error that lists them.
pub fn names(verbs: &[Verb]) -> String {
    let names: Vec<_> = shown(verbs).map(|verb| verb.name).collect();
    names.join(", ")
}

/// Returns the verbs that are not hidden.
pub fn shown(verbs: &[Verb]) -> impl Iterator<Item = &Verb> {
    verbs.iter().filter(|verb| !verb.hidden)
}

/// Returns the usage of the program as a whole.
pub fn main_usage() -> String {
    "Usage: cargo xtask VERB [OPTION]...".to_owned()
}

/// Returns the text of `cargo xtask --help`.
pub fn main(verbs: &[Verb]) -> String {
    let mut text = format!("{}\n\nBuild automation for this repository.\n\nVerbs:\n", main_usage());
    rows(&mut text, shown(verbs).map(|verb| (verb.name.to_owned(), verb.summary)));
    text.push_str(
        "\n  cargo xtask VERB --help    a verb's options, with examples; also `cargo xtask help VERB`\
         \n  cargo xtask --version      the version of this program\n\nExit codes:\n",
    );
    rows(&mut text, EXIT_CODES.map(|(code, meaning)| (code.to_owned(), meaning)));
    text.push('\n');
    paragraphs(
        &mut text,
        "An option goes before the environment, that before the table in Cargo.toml, that before \
         the default.",
    );
    text
}

/// Returns the text of `cargo xtask VERB --help`.
pub fn of(verb: &Verb) -> String {
    let mut text = usage(verb) + "\n\n";
    paragraphs(&mut text, verb.about);
    let operands = verb.operands.iter().map(|operand| (operand.name.to_owned(), operand.doc));
    let operands = operands.filter(|(_, doc)| !doc.is_empty());
    let flags = verb.flags.iter().map(|flag| (name(flag), flag.doc));
    let described: Vec<_> = operands.chain(flags).collect();
    if !described.is_empty() {
        text.push('\n');
        rows(&mut text, described);
    }
    for note in verb.notes {
        text.push('\n');
        paragraphs(&mut text, note);
    }
    text.push_str(if verb.examples.len() == 1 { "\nExample:\n" } else { "\nExamples:\n" });
    let width = verb.examples.iter().map(|(line, _)| line.len()).max().unwrap_or_default();
    for (line, what) in verb.examples {
        let line = format!("  cargo xtask {line:width$}   {what}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Returns the usage of a verb: what may follow `cargo xtask`. Further lines are indented below the
/// first option.
pub fn usage(verb: &Verb) -> String {
    let begin = format!("Usage: cargo xtask {}", verb.name);
    let mut words: Vec<String> = Vec::new();
    if !verb.usage.is_empty() {
        words.push(verb.usage.to_owned());
    }
    let named = |flag: &&Flag| verb.usage.split([' ', '(', ')']).any(|word| word == long(flag));
    let all_stand_there = verb.usage.ends_with("[OPTION]...");
    for flag in verb.flags.iter().filter(|flag| !all_stand_there && !named(flag)) {
        match words.last_mut().filter(|_| flag.alternative) {
            // `[--web]` and `--worker` are `[--web | --worker]`.
            Some(before) => {
                before.pop();
                let _ = write!(before, " | {}]", name(flag));
            }
            None => words.push(format!("[{}]", name(flag))),
        }
    }
    let mut lines = vec![begin.clone()];
    for word in words {
        let line = lines.last_mut().expect("one at least");
        if line.len() + 1 + word.len() <= WIDTH || line.len() == begin.len() {
            let _ = write!(line, " {word}");
        } else {
            lines.push(format!("{:1$} {word}", "", begin.len()));
        }
    }
    lines.join("\n")
}

/// Formats an option with its value, such as `--dest DIR`.
fn name(flag: &Flag) -> String {
    match flag.value {
        Some((value, _)) => format!("{} {value}", long(flag)),
        None => long(flag),
    }
}

fn long(flag: &Flag) -> String {
    format!("--{}", flag.long)
}

/// Writes a row for each name with its meaning beside it.
fn rows<'a>(text: &mut String, rows: impl IntoIterator<Item = (String, &'a str)>) {
    let rows: Vec<_> = rows.into_iter().collect();
    let fits = rows.iter().map(|(name, _)| name.len()).filter(|length| *length <= LONGEST_NAME);
    let column = fits.max().unwrap_or(LONGEST_NAME) + 4;
    for (name, doc) in &rows {
        let mut begin = format!("  {name}  ");
        if begin.len() > column {
            let _ = writeln!(text, "  {name}");
            begin.clear();
        }
        for line in wrap(doc, WIDTH - column) {
            let _ = writeln!(text, "{begin:column$}{line}");
            begin.clear();
        }
    }
}

fn paragraphs(text: &mut String, all: &str) {
    let all: Vec<_> = all.split("\n\n").map(|one| wrap(one, WIDTH).join("\n")).collect();
    let _ = writeln!(text, "{}", all.join("\n\n"));
}

/// Breaks a text between words into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
