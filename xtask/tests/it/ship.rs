//! Tests `ship`: what it says and refuses before it builds, and a whole run into a bucket without
//! an account, here and from another repository.

use std::os::unix::fs::PermissionsExt as _;

use crate::library;
use crate::support::local::{alone, assert_published, assert_silent_and_gone, other_repository};
use crate::support::{Repo, root, run, target_dir};

#[test]
#[ignore = "builds a service of this repository, and the local S3 server"]
fn ship_publishes_a_service_of_this_repository() {
    let _alone = alone();
    let scratch = Repo::empty();
    let dest = scratch.path().join("pkg").display().to_string();
    let line = "ship janitor --local --platforms linux,amd64 --dest";
    let arguments: Vec<_> = line.split(' ').chain([dest.as_str()]).collect();
    let mut command = scratch.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
    let ship = run(command.current_dir(root()), line).exits(0);
    assert_published(&scratch, &ship, &target_dir().join("local-s3/local"));
    assert_silent_and_gone(&scratch, &ship);
}

#[test]
#[ignore = "builds xtask and the local S3 server for another repository"]
fn another_repository_ships_with_three_lines() {
    let _alone = alone();
    let repo = other_repository();
    // The repository has its own target folder, which is kept between runs.
    let kept = target_dir();
    std::fs::create_dir_all(&kept).expect("our target folder");
    std::os::unix::fs::symlink(&kept, repo.path().join("target")).expect("a link to it");
    let objects = repo.path().join("target/local-s3/local");
    for folder in ["", "services/alpha/src"] {
        let line = "xtask ship --local";
        let mut cargo = repo.prepare(env!("CARGO"), &line.split(' ').collect::<Vec<_>>());
        let cargo = cargo.current_dir(repo.path().join(folder)).env_remove("CARGO_TARGET_DIR");
        let ship = run(cargo, line).exits(0);
        assert_published(&repo, &ship, &objects);
        assert_silent_and_gone(&repo, &ship);
        assert_eq!(repo.git(&["status", "--porcelain"]), "", "shipping leaves nothing behind");
    }

    // With verbs of its own, as the page about them has it; one runs a program, another one of our verbs.
    repo.write("xtask/src/main.rs", &library::example());
    repo.write("bin/sqlx", "#!/bin/sh\necho \"sqlx $*\"\nexit 7\n");
    let sqlx = repo.path().join("bin/sqlx");
    std::fs::set_permissions(&sqlx, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let path = std::env::var("PATH").expect("PATH");
    let path = format!("{}:{path}", repo.path().join("bin").display());
    let own = |line: &str| {
        let mut cargo = repo.prepare(env!("CARGO"), &line.split(' ').collect::<Vec<_>>());
        run(cargo.env_remove("CARGO_TARGET_DIR").env("PATH", &path), line)
    };
    let migrate = own("xtask migrate --dry-run").exits(3).prints("sqlx migrate run --dry-run\n");
    migrate.says("error: sqlx migrate: exit status: 7\n");
    own("xtask release").exits(3).says("no bucket named");
    own("xtask dits").exits(2).says("did you mean `dist`?");
}

#[test]
fn ship_refuses_uncommitted_changes_before_it_builds() {
    let mut repo = Repo::new(&["alpha"]);
    repo.set("S3_KEY", "AKIA");
    repo.set("S3_SECRET", "secret");
    repo.write("untracked", "x");
    repo.xtask("ship --bucket builds").exits(3).says("is built from uncommitted changes");
    repo.xtask("ship --bucket B!").exits(3).says("B!");
    assert!(!repo.path().join("pkg").exists(), "nothing is built for that");
}

#[test]
fn ship_says_where_it_would_upload_and_prints_the_plan_of_dist() {
    let repo = Repo::new(&["alpha"]);
    for (line, expected) in [
        ("", "would upload to a bucket that is not named yet at AWS, region us-east-1"),
        (
            "--bucket builds --region eu-west-1",
            "would upload to bucket builds at AWS, region eu-west-1",
        ),
        (
            "--bucket builds --endpoint https://s3.example.com",
            "would upload to bucket builds at https://s3.example.com, region us-east-1",
        ),
        ("--local", "would upload to bucket local of an S3 server of its own"),
    ] {
        let plan = repo.xtask("dist --dry-run").exits(0);
        let ship = repo.xtask(&format!("ship --dry-run {line}")).exits(0).says(expected);
        assert_eq!(ship.stdout, plan.stdout);
        let plan = repo.xtask("dist --dry-run --json").exits(0);
        let ship = repo.xtask(&format!("ship --dry-run --json {line}")).exits(0).says(expected);
        assert_eq!(ship.stdout, plan.stdout);
    }
}
