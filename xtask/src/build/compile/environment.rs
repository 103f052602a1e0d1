//! Sets the environment of the cargo that builds: removes the variables of the outer cargo, and adds those
//! of the toolchain.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use catalog::Os;
use ferror::Error;

use crate::build::pins;
use crate::build::toolchain::{Library, Toolchain};
use crate::model::native::Need;
use crate::system::env::Env;
use crate::system::{child_env, files, process};

/// The variable with the folders of shared libraries, to which `cargo run` and rustup's proxy add theirs.
pub(super) const LIBRARY_PATH: &str =
    if cfg!(target_os = "macos") { "DYLD_FALLBACK_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// The time that builds are told, in seconds since 1970 UTC: the first day of 1980, the oldest that zip knows.
/// Build scripts and `__DATE__` in C put it into binaries instead of the clock's. It is not the commit's, which
/// would compile those crates anew at every commit.
const BUILD_TIME: &str = "315532800";

/// The variables with flags for libclang begin with it.
const BINDGEN: &str = "BINDGEN_EXTRA_CLANG_ARGS";

/// Keeps cmake from the libraries of this machine. What a build script names is still found, and so are programs on
/// `PATH`.
const CMAKE: &str = "\
set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH OFF)
set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF)
set(CMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY OFF)
set(CMAKE_IGNORE_PREFIX_PATH / /usr /usr/local /opt/homebrew /opt/local)
";

/// Sets every variable that a build depends on; all others are inherited.
pub(super) fn set_variables(command: &mut Command, toolchain: &Toolchain, env: &Env) {
    child_env::clean(command, env);
    let compiler = &toolchain.compiler;
    // The toolchain's folder replaces those of the outer cargo, as rustup's proxy would do it. Without
    // it, rustc's own rust-objcopy does not start, and binaries for macOS keep their symbols.
    let added = compiler.toolchain.is_some().then(|| compiler.sysroot.join("lib"));
    let inherited = env.get_os(LIBRARY_PATH).unwrap_or_default();
    match library_path(added, inherited, &outer_folders(toolchain, env)) {
        Some(folders) => command.env(LIBRARY_PATH, folders),
        None => command.env_remove(LIBRARY_PATH),
    };
    // With it, rustc divides a crate otherwise, and the bytes are others.
    command.env("CARGO_INCREMENTAL", "0");
    // By its full path: a proxy could choose another compiler.
    command.env("RUSTC", compiler.rustc());
    if let Some(name) = &compiler.toolchain {
        // For build scripts that start `rustc` or `cargo` by name.
        command.env("RUSTUP_TOOLCHAIN", name);
    }
    child_env::make_nightly(command, env);
    if toolchain.library == Library::Distribution {
        // The library's crates use rustc's unstable features.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    if toolchain.platform.os == Os::Darwin {
        command.env("MACOSX_DEPLOYMENT_TARGET", &toolchain.macos);
    }
    let time = build_time(env);
    command.env("SOURCE_DATE_EPOCH", &time);
    let cache = &toolchain.cache_dir;
    let [global, local, _] = zig_caches(toolchain, env);
    command
        .env("CARGO_ZIGBUILD_ZIG_COMMAND", &toolchain.linker.zig)
        .env("CARGO_ZIGBUILD_ZIG_PATH", &toolchain.linker.zig)
        // Without these two, cargo-zigbuild would start a process for every link to ask for them.
        .env("CARGO_ZIGBUILD_ZIG_VERSION", pins::ZIG)
        .env("CARGO_ZIGBUILD_RUSTC_VERSION", &compiler.release)
        .env("CARGO_ZIGBUILD_CACHE_DIR", cache)
        .env("ZIG_GLOBAL_CACHE_DIR", global)
        .env("ZIG_LOCAL_CACHE_DIR", local);
}

/// Returns the folders in which zig keeps what it has compiled. The scripts beside them are run outside of sandboxes,
/// too, and stay read-only.
pub(super) fn zig_caches(toolchain: &Toolchain, env: &Env) -> [PathBuf; 3] {
    // zig does not tell objects with different times apart.
    let local = format!("zig-time-{}", build_time(env));
    ["zig", &local, "version"].map(|name| toolchain.cache_dir.join(name))
}

/// Lets build scripts find the tools that a service needs, and no others: what is built beside it must change nothing.
/// A variable that a person set stays.
pub(super) fn set_tools(
    command: &mut Command,
    toolchain: &Toolchain,
    needs: &BTreeSet<Need>,
    env: &Env,
) -> anyhow::Result<()> {
    let tools = &toolchain.build_tools;
    for (need, name, value) in &tools.variables {
        if needs.contains(need) && env.names().all(|known| known != *name) {
            command.env(name, value);
        }
    }
    let needed = tools.path.iter().filter(|(need, _)| needs.contains(need));
    let folders: Vec<_> = needed.map(|(_, folder)| folder.clone()).collect();
    if !folders.is_empty() {
        command.env("PATH", search_path(&folders, env)?);
    }
    Ok(())
}

/// Returns the time that builds are told.
pub(crate) fn build_time(env: &Env) -> String {
    env.get("SOURCE_DATE_EPOCH").unwrap_or_else(|| BUILD_TIME.to_owned())
}

/// Returns the variables by which cargo-zigbuild makes zig the linker and C compiler of a cargo build.
///
/// cargo-zigbuild runs the program that `CARGO` names. Here that is one which prints its environment and
/// builds nothing.
pub(super) fn linker_variables(
    toolchain: &Toolchain,
    profile: &str,
    sdk: Option<&Path>,
    env: &Env,
) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let printer = toolchain.cache_dir.join("print-environment");
    if fs::read(&printer).ok().as_deref() != Some(PRINTER) {
        files::write_cheaply(&printer, PRINTER, 0o755)?;
    }
    let triple = toolchain.platform.triple();
    let target = match toolchain.platform.os {
        Os::Linux if toolchain.platform.uses_glibc() => format!("{triple}.{}", toolchain.glibc),
        Os::Linux | Os::Darwin => triple.to_owned(),
    };
    let mut command = Command::new(&toolchain.linker.cargo_zigbuild);
    command.args(["zigbuild", "--profile", profile, "--target", &target, "--target-dir"]);
    command.arg(&toolchain.target_dir).current_dir(&toolchain.workspace_root);
    set_variables(&mut command, toolchain, env);
    if let Some(sdk) = sdk {
        // Among the variables that are printed.
        command.env("SDKROOT", sdk);
    }
    let output = process::output(command.env("CARGO", &printer));
    let program = toolchain.linker.cargo_zigbuild.display();
    let output = output.map_err(|error| {
        Error::config(format!("cannot run {program}"))
            .hint("run `cargo xtask setup`")
            .caused_by(error)
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::config(format!("{program} for {target}: {}", said.trim())).into());
    }
    let mut variables = variables(&output.stdout);
    if let Some((relative, root)) = zig_below_root(toolchain) {
        let is_of_bindgen = |name: &OsStr| name.as_bytes().starts_with(BINDGEN.as_bytes());
        for (_, value) in variables.iter_mut().filter(|(name, _)| is_of_bindgen(name)) {
            *value = absolute(&value.to_string_lossy(), &relative, &root).into();
        }
    }
    let cmake = OsString::from(format!("CMAKE_TOOLCHAIN_FILE_{}", triple.replace('-', "_")));
    if let Some((_, file)) = variables.iter_mut().find(|(name, _)| *name == cmake) {
        let text = format!("include(\"{}\")\n{CMAKE}", file.to_string_lossy());
        *file = script("cmake", &text, &toolchain.cache_dir)?.into();
    }
    let maps = folder_names(toolchain, env);
    // Flags are split at blanks, so those with a blank are given to the compiler by a script.
    let (plain, quoted): (Vec<_>, Vec<_>) = maps
        .iter()
        .map(|(folder, name)| format!("-ffile-prefix-map={folder}={name}"))
        .partition(|flag| !flag.contains(char::is_whitespace));
    for (compiler, flags) in [("CC", "CFLAGS"), ("CXX", "CXXFLAGS")] {
        variables.push(with_flags(flags, triple, &plain, &variables));
        let name = OsString::from(format!("{compiler}_{}", triple.replace('-', "_")));
        if let Some((_, program)) = variables.iter_mut().find(|(known, _)| *known == name) {
            let script = c_compiler(Path::new(&*program), &quoted, &toolchain.cache_dir)?;
            *program = script.into();
        }
    }
    let linker = format!("CARGO_TARGET_{}_LINKER", triple.replace('-', "_").to_uppercase());
    if let Some((_, program)) = variables.iter_mut().find(|(name, _)| *name == *linker) {
        *program = linker_script(&program.to_string_lossy(), &toolchain.cache_dir)?.into();
    }
    Ok(variables)
}

/// Writes a script that runs zig as the linker `program`, and returns its path.
///
/// Without the flag, zig compiles its library for sanitizers before the first link, for 15 seconds, though
/// cargo-zigbuild switches sanitizers off: it does so by `all`, which zig does not understand here. A
/// flag of the team's own stands behind it and counts more.
fn linker_script(program: &str, cache_dir: &Path) -> anyhow::Result<PathBuf> {
    let text = format!("#!/bin/sh\nexec {} -fno-sanitize=undefined \"$@\"\n", quoted(program));
    script("link", &text, cache_dir)
}

/// Returns zig's folder as a path below the workspace's root, and the root, where it lies there.
fn zig_below_root(toolchain: &Toolchain) -> Option<(String, String)> {
    let zig = toolchain.linker.zig.canonicalize().ok()?;
    let root = toolchain.workspace_root.canonicalize().ok()?;
    let relative = zig.parent()?.strip_prefix(&root).ok()?.to_str()?.to_owned();
    Some((relative, root.to_str()?.to_owned()))
}

/// Returns `PATH` with the folders `first` before those of the person.
pub(super) fn search_path(first: &[PathBuf], env: &Env) -> anyhow::Result<OsString> {
    let inherited = env.get_os("PATH").unwrap_or_default();
    let folders = first.iter().cloned().chain(std::env::split_paths(inherited));
    std::env::join_paths(folders).context("a folder of our tools has a `:` in its path")
}

/// Makes the folders of zig's headers absolute among flags for libclang: zig names those below the folder in which it
/// runs by relative paths, and build scripts run elsewhere. `relative` is zig's folder below `root`.
fn absolute(flags: &str, relative: &str, root: &str) -> String {
    let flags = flags.replace(&format!(" '{relative}/"), &format!(" '{root}/{relative}/"));
    let flag = |flag: &str| match flag.strip_prefix(relative) {
        Some(rest) if rest.starts_with('/') => {
            let path = format!("{root}/{relative}{rest}");
            let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
            if is_plain { path } else { quoted(&path) }
        }
        _ => flag.to_owned(),
    };
    flags.split(' ').map(flag).collect::<Vec<_>>().join(" ")
}

/// Writes a script that runs the C compiler `program` with `flags` behind all others, and returns its path.
///
/// A call with `--version` alone, by which the crate `cc` recognises a compiler, runs in a folder of ours: zig
/// links for macOS even then, and would leave a file `a.o` in the folder of the package.
fn c_compiler(program: &Path, flags: &[String], cache_dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = cache_dir.join("version");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let folder = quoted(&folder.to_string_lossy());
    let flags: Vec<_> = flags.iter().map(|flag| quoted(flag)).collect();
    let (program, flags) = (quoted(&program.to_string_lossy()), flags.join(" "));
    let text = format!(
        "#!/bin/sh\n[ \"$*\" != --version ] || cd {folder} || exit\nexec {program} \"$@\" {flags}\n"
    );
    script("zig", &text, cache_dir)
}

/// Writes a script that runs rustc and gives folders in what it writes other names, for compilers with which cargo
/// cannot do it. Returns its path.
///
/// A flag that stands later counts more. A package outside all other folders gets the name that cargo would
/// give it.
pub(super) fn rustc_without_paths(toolchain: &Toolchain, env: &Env) -> anyhow::Result<PathBuf> {
    let mut flags = vec![
        "${CARGO_MANIFEST_DIR:+\"--remap-path-prefix=$CARGO_MANIFEST_DIR=$CARGO_PKG_NAME-$CARGO_PKG_VERSION\"}"
            .to_owned(),
    ];
    let sources = toolchain.compiler.sysroot.join("lib/rustlib/src/rust");
    let sources = (sources.to_string_lossy().into_owned(), "/rustc");
    for (folder, name) in folder_names(toolchain, env).iter().chain([&sources]) {
        flags.push(quoted(&format!("--remap-path-prefix={folder}={name}")));
    }
    let rustc = quoted(&toolchain.compiler.rustc().to_string_lossy());
    let text = format!("#!/bin/sh\nexec {rustc} \"$@\" {}\n", flags.join(" "));
    script("rustc", &text, &toolchain.cache_dir)
}

/// Writes a script under a name that depends on its content: another checkout may run another one meanwhile.
pub(super) fn script(name: &str, text: &str, cache_dir: &Path) -> anyhow::Result<PathBuf> {
    let path = cache_dir.join(format!("{name}-{}", &files::sha256(text.as_bytes())[..16]));
    if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
        files::write_whole(&path, text.as_bytes(), 0o755)?;
    }
    Ok(path)
}

/// Quotes a word for a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Returns the folders whose paths must not be in binaries, and the names that they get instead, as `trim-paths`
/// gives them. Of two that apply, compilers take the later one.
fn folder_names(toolchain: &Toolchain, env: &Env) -> Vec<(String, &'static str)> {
    let cargo_home = match env.get_os("CARGO_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => env.get_os("HOME").map(|home| Path::new(home).join(".cargo")),
    };
    let folders = [
        (Some(toolchain.workspace_root.clone()), "."),
        (plain_target_dir(toolchain), "/cargo/target"),
        (cargo_home, "/cargo/home"),
    ];
    let text = |folder: Option<PathBuf>| folder?.to_str().map(str::to_owned);
    folders.into_iter().filter_map(|(folder, name)| Some((text(folder)?, name))).collect()
}

/// Returns a variable of C flags for one triple: the flags that the crate `cc` would read from `variables`,
/// then `flags`.
fn with_flags(
    name: &str,
    triple: &str,
    flags: &[String],
    variables: &[(OsString, OsString)],
) -> (OsString, OsString) {
    let for_triple = format!("{name}_{}", triple.replace('-', "_"));
    let value =
        |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let inherited =
        [for_triple.as_str(), &format!("TARGET_{name}"), name].iter().find_map(|n| value(n));
    let mut all = inherited.cloned().unwrap_or_default();
    for flag in flags {
        if !all.is_empty() {
            all.push(" ");
        }
        all.push(flag);
    }
    (for_triple.into(), all)
}

const PRINTER: &[u8] = b"#!/bin/sh\nexec env -0\n";

/// Reads `NAME=value` entries that each end in a zero byte, without those that the shell adds.
fn variables(printed: &[u8]) -> Vec<(OsString, OsString)> {
    printed
        .split(|&byte| byte == 0)
        .filter_map(|entry| {
            let at = entry.iter().position(|&byte| byte == b'=')?;
            let (name, value) = (OsStr::from_bytes(&entry[..at]), &entry[at + 1..]);
            let is_of_shell = ["CARGO", "OLDPWD", "PWD", "SHLVL", "_"].iter().any(|n| name == *n);
            (!is_of_shell).then(|| (name.to_owned(), OsStr::from_bytes(value).to_owned()))
        })
        .collect()
}

/// Returns the folders whose libraries belong to the outer cargo: its target folder, and its toolchain.
fn outer_folders(toolchain: &Toolchain, env: &Env) -> Vec<PathBuf> {
    let plain_target = plain_target_dir(toolchain);
    let cargo = env.get_os("CARGO").map(Path::new);
    let toolchain = cargo.and_then(|cargo| cargo.ancestors().nth(2)).map(|dir| dir.join("lib"));
    plain_target.into_iter().chain(toolchain).collect()
}

/// Returns the target folder of plain cargo, in which that of the toolchain lies as `dist/<library>`.
fn plain_target_dir(toolchain: &Toolchain) -> Option<PathBuf> {
    toolchain.target_dir.ancestors().nth(2).map(Path::to_owned)
}

/// Joins `added` and those folders of the list `inherited` that are not below one of `outer`; `None` when
/// none are left.
fn library_path(added: Option<PathBuf>, inherited: &OsStr, outer: &[PathBuf]) -> Option<OsString> {
    let is_outer = |path: &PathBuf| outer.iter().any(|folder| path.starts_with(folder));
    let kept = std::env::split_paths(inherited)
        .filter(|path| !path.as_os_str().is_empty() && !is_outer(path));
    let folders: Vec<_> = added.into_iter().chain(kept).collect();
    if folders.is_empty() { None } else { std::env::join_paths(folders).ok() }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use super::{absolute, library_path, variables, with_flags};

    #[test]
    fn the_folders_of_zigs_headers_are_made_absolute() {
        let rows = [
            (
                "-nostdinc -Xclang t/zig/lib/a -isystem t/zig/lib/b",
                "/w",
                "-nostdinc -Xclang /w/t/zig/lib/a -isystem /w/t/zig/lib/b",
            ),
            (
                "-isystem t/zig/lib/a '-DX=t/zig/'",
                "/a b",
                "-isystem '/a b/t/zig/lib/a' '-DX=t/zig/'",
            ),
            ("-isystem 't/zig/l ib/a' t/zigzag", "/w", "-isystem '/w/t/zig/l ib/a' t/zigzag"),
            ("-isystem /w/t/zig/lib/a", "/w", "-isystem /w/t/zig/lib/a"),
        ];
        for (flags, root, expected) in rows {
            assert_eq!(absolute(flags, "t/zig", root), expected);
        }
    }

    #[test]
    fn c_flags_of_the_environment_stand_before_ours() {
        let flags = ["-ffile-prefix-map=/w=.".to_owned()];
        let rows: [(&[(&str, &str)], &str); 4] = [
            (&[], "-ffile-prefix-map=/w=."),
            (&[("CFLAGS", "-O2"), ("CXXFLAGS", "-O1")], "-O2 -ffile-prefix-map=/w=."),
            (&[("CFLAGS", "-O2"), ("TARGET_CFLAGS", "-O3")], "-O3 -ffile-prefix-map=/w=."),
            (&[("TARGET_CFLAGS", "-O3"), ("CFLAGS_a_b", "-Os")], "-Os -ffile-prefix-map=/w=."),
        ];
        for (set, expected) in rows {
            let set: Vec<_> = set.iter().map(|(n, v)| (n.into(), v.into())).collect();
            let (name, value) = with_flags("CFLAGS", "a-b", &flags, &set);
            assert_eq!((name.to_str(), value.to_str()), (Some("CFLAGS_a_b"), Some(expected)));
        }
    }

    #[test]
    fn a_printed_environment_is_read_with_line_ends_in_values() {
        let printed = b"CC_x=zig cc\0CARGO=/t/print\0PWD=/\0ODD=a=b\nc\0_=/usr/bin/env\0EMPTY=\0";
        let read = variables(printed);
        let expected = [("CC_x", "zig cc"), ("ODD", "a=b\nc"), ("EMPTY", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.into(), value.into())));
        assert!(variables(b"").is_empty());
    }

    #[test]
    fn the_outer_cargos_folders_are_removed_and_the_toolchains_comes_first() {
        let outer = ["/w/target", "/r/toolchains/stable/lib"].map(PathBuf::from);
        let rows = [
            ("/w/target/debug:/w/target/debug/deps:/r/toolchains/stable/lib/rustlib/x/lib", None),
            ("/w/target/debug/deps:/opt/lib:/r/toolchains/stable/lib", Some("/opt/lib")),
            ("/opt/a:/opt/b", Some("/opt/a:/opt/b")),
            ("/w/target-other", Some("/w/target-other")),
            ("", None),
        ];
        for (list, expected) in rows {
            let kept = library_path(None, OsStr::new(list), &outer);
            assert_eq!(kept.as_deref(), expected.map(OsStr::new), "{list}");
            let with_added = library_path(Some("/own/lib".into()), OsStr::new(list), &outer);
            let expected =
                expected.map_or("/own/lib".to_owned(), |rest| format!("/own/lib:{rest}"));
            assert_eq!(with_added.as_deref(), Some(OsStr::new(&expected)), "{list}");
        }
    }
}
