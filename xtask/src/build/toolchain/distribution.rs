//! The distribution's compiler, which builds the standard library from its sources for any platform.
//!
//! Debian packages a current compiler for its browsers (`rustc-web`), with the sources of the
//! standard library (`rust-web-src`). Its cargo compiles those for a platform that no library is
//! packaged for (`-Zbuild-std`). It is another version than the pin, so its bytes are others too;
//! what a build with it gives is the same on every machine that has the same packages.

use std::path::Path;

use ferror::{Error, Result};

use super::compiler::{self, Compiler, DISTRIBUTION_SYSROOT};
use super::system;
use crate::build::pins;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// The distribution's compiler, if all that is needed of it is installed.
///
/// The error names what is missing; its hint is the command that installs it.
pub(super) fn look(env: &Env) -> Result<Compiler> {
    let missing = |what: &str| {
        Error::config(format!("the distribution's compiler lacks {what}"))
            .hint(system::hint(&pins::DISTRIBUTION_PACKAGES, env))
    };
    let sysroot = Path::new(DISTRIBUTION_SYSROOT);
    for program in ["bin/rustc", "bin/cargo"] {
        if !sysroot.join(program).is_file() {
            return Err(missing(program));
        }
    }
    if !super::library_sources(sysroot).join("std/Cargo.toml").is_file() {
        return Err(missing("the standard library's sources"));
    }
    let compiler = compiler::inspect(sysroot, None, env)?;
    let objcopy = format!("lib/rustlib/{}/bin/rust-objcopy", compiler.host);
    if !sysroot.join(&objcopy).exists() {
        return Err(missing(&objcopy));
    }
    if release_numbers(&compiler.release) < release_numbers(pins::RUSTC) {
        return Err(missing(&format!(
            "the age: {} is older than {}",
            compiler.version,
            pins::RUSTC
        )));
    }
    Ok(compiler)
}

/// The same, after installing what is missing where that is allowed.
pub(super) fn make(may_install: bool, env: &Env, ui: Ui) -> Result<Compiler> {
    let found = match look(env) {
        Err(lacking) if may_install => {
            let why = format!("{lacking}.");
            system::install(&pins::DISTRIBUTION_PACKAGES, &why, may_install, env, ui)?;
            look(env)
        }
        found => found,
    }?;
    if found.release != pins::DISTRIBUTION_RUSTC {
        ui.warn(format!(
            "the distribution has {}, the pin is {}: the bytes differ from those of other machines",
            found.version,
            pins::DISTRIBUTION_RUSTC
        ));
    }
    Ok(found)
}

/// `1.96.0` as numbers; what is no number, such as `-beta`, counts as zero.
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
