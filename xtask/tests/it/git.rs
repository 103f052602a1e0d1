//! Checks the version that git's state gives, and whether uncommitted changes are noticed, in every
//! kind of checkout and however a change is hidden from `git status`.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Repo, host, root, run};

/// Returns the plan of a `dist`, with the version checked against the commit in it.
#[track_caller]
fn planned(repo: &Repo, folder: &str) -> Value {
    let run = repo.xtask_in(folder, "dist --dry-run --json").exits(0);
    let plan: Value = serde_json::from_str(&run.stdout).expect("a plan");
    let (version, commit) = (plan["version"].as_str().expect("a version"), &plan["commit"]);
    let id = commit["id"].as_str().expect("an id");
    let dirty = commit["dirty"].as_str().map_or(String::new(), |digits| format!("-dirty.{digits}"));
    assert_eq!(version, format!("{}{dirty}", &id[..6]), "the version is the commit's");
    plan
}

#[track_caller]
fn version(repo: &Repo) -> String {
    planned(repo, "")["version"].as_str().expect("a version").to_owned()
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, before + text).expect("a file");
}

const MAIN: &str = "services/alpha/src/main.rs";

/// Makes a repository whose folder `library` is a submodule with one file and a submodule of its
/// own.
fn with_submodule() -> (Repo, Repo, Repo) {
    let inner = Repo::empty();
    inner.git(&["init", "--quiet", "--initial-branch", "main"]);
    inner.write("inner.rs", "// inner\n");
    inner.commit("inner");
    let library = Repo::empty();
    library.git(&["init", "--quiet", "--initial-branch", "main"]);
    library.write("library.rs", "// library\n");
    add_submodule(&library, &inner, "inner");
    library.commit("library");
    let repo = Repo::new(&["alpha"]);
    add_submodule(&repo, &library, "library");
    repo.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "update",
        "--init",
        "--recursive",
        "--quiet",
    ]);
    repo.commit("with a submodule");
    (repo, library, inner)
}

fn add_submodule(repo: &Repo, other: &Repo, name: &str) {
    let url = other.path().display().to_string();
    repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, name]);
}

/// A name, a change to a clean repository, and whether its version must say that something is not
/// committed.
type Case = (&'static str, fn(&Repo), bool);

const CASES: [Case; 25] = [
    ("nothing", |_| {}, false),
    ("an edit", |repo| append(&repo.path().join(MAIN), "\n"), true),
    (
        "a staged edit",
        |repo| {
            append(&repo.path().join(MAIN), "\n");
            repo.git(&["add", "--all"]);
        },
        true,
    ),
    ("an untracked file", |repo| repo.write("services/alpha/src/more.rs", ""), true),
    ("an ignored file", |repo| repo.write("target/x", ""), false),
    (
        "status.showUntrackedFiles = no",
        |repo| {
            repo.git(&["config", "status.showUntrackedFiles", "no"]);
            repo.write("services/alpha/src/more.rs", "");
        },
        true,
    ),
    (
        "core.fsmonitor that sees nothing",
        |repo| {
            // It answers with a token, and names no file.
            repo.git(&["config", "core.fsmonitor", "printf 'token\\0' #"]);
            repo.git(&["update-index", "--fsmonitor"]);
            repo.git(&["status"]);
            append(&repo.path().join(MAIN), "\n");
            assert_eq!(repo.git(&["status", "--porcelain"]), "", "git itself is misled");
        },
        true,
    ),
    (
        "core.ignoreCase = true, and a name that differs in case alone",
        |repo| {
            repo.git(&["config", "core.ignoreCase", "true"]);
            repo.write("services/alpha/src/Main.rs", "");
        },
        true,
    ),
    (
        "core.checkStat = minimal, and another file of the same size and time",
        |repo| {
            let (path, new) = (repo.path().join(MAIN), repo.path().join("target-new"));
            let text = fs::read_to_string(&path).unwrap();
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(981_173_106);
            let set_time = |path: &Path| {
                File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
            };
            set_time(&path);
            repo.git(&["update-index", "--refresh"]);
            repo.git(&["config", "core.checkStat", "minimal"]);
            fs::write(&new, text.replacen("main", "niam", 1)).unwrap();
            set_time(&new);
            fs::rename(&new, &path).unwrap();
            assert_eq!(repo.git(&["status", "--porcelain"]), "", "git itself is misled");
        },
        true,
    ),
    (
        "assume-unchanged, and as it was",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", MAIN]);
        },
        false,
    ),
    (
        "assume-unchanged and edited",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", MAIN]);
            append(&repo.path().join(MAIN), "\n");
        },
        true,
    ),
    (
        "assume-unchanged and removed",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", "README.md"]);
            fs::remove_file(repo.path().join("README.md")).unwrap();
        },
        true,
    ),
    (
        "assume-unchanged and executable",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", MAIN]);
            fs::set_permissions(repo.path().join(MAIN), fs::Permissions::from_mode(0o755)).unwrap();
        },
        true,
    ),
    (
        "assume-unchanged, a link with another end",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", "link"]);
            fs::remove_file(repo.path().join("link")).unwrap();
            symlink("Cargo.lock", repo.path().join("link")).unwrap();
        },
        true,
    ),
    (
        "assume-unchanged, a link as it was",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", "link"]);
        },
        false,
    ),
    (
        "assume-unchanged, a file of an odd name",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", "odd \"\\\n name"]);
        },
        false,
    ),
    (
        "assume-unchanged, line ends by attribute",
        |repo| {
            repo.git(&["update-index", "--assume-unchanged", "ends.txt"]);
            fs::write(repo.path().join("ends.txt"), "one\r\ntwo\r\n").unwrap();
        },
        false,
    ),
    (
        "skip-worktree and edited",
        |repo| {
            repo.git(&["update-index", "--skip-worktree", MAIN]);
            append(&repo.path().join(MAIN), "\n");
        },
        true,
    ),
    (
        "core.ignoreStat, refreshed and edited",
        |repo| {
            repo.git(&["config", "core.ignoreStat", "true"]);
            append(&repo.path().join("README.md"), "one");
            repo.git(&["add", "README.md"]);
            repo.git(&["commit", "--quiet", "--message", "more"]);
            append(&repo.path().join("README.md"), "two");
        },
        true,
    ),
    (
        "a sparse checkout",
        |repo| {
            repo.git(&["sparse-checkout", "set", "services"]);
            assert!(!repo.path().join("docs").exists());
        },
        false,
    ),
    (
        "a sparse checkout with a file that should be absent",
        |repo| {
            repo.git(&["sparse-checkout", "set", "services"]);
            repo.write("docs/page.md", "another page\n");
        },
        true,
    ),
    (
        "a replaced commit",
        |repo| {
            let clean = repo.git(&["rev-parse", "HEAD"]);
            append(&repo.path().join(MAIN), "// not what the commit's name stands for\n");
            let other = repo.commit("another tree");
            repo.git(&["replace", &clean, &other]);
            repo.git(&["reset", "--quiet", "--soft", &clean]);
        },
        true,
    ),
    (
        "a case-only rename that is not committed",
        |repo| {
            repo.git(&["mv", "README.md", "ReadMe.md"]);
        },
        true,
    ),
    (
        "a case-only rename that is committed",
        |repo| {
            repo.git(&["mv", "README.md", "ReadMe.md"]);
            repo.commit("renamed");
        },
        false,
    ),
    (
        "core.fileMode = false and executable",
        |repo| {
            repo.git(&["config", "core.fileMode", "false"]);
            fs::set_permissions(repo.path().join(MAIN), fs::Permissions::from_mode(0o755)).unwrap();
        },
        false,
    ),
];

#[test]
fn a_version_says_what_is_not_committed_also_where_git_is_told_not_to_look() {
    let origin = Repo::new(&["alpha"]);
    origin.write("README.md", "alpha\n");
    origin.write("docs/page.md", "a page\n");
    origin.write("odd \"\\\n name", "odd\n");
    origin.write(".gitattributes", "ends.txt text eol=lf\n");
    origin.write("ends.txt", "one\ntwo\n");
    symlink("README.md", origin.path().join("link")).unwrap();
    origin.commit("more files");
    let mut wrong = Vec::new();
    for (name, prepare, dirty) in CASES {
        let repo = Repo::clone_of(origin.path());
        prepare(&repo);
        let version = version(&repo);
        if version.contains("-dirty.") != dirty {
            wrong.push(format!("{name}: {version}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_of_submodules_are_packed() {
    let (repo, _library, _inner) = with_submodule();
    repo.add_to_table("include = [\"library\"]");
    let plan = repo.xtask("dist --dry-run").exits(0);
    plan.prints("with   library/library.rs\n").prints("with   library/inner/inner.rs\n");
}

#[test]
fn what_a_sparse_checkout_leaves_out_is_not_missed_in_an_archive() {
    let origin = Repo::new(&["alpha"]);
    for path in ["static/here/a", "static/there/b"] {
        origin.write(path, "");
    }
    origin.add_to_table("include = [\"static\"]");
    origin.commit("resources");
    let clone = Repo::clone_of(origin.path());
    let plan = clone.xtask("dist --dry-run").exits(0);
    plan.prints("with   static/here/a\n").prints("with   static/there/b\n");
    clone.git(&["sparse-checkout", "set", "services", "static/here"]);
    let run = clone.xtask("dist --dry-run").exits(3);
    run.says("static/there/b").says("`git sparse-checkout add`");
}

#[test]
fn a_repository_inside_the_repository_is_a_part_of_the_version() {
    let repo = Repo::new(&["alpha"]);
    let mut seen = vec![version(&repo)];
    assert!(!seen[0].contains("dirty"));
    repo.write("services/alpha/src/inner/mod.rs", "");
    repo.git(&["init", "--quiet", "services/alpha/src/inner"]);
    let inner = |arguments: &[&str]| {
        repo.git(&[&["-C", "services/alpha/src/inner"], arguments].concat());
    };
    for (nth, prepare) in [None, Some("add"), Some("commit")].into_iter().enumerate() {
        repo.write("services/alpha/src/inner/mod.rs", &format!("// {nth}\n"));
        if prepare.is_some() {
            inner(&["add", "--all"]);
        }
        if prepare == Some("commit") {
            inner(&["commit", "--quiet", "--message", "inner"]);
        }
        let version = version(&repo);
        assert!(version.contains("-dirty.") && !seen.contains(&version), "{version}: {prepare:?}");
        seen.push(version);
    }
}

#[test]
fn a_pointer_of_git_lfs_is_neither_compiled_nor_packed() {
    let repo = Repo::new(&["pointed"]);
    repo.write(".gitattributes", "*.bin filter=lfs\n");
    let main = "fn main() {\n    println!(\"{}\", include_str!(\"model.bin\"));\n}\n";
    repo.write("services/pointed/src/main.rs", main);
    // What a clone without git-lfs has: for git, the file is as it was committed.
    let text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    repo.write("services/pointed/src/model.bin", text);
    repo.write("services/pointed/tests/unused.bin", text);
    repo.commit("pointers");
    assert!(!version(&repo).contains("dirty"));
    let line = format!("dist --platforms {}", host());
    let run = repo.xtask(&line).exits(3).says("src/model.bin was compiled").says("`git lfs pull`");
    assert!(!run.stderr.contains("unused.bin"), "{}", run.stderr);
    assert!(!repo.path().join("pkg/snapshot/manifest.json").exists());
    repo.write("services/pointed/src/model.bin", "the file\n");
    repo.xtask(&line).exits(0);
    repo.add_to_table("include = [\"services/pointed/tests/*.bin\"]");
    repo.xtask("dist --dry-run").exits(3).says("unused.bin holds a pointer of Git LFS");
}

#[test]
fn a_submodule_is_a_part_of_the_version() {
    let (repo, library, _inner) = with_submodule();
    let clean = version(&repo);
    assert!(!clean.contains("dirty"), "{clean}");

    let mut seen = vec![clean.clone()];
    let mut differs = |what: &str| {
        let version = version(&repo);
        assert!(version.contains("-dirty."), "{what}: {version}");
        assert!(!seen.contains(&version), "{what}: {version} stands for another state too");
        seen.push(version);
    };
    let file = repo.path().join("library/library.rs");
    append(&file, "// one edit\n");
    differs("an edit in a submodule");
    append(&file, "// another edit\n");
    differs("another edit in a submodule");
    repo.write("library/untracked.rs", "");
    differs("an untracked file in a submodule");
    append(&repo.path().join("library/inner/inner.rs"), "// edit\n");
    differs("an edit in a submodule of a submodule");
    for ignored in ["submodule.library.ignore", "submodule.inner.ignore", "diff.ignoreSubmodules"] {
        repo.git(&["config", ignored, "all"]);
        repo.git(&["-C", "library", "config", ignored, "all"]);
    }
    append(&file, "// and a third\n");
    differs("an edit in a submodule that git is told to ignore");
    repo.git(&["-C", "library", "update-index", "--assume-unchanged", "library.rs"]);
    append(&file, "// and a fourth\n");
    differs("an edit in a submodule that is told to assume it unchanged");

    repo.git(&["-C", "library", "update-index", "--no-assume-unchanged", "library.rs"]);
    repo.git(&[
        "submodule",
        "--quiet",
        "foreach",
        "--recursive",
        "git clean -fdq; git checkout -q .",
    ]);
    assert_eq!(version(&repo), clean, "cleaned up, all is as it was");

    library.write("library.rs", "// newer\n");
    let newer = library.commit("newer");
    repo.git(&["-C", "library", "-c", "protocol.file.allow=always", "fetch", "--quiet"]);
    repo.git(&["-C", "library", "checkout", "--quiet", &newer]);
    differs("a submodule at another commit");
    repo.git(&["submodule", "--quiet", "deinit", "--force", "library"]);
    assert_eq!(version(&repo), clean, "a submodule that is not checked out is compiled by nobody");
    repo.write("library/library.rs", "// by hand\n");
    differs("files where a submodule is not checked out");
}

#[test]
fn every_kind_of_checkout_has_the_commits_version() {
    let origin = Repo::new(&["alpha"]);
    origin.commit("second");
    let head = origin.git(&["rev-parse", "HEAD"]);
    let url = format!("file://{}", origin.path().display());
    for (name, arguments) in [
        ("shallow", &["--depth=1"][..]),
        ("partial", &["--filter=blob:none"]),
        ("sparse and partial", &["--filter=blob:none", "--sparse"]),
        ("a single branch", &["--single-branch"]),
    ] {
        let clone = Repo::empty();
        origin.git(&["config", "uploadpack.allowFilter", "true"]);
        let mut clone_it = vec!["clone", "--quiet"];
        clone_it.extend(arguments);
        clone_it.extend([url.as_str(), "."]);
        clone.git(&clone_it);
        if name.contains("sparse") {
            clone.git(&["sparse-checkout", "add", "services"]);
        }
        assert_eq!(version(&clone), &head[..6], "{name}");
    }

    let other = origin.path().join("target/tree");
    origin.git(&["worktree", "add", "--quiet", "-b", "side", &other.display().to_string()]);
    let plan = planned(&origin, "target/tree");
    assert_eq!((&plan["version"], &plan["commit"]["branch"]), (&head[..6].into(), &"side".into()));
    origin.git(&["worktree", "remove", "--force", "target/tree"]);

    origin.git(&["tag", "v1"]);
    origin.git(&["checkout", "--quiet", "v1"]);
    let plan = planned(&origin, "");
    assert_eq!((&plan["version"], &plan["commit"]["branch"]), (&head[..6].into(), &Value::Null));
}

#[test]
fn a_commit_is_read_the_same_with_replaced_objects_and_a_hooks_variables() {
    let mut repo = Repo::new(&["alpha"]);
    let elsewhere = Repo::new(&["beta"]);
    let expected = planned(&repo, "");
    let head = repo.git(&["rev-parse", "HEAD"]);
    let mut wrong = Vec::new();
    let there = |file: &str| elsewhere.path().join(file).display().to_string();
    for (name, value) in [
        ("GIT_DIR", there(".git")),
        ("GIT_COMMON_DIR", there(".git")),
        ("GIT_INDEX_FILE", there(".git/index")),
        ("GIT_OBJECT_DIRECTORY", there(".git/objects")),
        ("GIT_WORK_TREE", there("")),
        ("GIT_PREFIX", "services".to_owned()),
        ("GIT_NAMESPACE", "other".to_owned()),
        ("GIT_LITERAL_PATHSPECS", "1".to_owned()),
    ] {
        let arguments = ["dist", "--dry-run", "--json"];
        let mut dist = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        let run = run(dist.env(name, value), name);
        if serde_json::from_str(&run.stdout).ok().as_ref() != Some(&expected) {
            wrong.push(format!("{name}: {}{}", run.stdout, run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The commit has the same tree as before, so only its time and message tell the two apart.
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    repo.set("GIT_COMMITTER_DATE", "2001-02-03T04:05:06Z");
    let other = repo.git(&["commit-tree", "-m", "another", &tree]);
    repo.git(&["replace", &head, &other]);
    assert_eq!(repo.git(&["log", "-1", "--format=%ct"]), "981173106", "git itself is misled");
    assert_eq!(planned(&repo, ""), expected);
}

#[test]
fn a_repository_with_sha_256_names_has_the_first_digits_as_its_version() {
    let repo = Repo::new(&["alpha"]);
    fs::remove_dir_all(repo.path().join(".git")).unwrap();
    repo.git(&["init", "--quiet", "--initial-branch", "main", "--object-format=sha256"]);
    let head = repo.commit("first");
    assert_eq!(head.len(), 64);
    repo.git(&["update-index", "--assume-unchanged", MAIN]);
    assert_eq!(version(&repo), &head[..6]);
    append(&repo.path().join(MAIN), "\n");
    assert!(version(&repo).contains("-dirty."));
}

#[test]
fn what_git_refuses_is_an_error_that_says_what_to_do() {
    let unborn = Repo::new(&["alpha"]);
    fs::remove_dir_all(unborn.path().join(".git")).unwrap();
    unborn.xtask("dist --dry-run").exits(3).says("run it in a git repository (`git init`");
    unborn.git(&["init", "--quiet", "--initial-branch", "main"]);
    unborn.xtask("dist --dry-run").exits(3).says("commit something first");

    let mut theirs = Repo::new(&["alpha"]);
    // This variable, which git's own tests use, makes git take the repository for another user's.
    theirs.set("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let adopt = format!("adopt . --xtask-path {}", root().display());
    for line in ["dist --dry-run", &adopt] {
        let run = theirs.xtask(line).exits(3).says("dubious ownership");
        let run = run.says("run the `git config --global --add safe.directory` line above");
        assert!(!run.stderr.contains("git init"), "{}", run.stderr);
    }
}
