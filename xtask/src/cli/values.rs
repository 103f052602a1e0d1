//! The values of options: each checked for form, each mistake with its option and the verb's usage.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ferror::{Error, Result};
use lexopt::Parser;

use super::{MAX_JOBS, usage};
use crate::build::toolchain::Library;
use crate::cli::help;
use crate::model::platform::{self, Platform};

/// What follows an option. Another option does not: without its value, one would take the next for
/// it, and a `--dry-run` would build.
fn value(parser: &mut Parser, option: &str, help: &'static str) -> Result<OsString> {
    let value = parser.value().map_err(|error| usage(&error, help))?;
    let text = value.to_string_lossy();
    if !text.starts_with("--") {
        return Ok(value);
    }
    Err(Error::usage(format!("{option} needs a value: `{text}` is an option"))
        .hint(help::usage(help)))
}

pub(super) fn string(parser: &mut Parser, option: &str, help: &'static str) -> Result<String> {
    use lexopt::ValueExt as _;

    value(parser, option, help)?.string().map_err(|error| usage(&error, help))
}

pub(super) fn path(parser: &mut Parser, option: &str, help: &'static str) -> Result<PathBuf> {
    value(parser, option, help).map(PathBuf::from)
}

pub(super) fn platforms(parser: &mut Parser, help: &'static str) -> Result<Vec<Platform>> {
    platform::parse_line(&string(parser, "--platforms", help)?)
}

pub(super) fn library(parser: &mut Parser, help: &'static str) -> Result<Library> {
    let word = string(parser, "--library", help)?;
    word.parse().map_err(|error: Error| error.hint(help::usage(help)))
}

pub(super) fn signature(parser: &mut Parser, help: &'static str) -> Result<s3::Signature> {
    let word = string(parser, "--signature", help)?;
    word.parse().map_err(|_| {
        Error::usage(format!("--signature {word:?}: expected v4 or v2")).hint(help::usage(help))
    })
}

pub(super) fn jobs(parser: &mut Parser, help: &'static str) -> Result<u8> {
    let word = string(parser, "--jobs", help)?;
    // Digits alone: `parse` takes a sign too.
    let number = word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    number.filter(|jobs| (1..=MAX_JOBS).contains(jobs)).ok_or_else(|| {
        Error::usage(format!("--jobs {word:?}: expected a number from 1 to {MAX_JOBS}"))
            .hint(help::usage(help))
    })
}

/// Seconds, as many as a signature of version 4 lasts at most.
pub(super) fn expires(parser: &mut Parser, help: &'static str) -> Result<Duration> {
    const MAX_SECS: u64 = 7 * 24 * 60 * 60;
    let word = string(parser, "--expires", help)?;
    // Digits alone: `parse` takes a sign too.
    let number = word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    let secs = number.filter(|secs| (1..=MAX_SECS).contains(secs));
    secs.map(Duration::from_secs).ok_or_else(|| {
        Error::usage(format!("--expires {word:?}: expected seconds from 1 to {MAX_SECS}"))
            .hint(help::usage(help))
    })
}
