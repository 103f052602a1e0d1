//! Runs `dist` for all platforms: real ELF and Mach-O files from one machine, with either standard library.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xtask::build::stamp::{self, Format, Version};

use crate::support::{Repo, host, run, target_dir};

const DEFAULT: [&str; 4] = ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"];
const MUSL: [&str; 2] = ["linux_amd64_musl", "linux_arm64_musl"];

/// Makes a repository with one service that uses threads and sockets, so that much of the standard
/// library is linked.
fn repo() -> Repo {
    let repo = Repo::new(&["alpha"]);
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"services/*\"]\n\n\
                     [profile.release]\nlto = \"thin\"\nstrip = true\n";
    repo.write("Cargo.toml", workspace);
    repo.write(
        "services/alpha/src/main.rs",
        "fn main() {\n    let line = std::thread::spawn(|| stamp::line(\"alpha\")).join().unwrap();\n    \
         let socket = std::net::TcpListener::bind(\"127.0.0.1:0\").is_ok();\n    \
         println!(\"{line} {socket} {:?}\", std::time::SystemTime::now());\n}\n",
    );
    repo.commit("all platforms");
    repo
}

/// Checks that every binary and archive of the last `dist` is right for its platform.
fn check(repo: &Repo, platforms: &[&str]) {
    let snapshot = repo.path().join("pkg/snapshot");
    let head = repo.git(&["rev-parse", "HEAD"]);
    for platform in platforms.iter().copied() {
        let image = std::fs::read(snapshot.join(platform).join("alpha")).unwrap();
        let record = stamp::read(&image).unwrap().unwrap_or_else(|| panic!("{platform}: no stamp"));
        assert_eq!((record.platform.as_str(), record.commit.as_str()), (platform, head.as_str()));
        // Reading the facts checks every page hash of a signature on the way.
        let facts = stamp::facts(&image).unwrap_or_else(|e| panic!("{platform}: {e:#}"));
        let (os, arch) = platform.split_once('_').unwrap();
        let is_amd64 = arch.starts_with("amd64");
        assert_eq!(facts.cpu, if is_amd64 { "x86_64" } else { "aarch64" }, "{platform}");
        if arch.ends_with("_musl") {
            let found = (facts.minimum, facts.libraries, facts.interpreter);
            assert_eq!(found, (None, vec![], None), "{platform} is not static");
            if platform == format!("{}_musl", host()) {
                let program = snapshot.join(platform).join("alpha");
                run(&mut Command::new(program), platform).exits(0).prints(" true ");
            }
            continue;
        }
        let minimum = facts.minimum.expect("it asks for a system");
        if os == "linux" {
            assert_eq!(facts.format, Format::Elf);
            assert!(minimum <= Version(2, 17, 0), "{platform} needs glibc {minimum}");
        } else {
            assert_eq!((facts.format, minimum), (Format::MachO, Version(11, 0, 0)), "{platform}");
            for library in &facts.libraries {
                let of_the_system = ["/usr/lib/", "/System/Library/"];
                assert!(
                    of_the_system.iter().any(|p| library.starts_with(p)),
                    "{platform}: {library}"
                );
            }
            // Intel Macs run unsigned programs; Apple's own processors do not.
            assert!(is_amd64 || facts.signed_pages.is_some(), "{platform} is not signed");
        }
        let text = String::from_utf8_lossy(&image);
        for path in [repo.path(), &target_dir(), Path::new(env!("CARGO_MANIFEST_DIR"))] {
            let path = path.to_str().unwrap();
            assert!(!text.contains(path), "{platform}: {path} is in the binary");
        }
    }
}

fn digests(repo: &Repo) -> Vec<Value> {
    let manifest = repo.manifest();
    let artifacts = manifest["artifacts"].as_array().unwrap().clone();
    artifacts
        .iter()
        .map(|a| serde_json::json!([a["file"], a["sha256"], a["unstamped_sha256"]]))
        .collect()
}

#[test]
#[ignore = "builds for six platforms, and for three again; installs what that needs"]
fn two_clones_in_different_surroundings_give_equal_archives() {
    let first = repo();
    first.xtask("dist").exits(0);
    check(&first, &DEFAULT);
    assert_eq!(first.manifest()["artifacts"].as_array().unwrap().len(), 4);
    first.xtask("dist --platforms musl").exits(0);
    check(&first, &MUSL);

    // A second clone in another folder, with another target folder, home, umask, time zone and
    // language.
    let mut second = Repo::empty();
    second.git(&["clone", "--quiet", first.path().to_str().unwrap(), "."]);
    let home = tempfile::tempdir().unwrap();
    // Compiler and crates are the same; only the folders of our own files are new.
    let of_user = |name: &str, folder: &str| {
        let home = std::env::var("HOME").unwrap();
        std::env::var(name).unwrap_or_else(|_| format!("{home}/{folder}"))
    };
    second.set("CARGO_HOME", &of_user("CARGO_HOME", ".cargo"));
    second.set("RUSTUP_HOME", &of_user("RUSTUP_HOME", ".rustup"));
    second.set("HOME", home.path().to_str().unwrap());
    second.set("TZ", "Pacific/Chatham");
    second.set("LC_ALL", "C");
    second.set("CARGO_TARGET_DIR", target_dir().with_file_name("it-second").to_str().unwrap());
    // Of another architecture than this machine's, or of another system.
    let platforms = "linux,arm64 darwin,arm64 musl,amd64";
    let program = format!("exec {} dist --platforms '{platforms}'", env!("CARGO_BIN_EXE_xtask"));
    let program = format!("umask 077 && {program}");
    run(&mut second.prepare("sh", &["-c", &program]), "umask 077; dist").exits(0);
    let (first, second) = (digests(&first), digests(&second));
    assert_eq!(second.len(), 3);
    assert!(second.iter().all(|it| first.contains(it)), "{second:?} are not among {first:?}");
}

#[test]
#[ignore = "builds for macOS"]
fn debug_information_for_macos_depends_on_no_folder_and_no_time() {
    let repo = repo();
    let table = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &table.replace("strip = true", "debug = true"));
    repo.commit("debug information");
    // Both build in one target folder, so that the second writes the object files again.
    let clone = Repo::clone_of(repo.path());
    for repo in [&repo, &clone] {
        repo.xtask("dist --platforms darwin_arm64").exits(0);
        check(repo, &["darwin_arm64"]);
    }
    assert_eq!(digests(&repo), digests(&clone));
}

#[test]
#[ignore = "builds the standard library for three platforms; installs the distribution's compiler"]
fn programs_with_the_distributions_library_are_right_for_linux_and_macos() {
    let repo = repo();
    let platforms = ["linux_amd64", "darwin_arm64", "linux_amd64_musl"];
    let line = format!("dist --library distribution --platforms {}", platforms.join(","));
    repo.xtask(&line).exits(0);
    check(&repo, &platforms);
    repo.xtask("setup --check --library distribution").exits(0).prints("darwin_arm64  ready");
}
