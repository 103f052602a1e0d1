//! The command line, as plain data: what was typed, checked for form only. What it means together
//! with the environment and the configuration is decided by the verbs.

mod beginnings;
mod dependencies;
pub mod help;
mod shelf;
mod simple;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use ferror::{Error, Result};
use lexopt::{Arg, Parser, ValueExt as _};

use crate::build::toolchain::Library;
use crate::model::platform::Platform;
use crate::model::suggest;
pub use beginnings::{InitOptions, NewOptions, ServiceKind, XtaskSource};
pub use dependencies::{UpdateOptions, VendorMode};
pub use shelf::ShelfOptions;
use values::{jobs, library, path, platforms, signature, string};

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Print this text and stop.
    Help(&'static str),
    /// Print the program's own version and stop.
    Version,
    /// `dist`.
    Dist(Options),
    /// `upload`.
    Upload(Options),
    /// `ship`: `dist`, then `upload`.
    Ship(Options),
    /// `list`.
    List(ShelfOptions),
    /// `presign`.
    Presign(ShelfOptions),
    /// `fetch`.
    Fetch(ShelfOptions),
    /// `promote`.
    Promote(ShelfOptions),
    /// `new`.
    New(NewOptions),
    /// `init`.
    Init(InitOptions),
    /// `setup`.
    Setup(SetupOptions),
    /// `ci`; with `all`, what is slow or needs servers too.
    Ci {
        /// `--all`.
        all: bool,
    },
    /// `update`.
    Update(UpdateOptions),
    /// `vendor`.
    Vendor(VendorMode),
    /// `stamp FILE...`.
    Stamp {
        /// The files.
        files: Vec<PathBuf>,
        /// `--json`.
        json: bool,
    },
}

/// The options of `dist`, `upload` and `ship`. Each verb takes its own part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The services named; empty means all.
    pub services: Vec<String>,
    /// `--dest`.
    pub dest: Option<PathBuf>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
    /// What only `dist` knows.
    pub dist: DistOptions,
    /// What only `upload` knows.
    pub upload: UploadOptions,
}

/// Options of `dist` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DistOptions {
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--version`.
    pub version: Option<String>,
    /// `--library`.
    pub library: Option<Library>,
    /// `--strict`.
    pub strict: bool,
}

/// Options of `upload` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is there or is not")]
pub struct UploadOptions {
    /// `--bucket`.
    pub bucket: Option<String>,
    /// `--region`.
    pub region: Option<String>,
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// `--signature`.
    pub signature: Option<s3::Signature>,
    /// `--local`.
    pub local: bool,
    /// `--allow-dirty`.
    pub allow_dirty: bool,
    /// `--skip-without-credentials`.
    pub skip_without_credentials: bool,
    /// `--jobs`: how many requests at once, 1 to [`MAX_JOBS`]; `None` goes by size and count.
    pub jobs: Option<u8>,
    /// `--verify`.
    pub verify: bool,
    /// `--timings`.
    pub timings: bool,
    /// `--explain`.
    pub explain: bool,
}

/// The most that `--jobs` takes: beyond it, a server sooner asks to slow down than it gets faster.
pub const MAX_JOBS: u8 = 64;

/// The options of `setup`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetupOptions {
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--check`.
    pub check: bool,
    /// `--library`.
    pub library: Option<Library>,
}

/// Reads the arguments after the program's name.
///
/// Fails with [`ferror::Kind::Usage`] and the verb's usage as hint; a platform line's own mistakes
/// are [`ferror::Kind::Config`], wherever the line stands.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut parser = Parser::from_args(arguments);
    let Some(first) = parser.next().map_err(|error| usage(&error, help::MAIN))? else {
        return Err(Error::usage(format!("no verb named: the verbs are {}", help::VERBS))
            .hint(help::usage(help::MAIN)));
    };
    match first {
        Arg::Long("help") | Arg::Short('h') => Ok(Command::Help(help::MAIN)),
        Arg::Long("version") | Arg::Short('V') => Ok(Command::Version),
        Arg::Value(verb) => match verb.to_str() {
            Some("dist") => options(parser, help::DIST, true, false).map(|o| o.map(Command::Dist)),
            Some("upload") => {
                options(parser, help::UPLOAD, false, true).map(|o| o.map(Command::Upload))
            }
            Some("ship") => options(parser, help::SHIP, true, true).map(|o| o.map(Command::Ship)),
            Some("list") => shelf::parse(parser, help::LIST).map(|o| o.map(Command::List)),
            Some("presign") => shelf::parse(parser, help::PRESIGN).map(|o| o.map(Command::Presign)),
            Some("fetch") => shelf::parse(parser, help::FETCH).map(|o| o.map(Command::Fetch)),
            Some("promote") => shelf::parse(parser, help::PROMOTE).map(|o| o.map(Command::Promote)),
            Some("new") => beginnings::new(parser),
            Some("init") => beginnings::init(parser),
            Some("setup") => setup(parser),
            Some("ci") => simple::ci(parser),
            Some("stamp") => simple::stamp(parser),
            Some("update") => dependencies::update(parser),
            Some("vendor") => dependencies::vendor(parser),
            Some("help") => simple::help(parser),
            _ => Err(unknown_verb(&verb.to_string_lossy())),
        }
        .map(Parsed::into_command),
        other => Err(usage(&other.unexpected(), help::MAIN)),
    }
}

/// A verb's options, or the wish for its help.
enum Parsed<T> {
    Help(&'static str),
    Meant(T),
}

impl<T> Parsed<T> {
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Parsed<U> {
        match self {
            Self::Help(text) => Parsed::Help(text),
            Self::Meant(value) => Parsed::Meant(f(value)),
        }
    }
}

impl Parsed<Command> {
    fn into_command(self) -> Command {
        match self {
            Self::Help(text) => Command::Help(text),
            Self::Meant(command) => command,
        }
    }
}

fn options(
    mut parser: Parser,
    help: &'static str,
    dist: bool,
    upload: bool,
) -> Result<Parsed<Options>> {
    let mut options = Options::default();
    let wrong = |error: lexopt::Error| usage(&error, help);
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help)),
            Arg::Value(service) => options.services.push(service.string().map_err(wrong)?),
            Arg::Long("dest") => options.dest = Some(path(&mut parser, "--dest", help)?),
            Arg::Long("dry-run") => options.dry_run = true,
            Arg::Long("json") => options.json = true,
            Arg::Long("platforms") if dist => {
                options.dist.platforms = Some(platforms(&mut parser, help)?);
            }
            Arg::Long("version") if dist => {
                options.dist.version = Some(string(&mut parser, "--version", help)?);
            }
            Arg::Long("library") if dist => {
                options.dist.library = Some(library(&mut parser, help)?);
            }
            Arg::Long("strict") if dist => options.dist.strict = true,
            Arg::Long("bucket") if upload => {
                options.upload.bucket = Some(string(&mut parser, "--bucket", help)?);
            }
            Arg::Long("region") if upload => {
                options.upload.region = Some(string(&mut parser, "--region", help)?);
            }
            Arg::Long("endpoint") if upload => {
                options.upload.endpoint = Some(string(&mut parser, "--endpoint", help)?);
            }
            Arg::Long("signature") if upload => {
                options.upload.signature = Some(signature(&mut parser, help)?);
            }
            Arg::Long("local") if upload => options.upload.local = true,
            Arg::Long("allow-dirty") if upload => options.upload.allow_dirty = true,
            Arg::Long("skip-without-credentials") if upload => {
                options.upload.skip_without_credentials = true;
            }
            Arg::Long("jobs") if upload => options.upload.jobs = Some(jobs(&mut parser, help)?),
            Arg::Long("verify") if upload => options.upload.verify = true,
            Arg::Long("timings") if upload => options.upload.timings = true,
            Arg::Long("explain") if upload => options.upload.explain = true,
            other => return Err(wrong(other.unexpected())),
        }
    }
    Ok(Parsed::Meant(options))
}

fn setup(mut parser: Parser) -> Result<Parsed<Command>> {
    let mut options = SetupOptions::default();
    while let Some(arg) = parser.next().map_err(|error| usage(&error, help::SETUP))? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::SETUP)),
            Arg::Long("check") => options.check = true,
            Arg::Long("platforms") => {
                options.platforms = Some(platforms(&mut parser, help::SETUP)?);
            }
            Arg::Long("library") => options.library = Some(library(&mut parser, help::SETUP)?),
            other => return Err(usage(&other.unexpected(), help::SETUP)),
        }
    }
    Ok(Parsed::Meant(Command::Setup(options)))
}

fn unknown_verb(verb: &str) -> Error {
    let near = suggest::did_you_mean(verb, help::VERBS.split(", "));
    Error::usage(format!("unknown verb `{verb}`: {near}the verbs are {}", help::VERBS))
        .hint(help::usage(help::MAIN))
}

/// What the parser says, with the option that may have been meant, and the usage.
fn usage(error: &lexopt::Error, help: &'static str) -> Error {
    let near = match error {
        lexopt::Error::UnexpectedOption(name) => suggest::nearest(name, help::options(help)),
        _ => None,
    };
    let near = near.map_or_else(String::new, |name| format!(": did you mean `{name}`?"));
    Error::usage(format!("{error}{near}")).hint(help::usage(help))
}

#[cfg(test)]
mod tests;
