//! Makes platforms buildable, or says in one breath why not and what to do.
//!
//! A platform needs a standard library and a linker. The library is rustup's, compiled, or built
//! from the distribution's sources; the linker is zig, for all platforms alike. One platform that
//! cannot be built does not hinder the others: each has a result of its own.

pub(crate) mod bounded;
mod choice;
pub(crate) mod compiler;
mod distribution;
mod reason;
mod rustup;
pub(crate) mod system;
pub(crate) mod zig;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ferror::Error;

use self::choice::{Choice, Facts};
use self::compiler::Compiler;
use self::reason::Reason;
use self::zig::Linker;
use crate::build::pins;
use crate::model::platform::Platform;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// Where a platform's standard library comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// Compiled, from rustup's server.
    Rustup,
    /// Compiled here from the distribution's sources, by the distribution's compiler.
    Distribution,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The platforms to make buildable.
    pub platforms: &'a [Platform],
    /// The library to use, where one is forced.
    pub library: Option<Library>,
    /// Whether anything may be installed.
    pub install: bool,
    /// The oldest glibc that Linux binaries run on.
    pub glibc: &'a str,
    /// The oldest macOS that Darwin binaries run on.
    pub macos: &'a str,
    /// The folder of the workspace's Cargo.toml.
    pub workspace_root: &'a Path,
    /// Plain cargo's target folder; ours lie below it.
    pub target_dir: &'a Path,
    /// The outside.
    pub env: &'a Env,
}

/// All that a compilation for one platform needs.
#[derive(Debug, Clone)]
pub struct Buildable {
    /// The platform.
    pub platform: Platform,
    /// Where its standard library comes from.
    pub library: Library,
    /// The compiler, as `rustc --version` names it and manifests carry it.
    pub rustc: String,
    pub(crate) compiler: Compiler,
    pub(crate) linker: Linker,
    pub(crate) workspace_root: PathBuf,
    /// Our target folder: one for each library, since two compilers in one would undo each other.
    pub(crate) target_dir: PathBuf,
    /// Where the linker keeps what it has compiled.
    pub(crate) cache_dir: PathBuf,
    pub(crate) glibc: String,
    pub(crate) macos: String,
}

impl Buildable {
    /// The sources of the standard library, where they are built with the services.
    pub fn library_sources(&self) -> Option<PathBuf> {
        (self.library == Library::Distribution).then(|| library_sources(&self.compiler.sysroot))
    }

    /// Fails with [`ferror::Kind::Config`] where the compiler is another than the pin of its library.
    pub fn check_pin(&self) -> ferror::Result<()> {
        let (pin, hint) = match self.library {
            Library::Rustup => {
                (pins::RUSTC, format!("run `rustup toolchain install {}`", pins::RUSTC))
            }
            Library::Distribution => {
                (pins::DISTRIBUTION_RUSTC, "install the pinned one, or change the pin".to_owned())
            }
        };
        if self.compiler.release == pin {
            return Ok(());
        }
        let message = format!("--strict: {} would build, the pin is {pin}", self.compiler.version);
        Err(Error::config(message).hint(hint))
    }
}

/// Makes each of `wanted.platforms` buildable, in their order.
///
/// The errors are [`ferror::Kind::Config`], with what to do as the hint.
pub fn prepare(wanted: &Wanted<'_>, ui: Ui) -> Vec<(Platform, anyhow::Result<Buildable>)> {
    let tools = tools_dir(wanted.target_dir);
    let libraries = libraries(wanted, &tools, ui);
    // Any compiler knows this machine's triple; without one there is nothing to link either.
    let host = libraries.iter().find_map(|found| found.as_ref().ok());
    say_distribution(wanted.platforms, &libraries, ui);
    let linker = host.map(|(_, compiler)| {
        zig::make(&tools, &compiler.host, wanted.install, wanted.env, ui)
            .map_err(|error| Reason::of(&error))
    });
    let both = |platform, library: Found| {
        let (library, compiler) = match (library, &linker) {
            (Err(lacking), Some(Err(also))) => return Err(lacking.and(also).error()),
            (Err(lacking), _) => return Err(lacking.error()),
            (Ok(found), _) => found,
        };
        let linker = match linker.clone() {
            Some(linker) => linker.map_err(|lacking| lacking.error())?,
            None => unreachable!("a compiler was found, so a linker was looked for"),
        };
        Ok(Buildable {
            platform,
            library,
            rustc: compiler.version.clone(),
            compiler,
            linker,
            workspace_root: wanted.workspace_root.to_owned(),
            target_dir: wanted.target_dir.join("dist").join(library.to_string()),
            cache_dir: tools.join("cache"),
            glibc: wanted.glibc.to_owned(),
            macos: wanted.macos.to_owned(),
        })
    };
    let platforms = wanted.platforms.iter().copied();
    platforms
        .zip(libraries)
        .map(|(platform, library)| (platform, both(platform, library)))
        .collect()
}

/// Forgets what an earlier run noted about servers that refused: the next one asks again.
pub fn forget_refusals(target_dir: &Path) -> anyhow::Result<()> {
    rustup::forget_refusal(&tools_dir(target_dir))
}

/// Where the sources of a compiler's standard library lie, if they are installed.
pub(crate) fn library_sources(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust/library")
}

/// The sources of the distribution's standard library.
///
/// Fails with [`ferror::Kind::Config`] where they, or the compiler that goes with them, are missing.
pub fn distribution_library(env: &Env) -> ferror::Result<PathBuf> {
    Ok(library_sources(&distribution::look(env)?.sysroot))
}

fn tools_dir(target_dir: &Path) -> PathBuf {
    target_dir.join("dist/tools")
}

/// A library and the compiler that goes with it, or why there is none.
type Found = Result<(Library, Compiler), Reason>;

/// The library of each platform, installed where that is allowed.
fn libraries(wanted: &Wanted<'_>, tools: &Path, ui: Ui) -> Vec<Found> {
    let active = match wanted.library {
        // Not even looked at: its warnings would be about a compiler that is not used.
        Some(Library::Distribution) => Err(Error::config("the distribution's library is forced")),
        _ => compiler::choose(wanted.workspace_root, wanted.env, ui),
    };
    let choices = choices(wanted, &active, tools);
    let to_add: Vec<Platform> = std::iter::zip(wanted.platforms, &choices)
        .filter(|(_, choice)| matches!(choice, Choice::Add | Choice::AddElseDistribution))
        .map(|(&platform, _)| platform)
        .collect();
    let refusal = add(wanted, &active, &to_add, tools, ui);
    let from_rustup = |platform| from_rustup(platform, &active, refusal.as_ref());
    // Made once for all platforms that need it.
    let mut distribution: Option<Result<Compiler, Reason>> = None;
    let mut from_distribution = || {
        distribution
            .get_or_insert_with(|| {
                distribution::make(wanted.install, wanted.env, ui)
                    .map_err(|error| Reason::of_error(&error))
            })
            .clone()
            .map(|compiler| (Library::Distribution, compiler))
    };
    std::iter::zip(wanted.platforms, choices)
        .map(|(&platform, choice)| match choice {
            Choice::Rustup | Choice::Add => from_rustup(platform),
            Choice::Distribution => from_distribution(),
            Choice::AddElseDistribution | Choice::Missing => from_rustup(platform)
                .or_else(|lacking| from_distribution().map_err(|also| lacking.and(&also))),
        })
        .collect()
}

fn choices(wanted: &Wanted<'_>, active: &ferror::Result<Compiler>, tools: &Path) -> Vec<Choice> {
    let asked = wanted.library;
    let rustup_has = |platform: Platform| {
        active.as_ref().is_ok_and(|compiler| compiler.has_library(platform.triple()))
    };
    // A compiler that is not rustup's is refused without asking.
    let rustup_refused = active.as_ref().map_or(true, |compiler| {
        compiler.toolchain.is_none() || rustup::was_refused(tools, compiler)
    });
    // Looked at only where it can matter: it starts a process.
    let matters =
        asked != Some(Library::Rustup) && !wanted.platforms.iter().all(|&p| rustup_has(p));
    let distribution_is_there = matters && distribution::look(wanted.env).is_ok();
    let facts = |&platform: &Platform| Facts {
        asked,
        may_install: wanted.install,
        rustup_has: rustup_has(platform),
        rustup_refused,
        distribution_is_there,
    };
    wanted.platforms.iter().map(facts).map(choice::choose).collect()
}

fn from_rustup(
    platform: Platform,
    active: &ferror::Result<Compiler>,
    refusal: Option<&Reason>,
) -> Found {
    match (active, refusal) {
        (Err(error), _) => Err(Reason::of_error(error)),
        (Ok(compiler), _) if compiler.has_library(platform.triple()) => {
            Ok((Library::Rustup, compiler.clone()))
        }
        (Ok(_), Some(refusal)) => Err(refusal.clone()),
        (Ok(compiler), None) => Err(Reason::no_library(platform, compiler)),
    }
}

/// Another compiler than the pin makes other bytes: that is said, in one line for all platforms.
fn say_distribution(platforms: &[Platform], libraries: &[Found], ui: Ui) {
    let mut compiler = None;
    let mut names = Vec::new();
    for (platform, found) in std::iter::zip(platforms, libraries) {
        if let Ok((Library::Distribution, theirs)) = found {
            compiler = Some(theirs);
            names.push(platform.as_str());
        }
    }
    if let Some(compiler) = compiler {
        let names = names.join(", ");
        ui.say("using", format!("the distribution's {} for {names}", compiler.version));
    }
}

/// Asks rustup for what it lacks; a refusal is said here, and remembered where there is another way.
fn add(
    wanted: &Wanted<'_>,
    active: &ferror::Result<Compiler>,
    platforms: &[Platform],
    tools: &Path,
    ui: Ui,
) -> Option<Reason> {
    let compiler = active.as_ref().ok().filter(|_| !platforms.is_empty())?;
    let refusal = Reason::of_error(&rustup::add(compiler, platforms, wanted.env, ui).err()?);
    if wanted.library.is_none() {
        ui.warn(&refusal.message);
        if let Err(error) = rustup::remember_refusal(tools, compiler) {
            ui.warn(format!("{error:#}"));
        }
    }
    Some(refusal)
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rustup => "rustup",
            Self::Distribution => "distribution",
        })
    }
}

impl FromStr for Library {
    type Err = Error;

    fn from_str(text: &str) -> ferror::Result<Self> {
        match text {
            "rustup" => Ok(Self::Rustup),
            "distribution" => Ok(Self::Distribution),
            _ => Err(Error::usage(format!("library `{text}`: expected rustup or distribution"))),
        }
    }
}
