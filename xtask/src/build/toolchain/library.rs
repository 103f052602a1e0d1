//! Finds a standard library for each platform, with the compiler that belongs to it.
//!
//! rustup's library is preferred, since it belongs to the pinned compiler. The distribution's is for
//! networks from which rustup's server cannot be reached. It makes other bytes, so it is used without being
//! asked for only where nothing is published. What is done for a platform follows from a table, [`choose`].

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use catalog::Platform;
use ferror::{Error, Kind};

use super::compiler::{self, Compiler};
use super::{distribution, rustup};
use crate::system::env::Env;
use crate::system::ui::Ui;

/// The source of a platform's standard library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// From rustup's server, compiled.
    Rustup,
    /// From the distribution's sources, compiled here by the distribution's compiler.
    Distribution,
}

/// A library and the compiler that belongs to it, or why there is none.
pub(super) type Found = Result<(Library, Compiler), MissingReason>;

/// The inputs of [`find`].
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) platforms: &'a [Platform],
    /// What `--library` asks for.
    pub(super) requested: Option<Library>,
    /// Whether the distribution's library may be used where `--library` does not ask for it.
    pub(super) may_fall_back: bool,
    pub(super) may_install: bool,
    /// The compiler that the repository pins.
    pub(super) pin: &'a str,
    pub(super) workspace_root: &'a Path,
    /// The folder in which refusals of rustup's server are noted.
    pub(super) tools_dir: &'a Path,
    pub(super) env: &'a Env,
    pub(super) ui: &'a Ui,
}

/// Returns the library that [`find`] would find or install for each platform, unless rustup's server refuses one.
pub(super) fn expected(search: Search<'_>) -> ferror::Result<Vec<(Library, Compiler)>> {
    let requested = match search.requested {
        None if !search.may_fall_back => Some(Library::Rustup),
        requested => requested,
    };
    let search = Search { requested, may_install: true, ..search };
    let active = match requested {
        Some(Library::Distribution) => Err(Error::config("the distribution's library is forced")),
        _ => compiler::find(search.workspace_root, search.pin, search.env),
    };
    let mut expected = Vec::new();
    for choice in choices(search, &active) {
        expected.push(match (choice, &active) {
            (Choice::Distribution, _) => (Library::Distribution, distribution::find(search.env)?),
            (_, Ok(compiler)) => (Library::Rustup, compiler.clone()),
            (_, Err(_)) => {
                let compiler = compiler::find(search.workspace_root, search.pin, search.env)?;
                (Library::Rustup, compiler)
            }
        });
    }
    Ok(expected)
}

/// Finds the library of each platform, in their order. Installs those that are missing, where that is
/// allowed.
pub(super) fn find(search: Search<'_>) -> Vec<Found> {
    if search.requested.is_none() && !search.may_fall_back {
        let found = find(Search { requested: Some(Library::Rustup), ..search });
        return found
            .into_iter()
            .map(|found| found.map_err(MissingReason::without_rustup))
            .collect();
    }
    let active = match search.requested {
        // Choosing would warn about a compiler that is not used.
        Some(Library::Distribution) => Err(Error::config("the distribution's library is forced")),
        _ => compiler::choose(search.workspace_root, search.pin, search.env, search.ui),
    };
    let choices = choices(search, &active);
    let to_add: Vec<Platform> = std::iter::zip(search.platforms, &choices)
        .filter(|(_, choice)| matches!(choice, Choice::Add | Choice::AddElseDistribution))
        .map(|(&platform, _)| platform)
        .collect();
    let refusal = add(search, &active, &to_add);
    let from_rustup = |platform| from_rustup(platform, &active, refusal.as_ref());
    // Found once for all platforms that need it.
    let mut distribution: Option<Result<Compiler, MissingReason>> = None;
    let mut from_distribution = || {
        distribution
            .get_or_insert_with(|| {
                distribution::find_or_install(search.may_install, search.env, search.ui)
                    .map_err(|error| MissingReason::of(&error))
            })
            .clone()
            .map(|compiler| (Library::Distribution, compiler))
    };
    let found = std::iter::zip(search.platforms, choices)
        .map(|(&platform, choice)| match choice {
            Choice::Rustup | Choice::Add => from_rustup(platform),
            Choice::Distribution => from_distribution(),
            Choice::AddElseDistribution | Choice::Neither => from_rustup(platform)
                .or_else(|first| from_distribution().map_err(|second| first.and(&second))),
        })
        .collect::<Vec<_>>();
    say_distribution(search, &found);
    found
}

fn choices(search: Search<'_>, active: &ferror::Result<Compiler>) -> Vec<Choice> {
    let rustup_has = |platform: Platform| {
        active.as_ref().is_ok_and(|compiler| compiler.has_library(platform.triple()))
    };
    // rustup can add nothing to a compiler that it does not keep.
    let rustup_refused = active.as_ref().map_or(true, |compiler| {
        compiler.toolchain.is_none() || rustup::was_refused(search.tools_dir, compiler)
    });
    // The search starts a process, so it is left out where its result does not matter.
    let matters = search.requested != Some(Library::Rustup)
        && !search.platforms.iter().all(|&platform| rustup_has(platform));
    let distribution_is_there = matters && distribution::find(search.env).is_ok();
    let facts = |&platform: &Platform| Facts {
        requested: search.requested,
        may_install: search.may_install,
        rustup_has: rustup_has(platform),
        rustup_refused,
        distribution_is_there,
    };
    search.platforms.iter().map(facts).map(choose).collect()
}

/// What is known about one platform before anything is installed.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each looked at by name")]
struct Facts {
    requested: Option<Library>,
    may_install: bool,
    /// Whether the compiler has the platform's library.
    rustup_has: bool,
    /// Whether rustup is known to have no library for this compiler.
    rustup_refused: bool,
    distribution_is_there: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Use rustup's library, as installed.
    Rustup,
    /// Ask rustup for the library, and fail if it refuses.
    Add,
    /// Ask rustup for the library, and use the distribution's if it refuses.
    AddElseDistribution,
    /// Use the distribution's library, installed first where it is missing and that is allowed.
    Distribution,
    /// Fail: neither library is installed, and nothing may be installed.
    Neither,
}

fn choose(facts: Facts) -> Choice {
    match facts {
        Facts { requested: Some(Library::Distribution), .. } => Choice::Distribution,
        Facts { rustup_has: true, .. } => Choice::Rustup,
        Facts { requested: Some(Library::Rustup), may_install: true, .. } => Choice::Add,
        Facts { requested: Some(Library::Rustup), .. } => Choice::Rustup,
        Facts { rustup_refused: true, distribution_is_there: true, .. } => Choice::Distribution,
        Facts { may_install: true, .. } => Choice::AddElseDistribution,
        Facts { distribution_is_there: true, .. } => Choice::Distribution,
        _ => Choice::Neither,
    }
}

fn from_rustup(
    platform: Platform,
    active: &ferror::Result<Compiler>,
    refusal: Option<&MissingReason>,
) -> Found {
    match (active, refusal) {
        (Err(error), _) => Err(MissingReason::of(error)),
        (Ok(compiler), _) if compiler.has_library(platform.triple()) => {
            Ok((Library::Rustup, compiler.clone()))
        }
        (Ok(_), Some(refusal)) => Err(refusal.clone()),
        (Ok(compiler), None) => Err(MissingReason {
            message: format!("{} has no standard library for {platform}", compiler.version),
            hint: rustup::hint(compiler, platform),
        }),
    }
}

/// Asks rustup for the libraries of `platforms`. Where another library may be used instead, a refusal is
/// shown and noted here.
fn add(
    search: Search<'_>,
    active: &ferror::Result<Compiler>,
    platforms: &[Platform],
) -> Option<MissingReason> {
    let compiler = active.as_ref().ok().filter(|_| !platforms.is_empty())?;
    let error = rustup::add(compiler, platforms, search.env, search.ui).err()?;
    let refusal = MissingReason::of(&error);
    if search.requested.is_none() {
        search.ui.warn(&refusal.message);
        if let Err(error) = rustup::remember_refusal(search.tools_dir, compiler) {
            search.ui.warn(format!("{error:#}"));
        }
    }
    Some(refusal)
}

/// Says, in one line for all platforms, that the distribution's compiler builds: it makes other bytes than
/// the pinned one.
fn say_distribution(search: Search<'_>, found: &[Found]) {
    let mut compiler = None;
    let mut names = Vec::new();
    for (platform, found) in std::iter::zip(search.platforms, found) {
        if let Ok((Library::Distribution, distribution)) = found {
            compiler = Some(distribution);
            names.push(platform.as_str());
        }
    }
    if let Some(compiler) = compiler {
        let names = names.join(", ");
        let note = match search.requested {
            Some(_) => "",
            None => "; what is published has to ask for it by --library distribution",
        };
        search
            .ui
            .say("using", format!("the distribution's {} for {names}{note}", compiler.version));
    }
}

/// Why a library or the linker is missing. Several platforms can share a reason, which an error, that can be
/// neither copied nor compared, does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MissingReason {
    message: String,
    hint: Option<String>,
}

impl MissingReason {
    pub(super) fn of(error: &Error) -> Self {
        Self { message: format!("{error:#}"), hint: error.hint_text().map(str::to_owned) }
    }

    pub(super) fn of_any(error: &anyhow::Error) -> Self {
        let hint = error.downcast_ref::<Error>().and_then(Error::hint_text).map(str::to_owned);
        Self { message: format!("{error:#}"), hint }
    }

    /// Adds the way out where rustup's library is missing and no other one may be taken instead.
    fn without_rustup(mut self) -> Self {
        let other =
            "build with the distribution's compiler, whose bytes differ: --library distribution";
        self.hint = Some(match self.hint {
            Some(hint) => format!("{hint}, or {other}"),
            None => other.to_owned(),
        });
        self
    }

    /// Joins two reasons and their hints.
    pub(super) fn and(&self, other: &Self) -> Self {
        let hint = match (&self.hint, &other.hint) {
            (Some(one), Some(two)) => Some(format!("{one}, or {two}")),
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        Self { message: format!("{}; {}", self.message, other.message), hint }
    }

    pub(super) fn error(&self) -> anyhow::Error {
        let error = Error::new(Kind::Config, &self.message);
        match &self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
        .into()
    }
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

#[cfg(test)]
mod tests {
    use super::{Choice, Facts, Library, choose};

    #[test]
    fn rustup_is_preferred_to_the_distribution_and_a_requested_library_to_both() {
        let (rustup, distribution) = (Some(Library::Rustup), Some(Library::Distribution));
        // requested, may_install, rustup_has, rustup_refused, distribution_is_there
        let rows = [
            (None, [true, true, false, true], Choice::Rustup),
            (None, [true, false, false, false], Choice::AddElseDistribution),
            (None, [true, false, false, true], Choice::AddElseDistribution),
            (None, [true, false, true, true], Choice::Distribution),
            (None, [true, false, true, false], Choice::AddElseDistribution),
            (None, [false, false, false, true], Choice::Distribution),
            (None, [false, false, false, false], Choice::Neither),
            (rustup, [true, true, false, true], Choice::Rustup),
            (rustup, [true, false, true, true], Choice::Add),
            (rustup, [false, false, false, true], Choice::Rustup),
            (distribution, [true, true, false, false], Choice::Distribution),
            (distribution, [false, true, false, true], Choice::Distribution),
        ];
        for (requested, bits, expected) in rows {
            let [may_install, rustup_has, rustup_refused, distribution_is_there] = bits;
            let facts =
                Facts { requested, may_install, rustup_has, rustup_refused, distribution_is_there };
            assert_eq!(choose(facts), expected, "{facts:?}");
        }
    }
}
