//! The options of the verbs that look into the bucket. Each verb takes those that its usage names.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt as _};

use ferror::{Error, Result};

use super::values::{expires, path, signature, string};
use super::{Options, Parsed, usage};
use crate::platform::Platform;
use crate::{help, object_key};

/// What `list`, `presign` or `fetch` was told. Each verb takes its own part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShelfOptions {
    /// Where the bucket is, and `--json`: the options that `upload` has too.
    pub place: Options,
    /// `--prefix`.
    pub prefix: Option<String>,
    /// The service named.
    pub service: Option<String>,
    /// `--version`.
    pub version: Option<String>,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// `--expires`.
    pub expires: Option<Duration>,
    /// `--into`.
    pub into: Option<PathBuf>,
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
            Arg::Long("expires") if takes("--expires") => {
                options.expires = Some(expires(&mut parser, help)?);
            }
            other => return Err(wrong(other.unexpected())),
        }
    }
    if options.service.is_none() && help != help::LIST {
        return Err(Error::usage("no SERVICE named").hint(help::usage(help)));
    }
    Ok(Parsed::Meant(options))
}

fn name_of_service(name: String, help: &'static str) -> Result<String> {
    if object_key::is_service(&name) {
        return Ok(name);
    }
    Err(Error::usage(format!("{name:?} is no service's name: expected letters, digits, `-`, `_`"))
        .hint(help::usage(help)))
}

fn name_of_version(version: String, help: &'static str) -> Result<String> {
    if object_key::is_version(&version) {
        return Ok(version);
    }
    let expected = "expected 6 to 40 hex digits, or those, `-dirty.` and 8 more";
    Err(Error::usage(format!("version {version:?}: {expected}")).hint(help::usage(help)))
}
