//! Says in three lines why cargo failed: which crate, what was missing, and what to do. cargo's own output, which may
//! be a thousand lines, stays above.
//!
//! What is missing is found by [`PATTERNS`], texts of linkers, compilers and build scripts as they print them. An error
//! in the service's own code is shown and not explained.

use catalog::{Os, Platform};
use ferror::{Error, Kind};
use serde_json::Value;

use super::refused_flag::Script;
use crate::model::cargo_lock;
use crate::system::child_env;
use crate::system::env::Env;

/// The first error of a compiler that cargo ran.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CompilerError {
    /// The crate that was compiled or linked, with its version.
    krate: String,
    /// The error in one line, with its place in the source.
    line: String,
    /// What the linker printed, where it is the linker that failed.
    linker: Option<String>,
}

/// The kinds of what can be missing, each with advice of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Framework,
    Library,
    /// A library that pkg-config should have found on the machine that builds.
    SystemLibrary,
    OpenSsl,
    Header,
    Program,
    CppLibrary,
    Symbol,
}

/// A text before the name of what is missing, the text behind it, and what kind of thing that is. An empty end is the
/// end of the line.
struct Pattern {
    start: &'static str,
    end: &'static str,
    missing: Missing,
}

const fn pattern(missing: Missing, start: &'static str, end: &'static str) -> Pattern {
    Pattern { start, end, missing }
}

/// What is missing, by what is printed about it. The first row that fits counts, so causes stand before their
/// consequences.
const PATTERNS: &[Pattern] = &[
    pattern(Missing::OpenSsl, "Could not find directory of OpenSSL", ""),
    pattern(Missing::OpenSsl, "Failed to find OpenSSL development headers", ""),
    pattern(Missing::OpenSsl, "fatal error: 'openssl/", "' file not found"),
    pattern(Missing::Program, "is `", "` not installed?"),
    pattern(Missing::Program, "Is `", "` installed?"),
    pattern(Missing::Program, "Could not find `", "`. If"),
    pattern(Missing::Program, "Unable to find ", ": \"couldn't find any valid shared libraries"),
    pattern(Missing::Program, "Command '", "' not found"),
    pattern(Missing::Program, "Missing dependency: ", ""),
    pattern(Missing::Program, "unable to find a build program corresponding to \"", "\""),
    pattern(Missing::Program, "Unable to run ", ": No such file or directory"),
    pattern(Missing::Program, "failed to execute ", ": No such file or directory"),
    pattern(Missing::Program, "failed to find tool \"", "\""),
    pattern(Missing::Program, "The ", " command could not be found"),
    pattern(Missing::Program, "\n  ", " binary not found"),
    pattern(Missing::SystemLibrary, "The system library `", "` required by crate"),
    pattern(
        Missing::SystemLibrary,
        "pkg-config has not been configured to support cross-compilation",
        "",
    ),
    pattern(Missing::Header, "fatal error: '", "' file not found"),
    pattern(Missing::Header, "fatal error: ", ": No such file or directory"),
    pattern(Missing::Framework, "unable to find system framework \"", "\""),
    pattern(Missing::Framework, "unable to find framework '", "'"),
    pattern(Missing::Framework, "ld: framework '", "' not found"),
    pattern(Missing::Framework, "framework not found ", ""),
    pattern(Missing::Library, "unable to find dynamic system library \"", "\""),
    pattern(Missing::Library, "unable to find static system library \"", "\""),
    pattern(Missing::Library, "could not find native static library `", "`"),
    pattern(Missing::Library, "unable to find library -l", ""),
    pattern(Missing::Library, "cannot find -l", ""),
    pattern(Missing::Library, "library not found for -l", ""),
    pattern(Missing::Library, "ld: library '", "' not found"),
    pattern(Missing::Symbol, "undefined symbol: ", ""),
    pattern(Missing::Symbol, "undefined reference to `", "'"),
    pattern(Missing::Symbol, "Undefined symbols for architecture", "\", referenced from:"),
];

/// The beginnings of symbols of the C++ standard library, as linkers show them, without leading underscores.
const OF_CPP: [&str; 9] = [
    "std::",
    "cxa_",
    "gxx_personality",
    "operator ",
    "vtable for ",
    "typeinfo for ",
    "ZNSt",
    "ZNKSt",
    "ZTISt",
];

/// Reads an error of rustc about `krate`, which is a name with a version; `None` where it is a warning.
pub(super) fn compiler_error(krate: String, diagnostic: &Value) -> Option<CompilerError> {
    if diagnostic["level"] != "error" {
        return None;
    }
    let text = diagnostic["message"].as_str()?;
    let notes = diagnostic["children"].as_array().into_iter().flatten();
    let notes: Vec<_> = notes.filter_map(|note| note["message"].as_str()).collect();
    let linker = text.starts_with("linking with ").then(|| notes.join("\n"));
    let code =
        diagnostic["code"]["code"].as_str().map_or(String::new(), |code| format!("[{code}]"));
    let place = diagnostic["spans"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|span| span["is_primary"] == true);
    let place = place.and_then(|span| {
        let (file, line) = (span["file_name"].as_str()?, span["line_start"].as_u64()?);
        Some(format!(", {file}:{line}"))
    });
    let first = text.lines().next().unwrap_or_default();
    Some(CompilerError {
        krate,
        line: format!("error{code}: {first}{}", place.unwrap_or_default()),
        linker,
    })
}

/// Returns what the crate that failed printed, with its name in front where a build script failed.
pub(super) fn printed(error: Option<&CompilerError>, said: &str) -> Printed {
    match error {
        Some(error) => {
            let text = error.linker.as_ref().unwrap_or(&error.line).clone();
            Printed { krate: error.krate.clone(), text, is_build_script: false }
        }
        None => match failed_script(said) {
            Some((krate, text)) => Printed { krate, text: text.to_owned(), is_build_script: true },
            None => Printed::default(),
        },
    }
}

/// The output of a crate that failed.
#[derive(Debug, Default)]
pub(super) struct Printed {
    /// The crate, with its version.
    pub(super) krate: String,
    pub(super) text: String,
    pub(super) is_build_script: bool,
}

/// Makes the error about a service that cargo could not build. `error` is the first of a compiler, and `said` is what
/// cargo wrote to stderr, with the output of a build script that failed.
pub(super) fn error(
    service: &str,
    platform: Platform,
    error: Option<&CompilerError>,
    said: &str,
    scripts: &[Script],
    env: &Env,
) -> Error {
    let (what, printed) = match error {
        Some(CompilerError { krate, line, linker: None }) => {
            let message =
                format!("cargo could not build {service}: {krate} does not compile\n{line}");
            let error = Error::new(Kind::Failed, message);
            // `env!` of a variable that builds do not get is the one error that our own rules cause.
            let is_ours = child_env::withheld(env).iter().any(|name| line.contains(name));
            return if is_ours { error.hint(child_env::build_hint(env)) } else { error };
        }
        Some(CompilerError { krate, line, linker: Some(printed) }) => {
            let first = printed.lines().find(|line| line.contains("error: "));
            let printed = if find(printed).is_some() { printed } else { first.unwrap_or(line) };
            (format!("{krate} cannot be linked"), printed)
        }
        None => {
            if let Some(error) = cargo_lock::refused_change(said) {
                return error.context(format!("cargo could not build {service}"));
            }
            let Some((krate, printed)) = failed_script(said) else {
                return Error::new(Kind::Failed, format!("cargo could not build {service}"))
                    .hint(child_env::build_hint(env));
            };
            (format!("the build script of {krate} fails"), printed)
        }
    };
    let message = format!("cargo could not build {service}: {what}");
    match find(printed) {
        Some((missing, name)) => {
            let user = user(missing, &name, printed, scripts);
            let user = user.map_or(String::new(), |user| format!(", which {user} asks for"));
            let missing_line = format!("missing: {}{user}", describe(missing, &name));
            Error::new(Kind::Failed, format!("{message}\n{missing_line}"))
                .hint(advice(missing, &name, platform))
        }
        None => Error::new(Kind::Failed, format!("{message}\n{}", reason(printed)))
            .hint(child_env::build_hint(env)),
    }
}

/// Returns the crate whose build script failed, and what that printed.
fn failed_script(said: &str) -> Option<(String, &str)> {
    let (_, rest) = said.split_once("failed to run custom build command for `")?;
    let (package, printed) = rest.split_once('`')?;
    let mut words = package.split(' ');
    let name = words.next().unwrap_or_default();
    let version = words.next().unwrap_or_default().trim_start_matches('v');
    Some((format!("{name} {version}"), printed))
}

/// Finds what is missing, and its name.
fn find(printed: &str) -> Option<(Missing, String)> {
    PATTERNS.iter().find_map(|pattern| {
        let fits = |(at, _): (usize, &str)| {
            let rest = &printed[at + pattern.start.len()..];
            let name = match (pattern.end, pattern.missing) {
                ("", _) => rest.lines().next().unwrap_or_default(),
                // macOS's own linker names the symbol in the next line.
                (end, Missing::Symbol) if rest.contains('\n') && end.starts_with('"') => {
                    rest.split_once(end)?.0.rsplit('"').next()?
                }
                (end, _) => rest.split_once(end)?.0,
            };
            let name = name.trim().trim_end_matches([':', '.', ',']);
            let is_name = name.len() <= 200 && !name.contains('\n');
            is_name.then(|| name.to_owned())
        };
        let name = printed.match_indices(pattern.start).find_map(fits)?;
        Some(classify(pattern.missing, name, printed))
    })
}

/// Returns who asks a linker for what is missing, as far as it can be told: the crate whose build script printed the
/// library, or whose object the linker names behind the symbol. An attribute `#[link]` leaves no trace.
fn user(missing: Missing, name: &str, printed: &str, scripts: &[Script]) -> Option<String> {
    match missing {
        Missing::Library | Missing::Framework => {
            let is_it = |line: &str| {
                let library = line.split_once("rustc-link-lib=").map(|(_, library)| library);
                library.and_then(|library| library.rsplit('=').next()) == Some(name)
            };
            let has_it = |script: &&Script| script.printed().lines().any(is_it);
            let script = scripts.iter().find(has_it)?;
            Some(format!("the build script of {}", script.package))
        }
        Missing::Symbol => {
            let (_, users) = printed.split_once(name)?;
            let (before, _) = users.split("undefined symbol").next()?.split_once(".rlib")?;
            let (krate, _) = before.rsplit('/').next()?.strip_prefix("lib")?.rsplit_once('-')?;
            Some(format!("the crate {krate}"))
        }
        _ => None,
    }
}

/// Tells apart what linkers print alike, and adds the name that pkg-config leaves out.
fn classify(missing: Missing, name: String, printed: &str) -> (Missing, String) {
    let plain = name.trim_start_matches('_');
    let is_cpp = match missing {
        Missing::Symbol => OF_CPP.iter().any(|start| plain.starts_with(start)),
        Missing::Library => ["stdc++", "c++"].contains(&plain),
        _ => false,
    };
    match missing {
        _ if is_cpp => (Missing::CppLibrary, name),
        Missing::SystemLibrary if name.is_empty() => {
            // The crate pkg-config prints one variable with the library's name before it looks for it.
            let before = printed.rsplit_once("_NO_PKG_CONFIG").map_or("", |(before, _)| before);
            let variable = before.rsplit('=').next().unwrap_or_default();
            (missing, variable.to_ascii_lowercase())
        }
        _ => (missing, name),
    }
}

fn describe(missing: Missing, name: &str) -> String {
    match missing {
        Missing::Framework => format!("the framework {name}"),
        Missing::Library => format!("the library {name}"),
        Missing::SystemLibrary => format!("the library {name}, which pkg-config was asked for"),
        Missing::OpenSsl => "OpenSSL".to_owned(),
        Missing::Header => format!("the header {name}"),
        Missing::Program if name == "libclang" => "libclang".to_owned(),
        Missing::Program => format!("the program {name}"),
        Missing::CppLibrary => format!("the C++ standard library, for {name}"),
        Missing::Symbol => format!("the symbol {name}"),
    }
}

/// The variables that name a program or library of a person's own.
const OWN: [(&str, &str); 3] =
    [("cmake", "CMAKE"), ("libclang", "LIBCLANG_PATH"), ("protoc", "PROTOC")];

/// Returns what to do about it.
fn advice(missing: Missing, name: &str, platform: Platform) -> String {
    const TABLE: &str = "[workspace.metadata.xtask]";
    let from_source = "use the feature `vendored`, `bundled` or `static` of the crate, which builds it from source";
    let sdk =
        if platform.os == Os::Darwin { ", or set SDKROOT to a macOS SDK that has it" } else { "" };
    match missing {
        Missing::Framework => {
            "set SDKROOT to a macOS SDK that has it, or leave the crate that links it out for macOS".to_owned()
        }
        Missing::Library | Missing::SystemLibrary if platform.musl => {
            format!("{from_source}: a static program can load none")
        }
        Missing::Library | Missing::SystemLibrary => format!(
            "{from_source}{sdk}, or name it in `system-libraries` of {TABLE} where every host has it"
        ),
        Missing::OpenSsl => format!(
            "use the feature `vendored` of the crate openssl, or let dist build it: `openssl` of {TABLE} must not be \
             false; for a build script or a macro, install OpenSSL's headers on this machine"
        ),
        Missing::Header => {
            format!("{from_source}{sdk}; headers of this machine are not for {platform}")
        }
        Missing::Program => {
            let variable = OWN.iter().find(|(program, _)| *program == name);
            let otherwise = variable.map_or(String::new(), |(_, it)| format!(", or name yours in {it}"));
            format!("install {name} on this machine: dist does not know that this crate calls it{otherwise}")
        }
        Missing::CppLibrary => {
            "let the build script print `cargo::rustc-link-lib=c++`: zig has that library, and links it statically"
                .to_owned()
        }
        Missing::Symbol => {
            format!("see above where it is used: {from_source}{sdk}")
        }
    }
}

/// Returns what a build script said last of why it failed: the message of its panic, else its last line.
fn reason(printed: &str) -> &str {
    let lines = || printed.lines().map(str::trim).filter(|line| !line.is_empty());
    let panic = printed.split_once("panicked at ").and_then(|(_, rest)| rest.split_once('\n'));
    let message =
        panic.and_then(|(_, rest)| rest.lines().map(str::trim).find(|line| !line.is_empty()));
    message.or_else(|| lines().next_back()).unwrap_or("it printed nothing")
}

#[cfg(test)]
mod tests;
