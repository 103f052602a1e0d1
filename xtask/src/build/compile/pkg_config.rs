//! Keeps build scripts from this machine's libraries: the `pkg-config` that they find is a script that knows no
//! package but those of `system-libraries`.
//!
//! A library of this machine would be for this platform alone, and a binary that loads it runs only where the same one
//! is installed. A person's own `PKG_CONFIG` is used as it is; the plan names it among the flags from outside the
//! repository.

use std::path::PathBuf;

use super::environment;
use crate::build::toolchain::Toolchain;
use crate::system::env::Env;

/// Writes the script, and returns its path.
pub(super) fn script(toolchain: &Toolchain, env: &Env) -> anyhow::Result<PathBuf> {
    let real = env.find_program("pkg-config").unwrap_or_default();
    let platform = toolchain.platform;
    let is_for_here = toolchain.compiler.host == platform.triple();
    let text =
        text(&toolchain.system_libraries, platform.as_str(), is_for_here, &real.to_string_lossy());
    environment::script("pkg-config", &text, &toolchain.cache_dir)
}

/// Returns the script for a platform.
fn text(packages: &[String], platform: &str, is_for_here: bool, real: &str) -> String {
    let (packages, real) = (environment::quoted(&packages.join(" ")), environment::quoted(real));
    let here = if is_for_here { "yes" } else { "" };
    format!(
        r#"#!/bin/sh
set -f
packages={packages}
real={real}
quiet=
asked=
for word in "$@"; do
    case $word in
    --version) echo 0.29.2 && exit ;;
    --atleast-pkgconfig-version*) exit ;;
    --silence-errors) quiet=yes ;;
    -*) ;;
    *) asked="$asked $word" ;;
    esac
done
fail() {{
    [ -n "$quiet" ] || echo "pkg-config of cargo xtask: $*" >&2
    exit 1
}}
# A build script or macro that runs here may use what is here: cargo tells its own dependencies so.
[ -z "{here}" ] && [ -n "$real" ] && [ -n "$TARGET" ] && [ "$TARGET" = "$HOST" ] && exec "$real" "$@"
# Without the versions that are asked for, as in `libpq >= 9`.
for name in $(printf '%s' "$asked" | sed -e 's/[<>=!][<>=!]* *[^ ,]*//g' -e 's/,/ /g'); do
    case " $packages " in
    *" $name "*) ;;
    *) fail "$name: binaries for {platform} load no library of this machine: use the crate's feature that builds its" \
        "own (vendored, bundled, static), or allow it by system-libraries = [\"$name\"] in [workspace.metadata.xtask]" ;;
    esac
    [ -n "{here}$PKG_CONFIG_LIBDIR$PKG_CONFIG_SYSROOT_DIR" ] ||
        fail "$name: system-libraries allows it, but this machine's is none for {platform}: name the folder with" \
            "that platform's .pc files in PKG_CONFIG_LIBDIR"
done
[ -n "$real" ] || fail "$asked: system-libraries allows it, but no pkg-config is installed here"
exec "$real" "$@"
"#
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::text;

    #[test]
    fn only_allowed_packages_reach_the_real_program_and_the_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let real = write("real", "#!/bin/sh\necho real \"$*\"\n").display().to_string();
        let packages = ["libpq".to_owned(), "libssl.so.3".to_owned()];
        let here = write("here", &text(&packages, "linux_amd64", true, &real));
        let other = write("other", &text(&packages, "linux_arm64", false, &real));
        let without = write("without", &text(&packages, "linux_amd64", true, ""));
        let rows: [(_, &[&str], _, i32); 12] = [
            (&here, &["--version"], "0.29.2\n", 0),
            (&here, &["--atleast-pkgconfig-version", "0.9"], "", 0),
            (
                &here,
                &["--libs", "--cflags", "libpq >= 9.6"],
                "real --libs --cflags libpq >= 9.6\n",
                0,
            ),
            (&here, &["--modversion", "libpq", ">=", "9"], "real --modversion libpq >= 9\n", 0),
            (&here, &["--libs", "zlib"], "system-libraries = [\"zlib\"]", 1),
            (&here, &["--libs", "libpq>=9,zlib"], "system-libraries = [\"zlib\"]", 1),
            (&here, &["--exists", "libp*"], "system-libraries = [\"libp*\"]", 1),
            (&here, &["--exists", "--silence-errors", "zlib"], "", 1),
            (&other, &["--libs", "zlib"], "binaries for linux_arm64 load no library", 1),
            (&other, &["--libs", "libpq"], "none for linux_arm64", 1),
            (&without, &["--libs", "libpq"], "no pkg-config is installed", 1),
            (&without, &["--libs", "libssl.so"], "libssl.so: binaries for linux_amd64", 1),
        ];
        for (script, arguments, expected, code) in rows {
            let mut command = Command::new(script);
            command.args(arguments).env_remove("PKG_CONFIG_LIBDIR").env_remove("TARGET");
            let output = command.env_remove("PKG_CONFIG_SYSROOT_DIR").output().unwrap();
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8(printed).unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
            assert!(printed.contains(expected), "{arguments:?}: {printed}");
            assert!(code == 1 || printed == expected, "{arguments:?}: {printed}");
        }
        let mut command = Command::new(&other);
        command.args(["--libs", "libpq"]).env("PKG_CONFIG_LIBDIR", "/sysroot/lib/pkgconfig");
        assert_eq!(command.output().unwrap().stdout, b"real --libs libpq\n");
        // For a dependency of a build script, which runs on this machine; and where both are the same.
        for (script, code) in [(&other, Some(0)), (&here, Some(1))] {
            let mut command = Command::new(script);
            command.args(["--libs", "openssl"]).envs([("HOST", "x"), ("TARGET", "x")]);
            assert_eq!(command.output().unwrap().status.code(), code);
        }
    }
}
