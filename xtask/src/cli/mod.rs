//! The command line, from one table of verbs and options (`table`). It feeds the parser here, the
//! texts of `--help`, the reference page and the completions of shells.
//!
//! The parser turns the arguments into plain data and checks their form only. The verbs decide what
//! they mean together with the environment and the configuration.

mod command;
pub mod completions;
pub mod help;
pub mod reference;
pub mod table;
pub mod values;

use std::ffi::OsString;

use ferror::{Error, Kind, Result};
use lexopt::{Arg, Parser};

pub use crate::cli::command::Command;
use crate::cli::table::Verb;
use crate::model::suggest;

/// Reads the arguments after the program's name.
///
/// Fails with [`Kind::Usage`] and the verb's usage as hint; a platform line's own mistakes are
/// [`Kind::Config`], wherever the line stands.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let verbs = table::verbs();
    parse_words(&mut Parser::from_args(arguments), &verbs)
        .map_err(|error| with_usage(error, &help::main_usage()))
}

fn parse_words(parser: &mut Parser, verbs: &[Verb]) -> Result<Command> {
    let wrong = |error: &lexopt::Error| explain(error, ["--help", "--version"]);
    let Some(first) = parser.next().map_err(|error| wrong(&error))? else {
        let names = help::names(verbs);
        return Err(Error::usage(format!("no verb named: the verbs are {names}")));
    };
    let verb = match first {
        Arg::Long("help") | Arg::Short('h') => return Ok(Command::Print(help::main(verbs))),
        Arg::Long("version") | Arg::Short('V') => {
            return Ok(Command::Print(
                concat!("bowline-xtask ", env!("CARGO_PKG_VERSION"), "\n").into(),
            ));
        }
        Arg::Value(verb) if verb == "help" => return parse_help(parser, verbs),
        Arg::Value(verb) => find(verbs, &verb.to_string_lossy())?,
        other => return Err(wrong(&other.unexpected())),
    };
    let long = |option: &table::Flag| format!("--{}", option.long);
    let names: Vec<_> = verb.flags.iter().map(long).chain(["--help".to_owned()]).collect();
    let wrong = |error: &lexopt::Error| explain(error, names.iter().map(String::as_str));
    (verb.read)(parser, &wrong)
        .map(|command| command.unwrap_or_else(|| Command::Print(help::of(verb))))
        .map_err(|error| with_usage(error, &help::usage(verb)))
}

/// Reads what follows `help`: nothing, or a verb.
fn parse_help(parser: &mut Parser, verbs: &[Verb]) -> Result<Command> {
    let wrong = |error: &lexopt::Error| explain(error, ["--help"]);
    let text = match parser.next().map_err(|error| wrong(&error))? {
        None | Some(Arg::Long("help") | Arg::Short('h')) => help::main(verbs),
        Some(Arg::Value(verb)) => help::of(find(verbs, &verb.to_string_lossy())?),
        Some(other) => return Err(wrong(&other.unexpected())),
    };
    match parser.next().map_err(|error| wrong(&error))? {
        None => Ok(Command::Print(text)),
        Some(other) => Err(wrong(&other.unexpected())),
    }
}

fn find<'a>(verbs: &'a [Verb], name: &str) -> Result<&'a Verb> {
    verbs.iter().find(|verb| verb.name == name).ok_or_else(|| {
        let names = help::names(verbs);
        let near = suggest::did_you_mean(name, names.split(", "));
        Error::usage(format!("unknown verb `{name}`: {near}the verbs are {names}"))
    })
}

/// Says what the parser says, with the option of `known` that may have been meant.
fn explain<'a>(error: &lexopt::Error, known: impl IntoIterator<Item = &'a str>) -> Error {
    let near = match error {
        lexopt::Error::UnexpectedOption(name) => suggest::similar(name, known),
        _ => None,
    };
    let near = near.map_or_else(String::new, |name| format!(": did you mean `{name}`?"));
    Error::usage(format!("{error}{near}"))
}

/// Adds the usage to an error of the command line that has no hint yet.
fn with_usage(error: Error, usage: &str) -> Error {
    if error.kind() == Kind::Usage && error.hint_text().is_none() {
        error.hint(usage)
    } else {
        error
    }
}

#[cfg(test)]
mod tests;
