//! Finds and installs the distribution's compiler, which builds the standard library from its sources for
//! any platform.
//!
//! Debian packages a current compiler for its browsers (`rustc-web`), with the sources of the
//! standard library (`rust-web-src`). Its cargo compiles those for a platform that no library is
//! packaged for (`-Zbuild-std`). Its version differs from the pinned one, and so do the bytes that it
//! makes; machines with the same packages make the same bytes.

use std::path::Path;

use ferror::{Error, Result};

use super::compiler::{self, Compiler, DISTRIBUTION_SYSROOT};
use super::system_packages;
use crate::build::pins;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// Finds the distribution's compiler.
///
/// The error names the part that is missing; its hint is the command that installs it.
pub(super) fn find(env: &Env) -> Result<Compiler> {
    let missing = |what: &str| {
        Error::config(format!("the distribution's compiler lacks {what}"))
            .hint(system_packages::hint(&pins::DISTRIBUTION_PACKAGES, env))
    };
    let sysroot = Path::new(DISTRIBUTION_SYSROOT);
    for program in ["bin/rustc", "bin/cargo"] {
        if !sysroot.join(program).is_file() {
            return Err(missing(program));
        }
    }
    if !compiler::library_sources(sysroot).join("std/Cargo.toml").is_file() {
        return Err(missing("the standard library's sources"));
    }
    let compiler = compiler::inspect(sysroot, None, env)?;
    let objcopy = format!("lib/rustlib/{}/bin/rust-objcopy", compiler.host);
    if !sysroot.join(&objcopy).exists() {
        return Err(missing(&objcopy));
    }
    if release_numbers(&compiler.release) < release_numbers(pins::RUSTC) {
        let message = format!(
            "the distribution's compiler is {}; it has to be {} or newer",
            compiler.version,
            pins::RUSTC
        );
        let hint = system_packages::hint(&pins::DISTRIBUTION_PACKAGES, env);
        return Err(Error::config(message).hint(hint));
    }
    Ok(compiler)
}

/// Finds the distribution's compiler, and installs what is missing of it where that is allowed.
pub(super) fn find_or_install(may_install: bool, env: &Env, ui: &Ui) -> Result<Compiler> {
    let compiler = match find(env) {
        Err(lacking) if may_install => {
            let why = format!("{lacking}.");
            system_packages::install(&pins::DISTRIBUTION_PACKAGES, &why, may_install, env, ui)?;
            find(env)
        }
        found => found,
    }?;
    if compiler.release != pins::DISTRIBUTION_RUSTC {
        ui.warn(format!(
            "the distribution has {}, the pin is {}: the bytes differ from those of other machines",
            compiler.version,
            pins::DISTRIBUTION_RUSTC
        ));
    }
    Ok(compiler)
}

/// Splits `1.96.0` into its numbers; a part that is no number, such as `0-beta`, counts as zero.
fn release_numbers(release: &str) -> Vec<u32> {
    release.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::release_numbers;

    #[test]
    fn releases_compare_as_numbers() {
        for (older, newer) in [("1.63.0", "1.95.0"), ("1.9.0", "1.10.0"), ("1.95.0", "1.96.0")] {
            assert!(release_numbers(older) < release_numbers(newer), "{older} and {newer}");
        }
        assert_eq!(release_numbers("1.95.0"), [1, 95, 0]);
    }
}
