//! Says where a linker flag comes from that zig does not know.
//!
//! zig takes fewer flags than the linker that a team may be used to, and rustc shows a refusal as a page with the
//! whole command line of the linker, in which nothing says who added the flag.

use std::path::{Path, PathBuf};
use std::process::Command;

use ferror::{Error, Kind};
use serde_json::Value;

use crate::system::child_env;
use crate::system::env::Env;

/// What zig writes before the flag.
const REFUSALS: [&str; 3] = [
    "error: unsupported linker arg: ",
    "error: unsupported linker extension flag: ",
    "error: unknown clang option: ",
];

/// A build script that cargo ran.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// Cargo's id of its package.
    pub(super) package_id: String,
    pub(super) package: String,
    /// The folder for the files that it makes. What it printed is the file `output` beside that.
    pub(super) out_dir: PathBuf,
    /// The folders in which it has the linker look for libraries.
    pub(super) linked_paths: Vec<PathBuf>,
}

impl Script {
    /// Returns whether it has the linker look below the folder.
    pub(super) fn links_below(&self, folder: &Path) -> bool {
        self.linked_paths.iter().any(|path| path.starts_with(folder))
    }

    /// Reads what it printed.
    pub(super) fn printed(&self) -> String {
        let printed = std::fs::read(self.out_dir.with_file_name("output")).unwrap_or_default();
        String::from_utf8_lossy(&printed).into_owned()
    }
}

/// Finds the flag that zig refused in a diagnostic of rustc, which shows the linker's output as a note.
pub(super) fn find(diagnostic: &Value) -> Option<String> {
    let notes = diagnostic["children"].as_array().into_iter().flatten();
    let texts = std::iter::once(diagnostic).chain(notes).filter_map(|it| it["message"].as_str());
    let refused = |line: &str| {
        let flag = REFUSALS.iter().find_map(|refusal| Some(line.split_once(refusal)?.1))?;
        Some(flag.trim().trim_matches('"').to_owned())
    };
    texts.flat_map(str::lines).find_map(refused)
}

/// Returns the error about a service that cannot be linked because of `flag`. `cargo` is a cargo without arguments
/// in the folder of the build: configuration depends on that.
pub(super) fn error(
    flag: &str,
    service: &str,
    scripts: &[Script],
    cargo: Command,
    env: &Env,
) -> Error {
    // zig names `-z` apart from its value, and leaves out what follows a `=`.
    let word = flag.rsplit(' ').next().unwrap_or(flag);
    let mut places = in_variables(word, env);
    places.extend(in_configuration(word, cargo, env));
    places.extend(in_scripts(word, scripts));
    let message =
        format!("cargo could not build {service}: zig, which links, does not know `{flag}`");
    let hint = if places.is_empty() {
        "none of RUSTFLAGS, cargo's configuration and the build scripts has it: look for it in what the crate links"
            .to_owned()
    } else {
        let places = places.join(" and ");
        format!(
            "the flag comes from {places}: remove it there, or keep it for other builds than those of dist"
        )
    };
    Error::new(Kind::Failed, message).hint(hint)
}

/// Names the variables of compiler flags that have the flag: RUSTFLAGS in all of cargo's spellings.
fn in_variables(word: &str, env: &Env) -> Vec<String> {
    let has_it = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok().filter(|name| name.ends_with("RUSTFLAGS"))?;
        value.to_string_lossy().contains(word).then(|| format!("the variable {name}"))
    };
    env.variables().into_iter().filter_map(has_it).collect()
}

/// Names the files of cargo's configuration that have the flag. A configuration that cannot be shown names none:
/// the flag alone says much already.
fn in_configuration(word: &str, mut cargo: Command, env: &Env) -> Vec<String> {
    child_env::clean(&mut cargo, env);
    child_env::make_nightly(&mut cargo, env);
    cargo.args(["-Zunstable-options", "config", "get", "--show-origin"]);
    let printed = cargo.output().map(|output| output.stdout).unwrap_or_default();
    files_with(word, &String::from_utf8_lossy(&printed))
}

/// Reads lines such as `    "-Clink-arg=-Wl,--x", # /w/.cargo/config.toml`.
fn files_with(word: &str, printed: &str) -> Vec<String> {
    let origin = |line: &str| {
        let (value, file) = line.rsplit_once(" # ")?;
        (value.contains(word) && Path::new(file).is_absolute()).then(|| file.to_owned())
    };
    let mut files: Vec<_> = printed.lines().filter_map(origin).collect();
    files.sort();
    files.dedup();
    files
}

/// Names the packages whose build scripts printed the flag for the linker.
fn in_scripts(word: &str, scripts: &[Script]) -> Vec<String> {
    let has_it = |script: &&Script| {
        script.printed().lines().any(|line| {
            let is_for_the_linker = line.contains("rustc-link-arg") || line.contains("rustc-flags");
            line.starts_with("cargo:") && is_for_the_linker && line.contains(word)
        })
    };
    let with_it = scripts.iter().filter(has_it);
    with_it.map(|script| format!("the build script of {}", script.package)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{files_with, find};

    #[test]
    fn refusals_of_zig_are_found_in_rustcs_notes_and_other_errors_are_not() {
        let rows = [
            ("error: unsupported linker arg: --no-rosegment\n", Some("--no-rosegment")),
            ("  error: unsupported linker extension flag: -z nope", Some("-z nope")),
            ("error: unknown clang option: \"-nonsense\"", Some("-nonsense")),
            ("ld.lld: error: undefined symbol: linker arg", None),
        ];
        for (said, expected) in rows {
            let diagnostic = json!({
                "message": "linking with `zigcc` failed: exit status: 1",
                "children": [{"message": "a page of arguments"}, {"message": said}],
            });
            assert_eq!(find(&diagnostic).as_deref(), expected, "{said}");
        }
    }

    #[test]
    fn only_files_of_lines_with_the_flag_are_named_and_each_once() {
        let printed = "target.x.rustflags = [\n    \"-Clink-arg=-Wl,--x\", # /w/.cargo/config.toml\n    \
                       \"--x\", # /w/.cargo/config.toml\n    \"--y\", # /h/.cargo/config.toml\n]\n\
                       build.rustflags = \"--x\" # environment variable `CARGO_BUILD_RUSTFLAGS`\n";
        assert_eq!(files_with("--x", printed), ["/w/.cargo/config.toml"]);
    }
}
