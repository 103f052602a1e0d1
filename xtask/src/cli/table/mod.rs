//! The table of verbs and options: a row for each, with what it is called, what it takes, what it
//! means, and the field that it sets.
//!
//! A new option is a row here and a field of the verb's options. Rows that several verbs have are
//! written once and put [`within`] each verb's options.

mod building;
mod location;
mod releases;
mod repository;

use std::ffi::OsString;

use ferror::{Error, Result};
use lexopt::{Arg, Parser};

use crate::cli::command::Command;
use crate::cli::values::Given;

/// Returns every verb, in the order of the help text.
pub fn verbs() -> Vec<Verb> {
    [building::verbs(), releases::verbs(), repository::verbs()].into_iter().flatten().collect()
}

/// What the help text, the reference page and the completions say of a verb, and how it is read.
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// What it does, in half a line.
    pub summary: &'static str,
    /// What stands between the name and the options in its usage. Options that it names are not
    /// listed after it; where it ends in `[OPTION]...`, none is.
    pub usage: &'static str,
    /// What it does, in paragraphs.
    pub about: &'static str,
    /// What it takes besides options.
    pub operands: Vec<Operand>,
    /// Its options.
    pub flags: Vec<Flag>,
    /// What there is to say after the options, in paragraphs.
    pub notes: &'static [&'static str],
    /// Command lines without `cargo xtask`, and what each does.
    pub examples: &'static [(&'static str, &'static str)],
    /// Whether help and reference leave it out, since only developers of this program need it.
    pub hidden: bool,
    /// Reads what follows the name; `None` where help is wanted.
    pub(super) read: Box<Read>,
}

type Read = dyn Fn(&mut Parser, &dyn Fn(&lexopt::Error) -> Error) -> Result<Option<Command>>;

/// A word of a command line that is no option.
#[derive(Debug, Clone, Copy)]
pub struct Operand {
    /// Its name in the usage.
    pub name: &'static str,
    /// What may stand there.
    pub values: Values,
    /// What it means; empty where the text about the verb says that.
    pub doc: &'static str,
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its name without the hyphens.
    pub long: &'static str,
    /// What follows it: a name for the usage, and what may stand there.
    pub value: Option<(&'static str, Values)>,
    /// What it means.
    pub doc: &'static str,
    /// Whether it is the other choice to the option in the row above: only one may be given.
    pub alternative: bool,
}

/// What may stand where a value is expected. The parser checks more than that; this is for completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Anything.
    Any,
    /// A file.
    Files,
    /// A folder.
    Folders,
    /// A service of the workspace.
    Services,
    /// One of these, or in a platform line several.
    Words(&'static [&'static str]),
}

/// An option that sets something in `O`.
struct Row<O> {
    flag: Flag,
    set: Box<Set<O>>,
}

type Set<O> = dyn Fn(&mut O, Given<'_>) -> Result<()>;

impl<O> Row<O> {
    fn or(mut self) -> Self {
        self.flag.alternative = true;
        self
    }
}

/// Makes an option without a value that sets a field to true.
fn switch<O: 'static>(
    long: &'static str,
    doc: &'static str,
    field: fn(&mut O) -> &mut bool,
) -> Row<O> {
    assign(long, doc, move |options| *field(options) = true)
}

/// Makes an option without a value that changes the options by `set`.
fn assign<O>(long: &'static str, doc: &'static str, set: impl Fn(&mut O) + 'static) -> Row<O> {
    let flag = Flag { long, value: None, doc, alternative: false };
    let set = move |options: &mut O, _: Given<'_>| {
        set(options);
        Ok(())
    };
    Row { flag, set: Box::new(set) }
}

/// Makes an option with a value. The field that it sets is `None` without it.
fn option<O: 'static, T: 'static>(
    long: &'static str,
    value: (&'static str, Values),
    doc: &'static str,
    read: fn(Given<'_>) -> Result<T>,
    field: fn(&mut O) -> &mut Option<T>,
) -> Row<O> {
    let set = move |options: &mut O, given: Given<'_>| {
        *field(options) = Some(read(given)?);
        Ok(())
    };
    valued(long, value, doc, set)
}

/// Makes an option with a value that changes the options by `set`.
fn valued<O>(
    long: &'static str,
    value: (&'static str, Values),
    doc: &'static str,
    set: impl Fn(&mut O, Given<'_>) -> Result<()> + 'static,
) -> Row<O> {
    let flag = Flag { long, value: Some(value), doc, alternative: false };
    Row { flag, set: Box::new(set) }
}

/// Makes rows for a part of the options rows for the whole.
fn within<O: 'static, P: 'static>(rows: Vec<Row<P>>, part: fn(&mut O) -> &mut P) -> Vec<Row<O>> {
    let whole = |Row { flag, set }: Row<P>| Row {
        flag,
        set: Box::new(move |options: &mut O, given: Given<'_>| set(part(options), given)) as _,
    };
    rows.into_iter().map(whole).collect()
}

/// A verb with the types of its options.
struct Typed<O> {
    name: &'static str,
    summary: &'static str,
    usage: &'static str,
    about: &'static str,
    operands: Vec<Operand>,
    rows: Vec<Row<O>>,
    notes: &'static [&'static str],
    examples: &'static [(&'static str, &'static str)],
    /// Takes an operand; `false` where there are enough. `None` where the verb takes none.
    operand: Option<fn(&mut O, Given<'_>) -> Result<bool>>,
    /// Names what is missing, or does not fit together.
    problem: fn(&O) -> Option<&'static str>,
    command: fn(O) -> Command,
}

impl<O: Default + 'static> Typed<O> {
    /// Returns the verb without the type of its options, so that all verbs fit into one list.
    fn verb(self) -> Verb {
        let Self { name, summary, usage, about, notes, examples, .. } = self;
        Verb {
            name,
            summary,
            usage,
            about,
            operands: self.operands.clone(),
            flags: self.rows.iter().map(|row| row.flag).collect(),
            notes,
            examples,
            hidden: false,
            read: Box::new(move |parser, wrong| self.read(parser, wrong)),
        }
    }

    fn read(
        &self,
        parser: &mut Parser,
        wrong: &dyn Fn(&lexopt::Error) -> Error,
    ) -> Result<Option<Command>> {
        let mut options = O::default();
        let mut given = vec![false; self.rows.len()];
        while let Some(arg) = parser.next().map_err(|error| wrong(&error))? {
            let at = match &arg {
                Arg::Long("help") | Arg::Short('h') => return Ok(None),
                Arg::Value(value) => {
                    let given = Given { what: "the argument", value };
                    if let Some(take) = self.operand
                        && take(&mut options, given)?
                    {
                        continue;
                    }
                    None
                }
                Arg::Long(long) => self.rows.iter().position(|row| row.flag.long == *long),
                Arg::Short(_) => None,
            };
            let Some(at) = at else { return Err(wrong(&arg.unexpected())) };
            let Row { flag, set } = &self.rows[at];
            let what = format!("--{}", flag.long);
            let value = match flag.value {
                Some(_) if given[at] => return Err(Error::usage(format!("{what} is given twice"))),
                Some(_) => value_of(&what, parser, wrong)?,
                None => OsString::new(),
            };
            set(&mut options, Given { what: &what, value: &value })?;
            given[at] = true;
        }
        let both = (1..given.len())
            .find(|&at| self.rows[at].flag.alternative && given[at] && given[at - 1]);
        if let Some(at) = both {
            let [one, other] = [at - 1, at].map(|at| self.rows[at].flag.long);
            let message = format!("{}: either --{one} or --{other}, not both", self.name);
            return Err(Error::usage(message));
        }
        match (self.problem)(&options) {
            Some(problem) => Err(Error::usage(format!("{}: {problem}", self.name))),
            None => Ok(Some((self.command)(options))),
        }
    }
}

/// Takes the value of an option. Another option is not a value: a missing value would swallow the
/// next option, and a `--dry-run` would build.
fn value_of(
    option: &str,
    parser: &mut Parser,
    wrong: &dyn Fn(&lexopt::Error) -> Error,
) -> Result<OsString> {
    let value = parser.value().map_err(|error| wrong(&error))?;
    let text = value.to_string_lossy();
    if text.starts_with("--") {
        return Err(Error::usage(format!("{option} needs a value: `{text}` is an option")));
    }
    Ok(value)
}

/// Returns no problem, for verbs whose options always fit together.
fn no_problem<O>(_: &O) -> Option<&'static str> {
    None
}
