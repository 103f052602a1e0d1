//! Checks that `dist` packs what was compiled from the files as they are now, whatever their times,
//! and whatever another checkout built in the same target folder before.

use std::fs::File;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use crate::support::{Repo, host, linked_at, run};

/// Makes a repository with one service that prints `said`.
fn repo_that_says(service: &str, said: &str) -> Repo {
    let repo = Repo::new(&[service]);
    write_main(&repo, service, said);
    repo.commit("says something");
    repo
}

fn write_main(repo: &Repo, service: &str, said: &str) {
    let main = format!("fn main() {{\n    let _ = stamp::line(\"\");\n    println!({said});\n}}\n");
    repo.write(&format!("services/{service}/src/main.rs"), &main);
}

/// Gives a file a time from before any build.
fn make_old(repo: &Repo, path: &str) {
    let file = File::options().append(true).open(repo.path().join(path)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000)).unwrap();
}

#[track_caller]
fn dist_says(repo: &Repo, service: &str, expected: &str) {
    repo.xtask(&format!("dist --platforms {}", host())).exits(0);
    let binary = repo.path().join("pkg/snapshot").join(host().as_str()).join(service);
    assert_eq!(run(&mut Command::new(binary), service).exits(0).stdout.trim(), expected);
}

#[test]
fn checkouts_that_share_a_target_folder_get_their_own_programs() {
    let one = repo_that_says("twin", "\"one\"");
    let two = repo_that_says("twin", "\"two\"");
    for (repo, expected) in [(&one, "one"), (&two, "two"), (&one, "one")] {
        dist_says(repo, "twin", expected);
    }
    // The same files in another folder, whose path a program may contain.
    let here = repo_that_says("placed", "env!(\"CARGO_MANIFEST_DIR\")");
    let there = Repo::clone_of(here.path());
    for repo in [&here, &there] {
        let dir = repo.path().canonicalize().unwrap().join("services/placed");
        dist_says(repo, "placed", dir.to_str().unwrap());
    }
}

#[test]
fn changed_files_with_old_times_are_compiled() {
    let repo = repo_that_says("restored", "\"before\"");
    dist_says(&repo, "restored", "before");
    write_main(&repo, "restored", "\"after\"");
    make_old(&repo, "services/restored/src/main.rs");
    repo.commit("restored from an archive");
    dist_says(&repo, "restored", "after");
    // Also a file that another one includes.
    write_main(&repo, "restored", "include_str!(\"said\")");
    repo.write("services/restored/src/said", "one");
    dist_says(&repo, "restored", "one");
    repo.write("services/restored/src/said", "two");
    make_old(&repo, "services/restored/src/said");
    dist_says(&repo, "restored", "two");
}

#[test]
fn a_build_script_runs_again_when_any_file_of_its_package_changed() {
    let repo = repo_that_says("scripted", "env!(\"SAID\")");
    repo.write("services/scripted/said", "before");
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    \
                  let said = std::fs::read_to_string(\"said\").unwrap();\n    \
                  println!(\"cargo::rustc-env=SAID={said}\");\n}\n";
    repo.write("services/scripted/build.rs", script);
    repo.commit("a build script");
    dist_says(&repo, "scripted", "before");
    repo.write("services/scripted/said", "after");
    repo.commit("a file that the build script does not tell cargo of");
    dist_says(&repo, "scripted", "after");
    // Nothing changed: nothing is compiled.
    repo.commit("nothing");
    let linked = linked_at("scripted");
    repo.xtask(&format!("dist --platforms {}", host())).exits(0);
    assert_eq!(linked_at("scripted"), linked, "nothing changed, and it was linked again");
}

#[test]
fn a_path_dependency_that_is_no_member_is_looked_at() {
    let elsewhere = Repo::empty();
    elsewhere
        .write("Cargo.toml", "[package]\nname = \"told\"\nedition = \"2024\"\n\n[workspace]\n");
    elsewhere.write("src/lib.rs", "pub const SAID: &str = \"before\";\n");
    let repo = Repo::new(&["telling"]);
    let path = repo.path().join("services/telling/Cargo.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let dependency = format!("told = {{ path = \"{}\" }}", elsewhere.path().display());
    text = text.replace("[dependencies]\n", &format!("[dependencies]\n{dependency}\n"));
    repo.write("services/telling/Cargo.toml", &text);
    write_main(&repo, "telling", "\"{}\", told::SAID");
    repo.lock();
    repo.commit("a dependency that lies elsewhere");
    dist_says(&repo, "telling", "before");
    elsewhere.write("src/lib.rs", "pub const SAID: &str = \"after\";\n");
    make_old(&elsewhere, "src/lib.rs");
    dist_says(&repo, "telling", "after");
}

#[test]
fn a_build_script_may_run_cargo() {
    let repo = repo_that_says("nesting", "\"{}\", env!(\"SAID\")");
    let script = "use std::process::Command;\n\nfn main() {\n    \
        let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
        let mut cargo = Command::new(std::env::var(\"CARGO\").unwrap());\n    \
        cargo.args([\"build\", \"--release\", \"--offline\", \"--manifest-path\"]);\n    \
        cargo.args([\"nested/Cargo.toml\", \"--target-dir\", &out]);\n    \
        assert!(cargo.status().unwrap().success());\n    \
        let said = Command::new(format!(\"{out}/release/nested\")).output().unwrap().stdout;\n    \
        println!(\"cargo::rustc-env=SAID={}\", String::from_utf8(said).unwrap());\n}\n";
    repo.write("services/nesting/build.rs", script);
    let nested = "[package]\nname = \"nested\"\nedition = \"2024\"\n\n[workspace]\n";
    repo.write("services/nesting/nested/Cargo.toml", nested);
    repo.write("services/nesting/nested/src/main.rs", "fn main() {\n    print!(\"nested\");\n}\n");
    repo.write(".gitignore", "/target\n/pkg\n**/nested/Cargo.lock\n");
    repo.commit("a build script that runs cargo");
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        dist_says(&repo, "nesting", "nested");
        let _ = done.send(());
    });
    let waited = is_done.recv_timeout(Duration::from_secs(300));
    waited.expect("the build ends, and neither cargo waits for the other");
}

#[test]
fn sources_outside_the_repository_are_named_and_published_only_where_the_table_says_so() {
    let elsewhere = Repo::empty();
    elsewhere
        .write("Cargo.toml", "[package]\nname = \"told\"\nedition = \"2024\"\n\n[workspace]\n");
    elsewhere.write("src/lib.rs", "pub const SAID: &str = \"outside\";\n");
    let repo = Repo::new(&["outsider"]);
    let table = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &table.replace("outside-sources = true\n", ""));
    let package = "[package]\nname = \"outsider\"\nedition = \"2024\"\n\n[dependencies]\n";
    let path = elsewhere.path().file_name().unwrap().to_str().unwrap();
    let dependency = format!("told = {{ path = \"../../../{path}\" }}\n");
    repo.write("services/outsider/Cargo.toml", &format!("{package}{dependency}"));
    repo.write(
        "services/outsider/src/main.rs",
        "fn main() {\n    println!(\"{}\", told::SAID);\n}\n",
    );
    repo.write("generated/Cargo.toml", "[package]\nname = \"generated\"\nedition = \"2024\"\n");
    repo.write("generated/src/lib.rs", "");
    repo.write(".gitignore", "/target\n/pkg\n/generated\n");
    let generated = "generated = { path = \"../../generated\" }\n";
    repo.write("services/outsider/Cargo.toml", &format!("{package}{dependency}{generated}"));
    // What the automation alone depends on is compiled into no service.
    let aside = Repo::empty();
    aside.write("Cargo.toml", "[package]\nname = \"aside\"\nedition = \"2024\"\n\n[workspace]\n");
    aside.write("src/lib.rs", "");
    let dependency = format!("aside = {{ path = \"{}\" }}\n", aside.path().display());
    let manifest = package.replace("outsider", "automation") + &dependency;
    repo.write("automation/Cargo.toml", &manifest);
    repo.write("automation/src/main.rs", "fn main() {}\n");
    let root = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &root.replace("[\"services/*\"", "[\"services/*\", \"automation\""));
    repo.lock();
    repo.commit("sources that no commit holds");

    let outside = format!("../{path}");
    let plan = repo.xtask("dist --dry-run").exits(0);
    plan.prints(&format!("outside the repository: {outside}\n"))
        .prints("outside the repository: generated\n");
    let plan = repo.xtask("dist --dry-run --json").exits(0).json();
    assert_eq!(plan["outside_sources"], serde_json::json!([outside, "generated"]));
    let bucket = "--bucket builds --endpoint http://127.0.0.1:9";
    let mut repo = repo;
    repo.set("AWS_ACCESS_KEY_ID", "id");
    repo.set("AWS_SECRET_ACCESS_KEY", "secret");
    let refusal =
        format!("built from sources outside the repository, which no commit holds: {outside}");
    repo.xtask(&format!("ship {bucket}")).exits(3).says(&refusal);
    assert!(!repo.path().join("pkg").exists(), "ship refuses before anything is built");
    repo.xtask("dist").exits(0).says(&format!("outside the repository: {outside}"));
    assert_eq!(repo.manifest()["outside_sources"], serde_json::json!([outside, "generated"]));
    repo.xtask(&format!("upload {bucket} --dry-run"))
        .exits(3)
        .says(&refusal)
        .says("outside-sources = true");
    repo.add_to_table("outside-sources = true");
    repo.xtask(&format!("upload {bucket} --dry-run")).exits(0).prints("would PUT");
}

#[test]
fn packages_that_the_users_cargo_configuration_replaces_are_named() {
    let package = "[package]\nname = \"told\"\nedition = \"2024\"\n\n[workspace]\n";
    let [upstream, mine] = [(); 2].map(|()| {
        let repo = Repo::empty();
        repo.write("Cargo.toml", package);
        repo.write("src/lib.rs", "");
        repo
    });
    upstream.git(&["init", "--quiet", "--initial-branch", "main"]);
    upstream.commit("first");
    let url = format!("file://{}", upstream.path().display());
    let home = tempfile::tempdir().unwrap();
    let mut repo = Repo::new(&["patched"]);
    repo.set("CARGO_HOME", home.path().to_str().unwrap());
    repo.write(
        "services/patched/Cargo.toml",
        &format!(
            "[package]\nname = \"patched\"\nedition = \"2024\"\n\n[dependencies]\ntold = {{ git = \"{url}\" }}\n"
        ),
    );
    let lock = || {
        let mut cargo = repo.prepare(env!("CARGO"), &["generate-lockfile", "--quiet"]);
        run(&mut cargo, "cargo generate-lockfile").exits(0);
    };
    lock();
    let outside = || repo.xtask("dist --dry-run --json").exits(0).json()["outside_sources"].clone();
    assert_eq!(outside(), serde_json::json!([]));
    let folder = mine.path().display();
    let named = format!("../{}", mine.path().file_name().unwrap().to_str().unwrap());
    for config in [
        format!("paths = [\"{folder}\"]\n"),
        format!("[patch.\"{url}\"]\ntold = {{ path = \"{folder}\" }}\n"),
    ] {
        std::fs::write(home.path().join("config.toml"), &config).unwrap();
        lock();
        assert_eq!(outside(), serde_json::json!([named]), "{config}");
    }
}

#[test]
fn compiled_files_that_git_ignores_are_named_and_published_only_where_the_table_says_so() {
    let beside = Repo::empty();
    beside.write("linked.txt", "of a link\n");
    let repo = Repo::new(&["reader"]);
    let table = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &table.replace("outside-sources = true\n", ""));
    repo.write("services/reader/Cargo.toml", "[package]\nname = \"reader\"\nedition = \"2024\"\n");
    repo.lock();
    repo.write(
        "services/reader/src/main.rs",
        "mod own;\n\nfn main() {\n    print!(\"{}{}{}\", own::TEXT, include_str!(\"../pages/a b.txt\"), \
         include_str!(\"../linked.txt\"));\n    print!(\"{}\", include_str!(concat!(env!(\"OUT_DIR\"), \
         \"/made\")));\n}\n",
    );
    repo.write(
        "services/reader/build.rs",
        "fn main() {\n    println!(\"cargo::rerun-if-changed=../../.git/HEAD\");\n    \
         println!(\"cargo::rerun-if-changed=nowhere\");\n    println!(\"cargo::rerun-if-changed=src\");\n    \
         let dir = std::env::var(\"OUT_DIR\").unwrap();\n    \
         std::fs::write(dir + \"/made\", \"made\").unwrap();\n}\n",
    );
    repo.write("services/reader/src/own.rs", "pub const TEXT: &str = \"own\";\n");
    repo.write("services/reader/pages/a b.txt", "a page\n");
    repo.write("services/reader/linked.txt", "here\n");
    repo.commit("everything is in the commit");
    let line = format!("dist --platforms {}", host());
    let run = repo.xtask(&line).exits(0);
    assert!(!run.stderr.contains("in no commit"), "{}", run.stderr);
    assert!(repo.manifest().get("outside_sources").is_none(), "{}", repo.manifest());

    repo.write(".git/info/exclude", "pages\nown.rs\n");
    repo.git(&["rm", "--quiet", "--cached", "-r", "services/reader/pages"]);
    repo.git(&["rm", "--quiet", "--cached", "services/reader/src/own.rs"]);
    std::fs::remove_file(repo.path().join("services/reader/linked.txt")).unwrap();
    let linked = beside.path().join("linked.txt").canonicalize().unwrap();
    std::os::unix::fs::symlink(&linked, repo.path().join("services/reader/linked.txt")).unwrap();
    repo.commit("some are not");
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "git sees a clean tree");
    let run = repo.xtask(&line).exits(0).says("in no commit: ");
    let folder = beside.path().file_name().unwrap().to_str().unwrap();
    let outside = [
        format!("../{folder}/linked.txt"),
        "services/reader/pages".to_owned(),
        "services/reader/src/own.rs".to_owned(),
    ];
    run.says(&format!("in no commit: {}: ", outside.join(", ")));
    assert_eq!(repo.manifest()["outside_sources"], serde_json::json!(outside));
    let mut repo = repo;
    repo.set("AWS_ACCESS_KEY_ID", "id");
    repo.set("AWS_SECRET_ACCESS_KEY", "secret");
    let upload = "upload --bucket builds --endpoint http://127.0.0.1:9 --dry-run";
    repo.xtask(upload).exits(3).says(&outside[2]).says("outside-sources = true");
    repo.add_to_table("outside-sources = true");
    repo.xtask(upload).exits(0).prints("would PUT");
}

#[test]
fn unstable_settings_of_cargo_are_refused_with_their_file() {
    let mut repo = Repo::new(&["settled"]);
    repo.set("CARGO_UNSTABLE_BUILD_STD", "std");
    repo.xtask("dist --dry-run").exits(0);
    repo.write(".cargo/config.toml", "[unstable]\nbuild-std = [\"std\"]\n");
    repo.commit("what only a nightly cargo obeys");
    let run = repo
        .xtask("dist --dry-run")
        .exits(3)
        .says("unstable.build-std")
        .says("stable cargo ignores");
    run.says(".cargo/config.toml").says("remove the table [unstable]");
}
