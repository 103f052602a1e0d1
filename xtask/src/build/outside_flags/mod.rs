//! Finds what may change the bytes of a build and does not come from the repository: variables that a person
//! or a machine sets, and cargo configuration files outside the repository.
//!
//! A configuration file that git ignores is outside the repository too, wherever it is: no commit holds it.
//!
//! Cargo sets the variables of `[env]` for the programs that it runs, this one among them. A variable with
//! the value that the repository's own configuration gives it comes from the repository.

mod cargo_files;
mod published_value;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use self::cargo_files::{File, is_development, read_files};
use self::published_value::{HIDDEN, shown};
use crate::model::source_file::SourceFile;
use crate::system::env::Env;
use crate::system::files;
use catalog::Platform;

/// Variables with one name. `RUSTC_BOOTSTRAP` lets crates use unstable features, and `CCC_OVERRIDE_OPTIONS` changes
/// the options of every clang, that in zig included.
const NAMES: [&str; 33] = [
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
    "OBJC_INCLUDE_PATH",
    "OBJCPLUS_INCLUDE_PATH",
    "CCC_OVERRIDE_OPTIONS",
    "CC_SHELL_ESCAPED_FLAGS",
    "CC_FORCE_DISABLE",
    "COMPILER_PATH",
    "LIBRARY_PATH",
    "SDKROOT",
    "ZIG_LIB_DIR",
    "ZIG_LIBC",
    "CARGO_ZIGBUILD_ZIG_COMMAND_ARGS",
    "LIBCLANG_PATH",
    "LLVM_CONFIG_PATH",
    "CLANG_PATH",
    "PROTOC",
    "PROTOC_INCLUDE",
];
/// The words in names of variables that choose a library of this machine, for pkg-config and for `openssl-sys`. A
/// triple may stand before or behind them.
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
const C_NAMES: [&str; 16] = [
    "CC",
    "CXX",
    "AR",
    "AS",
    "LD",
    "NM",
    "RANLIB",
    "STRIP",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "ARFLAGS",
    "ASFLAGS",
    "LDFLAGS",
    "RANLIBFLAGS",
    "CXXSTDLIB",
];
/// Variables of cmake that change no byte of what it builds. All others count, also as `TARGET_CMAKE_GENERATOR`.
const HARMLESS_OF_CMAKE: [&str; 4] = [
    "CMAKE_BUILD_PARALLEL_LEVEL",
    "CMAKE_COLOR_DIAGNOSTICS",
    "CMAKE_EXPORT_COMPILE_COMMANDS",
    "CMAKE_NO_VERBOSE",
];
/// Flags and settings that change a build and do not come from the repository.
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
    let of_cmake = without_kind(name).strip_prefix("CMAKE");
    let of_profile =
        name.strip_prefix("CARGO_PROFILE_").is_some_and(|rest| !is_development(rest, "_", profile));
    NAMES.contains(&name)
        || of_profile
        || has_affixes("CARGO_TARGET_", &["_RUSTFLAGS", "_LINKER", "_AR"])
        || has_affixes("CARGO_HOST_", &["RUSTFLAGS", "LINKER"])
        || ["CARGO_UNSTABLE_", "BINDGEN_EXTRA_CLANG_ARGS"].iter().any(|p| name.starts_with(p))
        || of_cmake.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            && !HARMLESS_OF_CMAKE.contains(&name)
        || LIBRARIES.iter().any(|part| name.contains(part))
        || is_of_c(name)
}

/// Returns the name of which `HOST_NAME` or `TARGET_NAME` is a form, as the crates cc and cmake ask for it.
fn without_kind(name: &str) -> &str {
    ["HOST_", "TARGET_"].iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
}

/// Returns whether it is a variable of C tools: `CC`, `TARGET_CC`, `HOST_CC`, `CC_x86_64-unknown-linux-gnu` or
/// `CC_x86_64_unknown_linux_gnu`.
fn is_of_c(name: &str) -> bool {
    if C_NAMES.contains(&without_kind(name)) {
        return true;
    }
    let Some((name, triple)) = name.split_once('_') else { return false };
    let triple = triple.replace('_', "-").to_ascii_lowercase();
    C_NAMES.contains(&name)
        && Platform::ALL.iter().any(|platform| platform.triple().replace('_', "-") == triple)
}

#[cfg(test)]
mod tests {
    use super::{changes_bytes, find};
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
            "RUSTC",
            "RUSTC_WRAPPER",
            "CARGO_BUILD_RUSTC",
            "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
            "CARGO_HOST_LINKER",
            "CARGO_UNSTABLE_BUILD_STD",
            "BINDGEN_EXTRA_CLANG_ARGS_x86_64_unknown_linux_gnu",
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
            "CMAKE_TOOLCHAIN_FILE_x86_64_unknown_linux_gnu",
            "CMAKE_PREFIX_PATH",
            "TARGET_CMAKE_GENERATOR",
            "HOST_CMAKE",
            "CMAKE_CXX_COMPILER_LAUNCHER",
            "CXXSTDLIB_aarch64_apple_darwin",
            "OBJCPLUS_INCLUDE_PATH",
            "CCC_OVERRIDE_OPTIONS",
            "CARGO_ZIGBUILD_ZIG_COMMAND_ARGS",
            "CLANG_PATH",
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
            "CMAKER",
            "AR_TOKEN",
            "CMAKE_BUILD_PARALLEL_LEVEL",
            "AWS_LC_SYS_CMAKE_BUILDER",
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
            [env]\nPIN = \"s3cret 1234 s3cret\"\nhttp_proxy = \"p\"\nCARGO_NET_OFFLINE = \"true\"\n[net]\noffline = true\n";
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
                "env.PIN=… in ~/.cargo/config.toml",
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
