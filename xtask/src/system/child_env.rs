//! Removes from a child process's environment what it must not inherit.
//!
//! `cargo run` describes the package that it runs in variables. Build scripts read those variables
//! too, and cargo reruns a build script when one that it watches changes: a cargo that inherited
//! them would compile some crates again each time. Credentials are removed as well, unless the table names
//! them, so that they do not get into what build scripts log or send. This is no boundary: a process of
//! the same user can read our environment, and cargo's.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use xshell::Cmd;

use crate::model::config::CREDENTIALS;
use crate::system::env::Env;

/// Returns a command that runs the cargo which started this program, with a clean environment.
pub fn cargo(env: &Env) -> Command {
    let program = env.get_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    clean(&mut command, env);
    command
}

/// Returns a command that runs rustup's `program`, such as cargo, in another repository, whose toolchain counts there.
///
/// rustup's proxy of the cargo that started this program says in variables which toolchain it took; a person who sets
/// them means every repository.
pub fn tool_in(dir: &Path, program: &str, env: &Env) -> Command {
    let mut command = Command::new(program);
    clean(&mut command, env);
    let is_chosen = env.get("RUSTUP_TOOLCHAIN_SOURCE").is_some_and(|source| source == "env");
    if env.get_os("CARGO").is_some() && !is_chosen {
        command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTUP_TOOLCHAIN_SOURCE");
    }
    // With this variable, rustup adds a backtrace to what it says.
    command.current_dir(dir).env_remove("RUST_BACKTRACE");
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
    for name in not_inherited(env) {
        command.env_remove(name);
    }
}

/// Does what [`clean`] does for a command of xshell.
pub fn clean_cmd<'a>(command: Cmd<'a>, env: &Env) -> Cmd<'a> {
    not_inherited(env).fold(command, Cmd::env_remove)
}

/// Says what to do about a build that failed, with the variables that it ran without and may have needed.
pub fn build_hint(env: &Env) -> String {
    let taken = withheld(env);
    let why = "cargo's messages above say why";
    if taken.is_empty() {
        return why.to_owned();
    }
    let taken = taken.join(", ");
    format!(
        "{why}; it ran without {taken}: if it needs one of them, name that in `pass-env` of \
         [workspace.metadata.xtask]"
    )
}

/// Returns the variables that child processes do not get because they hold credentials.
pub fn withheld(env: &Env) -> Vec<&str> {
    env.names().filter_map(OsStr::to_str).filter(|name| is_withheld(name, env)).collect()
}

fn not_inherited(env: &Env) -> impl Iterator<Item = &OsStr> {
    let goes = |name: &str| is_of_the_outer_package(name) || is_withheld(name, env);
    env.names().filter(move |name| name.to_str().is_some_and(goes))
}

fn is_of_the_outer_package(name: &str) -> bool {
    ["CARGO", "RUST_RECURSION_COUNT"].contains(&name)
        || ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_withheld(name: &str, env: &Env) -> bool {
    CREDENTIALS.contains(&name) && !env.pass_env.iter().any(|passed| passed == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{build_hint, not_inherited};
    use crate::model::config::CREDENTIALS;
    use crate::system::env::Env;

    const OF_THE_OUTER_PACKAGE: [&str; 5] = [
        "CARGO",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_PKG_VERSION",
        "RUST_RECURSION_COUNT",
    ];

    /// The variables that the S3 client reads to find credentials, but that hold no secret
    /// themselves.
    const NO_CREDENTIALS: [&str; 11] = [
        "AWS_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "AWS_ROLE_SESSION_NAME",
        "AWS_ENDPOINT_URL_STS",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "CIRCLE_PROJECT_REPONAME",
        "CIRCLE_JOB",
        "CIRCLE_BUILD_NUM",
    ];

    const OF_BUILDS: [&str; 17] = [
        "AWS_LC_SYS_CMAKE_BUILDER",
        "AWS_LC_SYS_NO_ASM",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "S3_BUCKET",
        "SCCACHE_BUCKET",
        "SCCACHE_S3_KEY_PREFIX",
        "CARGO_HOME",
        "CARGO_NET_OFFLINE",
        "CARGO_REGISTRIES_TEAM_TOKEN",
        "CARGO_HTTP_PROXY",
        "RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "RUSTUP_HOME",
        "PATH",
        "CIRCLE_SHA1",
        "CARGOX",
    ];

    fn env() -> Env {
        let names = [&CREDENTIALS[..], &OF_THE_OUTER_PACKAGE, &NO_CREDENTIALS, &OF_BUILDS].concat();
        let variables: Vec<_> = names.into_iter().map(|name| (name, "x")).collect();
        Env::for_test(&variables)
    }

    fn gone(env: &Env) -> BTreeSet<&str> {
        not_inherited(env).filter_map(|name| name.to_str()).collect()
    }

    #[test]
    fn only_the_outer_package_and_credentials_are_taken_away() {
        let expected = CREDENTIALS.into_iter().chain(OF_THE_OUTER_PACKAGE).collect();
        assert_eq!(gone(&env()), expected);
        // A new variable of the client has to be put into one of the two lists.
        let read: BTreeSet<_> = s3::CREDENTIAL_VARIABLES.into_iter().collect();
        let mut sorted: BTreeSet<_> = CREDENTIALS.into_iter().chain(NO_CREDENTIALS).collect();
        assert!(sorted.remove("CIRCLE_OIDC_TOKEN"), "the same token in CircleCI's older form");
        assert_eq!(read, sorted);
    }

    #[test]
    fn what_the_table_names_is_passed_and_the_rest_is_said() {
        let mut env = Env::for_test(&[
            ("S3_SECRET", "hidden"),
            ("AWS_SESSION_TOKEN", "hidden"),
            ("AWS_REGION", "eu-west-1"),
        ]);
        let without = "it ran without AWS_SESSION_TOKEN, S3_SECRET: ";
        assert!(build_hint(&env).contains(without), "{}", build_hint(&env));
        env.pass_env = vec!["AWS_SESSION_TOKEN".to_owned()];
        assert_eq!(gone(&env), BTreeSet::from(["S3_SECRET"]));
        let hint = build_hint(&env);
        assert!(hint.contains("without S3_SECRET: ") && !hint.contains("hidden"), "{hint}");
        env.pass_env.push("S3_SECRET".to_owned());
        assert_eq!(build_hint(&env), "cargo's messages above say why");
    }
}
