//! Finds what may change the bytes of a build and does not come from the repository: variables that a person
//! or a machine sets, and cargo configuration files outside the repository.
//!
//! A configuration file that git ignores is outside the repository too, wherever it is: no commit holds it.
//!
//! Cargo sets the variables of `[env]` for the programs that it runs, this one among them. A variable with
//! the value that the repository's own configuration gives it comes from the repository.
//!
//! **What is recorded is published**, and a value may hold a secret: a token in a wrapper's path, `-DKEY=…`, a
//! path with somebody's name. So a value is recorded word by word, and only words of a known harmless form:
//! settings of code generation, of profiles, and numbers. Every other word is recorded as [`HIDDEN`]. Not even a
//! digest of it is, since a short secret could be guessed from that.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::model::cargo_toml;
use crate::model::source_file::SourceFile;
use crate::system::env::Env;
use crate::system::files;
use catalog::Platform;

/// Variables with one name. `RUSTC_BOOTSTRAP` lets crates use unstable features.
const NAMES: [&str; 28] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_APPLIES_TO_HOST",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_BOOTSTRAP",
    "SOURCE_DATE_EPOCH",
    "CRATE_CC_NO_DEFAULTS",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "COMPILER_PATH",
    "LIBRARY_PATH",
    "SDKROOT",
    "ZIG_LIB_DIR",
    "ZIG_LIBC",
    "CMAKE_TOOLCHAIN_FILE",
    "CMAKE",
    "CMAKE_GENERATOR",
    "LIBCLANG_PATH",
    "PROTOC",
    "PROTOC_INCLUDE",
];
/// What is in variables that choose a library of this machine: those of pkg-config and of `openssl-sys`, also with a
/// triple before or behind.
const LIBRARIES: [&str; 8] = [
    "PKG_CONFIG",
    "OPENSSL_DIR",
    "OPENSSL_LIB_DIR",
    "OPENSSL_INCLUDE_DIR",
    "OPENSSL_LIBS",
    "OPENSSL_STATIC",
    "OPENSSL_NO_VENDOR",
    "OPENSSL_ROOT_DIR",
];
/// Variables of C tools, which also have the forms `HOST_CC`, `TARGET_CC` and `CC_<triple>`.
const C_NAMES: [&str; 14] = [
    "CC", "CXX", "AR", "AS", "LD", "NM", "RANLIB", "STRIP", "CFLAGS", "CXXFLAGS", "CPPFLAGS",
    "ARFLAGS", "ASFLAGS", "LDFLAGS",
];
/// Variables of cargo's that change no byte of a binary.
const HARMLESS: [&str; 9] = [
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_TERM_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "RUST_LOG",
];
/// Settings of `[build]` that change what is built.
const BUILD: [&str; 5] =
    ["rustflags", "target", "rustc", "rustc-wrapper", "rustc-workspace-wrapper"];
/// Profiles that no profile for publishing inherits from, unless it says so.
const DEVELOPMENT: [&str; 4] = ["dev", "test", "bench", "doc"];
/// What is recorded of words that may be secret.
const HIDDEN: &str = "…";
/// Settings of code generation whose values are words of rustc's own or names of processors.
const CODEGEN: [&str; 19] = [
    "code-model",
    "codegen-units",
    "control-flow-guard",
    "debug-assertions",
    "debuginfo",
    "embed-bitcode",
    "force-frame-pointers",
    "force-unwind-tables",
    "instrument-coverage",
    "lto",
    "opt-level",
    "overflow-checks",
    "panic",
    "prefer-dynamic",
    "relocation-model",
    "split-debuginfo",
    "strip",
    "target-cpu",
    "target-feature",
];
/// The beginnings of flags of C compilers whose values are words of the compiler's own.
const C_FLAGS: [&str; 4] = ["-O", "-g", "-m", "-std="];
/// A longer word is hidden, and more words are left out: a manifest has a limit too.
const MOST_CHARS: usize = 200;
const MOST_WORDS: usize = 50;
/// More files than this include each other in a circle.
const MOST_FILES: usize = 64;

/// What comes from outside of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutsideFlags {
    /// Each flag as it is shown and recorded.
    pub shown: Vec<String>,
    /// A digest of the flags with their real values, which is not published; `None` where there are no flags.
    pub digest: Option<String>,
    /// The configuration files of cargo that belong to the repository.
    pub repository_files: Vec<PathBuf>,
}

/// Finds what comes from outside of the repository around `root`, which has `repository_files`. `profile` is the
/// profile that is built.
pub fn find(
    root: &Path,
    repository_files: &[SourceFile],
    profile: &str,
    env: &Env,
) -> anyhow::Result<OutsideFlags> {
    let files = read_files(root, env)?;
    let is_ours = |file: &&File| repository_files.iter().any(|ours| ours.path == file.path);
    let (ours, outside): (Vec<_>, Vec<_>) = files.iter().partition(is_ours);
    let mut set_by_us = BTreeMap::new();
    let repository_files = ours.iter().map(|file| file.path.clone()).collect();
    for file in ours {
        set_by_us.extend(file.variables());
    }
    let (mut found, mut real) = (Vec::new(), Vec::new());
    for (name, value) in env.variables() {
        let Some(name) = name.to_str().filter(|name| changes_bytes(name, profile)) else {
            continue;
        };
        let is_ours = set_by_us.get(name).is_some_and(|ours| OsStr::new(ours) == value);
        if !value.is_empty() && !is_ours {
            found.push(format!("{name}={}", shown(&value.to_string_lossy())));
            real.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
        }
    }
    for file in outside {
        let place = file.shown_path(env);
        for (name, value) in file.settings(profile) {
            let shown = if name.starts_with("env.") { HIDDEN.to_owned() } else { shown(&value) };
            found.push(format!("{name}={shown} in {place}"));
            real.extend(format!("{name}={value}\0").into_bytes());
        }
    }
    let digest = (!found.is_empty()).then(|| files::sha256(&real));
    Ok(OutsideFlags { shown: found, digest, repository_files })
}

/// Returns whether a variable of that name may change the bytes of what is built by `profile`.
pub fn changes_bytes(name: &str, profile: &str) -> bool {
    let has_affixes = |prefix: &str, suffixes: &[&str]| {
        name.strip_prefix(prefix).is_some_and(|rest| suffixes.iter().any(|s| rest.ends_with(s)))
    };
    let of_profile =
        name.strip_prefix("CARGO_PROFILE_").is_some_and(|rest| !is_development(rest, "_", profile));
    NAMES.contains(&name)
        || of_profile
        || has_affixes("CARGO_TARGET_", &["_RUSTFLAGS", "_LINKER", "_AR"])
        || has_affixes("CARGO_HOST_", &["RUSTFLAGS", "LINKER"])
        || ["CARGO_UNSTABLE_", "BINDGEN_EXTRA_CLANG_ARGS"].iter().any(|p| name.starts_with(p))
        || LIBRARIES.iter().any(|part| name.contains(part))
        || is_of_c(name)
}

/// Returns whether it is a variable of C tools: `CC`, `TARGET_CC`, `HOST_CC`, `CC_x86_64-unknown-linux-gnu` or
/// `CC_x86_64_unknown_linux_gnu`.
fn is_of_c(name: &str) -> bool {
    let plain = ["HOST_", "TARGET_"].iter().find_map(|prefix| name.strip_prefix(prefix));
    if C_NAMES.contains(&plain.unwrap_or(name)) {
        return true;
    }
    let Some((name, triple)) = name.split_once('_') else { return false };
    let triple = triple.replace('_', "-").to_ascii_lowercase();
    C_NAMES.contains(&name)
        && Platform::ALL.iter().any(|platform| platform.triple().replace('_', "-") == triple)
}

/// Returns whether a setting is of a profile for development, which is not what `profile` builds. A profile
/// with a name of its own may inherit from any.
fn is_development(setting: &str, separator: &str, profile: &str) -> bool {
    let setting = setting.to_ascii_lowercase();
    profile == "release"
        && DEVELOPMENT
            .iter()
            .any(|name| setting.strip_prefix(name).is_some_and(|rest| rest.starts_with(separator)))
}

/// A cargo configuration file.
struct File {
    path: PathBuf,
    table: Value,
}

impl File {
    /// Returns the variables that `[env]` sets.
    fn variables(&self) -> BTreeMap<String, String> {
        // Relative to the folder that holds `.cargo`.
        let base = self.path.ancestors().nth(2).unwrap_or(Path::new("/"));
        let value = |entry: &Value| match entry {
            Value::String(text) => Some(text.clone()),
            entry if entry["relative"] == true => {
                Some(base.join(entry["value"].as_str()?).to_string_lossy().into_owned())
            }
            entry => entry["value"].as_str().map(str::to_owned),
        };
        let entries = self.table["env"].as_object().into_iter().flatten();
        entries.filter_map(|(name, entry)| Some((name.clone(), value(entry)?))).collect()
    }

    /// Lists the settings that may change what is built, with their values.
    fn settings(&self, profile: &str) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let fields = |table: &str| self.table[table].as_object().into_iter().flatten();
        for (name, value) in fields("build").filter(|(name, _)| BUILD.contains(&name.as_str())) {
            add_settings(&format!("build.{name}"), value, &mut settings);
        }
        for (name, value) in fields("profile") {
            if !is_development(&format!("{name}."), ".", profile) {
                add_settings(&format!("profile.{name}"), value, &mut settings);
            }
        }
        for (triple, table) in fields("target") {
            let entries = table.as_object().into_iter().flatten();
            for (name, value) in entries.filter(|(name, _)| *name != "runner") {
                add_settings(&format!("target.{triple}.{name}"), value, &mut settings);
            }
        }
        for table in ["host", "unstable"] {
            add_settings(table, &self.table[table], &mut settings);
        }
        let is_harmless = |name: &str| {
            HARMLESS.iter().any(|harmless| name.starts_with(harmless))
                || name.to_ascii_lowercase().ends_with("_proxy")
        };
        for (name, value) in fields("env").filter(|(name, _)| !is_harmless(name)) {
            settings.push((format!("env.{name}"), value.to_string()));
        }
        settings
    }

    /// Returns the path with `~` for the home folder, whose name is nobody's business in a bucket.
    fn shown_path(&self, env: &Env) -> String {
        let home = env.get_os("HOME").map(Path::new);
        let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_owned()));
        match home.and_then(|home| self.path.strip_prefix(home).ok().map(Path::to_owned)) {
            Some(below) => format!("~/{}", below.display()),
            None => self.path.display().to_string(),
        }
    }
}

/// Reads the configuration files that cargo reads in `root`, and those that they include.
fn read_files(root: &Path, env: &Env) -> anyhow::Result<Vec<File>> {
    let root = root.canonicalize().with_context(|| format!("looking at {}", root.display()))?;
    let cargo_home = match env.get_os("CARGO_HOME") {
        Some(home) => Some(env.current_dir.join(home)),
        None => env.get_os("HOME").map(|home| Path::new(home).join(".cargo")),
    };
    let folders = root.ancestors().map(|folder| folder.join(".cargo")).chain(cargo_home);
    // Cargo takes the name without an ending where both are there.
    let mut paths: Vec<PathBuf> = folders
        .filter_map(|folder| {
            let names = ["config", "config.toml"].map(|name| folder.join(name));
            names.into_iter().find(|path| path.is_file())
        })
        .collect();
    let mut files: Vec<File> = Vec::new();
    while let Some(path) = paths.pop() {
        // Cargo's home is often in a folder above the repository too.
        let Ok(path) = path.canonicalize() else { continue };
        if files.len() >= MOST_FILES || files.iter().any(|file| file.path == path) {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let table = cargo_toml::parse(&text, &path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        paths.extend(included(&table["include"]).into_iter().map(|name| folder.join(name)));
        files.push(File { path, table });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads `include`: a path, or a list of paths and of tables with a path.
fn included(include: &Value) -> Vec<&str> {
    match include {
        Value::Array(all) => all.iter().flat_map(included).collect(),
        Value::Object(table) => table.get("path").and_then(Value::as_str).into_iter().collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// Adds a setting, or each setting of a table.
fn add_settings(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = match value {
        Value::Null => return,
        Value::Object(fields) => {
            for (field, value) in fields {
                add_settings(&format!("{name}.{field}"), value, settings);
            }
            return;
        }
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(" "),
        other => text(other),
    };
    settings.push((name.to_owned(), value));
}

/// Returns a value as it may be published: words that may be secret are hidden.
///
/// `CARGO_ENCODED_RUSTFLAGS` has control characters between flags.
fn shown(value: &str) -> String {
    let is_between = |c: char| c.is_whitespace() || c.is_control();
    let words = value.split(is_between).filter(|word| !word.is_empty()).take(MOST_WORDS);
    let mut shown: Vec<_> =
        words.map(|word| if is_harmless_word(word) { word } else { HIDDEN }).collect();
    shown.dedup_by(|a, b| a == b && *a == HIDDEN);
    shown.join(" ")
}

/// Returns whether a word of a value is a number, a word of cargo's or the compiler's own, a triple, or a flag
/// that takes such words.
fn is_harmless_word(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-_.,=".contains(c);
    if word.len() > MOST_CHARS || !word.chars().all(is_plain) {
        return false;
    }
    let flag = word.strip_prefix("-C").or_else(|| word.strip_prefix("--codegen=")).unwrap_or(word);
    let name = flag.split('=').next().unwrap_or_default();
    // Profiles say `lto = "thin"`, `debug = 1`, `strip = "symbols"`, `panic = "abort"`.
    let words = [
        "true",
        "false",
        "thin",
        "fat",
        "off",
        "none",
        "full",
        "limited",
        "line-tables-only",
        "symbols",
        "debuginfo",
        "abort",
        "unwind",
        "packed",
        "unpacked",
        "s",
        "z",
    ];
    flag.is_empty()
        || word == "--codegen"
        || CODEGEN.contains(&name)
        || C_FLAGS.iter().any(|prefix| word.starts_with(prefix))
        || words.contains(&word)
        || word.bytes().all(|b| b.is_ascii_digit())
        || Platform::ALL.iter().any(|platform| platform.triple() == word)
}

#[cfg(test)]
mod tests {
    use super::{changes_bytes, find, shown};
    use crate::model::source_file::SourceFile;
    use crate::system::env::Env;

    #[test]
    fn every_spelling_of_a_flag_counts_and_nothing_else_does() {
        let flags = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
            "CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER",
            "CARGO_PROFILE_RELEASE_OPT_LEVEL",
            "CARGO_PROFILE_DIST_LTO",
            "CARGO_BUILD_TARGET",
            "RUSTC_WRAPPER",
            "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
            "CARGO_UNSTABLE_BUILD_STD",
            "CC",
            "TARGET_CFLAGS",
            "HOST_CXX",
            "CFLAGS_x86_64-unknown-linux-gnu",
            "CXXFLAGS_aarch64_apple_darwin",
            "AR_aarch64_unknown_linux_gnu",
            "SOURCE_DATE_EPOCH",
            "PKG_CONFIG",
            "PKG_CONFIG_PATH",
            "PKG_CONFIG_ALLOW_CROSS",
            "TARGET_PKG_CONFIG",
            "PKG_CONFIG_x86_64-unknown-linux-gnu",
            "OPENSSL_DIR",
            "AARCH64_APPLE_DARWIN_OPENSSL_DIR",
            "PROTOC",
        ];
        let others = [
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_TERM_COLOR",
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_TMPDIR",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            "CARGO_INCREMENTAL",
            "CARGO_REGISTRIES_TEAM_TOKEN",
            "CARGO_BUILD_JOBS",
            "CARGO_PROFILE_DEV_DEBUG",
            "RUSTDOCFLAGS",
            "CC_REPORTER",
            "AR_TOKEN",
            "PATH",
        ];
        for name in flags {
            assert!(changes_bytes(name, "release"), "{name} does not count");
        }
        for name in others {
            assert!(!changes_bytes(name, "release"), "{name} counts");
        }
        assert!(changes_bytes("CARGO_PROFILE_DEV_DEBUG", "dist"), "`dist` may inherit from `dev`");
    }

    #[test]
    fn words_that_may_be_secret_are_hidden() {
        let rows = [
            ("-C target-cpu=native -Clto=fat", "-C target-cpu=native -Clto=fat"),
            ("-O2 -march=native -std=c11", "-O2 -march=native -std=c11"),
            ("3", "3"),
            ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"),
            ("/opt/s3cret/sccache", "…"),
            ("s3cret", "…"),
            ("--cfg token=\"s3cret\" -Copt-level=1", "… -Copt-level=1"),
            ("-DTOKEN=s3cret -O1", "… -O1"),
            ("-Clink-arg=-Ls3cret", "…"),
            ("-ffile-prefix-map=/s3cret=.", "…"),
            ("https://user:s3cret@host/", "…"),
        ];
        for (value, expected) in rows {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn settings_outside_the_repository_count_and_its_own_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        std::fs::create_dir_all(home.join("team/repo/inner")).unwrap();
        let own = "[build]\nrustflags = [\"-Cdebuginfo=0\"]\n[env]\nCFLAGS = \"-O2\"\nCC = { value = \"own/cc\", relative = true }\n";
        write("team/repo/.cargo/config.toml", own);
        write("team/repo/inner/.cargo/config.toml", "[profile.release]\nstrip = true\n");
        let path = home.join("team/repo/.cargo/config.toml");
        let committed = [SourceFile { path, executable: false }];
        write("team/.cargo/config", "include = [\"more.toml\"]\n[target.x]\nrunner = \"r\"\n");
        write("team/.cargo/config.toml", "[build]\nrustc-wrapper = \"not read beside `config`\"\n");
        write("team/.cargo/more.toml", "[target.x]\nlinker = \"lld\"\n");
        let user = "[build]\njobs = 2\nrustflags = [\"-Ctarget-cpu=native\"]\n\
            [profile.dev]\ndebug = 0\n[profile.release]\nlto = true\n\
            [env]\nTOKEN = \"s3cret\"\nhttp_proxy = \"p\"\nCARGO_NET_OFFLINE = \"true\"\n[net]\noffline = true\n";
        write(".cargo/config.toml", user);
        let cc = home.join("team/repo/own/cc").display().to_string();
        let variables = [
            ("HOME", home.to_str().unwrap()),
            ("CFLAGS", "-O2"),
            ("CC", &cc),
            ("CXXFLAGS", "-O3"),
            ("LDFLAGS", ""),
            ("CARGO_ENCODED_RUSTFLAGS", "-C\u{1f}lto"),
        ];
        let env = Env::for_test(&variables);
        let found = find(&home.join("team/repo/inner"), &committed, "release", &env).unwrap();
        assert_eq!(
            found.shown,
            [
                "CARGO_ENCODED_RUSTFLAGS=-C lto",
                "CXXFLAGS=-O3",
                "build.rustflags=-Ctarget-cpu=native in ~/.cargo/config.toml",
                "profile.release.lto=true in ~/.cargo/config.toml",
                "env.TOKEN=… in ~/.cargo/config.toml",
                "target.x.linker=… in ~/team/.cargo/more.toml",
                "profile.release.strip=true in ~/team/repo/inner/.cargo/config.toml",
            ]
        );
        // A person's value instead of the repository's.
        let env = Env::for_test(&[("HOME", "/nowhere"), ("CFLAGS", "-O0")]);
        let found = find(&home.join("team/repo"), &committed, "release", &env).unwrap();
        assert_eq!(found.shown[0], "CFLAGS=-O0");
        let digest = |flags| {
            let env = Env::for_test(flags);
            find(&home.join("team/repo"), &committed, "release", &env).unwrap().digest
        };
        assert_ne!(digest(&[("CC", "/one")]), digest(&[("CC", "/two")]), "both are shown alike");
    }
}
