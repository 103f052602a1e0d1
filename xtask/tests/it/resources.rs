//! Tests which files `dist` packs beside a binary.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::Repo;

/// Returns the names of the files that would be packed beside the binary of `alpha`, and whether
/// each is executable.
fn resources(repo: &Repo) -> Vec<(String, bool)> {
    let plan = repo.xtask("dist --dry-run --json").exits(0).json();
    let resources = plan["steps"][0]["builds"][0]["resources"].as_array().unwrap().clone();
    let field = |resource: &serde_json::Value| {
        (resource["name"].as_str().unwrap().to_owned(), resource["executable"].as_bool().unwrap())
    };
    resources.iter().map(field).collect()
}

/// Makes a repository in which `alpha` includes `patterns`, a list in TOML.
fn including(patterns: &str) -> Repo {
    let repo = Repo::new(&["alpha"]);
    repo.add_service("alpha", &format!("[package.metadata.xtask]\ninclude = [{patterns}]"));
    repo.lock();
    repo
}

#[test]
fn what_git_ignores_is_not_packed() {
    let repo = including("\"conf/*\", \"static\"");
    repo.write(".gitignore", "/target\n/pkg\n.env\n*~\n*.swp\n");
    for path in ["conf/a.toml", "static/x/y.css", "README.md", "LICENSE"] {
        repo.write(&format!("services/alpha/{path}"), "x\n");
    }
    repo.commit("files");
    for path in ["conf/.env", "conf/.a.toml.swp", "static/x/y.css~", "README.md~"] {
        repo.write(&format!("services/alpha/{path}"), "secret\n");
    }
    let plain = |name: &str| (name.to_owned(), false);
    let mut expected =
        ["LICENSE", "README.md", "conf/a.toml", "static/x/y.css"].map(plain).to_vec();
    assert_eq!(resources(&repo), expected);
    // What the version calls dirty is packed, too.
    repo.write("services/alpha/conf/b.toml", "x\n");
    expected.insert(3, plain("conf/b.toml"));
    assert_eq!(resources(&repo), expected);
    std::fs::remove_file(repo.path().join("services/alpha/LICENSE")).unwrap();
    assert_eq!(resources(&repo), expected[1..]);
}

#[test]
fn what_cannot_be_packed_is_named() {
    use std::os::unix::fs::symlink;
    type Case = (&'static str, fn(&Path), &'static str);
    let cases: [Case; 7] = [
        ("conf/.env", |_| {}, "alpha/conf/.env, which git ignores"),
        ("conf/.e*", |_| {}, "alpha/conf/.env, which git ignores"),
        ("Conf/*", |_| {}, "include = \"Conf/*\" names no file that git has"),
        (
            "link",
            |dir| symlink("/etc/passwd", dir.join("link")).unwrap(),
            "alpha/link is a link to /etc/passwd, which is not a file that git has",
        ),
        (
            "link",
            |dir| symlink("conf/.env", dir.join("link")).unwrap(),
            "alpha/conf/.env, which is not a file that git has",
        ),
        (
            "alpha",
            |dir| {
                std::fs::create_dir(dir.join("alpha")).unwrap();
                std::fs::write(dir.join("alpha/x"), "").unwrap();
            },
            "needs a folder alpha in the archive, where the binary has that name",
        ),
        (
            "model.bin",
            |dir| {
                let text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
                std::fs::write(dir.join("model.bin"), text).unwrap();
            },
            "run `git lfs pull`",
        ),
    ];
    for (pattern, prepare, expected) in cases {
        let repo = including(&format!("\"{pattern}\""));
        repo.write(".gitignore", "/target\n/pkg\n.env\n");
        repo.write("services/alpha/conf/.env", "secret\n");
        repo.write("services/alpha/conf/a.toml", "");
        prepare(&repo.path().join("services/alpha"));
        repo.commit("files");
        repo.xtask("dist --dry-run").exits(3).says(expected);
    }
}

#[test]
fn a_link_is_packed_as_the_committed_file_it_leads_to() {
    let repo = including("\"run\"");
    repo.write("LICENSE", "of all\n");
    repo.write("tools/run", "#!/bin/sh\n");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(repo.path().join("tools/run"), executable).unwrap();
    for (to, name) in [("../../LICENSE", "LICENSE"), ("../../tools/run", "run")] {
        let link = repo.path().join("services/alpha").join(name);
        std::os::unix::fs::symlink(to, link).unwrap();
    }
    repo.commit("links");
    assert_eq!(resources(&repo), [("LICENSE".to_owned(), false), ("run".to_owned(), true)]);
}
