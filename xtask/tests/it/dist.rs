//! Tests `dist` for this machine's own platform with real builds of small services.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use catalog::Platform;
use xtask::build::stamp;

use crate::support::{
    RUSTC_RELEASE, Repo, check_sums, host, installed_cargo, linked_at, run, target_dir,
};

#[test]
fn a_commit_becomes_stamped_binaries_archives_and_a_manifest() {
    let repo = Repo::new(&["alpha", "beta"]);
    repo.write("services/alpha/README.md", "read me\n");
    repo.write("services/alpha/alpha.production.conf", "x = 1\n");
    repo.write("services/alpha/migrate", "#!/bin/sh\n");
    let migrate = repo.path().join("services/alpha/migrate");
    std::fs::set_permissions(migrate, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.add_service(
        "alpha",
        "[package.metadata.xtask]\ninclude = [\"alpha.*.conf\", \"migrate\"]",
    );
    let head = repo.commit("resources");

    let host = host();
    let line = format!("dist --platforms {host}");
    let made = repo.xtask_in("services/alpha", &line).exits(0);
    assert_eq!(made.stdout.lines().count(), 2, "one line per artifact: {}", made.stdout);

    let snapshot = repo.path().join("pkg/snapshot");
    let binary = snapshot.join(host.as_str()).join("alpha");
    let line = run(&mut Command::new(&binary), "alpha").exits(0).stdout;
    assert!(line.starts_with(&format!("alpha {}", &head[..6])) && line.contains(&head), "{line}");
    assert_eq!(binary.metadata().unwrap().permissions().mode() & 0o777, 0o755);

    check_sums(&snapshot);
    let archive = format!("alpha_{host}.tar.gz");
    let mut tar = Command::new("tar");
    tar.args(["-tvzf", &archive]).current_dir(&snapshot);
    let listing = run(&mut tar, "tar").exits(0).stdout;
    let names: Vec<_> = listing.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let top = |name: &str| format!("alpha_{host}/{name}");
    let expected = ["alpha", "README.md", "alpha.production.conf", "migrate"].map(top);
    assert_eq!(names, expected, "{listing}");
    let modes: Vec<_> = listing.lines().map(|line| &line[..10]).collect();
    assert_eq!(modes, ["-rwxr-xr-x", "-rw-r--r--", "-rw-r--r--", "-rwxr-xr-x"], "{listing}");

    let manifest = repo.manifest();
    assert_eq!(manifest["commit"], head.as_str());
    assert_eq!(manifest["branch"], "main");
    let key = manifest["artifacts"][0]["object_key"].as_str().unwrap();
    assert!(key.starts_with(&format!("alpha/alpha_{}", &head[..6])), "{key}");
    let stamp = repo.xtask(&format!("stamp pkg/snapshot/{archive}")).exits(0);
    stamp.prints(&head).prints(host.as_str());
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_with_musl_is_static_and_starts() {
    let musl = Platform { musl: true, ..host() };
    let line = ["--print", "target-libdir", "--target", musl.triple()];
    let mut rustc = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"));
    let library = run(rustc.args(line), "rustc --print").exits(0).stdout;
    if !Path::new(library.trim()).is_dir() {
        eprintln!("skipped: {} is not installed", library.trim());
        return;
    }
    let repo = Repo::new(&["static"]);
    repo.xtask(&format!("dist --platforms {musl}")).exits(0);
    let binary = repo.path().join("pkg/snapshot").join(musl.as_str()).join("static");
    let facts = stamp::facts(&std::fs::read(&binary).unwrap()).unwrap();
    assert_eq!((facts.libraries, facts.interpreter, facts.minimum), (vec![], None, None));
    let printed = run(&mut Command::new(&binary), "static").exits(0).stdout;
    assert!(printed.contains(&format!(", {musl})")), "{printed}");
    let artifact = &repo.manifest()["artifacts"][0];
    assert_eq!(artifact["triple"], musl.triple());
    let key = artifact["object_key"].as_str().unwrap();
    assert!(key.ends_with(&format!("_{musl}.tar.gz")), "{key}");
}

#[test]
fn the_same_commit_gives_the_same_bytes_and_a_new_one_only_a_new_stamp() {
    // All tests share a target folder: no other has a service of this name.
    let repo = Repo::new(&["steady"]);
    let dist = || {
        repo.xtask(&format!("dist --platforms {}", host())).exits(0);
        (repo.manifest(), linked_at("steady"))
    };
    let (first, linked) = dist();
    assert_eq!(dist().0, first, "the same commit again");

    repo.commit("nothing changed");
    let (second, linked_then) = dist();
    assert_eq!(linked_then, linked, "a commit without a change was linked anew");
    let digest = |manifest: &serde_json::Value, name: &str| manifest["artifacts"][0][name].clone();
    assert_eq!(digest(&first, "unstamped_sha256"), digest(&second, "unstamped_sha256"));
    assert_ne!(digest(&first, "binary_sha256"), digest(&second, "binary_sha256"));

    let main = repo.path().join("services/steady/src/main.rs");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(main, text.replace("println!", "eprintln!")).unwrap();
    repo.commit("something changed");
    assert_ne!(dist().1, linked, "a changed program was not linked anew");
}

#[test]
fn uncommitted_changes_are_in_the_version() {
    let repo = Repo::new(&["alpha"]);
    let clean = repo.git(&["rev-parse", "--short=6", "HEAD"]);
    let version = || {
        let run = repo.xtask("dist --dry-run --json").exits(0);
        let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        plan["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(version(), clean);
    repo.write("target/x", "ignored");
    repo.write("pkg/x", "ignored");
    assert_eq!(version(), clean, "DEST and target do not count");

    repo.write("untracked", "1");
    let one = version();
    assert!(one.starts_with(&format!("{clean}-dirty.")) && one.len() == 6 + 7 + 8, "{one}");
    assert_eq!(version(), one, "the same content is the same version");
    repo.write("untracked", "2");
    let two = version();
    assert_ne!(one, two, "other content is another version");
    std::fs::remove_file(repo.path().join("untracked")).unwrap();
    repo.write("services/extra", "source, wherever artifacts go");
    let run = repo.xtask("dist --dry-run --dest services").exits(0);
    assert!(run.stdout.contains("(dirty, main)"), "DEST hides a change: {}", run.stdout);
    std::fs::remove_file(repo.path().join("services/extra")).unwrap();
    std::fs::remove_file(repo.path().join(".gitignore")).unwrap();
    assert!(version().contains("-dirty."), "a removed file counts");
    repo.git(&["checkout", "--quiet", "."]);
    assert_eq!(version(), clean);
}

#[test]
fn a_later_dist_of_the_same_commit_merges_and_of_another_does_not() {
    let repo = Repo::new(&["alpha", "beta"]);
    let services = || -> Vec<String> {
        let manifest = repo.manifest();
        let artifacts = manifest["artifacts"].as_array().unwrap().clone();
        artifacts.iter().map(|a| a["service"].as_str().unwrap().to_owned()).collect()
    };
    repo.xtask("dist beta").exits(0);
    assert_eq!(services(), ["beta"]);
    repo.xtask("dist alpha").exits(0);
    assert_eq!(services(), ["alpha", "beta"]);
    repo.commit("second");
    repo.xtask("dist alpha").exits(0);
    assert_eq!(services(), ["alpha"]);
    assert!(
        repo.path().join("pkg/snapshot/beta_linux_amd64.tar.gz").exists(),
        "other files are not touched"
    );
}

#[test]
fn a_compile_error_exits_with_101_and_leaves_no_manifest() {
    let repo = Repo::new(&["broken"]);
    repo.xtask("dist").exits(0);
    repo.write("services/broken/src/main.rs", "fn main() { let x: u8 = \"\"; }\n");
    let run = repo.xtask("dist").exits(101).says("1 of 1 platforms could not be built");
    let hint = "; mend that and run dist again; until then there is no manifest to upload";
    let run = run.says(&format!("{hint} (the earlier one is removed)\n"));
    assert!(run.stderr.contains("mismatched types"), "cargo's own words: {}", run.stderr);
    assert!(!repo.path().join("pkg/snapshot/manifest.json").exists());
    repo.xtask("dist").exits(101).says(&format!("{hint}\n"));
}

#[test]
fn a_service_without_the_stamp_is_packed_with_a_warning() {
    let repo = Repo::new(&["plain"]);
    repo.write("services/plain/src/main.rs", "fn main() {}\n");
    repo.commit("no stamp");
    repo.xtask("dist").exits(0).says("plain for linux_amd64 carries no stamp");
    let manifest = repo.manifest();
    assert_eq!(
        manifest["artifacts"][0]["binary_sha256"],
        manifest["artifacts"][0]["unstamped_sha256"]
    );
}

#[test]
fn dry_run_builds_nothing_and_needs_no_toolchain() {
    let mut repo = Repo::new(&["alpha"]);
    repo.set("RUSTC", "/nowhere/rustc");
    repo.xtask("dist --dry-run --platforms macos").exits(0).prints("aarch64-apple-darwin");
    assert!(!repo.path().join("pkg").exists(), "a dry run writes nothing");
}

#[test]
fn another_compiler_than_the_pin_is_a_warning_and_with_strict_an_error() {
    let mut repo = Repo::new(&["strict"]);
    repo.xtask("dist --strict").exits(0);
    let before = repo.manifest();
    // The same programs, one of which says that it is a later release.
    let toolchain = Path::new(env!("CARGO")).ancestors().nth(2).unwrap();
    let other = tempfile::tempdir().unwrap();
    let fake = other.path();
    std::fs::create_dir(fake.join("bin")).unwrap();
    std::os::unix::fs::symlink(toolchain.join("lib"), fake.join("lib")).unwrap();
    std::os::unix::fs::symlink(toolchain.join("bin/cargo"), fake.join("bin/cargo")).unwrap();
    let real = toolchain.join("bin/rustc").display().to_string();
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = -vV ] || exec {real} \"$@\"\n{real} -vV | sed 's/{}/1.95.9/'\n",
        *RUSTC_RELEASE
    );
    std::fs::write(fake.join("bin/rustc"), script).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(fake.join("bin/rustc"), mode).unwrap();
    repo.set("CARGO", fake.join("bin/cargo").to_str().unwrap());
    repo.set("RUSTUP_TOOLCHAIN", toolchain.file_name().unwrap().to_str().unwrap());
    repo.set("RUSTUP_TOOLCHAIN_SOURCE", "env");
    let warning = "rustc 1.95.9";
    let run = repo.xtask("dist --strict --library rustup").exits(3).says(warning);
    run.says("--strict: rustc 1.95.9").says("the pin is ");
    assert_eq!(repo.manifest(), before, "nothing was built, so nothing is removed");
    repo.xtask("dist --library rustup").exits(0).says("warning").says(warning);
    repo.xtask("dist --dry-run").exits(0).prints("another compiler than the pin").prints(warning);
    repo.set("S3_KEY", "AKIA");
    repo.set("S3_SECRET", "secret");
    repo.xtask("ship --bucket builds").exits(3).says(warning).says("other-compiler = true");
}

#[test]
fn what_is_published_is_built_by_the_distributions_library_only_where_that_is_asked_for() {
    let mut repo = Repo::new(&["alpha"]);
    // This compiler, without a library; rustup does not keep it, so it cannot add one.
    let toolchain = Path::new(env!("CARGO")).ancestors().nth(2).unwrap();
    let bare = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(bare.path().join("lib/rustlib")).unwrap();
    std::fs::create_dir(bare.path().join("bin")).unwrap();
    for program in ["cargo", "rustc"] {
        let script =
            format!("#!/bin/sh\nexec {} \"$@\"\n", toolchain.join("bin").join(program).display());
        let path = bare.path().join("bin").join(program);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    repo.set("CARGO", bare.path().join("bin/cargo").to_str().unwrap());
    repo.set("S3_KEY", "AKIA");
    repo.set("S3_SECRET", "secret");
    for line in ["ship --bucket builds", "dist --strict"] {
        repo.xtask(line).exits(3).says("--library distribution").says("nothing was built");
    }
}

#[test]
fn a_toolchain_that_is_missing_leaves_what_an_earlier_dist_made() {
    let repo = Repo::new(&["alpha"]);
    repo.xtask("dist").exits(0);
    let before = repo.manifest();
    let cargo_toml = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &cargo_toml.replace(&*RUSTC_RELEASE, "1.999.0"));
    repo.xtask("dist --strict --library rustup")
        .exits(3)
        .says("nothing was built, and nothing removed");
    assert_eq!(repo.manifest(), before);
}

#[test]
fn builds_are_told_a_constant_time() {
    let repo = Repo::new(&["clock"]);
    repo.write(
        "services/clock/build.rs",
        "fn main() {\n    println!(\"cargo::rustc-env=TIME={}\", std::env::var(\"SOURCE_DATE_EPOCH\").unwrap_or_default());\n}\n",
    );
    repo.write("services/clock/src/main.rs", "fn main() {\n    println!(env!(\"TIME\"));\n}\n");
    repo.commit("a clock");
    repo.xtask(&format!("dist --platforms {}", host())).exits(0);
    let binary = repo.path().join("pkg/snapshot").join(host().as_str()).join("clock");
    assert_eq!(run(&mut Command::new(&binary), "clock").exits(0).stdout, "315532800\n");
    let mut repo = repo;
    repo.set("SOURCE_DATE_EPOCH", "400000000");
    let line = format!("dist --platforms {}", host());
    repo.xtask(&line).exits(0).says("upload` refuses them: SOURCE_DATE_EPOCH=400000000");
    assert_eq!(run(&mut Command::new(&binary), "clock").exits(0).stdout, "400000000\n");
    repo.set("SOURCE_DATE_EPOCH", "");
    repo.xtask(&line).exits(0);
    assert_eq!(run(&mut Command::new(&binary), "clock").exits(0).stdout, "315532800\n");
}

#[test]
fn a_second_dist_waits_for_the_first() {
    let repo = Repo::new(&["alpha"]);
    let snapshot = repo.path().join("pkg/snapshot");
    std::fs::create_dir_all(&snapshot).unwrap();
    let held = std::fs::File::create(snapshot.join(".lock")).unwrap();
    held.lock().unwrap();
    let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dist"]);
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(&mut said).map_while(Result::ok);
    let waits = lines.any(|line| line.contains("waiting for another dist into"));
    assert!(waits, "it says that it waits");
    drop(lines);
    drop(held);
    std::io::copy(&mut said, &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success(), "it goes on when the first has ended");
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
            "[package.metadata.xtask] of alpha: bin: the package has no binary \"other\"",
        ),
        (
            "[package.metadata.xtask]\ninclude = [\"conf/*\"]",
            "[package.metadata.xtask] of alpha: include = \"conf/*\" names no file",
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
fn the_table_says_how_many_digits_a_version_has() {
    let repo = Repo::new(&["alpha"]);
    repo.add_to_table("version-digits = 12");
    repo.commit("longer versions");
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.xtask("dist --dry-run").exits(0).prints(&format!("alpha/alpha_{}", &head[..12]));
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
fn a_compiler_without_trim_paths_writes_no_paths_either() {
    let Some(cargo) = installed_cargo("1.88.0") else { return };
    let mut repo = Repo::new(&["old-compiler"]);
    repo.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.88.0\"\n");
    let main = "fn main() {\n    println!(\"{}\", stamp::line(\"old-compiler\"));\n    \
                println!(\"{}\", file!());\n    assert!(std::env::args().count() < 9, \"many\");\n}\n";
    repo.write("services/old-compiler/src/main.rs", main);
    repo.commit("an old compiler");
    repo.set("CARGO", cargo.to_str().unwrap());
    repo.xtask(&format!("dist --platforms {}", host())).exits(0);
    let artifact = repo.manifest()["artifacts"][0].clone();
    assert!(artifact["rustc"].as_str().unwrap().starts_with("rustc 1.88.0 "), "{artifact}");
    assert!(artifact.get("expected_rustc").is_none(), "{artifact}");
    let binary = repo.path().join("pkg/snapshot").join(host().as_str()).join("old-compiler");
    let image = std::fs::read(binary).unwrap();
    let text = String::from_utf8_lossy(&image);
    for path in
        [repo.path(), &target_dir(), Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()]
    {
        let path = path.to_str().unwrap();
        assert!(!text.contains(path), "{path} is in the binary");
    }

    let mut clone = Repo::clone_of(repo.path());
    clone.own_target();
    clone.set("CARGO", cargo.to_str().unwrap());
    clone.xtask(&format!("dist --platforms {}", host())).exits(0);
    assert_eq!(clone.manifest()["artifacts"][0]["sha256"], artifact["sha256"], "two clones");
}
