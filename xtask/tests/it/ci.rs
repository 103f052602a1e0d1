//! Tests `ci`: which checks run, in which order, and that the first failure ends the run.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Repo, Run};

/// A repository whose cargo only notes its arguments, and fails for arguments that contain the text
/// in `FAILS`.
struct Asked {
    repo: Repo,
}

impl Asked {
    fn new() -> Self {
        let mut repo = Repo::new(&["alpha"]);
        let cargo = repo.path().join("target/cargo");
        // This cargo does nothing itself for a check, which would take minutes.
        let script = format!(
            "#!/bin/sh\ncase \"$1 $2\" in\n*--version) exit 0;;\nmetadata*) exec {} \"$@\";;\nesac\n\
             echo \"$*\" >> {}/target/asked\ncase \"$*\" in *\"${{FAILS:-none}}\"*) exit 1;; esac\n",
            env!("CARGO"),
            repo.path().display()
        );
        repo.write("target/cargo", &script);
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
        repo.set("CARGO", cargo.to_str().unwrap());
        Self { repo }
    }

    /// Runs `line`, and returns the arguments of each call of cargo.
    fn run(&self, line: &str) -> (Run, Vec<String>) {
        let path = self.repo.path().join("target/asked");
        let _ = std::fs::remove_file(&path);
        let run = self.repo.xtask(line);
        let asked = std::fs::read_to_string(path).unwrap_or_default();
        (run, asked.lines().map(str::to_owned).collect())
    }
}

#[test]
fn checks_run_in_the_order_of_their_speed() {
    let asked = Asked::new();
    let (run, lines) = asked.run("ci");
    run.exits(0).says("passed formatting in").says("passed tests in");
    let begin: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(begin, ["fmt", "clippy", "test"], "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("--all") || line.contains("--workspace")));
    assert!(!lines[2].contains("ignored"), "slow tests are for --all: {lines:?}");
}

#[test]
fn the_first_check_that_fails_ends_the_run() {
    let mut asked = Asked::new();
    for (fails, name, count) in
        [("fmt", "formatting", 1), ("clippy", "clippy", 2), ("test", "tests", 3)]
    {
        asked.repo.set("FAILS", fails);
        let (run, lines) = asked.run("ci --all");
        run.exits(101).says(&format!("error: {name}: `cargo {fails} "));
        assert_eq!(lines.len(), count, "{lines:?}");
    }
}

#[test]
fn slow_tests_run_when_all_others_have_passed() {
    let mut asked = Asked::new();
    asked.repo.set("FAILS", "--ignored");
    let (run, lines) = asked.run("ci --all");
    run.exits(101).says("passed tests in").says("error: slow tests: ");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[3].contains("--workspace") && lines[3].contains("--ignored"), "{lines:?}");
}
