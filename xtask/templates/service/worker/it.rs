//! The built worker, run once.

use std::process::Command;

#[test]
fn one_run_does_the_job() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_@NAME@"));
    worker.args(["--once", "--log", "info", "--log-format", "json"]);
    let output = worker.output().expect("it starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && log.contains("worked"), "{log}");
}
