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
        ("ship --local --bucket B_ad!", 3, "bucket name \"B_ad!\""),
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
fn a_dry_run_refuses_what_the_run_would_refuse() {
    for (line, table, text) in [
        ("--bucket B_ad!", "", "bucket name \"B_ad!\""),
        ("--bucket builds --endpoint example.com", "", "neither with https"),
        (
            "--bucket builds --endpoint http://example.com",
            "",
            "plain http to example.com is refused",
        ),
        ("--bucket builds --region=", "", "the region \"\""),
        ("", "bucket = \"B_ad!\"", "bucket name \"B_ad!\""),
        ("--bucket builds", "endpoint = \"example.com\"", "neither with https"),
        ("--bucket builds", "region = \"a b\"", "the region \"a b\""),
        ("", "bucket = \"b\"\nendpoint = \"https://id:hidden@h\"", "a user or a password"),
        ("--local --bucket B_ad!", "", "bucket name \"B_ad!\""),
        ("--bucket builds", "signature = \"v3\"", "signature = \"v3\": expected v4 or v2"),
    ] {
        let repo = repo_with_a_manifest(table);
        for verb in ["upload", "ship"] {
            let run = repo.xtask(&format!("{verb} --dry-run {line}")).exits(3).says(text);
            assert_eq!(run.stdout, "", "{verb} {line} {table}");
            assert!(!run.stderr.contains("hidden"), "{}", run.stderr);
        }
    }
    let allowed = "bucket = \"builds\"\nendpoint = \"http://example.com\"\nallow-http = true";
    let repo = repo_with_a_manifest(allowed);
    repo.xtask("upload --dry-run").exits(0).prints("would PUT  builds/alpha/");
    repo.xtask("upload --dry-run --signature v2").exits(3).says("signature v2");
    let local = repo.xtask("upload --local --dry-run --bucket local").exits(0);
    local.prints("would PUT  local/alpha/");
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

/// A repository with `fields` in its table, and a manifest as dist would have written it, of one
/// archive that is not one.
fn repo_with_a_manifest(fields: &str) -> Repo {
    let repo = Repo::new(&["alpha"]);
    repo.add_to_table(fields);
    let sha256 = "0".repeat(64);
    let manifest = serde_json::json!({
        "schema": 1, "version": "abc123", "commit": "abc123".to_owned() + &"0".repeat(34),
        "dirty": false, "committed_at": 0, "branch": null, "platforms": ["linux_amd64"],
        "artifacts": [{
            "service": "alpha", "platform": "linux_amd64", "triple": "x86_64-unknown-linux-gnu",
            "file": "alpha_linux_amd64.tar.gz", "size_bytes": 1, "sha256": sha256,
            "binary_sha256": sha256, "unstamped_sha256": sha256,
            "object_key": "alpha/alpha_abc123.tar.gz", "rustc": "rustc",
        }],
    });
    repo.write("pkg/snapshot/manifest.json", &manifest.to_string());
    repo.write("pkg/snapshot/alpha_linux_amd64.tar.gz", "x");
    repo
}

#[test]
fn help_and_version_go_to_stdout() {
    let nowhere = Repo::empty();
    let text = xtask::cli::help::VERBS;
    for verb in text.split(", ") {
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
