//! Signals at named points of the verbs that change files: afterwards everything is as before or finished, no child
//! is left, and the next run works. What a killed run changed is taken back by the next one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::adopt::adoptable;
use crate::killed::snapshot;
use crate::support::bucket::Bucket;
use crate::support::front::{Front, Verdict, wait_within};
use crate::support::local::other_repository;
use crate::support::{Repo, Run, check_sums, root, run};
use crate::vendor::changes::{published, unvendored, vendored};
use crate::vendor::tree;

/// A point at which a program waits for ever, and says so: a cargo that gets certain arguments, or a build script.
struct Stage(TempDir);

impl Stage {
    /// Writes a cargo that waits before it does what `pattern` of a shell matches.
    fn cargo(pattern: &str) -> Self {
        let stage = Self::new();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n{pattern}) echo $$ > {0}/new; mv {0}/new {0}/reached; \
             read _ < {0}/never ;;\nesac\nexec {1} \"$@\"\n",
            stage.0.path().display(),
            env!("CARGO")
        );
        fs::write(stage.program(), script).unwrap();
        fs::set_permissions(stage.program(), fs::Permissions::from_mode(0o755)).unwrap();
        stage
    }

    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        // Whoever opens a pipe to read waits for one who writes.
        run(Command::new("mkfifo").arg(stage.0.path().join("never")), "mkfifo").exits(0);
        stage
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("cargo")
    }

    /// Starts the program, and returns it and the process that waits at this point.
    fn reach(&self, repo: &Repo, line: &str) -> (Child, Pid) {
        let arguments: Vec<_> = line.split(' ').collect();
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        if self.program().exists() {
            command.env("CARGO", self.program());
            // For `adopt`, which runs the cargo of another repository.
            let path = std::env::var("PATH").unwrap();
            command.env("PATH", format!("{}:{path}", self.0.path().display()));
        }
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = start(piped);
        let reached = self.0.path().join("reached");
        wait_within(LIMIT, "its stage", || {
            assert!(child.try_wait().unwrap().is_none(), "{line} ended before its stage");
            reached.exists()
        });
        let waiting = fs::read_to_string(&reached).unwrap();
        fs::remove_file(reached).unwrap();
        (child, Pid::from_raw(waiting.trim().parse().unwrap()).unwrap())
    }

    /// Runs the program up to this point, and sends it a signal there.
    #[track_caller]
    fn interrupt(&self, repo: &Repo, line: &str, signal: Signal, name: &str) -> Run {
        let (child, waiting) = self.reach(repo, line);
        let run = signalled(child, signal, line).exits(130);
        assert!(test_kill_process(waiting).is_err(), "{line}: cargo is still there");
        assert_eq!(run.stdout, "", "{line}");
        run.says(&format!("error: interrupted by {name}\n"))
    }
}

/// Starts the program with the three signals as a terminal leaves them: whoever started these tests may ignore
/// some, as a shell does for a job in the background.
fn start(command: &mut Command) -> Child {
    #[expect(unsafe_code, reason = "the standard library has no signals")]
    // SAFETY: `signal` may be called between fork and exec, and no handler of ours is set.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    command.spawn().unwrap()
}

fn signalled(mut child: Child, signal: Signal, line: &str) -> Run {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let begun = Instant::now();
    wait_within(LIMIT * 2, line, || {
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
        }
        child.try_wait().unwrap().is_some()
    });
    Run::of(&child.wait_with_output().unwrap(), line)
}

/// Reads what a repository holds, and what git says of it.
fn state(repo: &Repo) -> (BTreeMap<PathBuf, Vec<u8>>, String) {
    (tree(repo.path()), repo.git(&["status", "--porcelain", "--ignored"]))
}

/// What a program may take to its stage, or to end after a signal, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(300);
const COPY: &str = "vendor*";
const LAST_CHECK: &str = "metadata*--frozen*";
const RESOLVE: &str = "\"metadata --format-version 1\"";

#[test]
fn vendor_takes_back_what_it_changed() {
    let (shared, _) = published("shared");
    let repo = unvendored("early", &shared);
    let before = state(&repo);
    for (stage, signal, name) in [
        (COPY, Signal::INT, "SIGINT"),
        (LAST_CHECK, Signal::TERM, "SIGTERM"),
        (LAST_CHECK, Signal::HUP, "SIGHUP"),
    ] {
        Stage::cargo(stage).interrupt(&repo, "vendor", signal, name);
        assert!(state(&repo) == before, "{stage}: {}", state(&repo).1);
    }
    repo.xtask("vendor").exits(0).prints("vendor/ holds");
    repo.commit("vendored");
    repo.xtask("vendor --check").exits(0);

    // With folders that are replaced, and one that goes.
    fs::write(repo.path().join("vendor/shared-0.1.0/src/lib.rs"), "changed by hand").unwrap();
    repo.write("vendor/surplus-1.0.0/file", "surplus");
    let before = state(&repo);
    for stage in [COPY, LAST_CHECK] {
        Stage::cargo(stage).interrupt(&repo, "vendor", Signal::INT, "SIGINT");
        assert!(state(&repo) == before, "{stage}: {}", state(&repo).1);
    }
    repo.xtask("vendor").exits(0);
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored"]), "");
}

#[test]
fn what_a_killed_run_changed_is_taken_back_by_the_next() {
    let (shared, _) = published("shared");
    let repo = vendored("killed", &shared);
    shared.write("src/lib.rs", "pub fn novel() {}");
    shared.commit("second");
    let before = state(&repo);
    for (line, stage) in [("update shared", COPY), ("update shared --dry-run", "update*")] {
        let (child, waiting) = Stage::cargo(stage).reach(&repo, line);
        signalled(child, Signal::KILL, line).exits(-1);
        kill_process(waiting, Signal::KILL).unwrap();
        assert_ne!(state(&repo).0, before.0, "nothing had changed yet");
        repo.xtask("vendor --check").exits(0).says("restored what a killed run had changed in");
        assert!(state(&repo) == before, "{line}: {}", state(&repo).1);
    }
    repo.xtask("update shared").exits(0).prints("shared 0.1.0 (").prints("vendor/ holds");
}

#[test]
fn update_takes_back_what_it_changed() {
    let (shared, _) = published("shared");
    let repo = vendored("moving", &shared);
    shared.write("src/lib.rs", "pub fn novel() {}");
    shared.commit("second");
    let before = state(&repo);
    for (line, stage) in [
        ("update shared", "update*"),
        ("update shared", COPY),
        ("update shared", LAST_CHECK),
        ("update shared --dry-run", "update*"),
    ] {
        Stage::cargo(stage).interrupt(&repo, line, Signal::INT, "SIGINT");
        assert!(state(&repo) == before, "{line} at {stage}: {}", state(&repo).1);
    }
    repo.xtask("update shared --dry-run").exits(0).prints("shared 0.1.0 (");
    assert!(state(&repo) == before, "a dry run changed something");
    repo.xtask("update shared").exits(0).prints("vendor/ holds");
}

#[test]
fn new_and_init_leave_nothing() {
    let repo = other_repository();
    let text = fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &text.replace("\"services/*\"", "\"services/alpha\""));
    repo.commit("one by one");
    let before = state(&repo);
    let stage = Stage::cargo(RESOLVE);
    let init = format!("init made --xtask-path {}", root().join("xtask").display());
    let dry = format!("{init} --dry-run");
    for line in ["new beta", "new beta --dry-run", &init, &dry] {
        for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
            stage.interrupt(&repo, line, signal, name);
            assert!(state(&repo) == before, "{line}: {}", state(&repo).1);
        }
    }
    // A killed `new` is taken back; of a killed `init` the next one removes the folder.
    let (child, waiting) = stage.reach(&repo, "new beta");
    signalled(child, Signal::KILL, "new").exits(-1);
    kill_process(waiting, Signal::KILL).unwrap();
    repo.xtask("new beta --dry-run").exits(0).says("restored");
    assert!(state(&repo) == before, "{}", state(&repo).1);
    let (child, waiting) = stage.reach(&repo, &init);
    signalled(child, Signal::KILL, "init").exits(-1);
    kill_process(waiting, Signal::KILL).unwrap();
    repo.xtask(&init).exits(0);
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored"]), "?? made/");
    fs::remove_dir_all(repo.path().join("made")).unwrap();
    repo.xtask("new beta").exits(0).prints("services/beta/src/main.rs");
}

#[test]
fn adopt_leaves_the_repository_as_it_was() {
    let repo = adoptable();
    let before = state(&repo);
    let line = format!("adopt . --xtask-path {}", root().display());
    // While the lock file is resolved, nothing is written yet; while the plan is made, everything is.
    for (stage, is_written) in [(RESOLVE, false), ("*config*get*", true)] {
        let stage = Stage::cargo(stage);
        stage.interrupt(&repo, &line, Signal::INT, "SIGINT");
        assert!(state(&repo) == before, "{}", state(&repo).1);
        let (child, waiting) = stage.reach(&repo, &line);
        assert_eq!(repo.path().join("xtask/Cargo.toml").exists(), is_written);
        signalled(child, Signal::KILL, &line).exits(-1);
        kill_process(waiting, Signal::KILL).unwrap();
    }
    repo.xtask(&format!("{line} --dry-run")).exits(0).says("restored");
    assert!(state(&repo) == before, "{}", state(&repo).1);
    repo.xtask(&line).exits(0);
}

#[test]
fn dist_leaves_the_old_archives_and_their_manifest() {
    let mut repo = Repo::new(&["alpha"]);
    repo.own_target();
    repo.xtask("dist").exits(0);
    let snapshot = repo.path().join("pkg/snapshot");
    let before = tree(&snapshot);
    // Cargo runs a build script, which waits and names cargo.
    let stage = Stage::new();
    let script = format!(
        "fn main() {{ let dir = std::path::Path::new({0:?}); if dir.join(\"go\").exists() {{ return; }} \
         std::fs::write(dir.join(\"new\"), std::os::unix::process::parent_id().to_string()).unwrap(); \
         std::fs::rename(dir.join(\"new\"), dir.join(\"reached\")).unwrap(); \
         let _ = std::fs::read(dir.join(\"never\")); }}\n",
        stage.0.path()
    );
    repo.write("services/alpha/build.rs", &script);
    repo.commit("second");
    stage.interrupt(&repo, "dist", Signal::INT, "SIGINT");
    // The script is nobody's child now; it ends when its pipe does.
    fs::write(stage.0.path().join("go"), "").unwrap();
    drop(fs::File::options().write(true).open(stage.0.path().join("never")).unwrap());
    assert!(tree(&snapshot) == before, "{:?}", tree(&snapshot).keys());
    check_sums(&snapshot);
    repo.xtask("dist").exits(0);
    let head = repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(repo.manifest()["commit"], head.as_str());
    check_sums(&snapshot);
}

#[test]
fn an_upload_publishes_nothing_or_all_and_the_next_run_finishes_it() {
    let (repo, bytes) = snapshot(1);
    let before = tree(repo.path());
    let bucket = Bucket::new();
    let (holds, held) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (judge_holds, judge_held) = (Arc::clone(&holds), Arc::clone(&held));
    // The archive is there, and its manifest object is under way.
    let front = Front::start(&bucket.endpoint(), move |line| {
        let is_it = line.starts_with("PUT ") && line.contains(".json") && judge_holds.load(Relaxed);
        judge_held.fetch_or(is_it, Relaxed);
        if is_it { Verdict::Hold } else { Verdict::Pass }
    });
    let upload = || {
        let arguments = ["upload", "--endpoint", &front.endpoint];
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        bucket.name_in(&mut command);
        command
    };
    let mut command = upload();
    let mut child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    wait_within(LIMIT, "the manifest object is under way", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        held.load(Relaxed)
    });
    signalled(child, Signal::INT, "upload").exits(130).says("interrupted by SIGINT");
    assert!(bucket.manifest_objects().is_empty());
    assert!(tree(repo.path()) == before, "{:?}", tree(repo.path()).keys());
    holds.store(false, Relaxed);
    run(&mut upload(), "upload").exits(0);
    assert_eq!(bucket.manifest_objects().len(), 1);
    assert!(fs::read(bucket.object("big/big_aaaaaa.tar.gz")).unwrap() == bytes);
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let (shared, _) = published("shared");
    let repo = unvendored("ignoring", &shared);
    let stage = Stage::cargo(COPY);
    let script = format!("trap '' HUP; exec {} vendor", env!("CARGO_BIN_EXE_xtask"));
    let mut command = repo.prepare("sh", &["-c", &script]);
    command.env("CARGO", stage.program()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(&mut command);
    wait_within(LIMIT, "its stage", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        stage.0.path().join("reached").exists()
    });
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    // It goes on as soon as its cargo may.
    drop(fs::File::options().write(true).open(stage.0.path().join("never")).unwrap());
    Run::of(&child.wait_with_output().unwrap(), "vendor").exits(0).prints("vendor/ holds");
}
