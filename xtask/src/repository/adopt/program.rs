//! Decides which package runs xtask in the adopted workspace, and by which alias: `xtask`, or `bowline` beside an
//! `xtask` that a team has.

use ferror::Error;

use super::found::Found;
use crate::repository::xtask_source::{self, FOLDERS as NAMES, own_workspace};

/// The package that runs xtask, which is named like its folder and its alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its folder below the workspace.
    pub folder: String,
    /// `true` where the workspace has the package already.
    pub is_there: bool,
    /// `true` where the package is a workspace of its own, with its own Cargo.lock, or becomes one.
    pub has_own_lock: bool,
    /// Whether the workspace has an `xtask` that is another program.
    pub is_beside_theirs: bool,
}

/// Finds the package, or chooses its name. `aliases` are those of cargo's configuration files there.
///
/// Fails with [`ferror::Kind::Config`] where both names are taken.
pub fn find(found: &Found, aliases: &[String], own_lock: bool) -> ferror::Result<Program> {
    let is_ours = |package: &&super::found::Package| {
        package.dependencies.contains(xtask_source::PACKAGE) && !package.bins.is_empty()
    };
    let is_theirs = |name: &str| {
        let is_it = |package: &super::found::Package| package.name == name;
        found.packages.iter().any(is_it)
            || found.root.join(name).exists()
            || is_alias(aliases, name)
    };
    if let Some(ours) = found.packages.iter().find(is_ours) {
        return Ok(Program {
            name: ours.name.clone(),
            folder: ours.folder.clone(),
            is_there: true,
            has_own_lock: false,
            is_beside_theirs: ours.name != NAMES[0] && is_theirs(NAMES[0]),
        });
    }
    let own = own_workspace(&found.root)
        .and_then(|dir| NAMES.into_iter().find(|name| dir.ends_with(name)));
    let is_beside_theirs = match own {
        Some(name) => name != NAMES[0],
        None => is_theirs(NAMES[0]),
    };
    let name = own.unwrap_or(if is_beside_theirs { NAMES[1] } else { NAMES[0] });
    if own.is_none() && is_beside_theirs && is_theirs(name) {
        let message =
            "the workspace has an `xtask` of its own, and a package, folder or alias `bowline` too";
        return Err(Error::config(message).hint(
            "add bowline-xtask to your own xtask by hand, see docs/adopting.md: nothing was written",
        ));
    }
    Ok(Program {
        name: name.to_owned(),
        folder: name.to_owned(),
        is_there: own.is_some(),
        has_own_lock: own.is_some() || own_lock,
        is_beside_theirs,
    })
}

fn is_alias(aliases: &[String], name: &str) -> bool {
    aliases.iter().any(|alias| alias == name)
}

/// Returns the files of the package, below its folder. `dependency` names bowline-xtask.
pub fn files(program: &Program, dependency: &str) -> [(&'static str, String); 2] {
    let name = &program.name;
    let mut toml = format!(
        "[package]\nname = \"{name}\"\ndescription = \"Bowline's automation of this repository\"\n\
         version = \"0.1.0\"\nedition = \"2021\"\npublish = false\n\n[dependencies]\n{} = {dependency}\n",
        xtask_source::PACKAGE
    );
    if program.has_own_lock {
        toml.push_str("\n# A workspace of its own, so that what it depends on moves nothing in the other Cargo.lock.\n[workspace]\n");
    }
    let main = "//! Hands the command line to the library.\n\n\
                fn main() -> std::process::ExitCode {\n    xtask::main()\n}\n";
    [("Cargo.toml", toml), ("src/main.rs", main.to_owned())]
}
