//! Finds and installs what build scripts call besides the compiler: libclang, cmake with ninja, protoc, perl, make.
//!
//! Only what a plan needs is installed, each package in a folder of its own. perl and make are programs of the
//! distribution: what they write does not depend on their version. A program that a person names in a
//! variable is used instead, and nothing is installed for it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ferror::Error;

use super::{system_packages, wheels};
use crate::build::pins::{self, BuildTool};
use crate::model::native::{Need, Tool};
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, process};
use std::collections::BTreeSet;

/// Enough for a program that loads some modules.
const LIMIT: Duration = Duration::from_secs(30);

/// The tools of a build, as its environment names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BuildTools {
    /// Variables by which build scripts find them, each for those who have the need.
    pub(crate) variables: Vec<(Need, &'static str, OsString)>,
    /// Folders that come first on `PATH`.
    pub(crate) path: Vec<(Need, PathBuf)>,
}

/// The wheels that stand for a need, each with the variable that replaces it and a file that it has.
const WHEELS: [(Need, &BuildTool, &str, &str); 4] = [
    (Need::Libclang, &pins::LIBCLANG, "LIBCLANG_PATH", LIBCLANG_FOLDER),
    (Need::Cmake, &pins::CMAKE, "CMAKE", "cmake/data/bin/cmake"),
    (Need::Cmake, &pins::NINJA, "CMAKE_GENERATOR", "bin/ninja"),
    (Need::Protoc, &pins::PROTOC, "PROTOC", "protoc/data/bin/protoc"),
];
const LIBCLANG_FOLDER: &str = "clang/native";

/// Programs of the distribution: how to see that one works, and the package that has it.
const PROGRAMS: [(Need, &str, &[&str]); 2] = [
    // A slim image has a perl without its modules.
    (Need::Perl, "perl", &["-MFindBin", "-MIPC::Cmd", "-MFile::Copy", "-MTime::Piece", "-e", "0"]),
    (Need::Make, "make", &["--version"]),
];

/// Lists what a build with these needs uses, for its plan.
pub fn planned(needs: &BTreeSet<Need>, env: &Env) -> Vec<Tool> {
    let mut tools = Vec::new();
    for (need, tool, variable, _) in WHEELS {
        if needs.contains(&need) {
            let is_own = env.get_os(variable).is_some();
            tools.push(Tool {
                name: name(tool).to_owned(),
                version: (!is_own).then(|| tool.version.to_owned()),
                origin: if is_own { variable.to_owned() } else { "PyPI".to_owned() },
            });
        }
    }
    for (need, program, _) in PROGRAMS {
        // OpenSSL is built by both of them.
        if needs.contains(&need) || needs.contains(&Need::Openssl) {
            let origin = "of this machine".to_owned();
            tools.push(Tool { name: program.to_owned(), version: None, origin });
        }
    }
    if needs.contains(&Need::Openssl) {
        tools.push(Tool {
            name: "OpenSSL".to_owned(),
            version: Some(pins::openssl_version().to_owned()),
            origin: "built once per platform".to_owned(),
        });
    }
    tools
}

/// Finds the tools for `needs`, and installs those that are missing below `folder`, where that is allowed.
pub(super) fn find_or_install(
    folder: &Path,
    host: &str,
    needs: &BTreeSet<Need>,
    may_install: bool,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<BuildTools> {
    let mut tools = BuildTools::default();
    for (need, tool, variable, file) in WHEELS {
        if needs.contains(&need) && env.get_os(variable).is_none() {
            let home = folder.join(tool.id());
            if !home.join(file).exists() {
                install(folder, tool, variable, file, host, may_install, env, ui)?;
            }
            tools.add(need, variable, &home, file);
        }
    }
    if needs.contains(&Need::Cmake) {
        // Many a crate brings sources that ask for a cmake of 2010, which this one refuses unless told so.
        tools.variables.push((Need::Cmake, "CMAKE_POLICY_VERSION_MINIMUM", "3.5".into()));
    }
    // OpenSSL is built by both of them.
    for (need, program, arguments) in PROGRAMS {
        if needs.contains(&need) || needs.contains(&Need::Openssl) {
            require(program, arguments, may_install, env, ui)?;
        }
    }
    Ok(tools)
}

impl BuildTools {
    fn add(&mut self, need: Need, variable: &'static str, home: &Path, file: &str) {
        let path = home.join(file);
        let folder = path.parent().unwrap_or(home).to_owned();
        match need {
            Need::Cmake => {
                let value = if variable == "CMAKE" { path.into() } else { OsString::from("Ninja") };
                self.variables.push((need, variable, value));
                // Some build scripts call cmake by its name, and cmake does so with ninja.
                self.path.push((need, folder));
            }
            Need::Protoc => {
                let include = home.join("protoc/data/include");
                self.variables.extend([
                    (need, variable, path.into()),
                    (need, "PROTOC_INCLUDE", include.into()),
                ]);
            }
            _ => self.variables.push((need, variable, path.into())),
        }
    }
}

/// Returns the name by which people know a package.
fn name(tool: &BuildTool) -> &'static str {
    if tool.package == pins::PROTOC.package { "protoc" } else { tool.package }
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call, of a row of the table and the surroundings"
)]
fn install(
    folder: &Path,
    tool: &BuildTool,
    variable: &str,
    file: &str,
    host: &str,
    may_install: bool,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<()> {
    let what = format!("{} {}", name(tool), tool.version);
    let otherwise = match variable {
        "CMAKE_GENERATOR" => "name another generator of cmake in CMAKE_GENERATOR".to_owned(),
        _ => format!("name one of your own in {variable}"),
    };
    if !may_install {
        let message = format!("{what}, which build scripts call, is not installed");
        return Err(Error::config(message).hint("run `cargo xtask setup`").into());
    }
    let requirements = tool.requirements(host).ok_or_else(|| {
        Error::config(format!("no {what} is known for {host}")).hint(otherwise.clone())
    })?;
    let request = wheels::Request {
        id: &tool.id(),
        what: &what,
        otherwise: &otherwise,
        requirements: &requirements,
        is_whole: &|home| home.join(file).exists(),
    };
    wheels::install(folder, &request, env, ui)
}

fn require(
    program: &str,
    arguments: &[&str],
    may_install: bool,
    env: &Env,
    ui: &Ui,
) -> ferror::Result<()> {
    let mut command = Command::new(program);
    child_env::clean(command.args(arguments), env);
    if process::run(&mut command, LIMIT).is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let why = format!("Build scripts call {program}, which is missing here or lacks its modules.");
    system_packages::install(&[program], &why, may_install, env, ui)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::planned;
    use crate::model::native::Need;
    use crate::system::env::Env;

    #[test]
    fn a_plan_names_each_tool_with_its_version_or_the_variable_that_replaces_it() {
        let env = Env::for_test(&[("PROTOC", "/opt/protoc"), ("CMAKE_GENERATOR", "")]);
        let rows: [(&[Need], &str); 4] = [
            (&[], ""),
            (
                &[Need::Cmake, Need::Make],
                "cmake 4.4.5 (PyPI), ninja 1.13.2 (PyPI), make (of this machine)",
            ),
            (&[Need::Protoc, Need::Libclang], "libclang 18.1.1 (PyPI), protoc (PROTOC)"),
            (
                &[Need::Openssl],
                "perl (of this machine), make (of this machine), OpenSSL 3.6.3 (built once per platform)",
            ),
        ];
        for (needs, expected) in rows {
            let needs: BTreeSet<_> = needs.iter().copied().collect();
            let shown: Vec<_> = planned(&needs, &env).iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(", "), expected, "{needs:?}");
        }
    }
}
