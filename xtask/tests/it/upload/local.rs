//! Tests `upload --local`: a whole upload into a bucket without an account.

use crate::support::local::{alone, assert_published, assert_silent_and_gone};
use crate::support::{Repo, installed_cargo, root, run, target_dir};

#[test]
#[ignore = "builds the local S3 server"]
fn upload_leaves_the_objects_as_files_and_nothing_else() {
    let _alone = alone();
    let mut repo = Repo::new(&["alpha", "beta"]);
    repo.write("untracked", "--local publishes what is not committed too");
    repo.xtask("dist").exits(0);
    // What names another server and its credentials does not matter.
    repo.set("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9");
    repo.set("S3_KEY", "AKIAELSEWHERE");
    let dest = repo.path().join("pkg").display().to_string();
    let upload = |bucket: &[&str]| {
        let arguments = [&["upload", "--local", "--dest", &dest], bucket].concat();
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        run(command.current_dir(root()), "upload --local").exits(0)
    };

    let objects = target_dir().join("local-s3/local");
    let first = upload(&[]);
    assert_published(&repo, &first, &objects);
    assert_silent_and_gone(&repo, &first);

    std::fs::write(objects.join("stale"), "of an earlier run").expect("the bucket's folder");
    let second = upload(&[]);
    assert_published(&repo, &second, &objects);
    assert!(!objects.join("stale").exists(), "a run begins with an empty bucket");

    // A repository may pin a compiler that is too old for the server.
    if let Some(cargo) = installed_cargo("1.88.0") {
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["upload", "--local"]);
        command.env("CARGO", cargo).env("RUSTUP_TOOLCHAIN", "1.88.0");
        let old = run(&mut command, "upload --local with Rust 1.88").exits(0);
        assert_published(&repo, &old, &objects);
    }

    let third = upload(&["--bucket", "other"]);
    assert_published(&repo, &third, &target_dir().join("local-s3/other"));
    assert!(!objects.exists(), "a run begins without other buckets");
}
