//! Mistakes of the person at the command line: each names the thing and what to do, and has its
//! exit code.

use crate::support::Repo;

#[test]
fn mistakes_have_their_exit_codes() {
    let repo = Repo::new(&["alpha", "beta"]);
    let rows = [
        ("", 2, "no verb named"),
        ("dits", 2, "unknown verb `dits`: did you mean `dist`? the verbs are dist,"),
        ("help dits", 2, "unknown verb `dits`"),
        ("dist --platforms --dry-run", 2, "--platforms needs a value"),
        ("upload --signature v3", 2, "--signature \"v3\": expected v4 or v2"),
        ("dist --bucket b", 2, "invalid option '--bucket'"),
        ("dist gamma", 3, "unknown service `gamma`: the services are alpha, beta"),
        ("dist services/alpha", 3, "did you mean `alpha`? the services are alpha, beta"),
        ("dist bate", 3, "unknown service `bate`: did you mean `beta`?"),
        ("dist --platforms linus", 3, "unknown word `linus`"),
        ("dist --version v1", 2, "expected 6 to 40 hex digits"),
        ("dist --version ffffff", 3, "--version ffffff: HEAD is"),
        ("upload", 3, "no manifest to upload"),
        ("ship", 3, "no bucket named"),
        ("ship --bucket builds", 3, "no credentials"),
        ("interop minio", 2, "unknown server `minio`: the servers are swift, ceph"),
        ("interop", 3, "no foundation/s3/tests/interop/main.rs"),
        ("stamp", 2, "no FILE named"),
        ("stamp nowhere", 3, "nowhere"),
    ];
    for (line, code, text) in rows {
        repo.xtask(line).exits(code).says("error: ").says(text);
    }
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
fn help_and_version_go_to_stdout() {
    let nowhere = Repo::empty();
    for verb in ["dist", "upload", "ship", "setup", "ci", "interop", "stamp"] {
        let run = nowhere.xtask(&format!("{verb} --help")).exits(0);
        let run = run.prints(&format!("Usage: cargo xtask {verb}")).prints("Example");
        assert_eq!(run.stderr, "");
    }
    nowhere.xtask("--help").exits(0).prints("Exit codes:");
    nowhere.xtask("--version").exits(0).prints("bowline-xtask ");
}

#[test]
fn outside_a_workspace_or_a_repository_the_error_says_so() {
    let nowhere = Repo::empty();
    nowhere.xtask("dist").exits(3).says("cargo reads no workspace here");
    nowhere.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"services/*\"]\n");
    nowhere.add_service("alpha", "");
    nowhere.xtask("dist --dry-run").exits(3).says("not a git repository").says("git init");
    nowhere.git(&["init", "--quiet"]);
    nowhere.xtask("dist --dry-run").exits(3).says("commit something first");
}

#[test]
fn a_wrong_table_is_named() {
    let rows = [
        ("[package.metadata.xtask]\nplatform = \"linux\"", "unknown field `platform`"),
        (
            "[package.metadata.xtask]\nbin = \"other\"",
            "bin = \"other\" is none of its binaries: alpha",
        ),
        (
            "[package.metadata.xtask]\ninclude = [\"conf/*\"]",
            "[package.metadata.xtask] of alpha: include = \"conf/*\" names no file",
        ),
        (
            "[[bin]]\nname = \"a\"\npath = \"src/main.rs\"\n[[bin]]\nname = \"b\"\npath = \"src/main.rs\"",
            "several binaries: a, b",
        ),
    ];
    for (table, text) in rows {
        let repo = Repo::new(&["alpha"]);
        repo.add_service("alpha", table);
        repo.lock();
        repo.xtask("dist --dry-run").exits(3).says("alpha").says(text);
    }
}

#[test]
fn a_wrong_table_of_the_workspace_is_named() {
    for (field, text) in [
        ("include = [\"nothing/*\"]", "include = \"nothing/*\" names no file"),
        ("glibc = \"2.5\"", "glibc = \"2.5\": expected 2.17 or newer"),
        ("macos = \"10.9\"", "macos = \"10.9\": expected 10.12 or newer"),
    ] {
        let repo = Repo::new(&["alpha"]);
        repo.add_to_table(field);
        let run = repo.xtask("dist --dry-run").exits(3);
        run.says(&format!("[workspace.metadata.xtask]: {text}"));
    }
}

#[test]
fn ci_that_names_another_commit_is_refused() {
    let mut repo = Repo::new(&["alpha"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.set("CIRCLE_SHA1", &head);
    repo.xtask("dist --dry-run").exits(0).prints(&head[..6]);
    repo.commit("second");
    repo.xtask("dist --dry-run").exits(3).says(&format!("CIRCLE_SHA1 is {head}, but HEAD is"));
}

#[test]
fn a_hooks_repository_is_not_taken_for_this_one() {
    let mut repo = Repo::new(&["alpha"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let other = Repo::new(&["beta"]);
    for (name, file) in [("GIT_DIR", ".git"), ("GIT_INDEX_FILE", ".git/index")] {
        repo.set(name, &other.path().join(file).display().to_string());
    }
    repo.set("GIT_WORK_TREE", &other.path().display().to_string());
    repo.xtask("dist --dry-run").exits(0).prints(&head[..6]);
}
