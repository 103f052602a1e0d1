//! Prepares the toolchain of each platform, or says what is missing and how to install it.
//!
//! A toolchain is a compiler, a standard library for the platform, and a linker. The library is
//! rustup's, which is compiled already, or is built from the distribution's sources; the linker is zig for
//! all platforms. Each platform has a result of its own, so that one run says what is missing for all of them.

pub mod build_tools;
mod compiler;
mod distribution;
mod library;
pub mod pin;
mod pip;
mod rustup;
pub(crate) mod system_packages;
mod wheels;
mod zig;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use catalog::Platform;
use ferror::Error;

use self::build_tools::BuildTools;
use self::compiler::Compiler;
pub use self::library::Library;
use self::library::{Found, MissingReason, Search};
use self::zig::Linker;
use crate::build::pins;
use crate::model::native::Need;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// The options of [`prepare`].
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The platforms to prepare.
    pub platforms: &'a [Platform],
    /// The library to use, where `--library` names one.
    pub library: Option<Library>,
    /// Whether the distribution's library may be used where `library` does not ask for it.
    pub may_fall_back: bool,
    /// The compiler that the repository pins.
    pub pin: &'a str,
    /// The digest of the flags from outside the repository, where there are any.
    pub flags_digest: Option<&'a str>,
    /// What build scripts need besides the compiler.
    pub needs: &'a BTreeSet<Need>,
    /// Whether anything may be installed.
    pub install: bool,
    /// The oldest glibc that Linux binaries run on.
    pub glibc: &'a str,
    /// The oldest macOS that Darwin binaries run on.
    pub macos: &'a str,
    /// Packages of pkg-config that build scripts may find on this machine.
    pub system_libraries: &'a [String],
    /// The folder of the workspace's Cargo.toml.
    pub workspace_root: &'a Path,
    /// The target folder of plain cargo, below which those of `dist` lie.
    pub target_dir: &'a Path,
    /// The environment of this process.
    pub env: &'a Env,
}

/// Everything that a build for one platform needs.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// The platform.
    pub platform: Platform,
    /// The source of its standard library.
    pub library: Library,
    /// The compiler as `rustc --version` names it, which is how manifests name it too.
    pub rustc: String,
    /// The release that was expected, where the compiler is another one.
    pub expected_rustc: Option<String>,
    pub(crate) compiler: Compiler,
    pub(crate) linker: Linker,
    pub(crate) build_tools: BuildTools,
    pub(crate) workspace_root: PathBuf,
    /// The target folder for this library and these flags. Two compilers in one folder would rebuild each other's
    /// work.
    pub(crate) target_dir: PathBuf,
    /// The folder in which the linker keeps what it has compiled.
    pub(crate) cache_dir: PathBuf,
    pub(crate) glibc: String,
    pub(crate) macos: String,
    /// Packages of pkg-config that build scripts may find on this machine.
    pub(crate) system_libraries: Vec<String>,
    pub(crate) flags_digest: Option<String>,
}

/// The part of a toolchain that belongs to a build key. It is known before anything is installed.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The platform.
    pub platform: Platform,
    /// The source of its standard library.
    pub library: Library,
    pub(crate) compiler: Compiler,
}

impl Toolchain {
    /// Returns what of it belongs to a build key.
    pub fn identity(&self) -> Identity {
        let Self { platform, library, compiler, .. } = self;
        Identity { platform: *platform, library: *library, compiler: compiler.clone() }
    }

    /// Returns the sources of the standard library, where it is built together with the services.
    pub fn library_sources(&self) -> Option<PathBuf> {
        (self.library == Library::Distribution).then(|| self.compiler.library_sources())
    }

    /// Returns the folder of the tools.
    pub(crate) fn tools_dir(&self) -> &Path {
        self.cache_dir.parent().unwrap_or(&self.cache_dir)
    }

    /// Checks that the compiler is the pinned one for its library.
    ///
    /// Fails with [`ferror::Kind::Config`] where it is not.
    pub fn check_pin(&self) -> ferror::Result<()> {
        let Some(pin) = &self.expected_rustc else { return Ok(()) };
        let hint = match self.library {
            Library::Rustup => format!("run `rustup toolchain install {pin}`"),
            Library::Distribution => "install the pinned one, or change the pin".to_owned(),
        };
        let message = format!("--strict: {} would build, the pin is {pin}", self.compiler.version);
        Err(Error::config(message).hint(hint))
    }
}

/// Returns what [`prepare`] would prepare for each of `request.platforms`, without installing or asking a network. Where
/// rustup's server then refuses a library, another one builds.
///
/// Fails with [`ferror::Kind::Config`] where there is no compiler.
pub fn expected(request: &Request<'_>, ui: &Ui) -> ferror::Result<Vec<Identity>> {
    let found = library::expected(search(request, &tools_dir(request.target_dir), ui))?;
    let identity = |(&platform, (library, compiler))| Identity { platform, library, compiler };
    Ok(std::iter::zip(request.platforms, found).map(identity).collect())
}

fn search<'a>(request: &Request<'a>, tools_dir: &'a Path, ui: &'a Ui) -> Search<'a> {
    Search {
        platforms: request.platforms,
        requested: request.library,
        may_fall_back: request.may_fall_back,
        pin: request.pin,
        may_install: request.install,
        workspace_root: request.workspace_root,
        tools_dir,
        env: request.env,
        ui,
    }
}

/// Prepares the toolchain of each of `request.platforms`, in their order.
///
/// The errors are [`ferror::Kind::Config`], and their hints say what to do.
pub fn prepare(request: &Request<'_>, ui: &Ui) -> Vec<(Platform, anyhow::Result<Toolchain>)> {
    let tools_dir = tools_dir(request.target_dir);
    let libraries = library::find(search(request, &tools_dir, ui));
    // Every compiler knows this machine's triple. Without a compiler, a linker is of no use.
    let any_compiler = libraries.iter().find_map(|found| found.as_ref().ok());
    let linker = any_compiler.map(|(_, compiler)| {
        zig::find_or_install(&tools_dir, &compiler.host, request.install, request.env, ui)
            .map_err(|error| MissingReason::of_any(&error))
    });
    let build_tools = any_compiler.map(|(_, compiler)| {
        let Request { needs, install, env, .. } = *request;
        build_tools::find_or_install(&tools_dir, &compiler.host, needs, install, env, ui)
            .map_err(|error| MissingReason::of_any(&error))
    });
    let join = |platform, library: Found| {
        let (library, compiler) = match (library, &linker) {
            (Err(no_library), Some(Err(no_linker))) => {
                return Err(no_library.and(no_linker).error());
            }
            (Err(no_library), _) => return Err(no_library.error()),
            (Ok(found), _) => found,
        };
        let linker = match linker.clone() {
            Some(linker) => linker.map_err(|no_linker| no_linker.error())?,
            None => unreachable!("a compiler was found, so a linker was looked for"),
        };
        let build_tools = match build_tools.clone() {
            Some(tools) => tools.map_err(|no_tool| no_tool.error())?,
            None => BuildTools::default(),
        };
        Ok(Toolchain {
            platform,
            library,
            rustc: compiler.version.clone(),
            expected_rustc: expected_rustc(request, library, &compiler),
            compiler,
            linker,
            build_tools,
            workspace_root: request.workspace_root.to_owned(),
            target_dir: request
                .target_dir
                .join("dist")
                .join(folder_name(library, request.flags_digest)),
            cache_dir: tools_dir.join("cache"),
            glibc: request.glibc.to_owned(),
            macos: request.macos.to_owned(),
            system_libraries: request.system_libraries.to_owned(),
            flags_digest: request.flags_digest.map(str::to_owned),
        })
    };
    let platforms = request.platforms.iter().copied();
    platforms
        .zip(libraries)
        .map(|(platform, library)| (platform, join(platform, library)))
        .collect()
}

/// Returns the name of a target folder. Flags from outside the repository have one of their own: cargo does not
/// know which variables a build script reads, and would take what it made with them for what it makes without.
fn folder_name(library: Library, flags_digest: Option<&str>) -> String {
    match flags_digest {
        Some(digest) => format!("{library}-{}", &digest[..16]),
        None => library.to_string(),
    }
}

/// Returns the release that should build, where `compiler` is another one. The distribution's compiler has a
/// pin of its own, which counts where it was asked for.
fn expected_rustc(request: &Request<'_>, library: Library, compiler: &Compiler) -> Option<String> {
    let (pin, is_pinned) = match (library, request.library) {
        (Library::Distribution, Some(Library::Distribution)) => {
            (pins::DISTRIBUTION_RUSTC, compiler.is_pinned(pins::DISTRIBUTION_RUSTC))
        }
        // Even the same release makes other bytes: it builds the library, too.
        (Library::Distribution, _) => (request.pin, false),
        (Library::Rustup, _) => (request.pin, compiler.is_pinned(request.pin)),
    };
    (!is_pinned).then(|| pin.to_owned())
}

/// Returns the version of the compiler that would build, where it is another one than the pinned one, and asks
/// no network for it. `None` also where there is no compiler, or where it is not known which will build.
pub fn other_compiler(
    workspace_root: &Path,
    pin: &str,
    library: Option<Library>,
    env: &Env,
) -> Option<String> {
    let (found, pin) = match library {
        Some(Library::Distribution) => (distribution::find(env), pins::DISTRIBUTION_RUSTC),
        _ => (compiler::find(workspace_root, pin, env), pin),
    };
    let other = found.ok().filter(|compiler| !compiler.is_pinned(pin));
    other.map(|compiler| compiler.version)
}

/// Returns the cargo that builds programs which come with xtask, such as the local S3 server, with at least xtask's own
/// pin, whatever the repository pins.
///
/// Fails with [`ferror::Kind::Config`] where every compiler of this machine is too old.
pub fn cargo_for_our_programs(workspace_root: &Path, env: &Env) -> ferror::Result<PathBuf> {
    Ok(compiler::for_our_programs(workspace_root, env)?.cargo())
}

/// Removes the note about a refusal of rustup's server, so that the next run asks again.
pub fn forget_refusals(target_dir: &Path) -> anyhow::Result<()> {
    rustup::forget_refusal(&tools_dir(target_dir))
}

/// Returns where the sources of the distribution's standard library lie.
///
/// Fails with [`ferror::Kind::Config`] where they, or the compiler that belongs to them, are missing.
pub fn distribution_library(env: &Env) -> ferror::Result<PathBuf> {
    Ok(distribution::find(env)?.library_sources())
}

fn tools_dir(target_dir: &Path) -> PathBuf {
    target_dir.join("dist/tools")
}
