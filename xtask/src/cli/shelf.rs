//! The options of the verbs that look into the bucket. Each verb takes those that its usage names.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt as _};

use catalog::{is_channel, is_service, is_version};
use ferror::{Error, Result};

use super::values::{expires, path, signature, string};
use super::{Options, Parsed, usage};
use crate::help;
use crate::platform::Platform;

/// What `list`, `presign`, `fetch` or `promote` was told. Each verb takes its own part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShelfOptions {
    /// Where the bucket is, and `--json`: the options that `upload` has too.
    pub place: Options,
    /// `--prefix`.
    pub prefix: Option<String>,
    /// The service named.
    pub service: Option<String>,
    /// `--version`, or the version that promote takes.
    pub version: Option<String>,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// `--expires`.
    pub expires: Option<Duration>,
    /// `--into`.
    pub into: Option<PathBuf>,
    /// `--channel`, or `--to` of promote.
    pub channel: Option<String>,
    /// `--rollback`.
    pub rollback: bool,
    /// `--by`.
    pub by: Option<String>,
}

/// Reads what follows the verb whose help text is `help`.
pub(super) fn parse(mut parser: Parser, help: &'static str) -> Result<Parsed<ShelfOptions>> {
    let mut options = ShelfOptions::default();
    let wrong = |error: lexopt::Error| usage(&error, help);
    let takes = |option: &str| help::options(help).any(|known| known == option);
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help)),
            Arg::Value(service) if options.service.is_none() => {
                options.service = Some(name_of_service(service.string().map_err(wrong)?, help)?);
            }
            Arg::Value(version) if help == help::PROMOTE && options.version.is_none() => {
                options.version = Some(name_of_version(version.string().map_err(wrong)?, help)?);
            }
            Arg::Long("json") => options.place.json = true,
            Arg::Long("explain") => options.place.upload.explain = true,
            Arg::Long("prefix") => options.prefix = Some(string(&mut parser, "--prefix", help)?),
            Arg::Long("bucket") => {
                options.place.upload.bucket = Some(string(&mut parser, "--bucket", help)?);
            }
            Arg::Long("region") => {
                options.place.upload.region = Some(string(&mut parser, "--region", help)?);
            }
            Arg::Long("endpoint") => {
                options.place.upload.endpoint = Some(string(&mut parser, "--endpoint", help)?);
            }
            Arg::Long("signature") => {
                options.place.upload.signature = Some(signature(&mut parser, help)?);
            }
            Arg::Long("version") if takes("--version") => {
                let version = string(&mut parser, "--version", help)?;
                options.version = Some(name_of_version(version, help)?);
            }
            Arg::Long("platform") if takes("--platform") => {
                options.platform = Some(string(&mut parser, "--platform", help)?.parse()?);
            }
            Arg::Long("into") if takes("--into") => {
                options.into = Some(path(&mut parser, "--into", help)?);
            }
            Arg::Long("channel") if takes("--channel") => {
                let channel = string(&mut parser, "--channel", help)?;
                options.channel = Some(name_of_channel(channel, help)?);
            }
            Arg::Long("to") if takes("--to") => {
                let channel = string(&mut parser, "--to", help)?;
                options.channel = Some(name_of_channel(channel, help)?);
            }
            Arg::Long("rollback") if takes("--rollback") => options.rollback = true,
            Arg::Long("by") if takes("--by") => {
                options.by = Some(string(&mut parser, "--by", help)?);
            }
            Arg::Long("expires") if takes("--expires") => {
                options.expires = Some(expires(&mut parser, help)?);
            }
            other => return Err(wrong(other.unexpected())),
        }
    }
    match missing(&options, help) {
        Some(message) => Err(Error::usage(message).hint(help::usage(help))),
        None => Ok(Parsed::Meant(options)),
    }
}

/// What does not fit together.
fn missing(options: &ShelfOptions, help: &'static str) -> Option<&'static str> {
    let (named, version) = (options.channel.is_some(), options.version.is_some());
    if options.service.is_none() && help != help::LIST {
        Some("no SERVICE named")
    } else if help != help::PROMOTE {
        (named && version).then_some("--version and --channel both name a release: give one")
    } else if !named {
        Some("no channel named: give it by --to")
    } else if options.rollback && version {
        Some("--rollback takes no VERSION: it goes back to the entry before")
    } else if !options.rollback && !version {
        Some("no VERSION named")
    } else {
        None
    }
}

fn name_of_service(name: String, help: &'static str) -> Result<String> {
    if is_service(&name) {
        return Ok(name);
    }
    Err(Error::usage(format!("{name:?} is no service's name: expected letters, digits, `-`, `_`"))
        .hint(help::usage(help)))
}

fn name_of_version(version: String, help: &'static str) -> Result<String> {
    if is_version(&version) {
        return Ok(version);
    }
    let expected = "expected 6 to 40 hex digits, or those, `-dirty.` and 8 more";
    Err(Error::usage(format!("version {version:?}: {expected}")).hint(help::usage(help)))
}

fn name_of_channel(channel: String, help: &'static str) -> Result<String> {
    if is_channel(&channel) {
        return Ok(channel);
    }
    let expected = "expected 1 to 63 lower-case letters, digits and hyphens";
    Err(Error::usage(format!("channel {channel:?}: {expected}")).hint(help::usage(help)))
}
