//! Cargo inside cargo: what a child process must not inherit from the `cargo run` that started us.
//!
//! `cargo run` describes the package it runs in the environment. Build scripts read those variables
//! too, and cargo reruns a build script when one that it watches changes: with them inherited, the
//! inner cargo would compile some crates anew each time. Credentials go as well: nothing that we
//! start needs them, and build scripts are other people's programs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

use xshell::Cmd;

use crate::system::env::Env;

/// The cargo that runs this program, without what it told this program.
pub fn cargo(env: &Env) -> Command {
    let program = env.get_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    clean(&mut command, env);
    command
}

/// What a cargo that failed says, for an error that says more: without the word `error`, which that
/// one begins with already.
pub fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    said.strip_prefix("error: ").unwrap_or(said).to_owned()
}

/// Takes away from a child what it must not inherit.
pub fn clean(command: &mut Command, env: &Env) {
    for name in env.names().filter(|name| must_not_be_inherited(name)) {
        command.env_remove(name);
    }
}

/// The same for a command that xshell runs.
pub fn cleaned<'a>(command: Cmd<'a>, env: &Env) -> Cmd<'a> {
    env.names().filter(|name| must_not_be_inherited(name)).fold(command, Cmd::env_remove)
}

/// Whether a variable describes the outer cargo's package, or is a credential.
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
    fn only_the_outer_package_and_credentials_are_taken_away() {
        let gone = [
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
        for name in gone {
            assert!(must_not_be_inherited(OsStr::new(name)), "{name} is inherited");
        }
        for name in kept {
            assert!(!must_not_be_inherited(OsStr::new(name)), "{name} is not inherited");
        }
    }
}
