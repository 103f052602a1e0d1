//! The verbs about dependencies: vendor.

use ferror::{Error, Result};
use lexopt::{Arg, Parser};

use super::{Command, Parsed, usage};
use crate::help;

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
