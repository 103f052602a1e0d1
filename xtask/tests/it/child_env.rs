//! Checks what a build gets of the environment: all variables but the credentials that the table does not name, and
//! more open files than xtask began with.

use crate::support::{Repo, run};

/// A build script that fails if a variable is missing that is no credential, or if one is set that
/// is a credential and not named in the table. It needs a session token, as a build with a private
/// registry may.
const BUILD_SCRIPT: &str = r#"
fn main() {
    for name in ["AWS_REGION", "AWS_LC_SYS_NO_ASM", "S3_BUCKET", "SCCACHE_BUCKET"] {
        assert!(std::env::var_os(name).is_some(), "{name} was taken away");
    }
    assert!(std::env::var_os("S3_SECRET").is_none(), "S3_SECRET was passed on");
    assert!(std::env::var_os("AWS_SESSION_TOKEN").is_some(), "it needs a session token");
}
"#;

#[test]
fn a_build_that_needs_a_credential_fails_with_its_name_and_gets_it_by_the_table() {
    let mut repo = Repo::new(&["needy"]);
    repo.write("services/needy/build.rs", BUILD_SCRIPT);
    for name in ["AWS_REGION", "AWS_LC_SYS_NO_ASM", "S3_BUCKET", "SCCACHE_BUCKET"] {
        repo.set(name, "some");
    }
    for name in ["AWS_SESSION_TOKEN", "S3_SECRET"] {
        repo.set(name, "hidden");
    }
    let run = repo.xtask("dist").exits(101).says("it needs a session token");
    let run = run.says("it ran without AWS_SESSION_TOKEN, S3_SECRET: ").says("`pass-env`");
    assert!(!run.stderr.contains("hidden"), "{}", run.stderr);
    repo.add_to_table("pass-env = [\"AWS_SESSION_TOKEN\"]");
    repo.xtask("dist").exits(0);
}

/// Ends the build where no more files may be open than a Mac allows at first.
const NEEDS_FILES: &str = r#"
fn main() {
    let shell = std::process::Command::new("sh").args(["-c", "ulimit -S -n"]).output().unwrap();
    let limit = String::from_utf8(shell.stdout).unwrap();
    assert!(limit.trim().parse::<u64>().map_or(true, |limit| limit > 256), "{limit} open files");
}
"#;

#[test]
fn a_build_may_open_more_files_than_the_soft_limit_that_xtask_began_with() {
    let repo = Repo::new(&["openhanded"]);
    repo.write("services/openhanded/build.rs", NEEDS_FILES);
    let limited = "ulimit -S -n 256 && exec \"$0\" dist";
    let mut shell = repo.prepare("sh", &["-c", limited, env!("CARGO_BIN_EXE_xtask")]);
    run(&mut shell, "dist").exits(0);
}
