//! Builds OpenSSL for a platform, once, for `openssl-sys` without its feature `vendored`.
//!
//! A library of this machine would be for this platform alone, and for a newer glibc than binaries may need.
//! The sources are those of the crate `openssl-src`, which cargo fetches from wherever this workspace gets its crates. The
//! library is static, with the options of `vendored`. No path of this machine is in it: it is configured for
//! fixed folders, and the compiler that it names is called `cc`. Its certificates and configuration are those in
//! `/etc/ssl`, as where the system has it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ferror::{Error, Kind};
use serde_json::Value;

use super::{environment, sandbox};
use crate::build::pins;
use crate::build::toolchain::Toolchain;
use crate::model::cargo_lock;
use crate::system::env::Env;
use crate::system::partial::Partial;
use crate::system::sandbox::{Machine, Sandbox};
use crate::system::ui::{self, Ui};
use crate::system::{child_env, file_lock, files, process};

/// Enough for a slow machine with one core.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// How it is configured: as `vendored` does it, but for fixed folders.
const OPTIONS: [&str; 20] = [
    "--prefix=/usr/local",
    "--openssldir=/etc/ssl",
    "--libdir=lib",
    "no-shared",
    "no-module",
    "no-tests",
    "no-apps",
    "no-docs",
    "no-comp",
    "no-zlib",
    "no-ssl3",
    "no-md2",
    "no-rc5",
    "no-weak-ssl-ciphers",
    "no-camellia",
    "no-idea",
    "no-seed",
    // What a service does not call is left out when it is linked.
    "-ffunction-sections",
    "-fdata-sections",
    // cargo-zigbuild's compiler adds debug information, which names the folder of the build.
    "-g0",
];
/// What musl lacks.
const MUSL: [&str; 3] = ["no-engine", "no-async", "-DOPENSSL_NO_SECURE_MEMORY"];

/// Variables of compilers and make that do not count: the flags are part of the library's name here.
const FOREIGN: [&str; 12] = [
    "CROSS_COMPILE",
    "CFLAGS",
    "CPPFLAGS",
    "CPPDEFINES",
    "CPPINCLUDES",
    "LDFLAGS",
    "LDLIBS",
    "ARFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    "CARGO_MAKEFLAGS",
    "OPENSSL_LOCAL_CONFIG_DIR",
];

/// Returns the variables by which `openssl-sys` and cmake find the library in the folder `home`.
pub(super) fn variables(toolchain: &Toolchain, home: &Path) -> [(OsString, OsString); 3] {
    let triple = toolchain.platform.triple().to_uppercase().replace('-', "_");
    [
        (format!("{triple}_OPENSSL_DIR").into(), home.into()),
        (format!("{triple}_OPENSSL_STATIC").into(), "1".into()),
        // For cmake's FindOpenSSL.
        ("OPENSSL_ROOT_DIR".into(), home.into()),
    ]
}

/// Returns the folder with the library of the platform, which is built where that was not done before. `variables` name
/// the C compiler.
pub(super) fn find_or_build(
    toolchain: &Toolchain,
    variables: &[(OsString, OsString)],
    profile: &str,
    machine: Option<Machine>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<PathBuf> {
    make(toolchain, variables, profile, machine, env, ui)
        .with_context(|| format!("OpenSSL {}", pins::openssl_version()))
}

fn make(
    toolchain: &Toolchain,
    variables: &[(OsString, OsString)],
    profile: &str,
    machine: Option<Machine>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<PathBuf> {
    let folder = toolchain.tools_dir().join("openssl");
    let (version, platform) = (pins::openssl_version(), toolchain.platform);
    let home = folder.join(format!("{version}-{platform}-{}", &key(toolchain, env)[..16]));
    if home.is_dir() {
        return Ok(home);
    }
    let waiting = || ui.say("waiting", "for another build of OpenSSL");
    let _lock = file_lock::lock(&folder.join("lock"), waiting)?;
    if home.is_dir() {
        return Ok(home);
    }
    let sources = fetch(toolchain, &folder, env)?;
    let started = Instant::now();
    ui.say("building", format_args!("OpenSSL {version} for {platform}, once"));
    let partial = Partial::folder(&home).with_context(|| format!("making {}", home.display()))?;
    let room = match machine {
        Some(machine) => {
            Some(sandbox::prepare_in(machine, toolchain, partial.path(), profile, env)?)
        }
        None => None,
    };
    build(toolchain, &sources, partial.path(), variables, profile, room.as_ref(), env)?;
    partial.rename_durably(&home).with_context(|| format!("naming {}", home.display()))?;
    let took = ui::seconds(started.elapsed());
    ui.say("built", format_args!("OpenSSL {version} for {platform} in {took}"));
    Ok(home)
}

/// Returns a digest of all that the library depends on.
fn key(toolchain: &Toolchain, env: &Env) -> String {
    let floor = format!("glibc {} macos {}", toolchain.glibc, toolchain.macos);
    let options = options(toolchain.platform.triple()).join(" ");
    let inputs = [
        pins::OPENSSL_SRC,
        pins::OPENSSL_SRC_CHECKSUM,
        &pins::tools_id(),
        toolchain.platform.triple(),
        &floor,
        &options,
        &environment::build_time(env),
        toolchain.flags_digest.as_deref().unwrap_or_default(),
    ];
    files::sha256(inputs.join("\n").as_bytes())
}

/// Returns what `Configure` is told, the name that OpenSSL has for the platform first.
fn options(triple: &str) -> Vec<&'static str> {
    let name = match triple.split_once('-').unwrap_or((triple, "")) {
        ("aarch64", "apple-darwin") => "darwin64-arm64-cc",
        (_, "apple-darwin") => "darwin64-x86_64-cc",
        ("aarch64", _) => "linux-aarch64",
        _ => "linux-x86_64",
    };
    let musl = if triple.ends_with("musl") { &MUSL[..] } else { &[] };
    [&[name], &OPTIONS[..], musl].concat()
}

/// Builds the library, and leaves its folders `include` and `lib` in `folder`.
fn build(
    toolchain: &Toolchain,
    sources: &Path,
    folder: &Path,
    variables: &[(OsString, OsString)],
    profile: &str,
    sandbox: Option<&Sandbox>,
    env: &Env,
) -> anyhow::Result<()> {
    let [source, programs, installed] = ["source", "bin", "installed"].map(|it| folder.join(it));
    copy(sources, &source)?;
    // The library holds the compiler's command line.
    let triple = toolchain.platform.triple().replace('-', "_");
    for (name, variable) in [("cc", "CC"), ("ar", "AR"), ("ranlib", "RANLIB")] {
        let variable = format!("{variable}_{triple}");
        let program = variables.iter().find(|(known, _)| *known == *variable);
        let (_, program) = program.with_context(|| format!("cargo-zigbuild sets no {variable}"))?;
        let program = environment::quoted(&program.to_string_lossy());
        let text = format!("#!/bin/sh\nexec {program} \"$@\"\n");
        files::write_cheaply(&programs.join(name), text.as_bytes(), 0o755)?;
    }
    let path = environment::search_path(&[programs], env)?;
    let run = |program: &str, arguments: &[&OsStr]| {
        let mut command = Command::new(program);
        environment::set_variables(&mut command, toolchain, env);
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(&source).env("PATH", &path);
        command.envs([("CC", "cc"), ("AR", "ar"), ("RANLIB", "ranlib")]);
        if let Some(sandbox) = sandbox {
            let none = BTreeSet::new();
            sandbox::set_environment(&mut command, toolchain, &none, profile, env);
            sandbox.confine(&mut command).context("making the sandbox")?;
        }
        let output = process::run(&mut command, LIMIT)?;
        if output.status.success() {
            return Ok(());
        }
        let shown = arguments.first().map_or(program.into(), |word| word.to_string_lossy());
        let message = format!("`{program} {shown}` failed: {}", output.reason());
        Err(anyhow::Error::from(Error::new(Kind::Failed, message).hint(
            "name a folder with an OpenSSL of your own in OPENSSL_DIR, or leave it to openssl-sys by \
             openssl = false in [workspace.metadata.xtask]",
        )))
    };
    let configure = [&["./Configure"], &*options(toolchain.platform.triple())].concat();
    let configure: Vec<_> = configure.into_iter().map(OsStr::new).collect();
    run("perl", &configure)?;
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    run("make", &["build_libs", &format!("-j{jobs}")].map(OsStr::new))?;
    let mut destination = OsString::from("DESTDIR=");
    destination.push(&installed);
    run("make", &[OsStr::new("install_dev"), &destination])?;
    for name in ["include", "lib"] {
        let from = installed.join("usr/local").join(name);
        let to = folder.join(name);
        fs::rename(&from, to).with_context(|| format!("moving {}", from.display()))?;
    }
    for folder in ["source", "bin", "installed"] {
        let path = source.with_file_name(folder);
        files::remove_folder_if_there(&path)?;
    }
    Ok(())
}

/// Has cargo fetch the crate with the sources, and returns the folder with them.
///
/// Cargo is asked where the workspace is, so that its configuration counts: a registry that replaces crates.io, a
/// proxy, vendored sources.
fn fetch(toolchain: &Toolchain, folder: &Path, env: &Env) -> anyhow::Result<PathBuf> {
    let package = folder.join(format!("openssl-src-{}", pins::OPENSSL_SRC));
    let (version, _) = pins::OPENSSL_SRC.split_once('+').unwrap_or((pins::OPENSSL_SRC, ""));
    let cargo_toml = format!(
        "[package]\nname = \"sources\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[lib]\npath = \"lib.rs\"\n\n\
         [dependencies]\nopenssl-src = \"={version}\"\n\n[workspace]\n"
    );
    files::write_cheaply(&package.join("Cargo.toml"), cargo_toml.as_bytes(), 0o644)?;
    files::write_cheaply(&package.join("lib.rs"), b"", 0o644)?;
    let ask = |network: &[&str]| {
        let mut command = Command::new(toolchain.compiler.cargo());
        command.args(["metadata", "--format-version", "1", "--manifest-path"]);
        command.arg(package.join("Cargo.toml")).args(network);
        environment::set_variables(&mut command, toolchain, env);
        process::output(command.current_dir(&toolchain.workspace_root)).context("running cargo")
    };
    let mut output = ask(&["--offline"])?;
    if !output.status.success() {
        output = ask(&[])?;
    }
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        let message = format!("cargo cannot fetch openssl-src {}: {reason}", pins::OPENSSL_SRC);
        return Err(Error::config(message)
            .hint(format!(
                "where sources are vendored, a package of the workspace has to name it: openssl-src = \"={version}\"; \
                 or set OPENSSL_DIR, or use the feature `vendored` of openssl-sys"
            ))
            .into());
    }
    let lock_file = fs::read_to_string(package.join("Cargo.lock")).unwrap_or_default();
    let locked = cargo_lock::parse(&lock_file);
    let checksum =
        locked.iter().find(|one| one.name == "openssl-src").and_then(|p| p.checksum.clone());
    if checksum.as_deref() != Some(pins::OPENSSL_SRC_CHECKSUM) {
        let (found, expected) = (checksum.unwrap_or_default(), pins::OPENSSL_SRC_CHECKSUM);
        let message = format!(
            "openssl-src {}: the registry has other content, with the digest {found}; expected {expected}",
            pins::OPENSSL_SRC
        );
        return Err(Error::config(message)
            .hint("see which registry replaces crates.io here")
            .into());
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading cargo's answer")?;
    let packages = metadata["packages"].as_array().context("cargo names no packages")?;
    let found = packages.iter().find(|package| package["name"] == "openssl-src");
    let manifest = found.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.context("cargo names no openssl-src")?;
    Ok(Path::new(manifest).with_file_name("openssl"))
}

/// Copies a folder: OpenSSL is built among its sources, so that it knows them by relative paths.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let name = || format!("copying {}", from.display());
    fs::create_dir_all(to).with_context(name)?;
    for entry in fs::read_dir(from).with_context(name)? {
        let entry = entry.with_context(name)?;
        let target = to.join(entry.file_name());
        if entry.file_type().with_context(name)?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::options;

    #[test]
    fn each_platform_has_a_name_of_openssls_own() {
        let rows = [
            ("x86_64-unknown-linux-gnu", "linux-x86_64", false),
            ("aarch64-unknown-linux-gnu", "linux-aarch64", false),
            ("aarch64-unknown-linux-musl", "linux-aarch64", true),
            ("x86_64-apple-darwin", "darwin64-x86_64-cc", false),
            ("aarch64-apple-darwin", "darwin64-arm64-cc", false),
        ];
        for (triple, name, is_musl) in rows {
            let options = options(triple);
            assert_eq!((options[0], options.contains(&"no-async")), (name, is_musl), "{triple}");
        }
    }
}
