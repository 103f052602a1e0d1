//! Tests of `xtask_source`.

use std::path::Path;

use serde_json::json;

use super::{XtaskSource, commit_of_xtask};
use crate::system::env::Env;

fn path(dir: &Path, absolute: bool) -> XtaskSource {
    XtaskSource::Path { dir: dir.to_owned(), absolute }
}

#[test]
fn dependencies_are_named_from_where_they_are_needed() {
    let near = path(Path::new("/a/bowline"), false);
    let stamp = |source: &XtaskSource| {
        source.dependency("foundation/stamp", Path::new("/a/new/services/x"))
    };
    assert_eq!(stamp(&near), "{ path = \"../../../bowline/foundation/stamp\" }");
    let far = path(Path::new("/a/bowline"), true);
    assert_eq!(stamp(&far), "{ path = \"/a/bowline/foundation/stamp\" }");
    let git = XtaskSource::at_url("https://git.example.com/team/bowline").unwrap();
    assert_eq!(stamp(&git), "{ git = \"https://git.example.com/team/bowline\" }");
    let pinned = git.at_commit(Some("abc"));
    assert_eq!(stamp(&pinned), "{ git = \"https://git.example.com/team/bowline\", rev = \"abc\" }");

    assert!(pinned.is_named_by(
        &json!({"git": "https://git.example.com/team/bowline"}),
        Path::new("/"),
        "x"
    ));
    assert!(!pinned.is_named_by(
        &json!({"git": "https://git.example.com/other"}),
        Path::new("/"),
        "x"
    ));
    assert!(!pinned.is_named_by(&json!("1.0"), Path::new("/"), "x"));
}

#[test]
fn a_url_is_one_that_cargo_takes_and_holds_no_secret() {
    for url in ["https://h/x", "ssh://git@h/x.git", "file:///tmp/x"] {
        XtaskSource::at_url(url).unwrap();
    }
    for (url, expected) in [
        ("git@host:team/bowline", "not a URL that cargo takes"),
        ("../bowline", "not a URL that cargo takes"),
        ("", "not a URL that cargo"),
        ("https://", "not a URL that cargo"),
        ("https://h/\"x", "not a URL that cargo"),
        ("https://h/a b", "not a URL that cargo"),
        ("https://me:hidden@h/x", "a user or a password"),
        ("https://me:hid/hidden@h/x", "a user or a password"),
        ("https://hidden@h/x", "a user or a password"),
        ("ssh://me:hidden@h/x", "a user or a password"),
        ("https:/me:hidden@h/x", "not a URL that cargo"),
    ] {
        let error = XtaskSource::at_url(url).expect_err(url);
        assert!(error.to_string().contains(expected), "{url}: {error}");
        assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
    }
}

#[test]
fn a_path_is_that_of_the_package_or_of_its_repository() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    };
    write("b/xtask/Cargo.toml", "[package]\nname = \"bowline-xtask\"\n");
    let at = |path: &str| XtaskSource::at_path(Path::new(path), &root);
    assert!(at("b").unwrap_err().to_string().contains("no foundation/service"));
    write("b/foundation/service/Cargo.toml", "");
    assert_eq!(at("b/xtask").unwrap(), path(&root.join("b"), false));
    assert_eq!(at("b").unwrap(), path(&root.join("b"), false));
    assert_eq!(at(root.join("b").to_str().unwrap()).unwrap(), path(&root.join("b"), true));
    assert!(at("nowhere").unwrap_err().to_string().contains("no such folder"));
    assert!(at(".").unwrap_err().to_string().contains("no package bowline-xtask"));
}

#[test]
fn what_a_workspace_has_is_found_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    };
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{rest}")
    };
    write("b/Cargo.toml", "[workspace]\nmembers = [\"xtask\"]\n");
    write("b/xtask/Cargo.toml", &package("bowline-xtask", ""));
    write("b/xtask/src/lib.rs", "");
    write("other/xtask/src/main.rs", "fn main() {}");
    let env = Env::for_test(&[]);
    let found = |dir: &str| XtaskSource::of_workspace(&root.join(dir), &env);
    assert_eq!(found("b").unwrap(), Some(path(&root.join("b"), false)));

    let absolute = format!("bowline-xtask = {{ path = \"{}\" }}\n", root.join("b/xtask").display());
    let git = "bowline-xtask = { git = \"https://h/b\", branch = \"a/b\" }\n";
    let of_git = XtaskSource::Git {
        url: "https://h/b".to_owned(),
        reference: Some(("branch".to_owned(), "a/b".to_owned())),
    };
    let near = "bowline-xtask = { path = \"../../b/xtask\" }\n";
    let renamed = "auto = { package = \"bowline-xtask\", path = \"../../b/xtask\" }\n";
    let inherited = "bowline-xtask = { workspace = true }\n";
    for (dependency, in_root, expected) in [
        ("", "", None),
        (near, "", Some(path(&root.join("b"), false))),
        (renamed, "", Some(path(&root.join("b"), false))),
        (&absolute, "", Some(path(&root.join("b"), true))),
        (git, "", Some(of_git.clone())),
        (inherited, git, Some(of_git)),
        (inherited, "bowline-xtask.path = \"../b/xtask\"\n", Some(path(&root.join("b"), false))),
    ] {
        let table = if in_root.is_empty() { "" } else { "[workspace.dependencies]\n" };
        write("other/Cargo.toml", &format!("[workspace]\nmembers = [\"xtask\"]\n{table}{in_root}"));
        write(
            "other/xtask/Cargo.toml",
            &package("xtask", &format!("[dependencies]\n{dependency}")),
        );
        assert_eq!(found("other/xtask/src").unwrap(), expected, "{dependency}{in_root}");
    }
}

#[test]
fn the_commit_is_read_from_the_lock_file() {
    let lock = |source: &str| {
        format!("[[package]]\nname = \"bowline-xtask\"\nversion = \"0.1.0\"\n{source}")
    };
    let git = lock("source = \"git+https://h/b?branch=main#0123abcd\"\n");
    assert_eq!(commit_of_xtask(&git).as_deref(), Some("0123abcd"));
    assert_eq!(commit_of_xtask(&lock("")), None);
    assert_eq!(commit_of_xtask(""), None);
}
