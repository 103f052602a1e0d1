//! Tests `init`: the repository that it makes, its questions, and what it refuses.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::circleci;
use crate::support::local::{alone, assert_published, assert_silent_and_gone};
use crate::support::service::serves;
use crate::support::terminal::type_into;
use crate::support::{Repo, Run, host, root, run, target_dir};
use crate::vendor::tree;

/// Makes an empty folder in which tests make repositories.
fn empty() -> Repo {
    let repo = Repo::empty();
    repo.share_vendored();
    repo
}

/// Runs `init` in `repo`, with xtask taken from this checkout.
fn init(repo: &Repo, line: &str) -> Run {
    repo.xtask(&format!("init {line} --xtask-path {}", root().display()))
}

/// Lists the names in a folder of repositories.
fn there(repo: &Repo) -> Vec<String> {
    let entries = std::fs::read_dir(repo.path()).expect("the folder");
    let names = entries.map(|one| one.expect("one").file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".cargo").collect()
}

/// Runs git in a folder of `repo`, to look at a repository that `init` made.
fn git(repo: &Repo, folder: &str, line: &str) -> String {
    let arguments: Vec<_> = ["-C", folder].into_iter().chain(line.split(' ')).collect();
    repo.git(&arguments)
}

#[test]
fn a_whole_repository_is_written_with_a_first_commit() {
    let repo = empty();
    let run = init(&repo, "billing --name invoices --github-username acme --s3-bucket acme-builds");
    let run = run.exits(0).says("--xtask-git");
    let last = "Template applied in ./billing\n\n  cd billing\n  cargo xtask ship --local\n";
    assert_eq!(run.stdout, last);
    let files = git(&repo, "billing", "ls-files");
    let deploy =
        xtask::repository::templates::DEPLOY.iter().map(|(path, _)| format!("deploy/{path}"));
    let expected: BTreeSet<_> = [
        ".cargo/config.toml",
        ".circleci/config.yml",
        ".gitignore",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "foundation/greeting/Cargo.toml",
        "foundation/greeting/src/lib.rs",
        "services/invoices/Cargo.toml",
        "services/invoices/README.md",
        "services/invoices/src/main.rs",
        "services/invoices/tests/it.rs",
        "xtask/Cargo.toml",
        "xtask/src/main.rs",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(deploy)
    .collect();
    assert_eq!(files.lines().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    assert_eq!(git(&repo, "billing", "status --porcelain --branch"), "## main");
    assert_eq!(git(&repo, "billing", "log --format=%an"), "T", "git knows who it is");
    assert_eq!(there(&repo), ["billing"], "nothing else is left");

    let dir = repo.path().join("billing");
    let text = std::fs::read_to_string(dir.join(".circleci/config.yml")).unwrap();
    let problems = circleci::problems(&text, &dir);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for (path, expected) in [
        ("Cargo.toml", "bucket = \"acme-builds\""),
        ("LICENSE", "Copyright (c) acme"),
        (".circleci/config.yml", "context: bucket-acme-builds"),
        (".gitignore", "/target\n/pkg\n"),
        ("README.md", "cargo run -p invoices"),
    ] {
        let text = std::fs::read_to_string(dir.join(path)).unwrap();
        assert!(text.contains(expected), "no {expected:?} in {path}:\n{text}");
    }
    let plan = repo.xtask_in("billing/services", "dist --dry-run").exits(0);
    plan.prints("invoices/invoices_").prints("darwin_arm64");
}

#[test]
fn the_diff_of_a_dry_run_is_the_repository_and_nothing_of_it_is_left() {
    let repo = empty();
    let dry = init(&repo, "made --dry-run").exits(0).says("a first commit in ./made");
    assert!(there(&repo).is_empty(), "{:?}", there(&repo));
    init(&repo, "made").exits(0);
    repo.git(&["init", "--quiet", "applied"]);
    let dir = repo.path().join("applied");
    std::fs::write(dir.join(".git/diff"), &dry.stdout).unwrap();
    git(&repo, "applied", "apply .git/diff");
    let files = |folder: &Path| -> Vec<_> {
        let files = tree(folder).into_iter();
        files.map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes)).collect()
    };
    assert!(files(&dir) == files(&repo.path().join("made")), "{}", dry.stdout);
}

#[test]
fn without_a_terminal_missing_options_get_their_defaults() {
    let mut repo = empty();
    repo.set("USER", "john.doe");
    repo.xtask(&format!("init --xtask-path {}", root().display()))
        .exits(0)
        .prints("Template applied in ./oddjob\n");
    let text = std::fs::read_to_string(repo.path().join("oddjob/LICENSE")).unwrap();
    assert!(text.contains("(c) someone\n"), "that is no account of GitHub: {text}");
    assert!(repo.path().join("oddjob/services/oddjob/src/main.rs").is_file());

    // Git knows no name and address of the user: the commit has those of the account, and git's
    // settings stay unchanged.
    let arguments = ["init", "here", "--github-username", "acme", "--xtask-path"];
    let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env_remove(format!("GIT_{who}_NAME")).env_remove(format!("GIT_{who}_EMAIL"));
    }
    // Variables of a git hook may point at another repository's objects.
    command.env("GIT_OBJECT_DIRECTORY", repo.path().join("elsewhere"));
    std::fs::create_dir(repo.path().join("here")).unwrap();
    run(command.arg(root()), "init here").exits(0);
    let author = git(&repo, "here", "log --format=%an/%ae/%cn");
    assert_eq!(author, "acme/acme@users.noreply.github.com/acme");
    assert_eq!(git(&repo, "here", "config --local --list").matches("user.").count(), 0);
}

#[test]
fn on_a_terminal_init_asks_for_missing_options() {
    let mut repo = empty();
    repo.set("USER", "me");
    repo.set("CI", "");
    let path = root().display().to_string();
    let type_in = |arguments: &[&str], typed: &str| {
        let arguments = [&["init", "--xtask-path", &path], arguments].concat();
        type_into(&mut repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments), typed)
    };
    let (code, shown) = type_in(&[], "Bad\nbilling\n\nacme-builds\n");
    assert_eq!(code, 0, "{shown}");
    for text in [
        "name [oddjob]: ",
        "the name \"Bad\" is not one of a service",
        "github_username [me]: ",
        "s3_bucket [builds]: ",
        "Template applied in ./billing\n",
    ] {
        assert!(shown.contains(text), "no {text:?} in\n{shown}");
    }
    assert!(repo.path().join("billing/services/billing").is_dir());

    let given = ["there", "--name", "a", "--s3-bucket", "abc"];
    let (code, shown) = type_in(&given, "acme\n");
    assert!(
        code == 0 && !shown.contains("name [oddjob]") && !shown.contains("s3_bucket"),
        "{shown}"
    );
    assert!(std::fs::read_to_string(repo.path().join("there/LICENSE")).unwrap().contains("acme"));

    // The end of the input (control and D) means that the person wants to leave.
    let (code, shown) = type_in(&["left"], "\n\u{4}");
    assert!(code == 2 && shown.contains("no answer to `github_username`"), "{shown}");
    assert!(!repo.path().join("left").exists());
}

#[test]
fn what_init_refuses_it_refuses_before_it_writes_anything() {
    let repo = Repo::empty();
    repo.write("full/file", "someone's");
    repo.write("file", "someone's");
    for (line, code, expected) in [
        ("full", 3, "full is there already, and not empty"),
        (".", 3, ". is there already, and not empty"),
        ("file", 3, "file is there already, and no folder"),
        ("no/such/folder", 3, "lies in a folder that is not there"),
        ("a --name Bad", 2, "the name \"Bad\""),
        ("a --name greeting", 2, "the name \"greeting\" is that of the crate in foundation/"),
        ("a --name tokio", 2, "\"tokio\" is that of a package that services depend on"),
        ("a --github-username a_b", 2, "GitHub user name \"a_b\""),
        ("a --s3-bucket B!", 2, "the bucket name \"B!\" is not valid"),
        ("a --s3-bucket ab", 2, "the bucket name \"ab\" is not valid"),
        ("a b", 2, "unexpected argument \"b\""),
        ("a --nam x", 2, "did you mean `--name`?"),
        ("a --xtask-git https://h/x", 2, "xtask comes from one place"),
    ] {
        let run = init(&repo, line).exits(code).says(expected);
        assert_eq!(run.stdout, "", "{line}");
    }
    for (line, code, expected) in [
        ("init a", 3, "nothing here says where xtask comes from"),
        ("init a --xtask-path full", 3, "no package bowline-xtask lies there"),
        ("init a --xtask-git ../x", 2, "not a URL that cargo takes"),
        ("init a --xtask-git https://me:secret@h/x", 2, "a user or a password"),
        ("init a --xtask-git file:///no/such/repository", 3, "cargo cannot resolve"),
    ] {
        repo.xtask(line).exits(code).says(expected);
    }
    assert_eq!(there(&repo).len(), 2, "a file and a folder, as before: {:?}", there(&repo));
}

#[test]
fn a_file_that_was_written_into_the_folder_meanwhile_is_kept() {
    for stands_in_it in [false, true] {
        let mut repo = empty();
        std::fs::create_dir(repo.path().join("meant")).unwrap();
        // Someone writes there while cargo looks for dependencies.
        let theirs = repo.path().join("meant/README.md");
        let text = "#!/bin/sh\n[ $1 != metadata ] || echo theirs > THEIRS\nexec CARGO \"$@\"\n"
            .replace("THEIRS", theirs.to_str().unwrap())
            .replace("CARGO", env!("CARGO"));
        repo.write("cargo", &text);
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(repo.path().join("cargo"), executable).unwrap();
        let cargo = repo.path().join("cargo");
        repo.set("CARGO", cargo.to_str().unwrap());
        let xtask = root().join("xtask");
        let (folder, dir) = if stands_in_it { ("meant", ".") } else { ("", "meant") };
        let line = format!("init {dir} --xtask-path {}", xtask.display());
        repo.xtask_in(folder, &line).exits(3).says("something came there meanwhile");
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "theirs\n");
        assert_eq!(std::fs::read_dir(repo.path().join("meant")).unwrap().count(), 1);
        assert_eq!(there(&repo).len(), 2, "{:?}", there(&repo));
    }
}

/// Runs `cargo xtask LINE` as a person would, in a folder of `repo`.
fn cargo_xtask(repo: &Repo, folder: &Path, line: &str) -> Run {
    let words: Vec<_> = std::iter::once("xtask").chain(line.split(' ')).collect();
    let mut cargo = repo.prepare(env!("CARGO"), &words);
    run(cargo.current_dir(folder), &format!("in {}: {line}", folder.display())).exits(0)
}

#[test]
#[ignore = "builds xtask, a service and the local S3 server for a new repository"]
fn a_new_repository_ships_its_service_and_a_second_one() {
    let _alone = alone();
    let repo = Repo::empty();
    init(&repo, "made --name made-web").exits(0);
    let dir = repo.path().join("made");
    // The artifacts go to the folder in which `Repo::manifest` looks for a manifest.
    let dest = repo.path().join("pkg").display().to_string();
    let host = host();
    let ship = format!("ship --local --platforms {host} --dest {dest}");
    let shipped = cargo_xtask(&repo, &dir.join("services"), &ship);
    let objects = target_dir().join("local-s3/builds");
    assert_published(&repo, &shipped, &objects);
    assert_silent_and_gone(&repo, &shipped);
    assert_eq!(git(&repo, "made", "status --porcelain"), "", "shipping leaves nothing behind");
    let program = repo.path().join("pkg/snapshot").join(host.as_str()).join("made-web");
    serves(Command::new(program), "Hello, world!");

    cargo_xtask(&repo, &dir.join("foundation"), "new made-worker --worker");
    git(&repo, "made", "add --all");
    git(&repo, "made", "commit --quiet --message worker");
    let shipped = cargo_xtask(&repo, &dir, &ship);
    assert_published(&repo, &shipped, &objects);
    assert!(objects.join("made-worker").is_dir(), "the new service is in the next dist");
    cargo_xtask(&repo, &dir, "ci");
}

#[test]
#[ignore = "builds xtask for a new repository that has it by git, twice: once vendored"]
fn xtask_by_git_brings_its_templates_also_when_it_is_vendored() {
    let _alone = alone();
    let mut repo = Repo::empty();
    let url = format!("file://{}", root().display());
    repo.xtask(&format!("init made --name git-web --xtask-git {url}")).exits(0);
    let dir = repo.path().join("made");
    let head = Repo::clone_of(root()).git(&["rev-parse", "HEAD"]);
    let lock = std::fs::read_to_string(dir.join("Cargo.lock")).unwrap();
    assert!(lock.contains(&format!("git+{url}#{head}")), "{url} at {head} is not in Cargo.lock");
    cargo_xtask(&repo, &dir, "new git-worker --worker");
    let toml = std::fs::read_to_string(dir.join("services/git-worker/Cargo.toml")).unwrap();
    assert!(toml.contains("service.workspace = true"), "{toml}");
    git(&repo, "made", "add --all");
    git(&repo, "made", "commit --quiet --message worker");

    cargo_xtask(&repo, &dir, "vendor");
    git(&repo, "made", "add --all");
    git(&repo, "made", "commit --quiet --message vendored");
    let target = repo.own_target();
    let frozen = cargo_xtask(&repo, &dir.join("services"), "new git-more --web");
    assert!(frozen.stdout.contains("git-more/src/main.rs"), "{}", frozen.stdout);
    cargo_xtask(&repo, &dir, "vendor --check");
    cargo_xtask(&repo, &dir, "dist git-more --platforms linux_amd64");
    // A further repository that is made from this one has xtask at the same commit.
    let next = repo.path().join("next").display().to_string();
    cargo_xtask(&repo, &dir, &format!("init {next} --name git-next"));
    // The local server is not in the vendored package: it lies in the checkout, which others share.
    repo.set("CARGO_TARGET_DIR", target_dir().to_str().unwrap());
    let program = target.join("debug/xtask").display().to_string();
    let mut upload = repo.prepare(&program, &["upload", "--local"]);
    run(upload.current_dir(&dir), "upload --local").exits(0).says("left the objects in");
    let toml = std::fs::read_to_string(repo.path().join("next/xtask/Cargo.toml")).unwrap();
    assert!(toml.contains(&format!("git = \"{url}\", rev = \"{head}\"")), "{toml}");
}
