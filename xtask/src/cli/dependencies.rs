//! The verbs about dependencies: vendor and update.

use ferror::{Error, Result};
use lexopt::{Arg, Parser, ValueExt as _};

use super::{Command, Parsed, usage};
use crate::cli::help;

/// What `vendor` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VendorMode {
    /// Copies the sources.
    #[default]
    Make,
    /// `--check`.
    Check,
    /// `--remove`.
    Remove,
}

/// The options of `update`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateOptions {
    /// What to move; at least one.
    pub patterns: Vec<String>,
    /// `--dry-run`.
    pub dry_run: bool,
}

pub(super) fn update(mut parser: Parser) -> Result<Parsed<Command>> {
    let mut options = UpdateOptions::default();
    let wrong = |error: lexopt::Error| usage(&error, help::UPDATE);
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::UPDATE)),
            Arg::Long("dry-run") => options.dry_run = true,
            Arg::Value(pattern) => options.patterns.push(pattern.string().map_err(wrong)?),
            other => return Err(wrong(other.unexpected())),
        }
    }
    if options.patterns.is_empty() {
        let error = "update: no PATTERN named; `./...` means all that the workspace depends on";
        return Err(Error::usage(error).hint(help::usage(help::UPDATE)));
    }
    Ok(Parsed::Meant(Command::Update(options)))
}

pub(super) fn vendor(mut parser: Parser) -> Result<Parsed<Command>> {
    let mut mode = VendorMode::Make;
    while let Some(arg) = parser.next().map_err(|error| usage(&error, help::VENDOR))? {
        let asked = match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::VENDOR)),
            Arg::Long("check") => VendorMode::Check,
            Arg::Long("remove") => VendorMode::Remove,
            other => return Err(usage(&other.unexpected(), help::VENDOR)),
        };
        if mode != VendorMode::Make && mode != asked {
            return Err(Error::usage("vendor: either --check or --remove, not both")
                .hint(help::usage(help::VENDOR)));
        }
        mode = asked;
    }
    Ok(Parsed::Meant(Command::Vendor(mode)))
}
