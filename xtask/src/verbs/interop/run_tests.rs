//! The tests of the S3 crate against a server that runs: both signatures, http and TLS.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use ferror::{Error, Kind};

use super::{REGION, Running, Server};
use crate::repository::vendored;
use crate::system::child_env;
use crate::system::env::Env;
use crate::system::process;
use crate::system::ui::Ui;

/// Where the tests stand, below the workspace.
pub(super) const MAIN: &str = "foundation/s3/tests/interop/main.rs";
const TESTS: [&str; 6] = ["test", "--locked", "--package", "bowline-s3", "--test", "interop"];
/// All tests against one server take some ten seconds.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Whether a workspace has the tests.
pub(super) fn are_in(workspace: &Path) -> bool {
    workspace.join(MAIN).is_file()
}

/// Compiles them before a server waits for them.
pub(super) fn build(workspace: &Path, env: &Env, ui: Ui) -> anyhow::Result<()> {
    ui.say("building", "the tests of foundation/s3 against servers");
    let mut cargo = child_env::cargo(env);
    let cargo = cargo
        .args(vendored::with_lock_option(&TESTS, workspace))
        .args(["--no-run", "--quiet"])
        .current_dir(workspace);
    let status = cargo.status().context("running cargo test")?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(Kind::Failed, format!("the tests do not build ({status})")).into())
}

/// Runs them for every signature and transport; returns what failed.
pub(super) fn all(
    server: Server,
    running: &Running,
    workspace: &Path,
    env: &Env,
    ui: Ui,
) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    for signature in ["v4", "v2"] {
        for (scheme, port) in [("http", running.http_port), ("https", running.tls_port)] {
            let name = format!("{server} {signature} {scheme}");
            let mut cargo = child_env::cargo(env);
            cargo
                .args(vendored::with_lock_option(&TESTS, workspace))
                .args(["--quiet", "--", "--ignored"])
                .current_dir(workspace);
            cargo
                .env("S3_TEST_SERVER", server.to_string())
                .env("S3_TEST_ENDPOINT", format!("{scheme}://127.0.0.1:{port}"))
                .env("S3_TEST_REGION", REGION)
                .env("S3_TEST_BUCKET", format!("interop-{signature}-{scheme}"))
                .env("S3_TEST_SIGNATURE", signature)
                // Not credentials to anything: the server made them up and ends with this run.
                .env("S3_TEST_ACCESS_KEY_ID", &running.access_key_id)
                .env("S3_TEST_SECRET_ACCESS_KEY", &running.secret_access_key);
            if scheme == "https" {
                cargo.env("S3_TEST_CA_BUNDLE", &running.ca_bundle);
            }
            match run(&mut cargo)? {
                Ok(passed) => ui.result(format_args!("{name:<16}  {passed}")),
                Err(said) => {
                    ui.warn(format_args!("{name}:\n{said}"));
                    failed.push(name);
                }
            }
        }
    }
    Ok(failed)
}

/// What passed in one line, or all that was said.
fn run(cargo: &mut Command) -> anyhow::Result<Result<String, String>> {
    let output = process::run(cargo, LIMIT)?;
    let passed = passed(&output.stdout).filter(|_| output.status.success());
    Ok(passed.ok_or_else(|| format!("{}{}", output.stdout, output.stderr)))
}

/// `20 passed in 5.79s`, if tests ran and all passed.
fn passed(stdout: &str) -> Option<String> {
    let line = stdout.lines().find_map(|line| line.strip_prefix("test result: ok. "))?;
    let passed = line.split(';').next()?;
    let took = line.rsplit(' ').next()?;
    (!passed.starts_with("0 ")).then(|| format!("{passed} in {took}"))
}

#[cfg(test)]
mod tests {
    use super::passed;

    #[test]
    fn a_run_counts_only_when_tests_ran_and_passed() {
        let rest = "0 ignored; 0 measured; 0 filtered out; finished in 5.79s";
        let rows = [
            (format!("test result: ok. 20 passed; 0 failed; {rest}"), Some("20 passed in 5.79s")),
            (format!("test result: ok. 0 passed; 0 failed; {rest}"), None),
            (format!("test result: FAILED. 19 passed; 1 failed; {rest}"), None),
            (String::new(), None),
        ];
        for (said, expected) in rows {
            assert_eq!(passed(&format!("running\n{said}\n")).as_deref(), expected, "{said}");
        }
    }
}
