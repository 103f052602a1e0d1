//! Says in three lines why cargo failed: which crate, what was missing, and what to do. cargo's own output, which may
//! be a thousand lines, stays above.
//!
//! What is missing is found by [`PATTERNS`], texts of linkers, compilers and build scripts as they print them. An error
//! in the service's own code is shown and not explained.

use catalog::{Os, Platform};
use ferror::{Error, Kind};
use serde_json::Value;

use super::refused_flag::Script;
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

/// What a crate printed when it failed.
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
        None => match failed_script(said) {
            Some((krate, printed)) => (format!("the build script of {krate} fails"), printed),
            None => {
                return Error::new(Kind::Failed, format!("cargo could not build {service}"))
                    .hint(child_env::build_hint(env));
            }
        },
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
mod tests {
    use catalog::Platform;
    use serde_json::json;

    use super::{CompilerError, Missing, Script, compiler_error, error, find};
    use crate::system::env::Env;

    /// What linkers, compilers and build scripts printed when each was made to fail: zig 0.17.1, the crates cc, cmake
    /// 0.1.58, prost-build 0.13, protobuf-parse 3.7, bindgen 0.72, openssl-sys 0.9.118, pkg-config and rav1e 0.7.
    const PRINTED: [(&str, Missing, &str); 22] = [
        (
            "error: unable to find system framework \"CoreFoundation\". searched paths: none\n",
            Missing::Framework,
            "CoreFoundation",
        ),
        (
            "error: unable to find dynamic system library \"nosuch\" using strategy paths_first. searched paths:\n  /deps/libnosuch.tbd\n",
            Missing::Library,
            "nosuch",
        ),
        (
            "error: unable to find static system library \"pq\" using strategy no_fallback. searched paths:\n",
            Missing::Library,
            "pq",
        ),
        (
            "error: undefined symbol: _nowhere_defined\n    note: referenced by /deps/e.rcgu.o:__ZN8e_symbol4main17h75E\n",
            Missing::Symbol,
            "_nowhere_defined",
        ),
        (
            "ld.lld: error: undefined symbol: nowhere_defined\n>>> referenced by e_symbol.ff69-cgu.0\n",
            Missing::Symbol,
            "nowhere_defined",
        ),
        (
            "ld.lld: error: undefined symbol: __cxa_allocate_exception\n>>> referenced by a.cc:3\n",
            Missing::CppLibrary,
            "__cxa_allocate_exception",
        ),
        (
            "error: undefined symbol: __ZNSt13runtime_errorD1Ev\n  note: referenced by liba.a(a.o):_f\n",
            Missing::CppLibrary,
            "__ZNSt13runtime_errorD1Ev",
        ),
        (
            "ld.lld: error: undefined symbol: typeinfo for std::runtime_error\n",
            Missing::CppLibrary,
            "typeinfo for std::runtime_error",
        ),
        (
            "  cargo:warning=/out/a.c:1:10: fatal error: 'pq/libpq-fe.h' file not found\n  cargo:warning=    1 | #include <pq/libpq-fe.h>\n",
            Missing::Header,
            "pq/libpq-fe.h",
        ),
        (
            "  include/jemalloc/internal/jemalloc_internal_decls.h:23:14: fatal error: 'sys/syscall.h' file not found\n",
            Missing::Header,
            "sys/syscall.h",
        ),
        (
            "  failed to execute command: No such file or directory (os error 2)\n  is `cmake` not installed?\n\n  build script failed, must exit now\n",
            Missing::Program,
            "cmake",
        ),
        (
            "`Err` value: Custom { kind: NotFound, error: \"Could not find `protoc`. If `protoc` is installed, try setting the `PROTOC` environment variable\" }\n",
            Missing::Program,
            "protoc",
        ),
        (
            "  thread 'main' (1) panicked at protoc/command.rs:174:17:\n  protoc binary not found: cannot find binary path\n",
            Missing::Program,
            "protoc",
        ),
        (
            "  Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so']\"\n",
            Missing::Program,
            "libclang",
        ),
        (
            "  cargo:warning=configuring OpenSSL build: Command 'perl' not found. Is perl installed?\n",
            Missing::Program,
            "perl",
        ),
        (
            "  error: Unable to run nasm: No such file or directory (os error 2)\n",
            Missing::Program,
            "nasm",
        ),
        (
            "  failed to execute ninja: No such file or directory (os error 2)\n",
            Missing::Program,
            "ninja",
        ),
        (
            "  fatal error: 'openssl/opensslconf.h' file not found\n\n  Failed to find OpenSSL development headers.\n",
            Missing::OpenSsl,
            "",
        ),
        (
            "  cargo:warning=Could not find directory of OpenSSL installation, and this `-sys` crate cannot proceed without this knowledge.\n",
            Missing::OpenSsl,
            "",
        ),
        (
            "  cargo:rerun-if-env-changed=LIBPQ_NO_PKG_CONFIG\n  cargo:rerun-if-env-changed=PKG_CONFIG\n  `Err` value: pkg-config has not been configured to support cross-compilation.\n",
            Missing::SystemLibrary,
            "libpq",
        ),
        // Of other linkers than zig's, by their own documentation: they link on a Mac, or where a team sets one.
        ("ld: framework 'Metal' not found\n", Missing::Framework, "Metal"),
        (
            "Undefined symbols for architecture arm64:\n  \"_CFRelease\", referenced from:\n      main in a.o\n",
            Missing::Symbol,
            "_CFRelease",
        ),
    ];

    #[test]
    fn what_is_missing_is_found_in_what_was_really_printed() {
        for (printed, missing, name) in PRINTED {
            let found = find(printed).unwrap_or_else(|| panic!("nothing found in {printed}"));
            assert_eq!(found.0, missing, "{printed}");
            if missing != Missing::OpenSsl {
                assert_eq!(found.1, name, "{printed}");
            }
        }
        // A build script that looks for a library, and fails for another reason.
        let other = "  cargo:rerun-if-env-changed=LIBPQ_NO_PKG_CONFIG\n  --- stderr\n  panicked at build.rs:1:2:\n  no\n";
        assert_eq!(find(other), None);
    }

    #[test]
    fn an_error_has_three_lines_and_one_in_the_sources_no_advice() {
        let env = Env::for_test(&[("S3_SECRET", "hidden")]);
        let [linux, _, _, mac, musl, _] = Platform::ALL;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("output"), "cargo::rustc-link-lib=static=pq\n").unwrap();
        let pq = Script {
            package: "pq-sys".into(),
            out_dir: folder.path().join("out"),
            linked_paths: Vec::new(),
        };
        let scripts = [pq];
        let of = |platform, compiler: Option<&CompilerError>, said: &str| {
            let error = error("alpha", platform, compiler, said, &scripts, &env);
            assert_eq!(error.kind(), ferror::Kind::Failed);
            (error.to_string(), error.hint_text().unwrap_or_default().to_owned())
        };
        let linking = |printed: &str| {
            let diagnostic = json!({"level": "error", "message": "linking with `/c/zigcc` failed: exit status: 1",
                "children": [{"message": " \"/c/zigcc\" \"-m64\""}, {"message": printed}], "spans": []});
            compiler_error("alpha 0.1.0".into(), &diagnostic).unwrap()
        };
        let (text, hint) =
            of(mac, Some(&linking(PRINTED[0].0)), "error: could not compile `alpha`");
        let expected = "cargo could not build alpha: alpha 0.1.0 cannot be linked\nmissing: the framework CoreFoundation";
        assert_eq!(text, expected);
        assert!(hint.contains("SDKROOT"), "{hint}");
        let (_, hint) = of(linux, Some(&linking(PRINTED[1].0)), "");
        assert!(hint.contains("`system-libraries`") && !hint.contains("SDKROOT"), "{hint}");
        let (text, _) = of(linux, Some(&linking(PRINTED[2].0)), "");
        assert!(
            text.ends_with("the library pq, which the build script of pq-sys asks for"),
            "{text}"
        );
        let used = "error: undefined symbol: _CFRelease\n  note: referenced by \
                    /t/deps/libcore_foundation-0123456789abcdef.rlib(core.o):_f\n";
        let (text, _) = of(mac, Some(&linking(used)), "");
        let expected = "missing: the symbol _CFRelease, which the crate core_foundation asks for";
        assert!(text.ends_with(expected), "{text}");
        let (_, hint) = of(musl, Some(&linking(PRINTED[1].0)), "");
        assert!(hint.contains("`vendored`") && !hint.contains("`system-libraries`"), "{hint}");
        let (text, _) = of(linux, Some(&linking("ld.lld: error: relocation out of range\n")), "");
        assert!(
            text.ends_with("cannot be linked\nld.lld: error: relocation out of range"),
            "{text}"
        );

        let script = |printed: &str| {
            format!(
                "error: failed to run custom build command for `openssl-sys v0.9.118`\n\nCaused by:\n{printed}"
            )
        };
        let (text, hint) = of(linux, None, &script(PRINTED[17].0));
        let expected = "cargo could not build alpha: the build script of openssl-sys 0.9.118 fails\nmissing: OpenSSL";
        assert_eq!(text, expected);
        assert!(hint.contains("`openssl` of [workspace.metadata.xtask]"), "{hint}");
        let (text, hint) =
            of(linux, None, &script("  panicked at build.rs:3:1:\n  no licence\n  note: x\n"));
        assert!(
            text.ends_with("fails\nno licence") && hint.contains("without S3_SECRET"),
            "{text}\n{hint}"
        );

        let source = |message: &str| {
            let spans = json!([{"is_primary": true, "file_name": "src/main.rs", "line_start": 3}]);
            let diagnostic = json!({"level": "error", "message": message, "code": {"code": "E0425"}, "spans": spans});
            compiler_error("alpha 0.1.0".into(), &diagnostic).unwrap()
        };
        let (text, hint) = of(linux, Some(&source("cannot find value `x`")), "");
        let expected = "cargo could not build alpha: alpha 0.1.0 does not compile\nerror[E0425]: cannot find value `x`, src/main.rs:3";
        assert_eq!((text.as_str(), hint.as_str()), (expected, ""));
        let (_, hint) =
            of(linux, Some(&source("environment variable `S3_SECRET` not defined")), "");
        assert!(hint.contains("`pass-env`"), "{hint}");
        assert_eq!(
            compiler_error(String::new(), &json!({"level": "warning", "message": "x"})),
            None
        );
    }
}
