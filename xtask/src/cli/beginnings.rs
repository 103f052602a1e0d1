//! The verbs that begin something: new and init.

use std::path::PathBuf;

use ferror::{Error, Result};
use lexopt::{Arg, Parser, ValueExt as _};

use super::values::{path, string};
use super::{Command, Parsed, usage};
use crate::cli::help;

/// What a new service is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceKind {
    /// `--web`: it serves requests.
    #[default]
    Web,
    /// `--worker`: it does its work again and again.
    Worker,
}

/// The options of `new`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOptions {
    /// The service's name.
    pub name: String,
    /// `--web` or `--worker`.
    pub kind: ServiceKind,
    /// `--dry-run`.
    pub dry_run: bool,
}

/// Where a new repository has xtask from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XtaskSource {
    /// `--xtask-git`.
    Git(String),
    /// `--xtask-path`.
    Path(PathBuf),
}

/// The options of `init`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InitOptions {
    /// The folder; default `./<name>`.
    pub dir: Option<PathBuf>,
    /// `--name`.
    pub name: Option<String>,
    /// `--github-username`.
    pub github_username: Option<String>,
    /// `--s3-bucket`.
    pub s3_bucket: Option<String>,
    /// `--xtask-git` or `--xtask-path`.
    pub xtask: Option<XtaskSource>,
}

pub(super) fn new(mut parser: Parser) -> Result<Parsed<Command>> {
    let (mut name, mut kind, mut dry_run) = (None, None, false);
    let wrong = |error: lexopt::Error| usage(&error, help::NEW);
    while let Some(arg) = parser.next().map_err(wrong)? {
        let asked = match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::NEW)),
            Arg::Long("web") => ServiceKind::Web,
            Arg::Long("worker") => ServiceKind::Worker,
            Arg::Long("dry-run") => {
                dry_run = true;
                continue;
            }
            Arg::Value(value) if name.is_none() => {
                name = Some(value.string().map_err(wrong)?);
                continue;
            }
            other => return Err(wrong(other.unexpected())),
        };
        if kind.is_some_and(|kind| kind != asked) {
            return Err(Error::usage("new: either --web or --worker, not both")
                .hint(help::usage(help::NEW)));
        }
        kind = Some(asked);
    }
    let name =
        name.ok_or_else(|| Error::usage("new: no NAME given").hint(help::usage(help::NEW)))?;
    let kind = kind.unwrap_or_default();
    Ok(Parsed::Meant(Command::New(NewOptions { name, kind, dry_run })))
}

pub(super) fn init(mut parser: Parser) -> Result<Parsed<Command>> {
    let mut options = InitOptions::default();
    let wrong = |error: lexopt::Error| usage(&error, help::INIT);
    while let Some(arg) = parser.next().map_err(wrong)? {
        let source = match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Parsed::Help(help::INIT)),
            Arg::Value(dir) if options.dir.is_none() => {
                options.dir = Some(dir.into());
                continue;
            }
            Arg::Long("name") => {
                options.name = Some(string(&mut parser, "--name", help::INIT)?);
                continue;
            }
            Arg::Long("github-username") => {
                options.github_username =
                    Some(string(&mut parser, "--github-username", help::INIT)?);
                continue;
            }
            Arg::Long("s3-bucket") => {
                options.s3_bucket = Some(string(&mut parser, "--s3-bucket", help::INIT)?);
                continue;
            }
            Arg::Long("xtask-git") => {
                XtaskSource::Git(string(&mut parser, "--xtask-git", help::INIT)?)
            }
            Arg::Long("xtask-path") => {
                XtaskSource::Path(path(&mut parser, "--xtask-path", help::INIT)?)
            }
            other => return Err(wrong(other.unexpected())),
        };
        if options.xtask.is_some() {
            return Err(Error::usage(
                "init: xtask comes from one place: --xtask-git or --xtask-path, once",
            )
            .hint(help::usage(help::INIT)));
        }
        options.xtask = Some(source);
    }
    Ok(Parsed::Meant(Command::Init(options)))
}
