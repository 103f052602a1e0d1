//! Checks mistakes on the command line: each error names the thing, says what to do, and has its
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

/// Makes a repository with `fields` in its table, and a manifest as `dist` would write it, for a
/// file that is not an archive.
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
    for verb in xtask::cli::table::verbs() {
        let verb = verb.name;
        let run = nowhere.xtask(&format!("{verb} --help")).exits(0);
        let run = run.prints(&format!("Usage: cargo xtask {verb}")).prints("Example");
        assert_eq!(run.stderr, "");
    }
    nowhere.xtask("--help").exits(0).prints("Exit codes:");
    nowhere.xtask("--version").exits(0).prints("bowline-xtask ");
}
