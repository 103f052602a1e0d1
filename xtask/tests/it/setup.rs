//! Tests `setup`: what it says of platforms that cannot be built yet, and of those that can.

use crate::support::Repo;

#[test]
fn check_says_what_is_missing_and_installs_nothing() {
    let mut repo = Repo::new(&["alpha"]);
    let empty = repo.path().join("target/empty");
    repo.set("CARGO_TARGET_DIR", empty.to_str().unwrap());
    let run = repo.xtask("setup --check").exits(3).prints("linux_amd64   missing: ");
    run.says("cannot build linux_amd64").says("run `cargo xtask setup`");
    assert!(!empty.join("dist/tools").exists(), "it installed something");
}

#[test]
fn a_platform_that_is_set_up_is_ready() {
    let repo = Repo::new(&["alpha"]);
    let ready = format!("linux_amd64   ready (rustup, rustc {}", xtask::build::pins::RUSTC);
    repo.xtask("setup").exits(0).prints(&ready);
    repo.xtask("setup --check").exits(0).prints(&ready);
    repo.xtask("setup --check --platforms plan9").exits(3).says("`plan9` is not supported");
}
