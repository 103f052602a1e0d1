//! The verbs that take hardly more than their operands: help, ci, stamp.

use lexopt::{Arg, Parser};

use ferror::{Error, Result};

use super::{Command, Parsed, unknown_verb, usage};
use crate::cli::help;

/// `help`, alone or with a verb.
pub(super) fn help(mut parser: Parser) -> Result<Parsed<Command>> {
    let wrong = |error: lexopt::Error| usage(&error, help::MAIN);
    let text = match parser.next().map_err(wrong)? {
        None | Some(Arg::Long("help") | Arg::Short('h')) => help::MAIN,
        Some(Arg::Value(verb)) => {
            let verb = verb.to_string_lossy();
            help::of(&verb).ok_or_else(|| unknown_verb(&verb))?
        }
        Some(other) => return Err(wrong(other.unexpected())),
    };
    match parser.next().map_err(wrong)? {
        None => Ok(Parsed::Help(text)),
        Some(other) => Err(wrong(other.unexpected())),
    }
}

pub(super) fn ci(mut parser: Parser) -> Result<Parsed<Command>> {
    let mut all = false;
    while let Some(arg) = parser.next().map_err(|error| usage(&error, help::CI))? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::CI)),
            Arg::Long("all") => all = true,
            other => return Err(usage(&other.unexpected(), help::CI)),
        }
    }
    Ok(Parsed::Meant(Command::Ci { all }))
}

pub(super) fn stamp(mut parser: Parser) -> Result<Parsed<Command>> {
    let (mut files, mut json) = (Vec::new(), false);
    while let Some(arg) = parser.next().map_err(|error| usage(&error, help::STAMP))? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::STAMP)),
            Arg::Long("json") => json = true,
            Arg::Value(file) => files.push(file.into()),
            other => return Err(usage(&other.unexpected(), help::STAMP)),
        }
    }
    if files.is_empty() {
        return Err(Error::usage("stamp: no FILE named").hint(help::usage(help::STAMP)));
    }
    Ok(Parsed::Meant(Command::Stamp { files, json }))
}
