//! Removes from a child process's environment what it must not inherit.
//!
//! `cargo run` describes the package that it runs in variables. Build scripts read those variables
//! too, and cargo reruns a build script when one that it watches changes: a cargo that inherited
//! them would compile some crates again each time. Credentials are removed as well: no program that xtask
//! starts needs them, and build scripts are other people's programs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use xshell::Cmd;

use crate::system::env::Env;

/// Returns a command that runs the cargo which started this program, with a clean environment.
pub fn cargo(env: &Env) -> Command {
    let program = env.get_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    clean(&mut command, env);
    command
}

/// Makes cargo take unstable settings, as a nightly one does: those that its command line names. rustc does not
/// read the variable.
///
/// The unstable settings that a stable cargo would find in its environment, and ignore, are removed.
pub fn make_nightly(command: &mut Command, env: &Env) {
    for name in env.names().filter(|name| name.as_bytes().starts_with(b"CARGO_UNSTABLE_")) {
        command.env_remove(name);
    }
    command.env("__CARGO_TEST_CHANNEL_OVERRIDE_DO_NOT_USE_THIS", "nightly");
}

/// Returns what a failed cargo printed on stderr. The word `error` in front is left out, since the error
/// that this text becomes part of begins with it.
pub fn error_text(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stderr);
    let printed = printed.trim();
    printed.strip_prefix("error: ").unwrap_or(printed).to_owned()
}

/// Removes from the environment of `command` what it must not inherit.
pub fn clean(command: &mut Command, env: &Env) {
    for name in env.names().filter(|name| must_not_be_inherited(name)) {
        command.env_remove(name);
    }
}

/// Does what [`clean`] does for a command of xshell.
pub fn clean_cmd<'a>(command: Cmd<'a>, env: &Env) -> Cmd<'a> {
    env.names().filter(|name| must_not_be_inherited(name)).fold(command, Cmd::env_remove)
}

/// Returns whether a variable describes the package of the outer cargo, or is a credential.
pub fn must_not_be_inherited(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    ["CARGO", "RUST_RECURSION_COUNT"].contains(&name)
        || ["CARGO_MANIFEST_", "CARGO_PKG_", "S3_", "AWS_", "CIRCLE_OIDC_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::must_not_be_inherited;

    #[test]
    fn only_variables_of_the_outer_package_and_credentials_are_removed() {
        let removed = [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_VERSION",
            "RUST_RECURSION_COUNT",
            "S3_KEY",
            "S3_SECRET",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "CIRCLE_OIDC_TOKEN_V2",
        ];
        let kept = [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_TEAM_INDEX",
            "CARGO_HTTP_PROXY",
            "RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTUP_HOME",
            "HOME",
            "PATH",
            "CIRCLE_SHA1",
            "HTTPS_PROXY",
            "CARGOX",
        ];
        for name in removed {
            assert!(must_not_be_inherited(OsStr::new(name)), "{name} is inherited");
        }
        for name in kept {
            assert!(!must_not_be_inherited(OsStr::new(name)), "{name} is not inherited");
        }
    }
}
