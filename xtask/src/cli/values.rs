//! Reads the values of options and operands, each checked for form.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use catalog::Platform;
use ferror::{Error, Result};

use crate::bucket::named_release::is_release_name;
use crate::build::toolchain::Library;
use crate::model::shard::Shard;
use crate::model::{names, platform_line};
use crate::verbs::upload::MAX_JOBS;

/// A value that was typed, and the option or operand that it was typed for.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) what: &'a str,
    pub(super) value: &'a OsStr,
}

/// A shell that completions are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash, from 3.2 on.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// The names of the shells.
pub const SHELLS: &[&str] = &["bash", "zsh", "fish"];

impl FromStr for Shell {
    type Err = Error;

    fn from_str(text: &str) -> ferror::Result<Self> {
        match text {
            "bash" => Ok(Self::Bash),
            "zsh" => Ok(Self::Zsh),
            "fish" => Ok(Self::Fish),
            _ => {
                let shells = SHELLS.join(", ");
                Err(Error::usage(format!("unknown shell `{text}`: the shells are {shells}")))
            }
        }
    }
}

pub(super) fn text(given: Given<'_>) -> Result<String> {
    let Given { what, value } = given;
    let text = value.to_str().map(str::to_owned);
    let shown = value.display();
    text.ok_or_else(|| Error::usage(format!("{what} \"{shown}\": expected text in UTF-8")))
}

pub(super) fn path(given: Given<'_>) -> Result<PathBuf> {
    if given.value.is_empty() {
        return Err(Error::usage(format!("{} \"\": expected a path", given.what)));
    }
    Ok(given.value.into())
}

pub(super) fn platforms(given: Given<'_>) -> Result<Vec<Platform>> {
    platform_line::parse(&text(given)?)
}

pub(super) fn platform(given: Given<'_>) -> Result<Platform> {
    text(given)?.parse()
}

pub(super) fn library(given: Given<'_>) -> Result<Library> {
    text(given)?.parse()
}

pub(super) fn shard(given: Given<'_>) -> Result<Shard> {
    text(given)?.parse()
}

pub(super) fn signature(given: Given<'_>) -> Result<s3::Signature> {
    let word = text(given)?;
    word.parse().map_err(|_| Error::usage(format!("--signature {word:?}: expected v4 or v2")))
}

pub(super) fn jobs(given: Given<'_>) -> Result<u8> {
    let jobs = number(given, "a number", MAX_JOBS.into())?;
    Ok(u8::try_from(jobs).unwrap_or(MAX_JOBS))
}

/// Reads seconds, as many as a signature of version 4 lasts at most.
pub(super) fn expires(given: Given<'_>) -> Result<Duration> {
    number(given, "seconds", 7 * 24 * 60 * 60).map(Duration::from_secs)
}

fn number(given: Given<'_>, what: &str, most: u64) -> Result<u64> {
    let (option, word) = (given.what, text(given)?);
    // Digits alone: `parse` takes a sign too.
    let number = word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| Error::usage(format!("{option} {word:?}: expected {what} from 1 to {most}")))
}

pub(super) fn service(given: Given<'_>) -> Result<String> {
    let expected = "expected letters, digits, `-`, `_`";
    let name = text(given)?;
    if catalog::is_service(&name) {
        return Ok(name);
    }
    Err(Error::usage(format!("{name:?} is no service's name: {expected}")))
}

/// Reads the name of a service that is not there yet.
pub(super) fn new_service(given: Given<'_>) -> Result<String> {
    let name = text(given)?;
    names::check_service(&name)?;
    Ok(name)
}

pub(super) fn version(given: Given<'_>) -> Result<String> {
    let expected = "expected 6 to 40 hex digits, or those, `-dirty.` and 8 more";
    let version = text(given)?;
    if catalog::is_version(&version) {
        return Ok(version);
    }
    Err(Error::usage(format!("version {version:?}: {expected}")))
}

/// Reads the name of a release: a version, a commit, a channel or `HEAD`.
pub(super) fn release(given: Given<'_>) -> Result<String> {
    let name = text(given)?;
    if is_release_name(&name) {
        return Ok(name);
    }
    Err(Error::usage(format!(
        "release {name:?}: expected a version or commit of 6 to 40 lower-case hex digits, a channel, or HEAD"
    )))
}

/// Reads how many artifacts are picked.
pub(super) fn sample(given: Given<'_>) -> Result<usize> {
    let count = number(given, "a number", 10_000)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

pub(super) fn folder_prefix(given: Given<'_>) -> Result<String> {
    let prefix = text(given)?;
    catalog::folder_prefix(&prefix).ok_or_else(|| {
        Error::usage(format!(
            "{} {prefix:?}: expected a folder in the bucket such as team/",
            given.what
        ))
    })
}

pub(super) fn channel(given: Given<'_>) -> Result<String> {
    let expected = "expected 1 to 63 lower-case letters, digits and hyphens";
    let channel = text(given)?;
    if catalog::is_channel(&channel) {
        return Ok(channel);
    }
    Err(Error::usage(format!("channel {channel:?}: {expected}")))
}
