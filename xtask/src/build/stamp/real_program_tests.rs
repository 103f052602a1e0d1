//! Builds real programs, and runs them before and after stamping.
//!
//! The optimiser sees a static of zeros that nothing writes, and could replace it by its value. So a program of
//! a few lines is built in each way that treats statics differently.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::fixture::record;
use super::{Outcome, normalise, read, verify, write};

const MAIN: &str =
    r#"fn main() { println!("{} {:?}", stamp::line("fixture"), stamp::committed_at()); }"#;

/// The profiles to build with, and their settings.
const PROFILES: [(&str, &str); 4] = [
    ("unoptimised", "inherits = 'dev'"),
    ("thin", "inherits = 'release'\nlto = 'thin'\nstrip = true"),
    (
        "plain",
        "inherits = 'release'\nlto = 'off'\ncodegen-units = 1\npanic = 'abort'\ndebug = true",
    ),
    (
        "fat",
        "inherits = 'release'\nlto = 'fat'\ncodegen-units = 1\npanic = 'abort'\nopt-level = 'z'\nstrip = true",
    ),
];

#[test]
fn a_program_reports_dev_before_and_its_version_after_stamping() {
    let folder = TempDir::new().unwrap();
    let mut manifest =
        format!("{}bowline-stamp = {{ path = '{}' }}\n", head(), stamp_crate().display());
    manifest.extend(PROFILES.map(|(name, settings)| format!("[profile.{name}]\n{settings}\n")));
    write_package(folder.path(), &manifest, MAIN);
    for (profile, _) in PROFILES {
        let program = build(folder.path(), profile);
        assert_eq!(run(&program), "fixture DEV (not stamped) None", "{profile}, before");

        let mut image = std::fs::read(&program).unwrap();
        normalise(&mut image).unwrap();
        let outcome = write(&mut image, &record("abc123"), "fixture").unwrap();
        assert_eq!(outcome, Outcome::Stamped, "{profile}");
        verify(&image).unwrap();
        std::fs::write(&program, &image).unwrap();
        assert_eq!(
            run(&program),
            "fixture abc123 (commit abc123def4567890abc123def4567890abc123de, darwin_arm64) Some(1795000000)",
            "{profile}, after",
        );
    }
}

#[test]
fn a_program_with_two_versions_of_the_crate_is_refused() {
    let folder = TempDir::new().unwrap();
    // A package of another version with the same sources, as an old dependency would have it.
    let old = folder.path().join("old");
    let source = stamp_crate().join("src");
    write_package(&old, "[package]\nname = 'stamp'\nversion = '0.0.1'\nedition = '2024'\n", "");
    for file in ["lib.rs", "format.rs"] {
        std::fs::copy(source.join(file), old.join("src").join(file)).unwrap();
    }
    std::fs::remove_file(old.join("src/main.rs")).unwrap();
    let manifest = format!(
        "{}bowline-stamp = {{ path = '{}' }}\nold = {{ package = 'stamp', path = 'old' }}\n",
        head(),
        stamp_crate().display()
    );
    let main = r#"fn main() { println!("{} {}", stamp::version(), old::version()); }"#;
    write_package(folder.path(), &manifest, main);
    let program = build(folder.path(), "release");
    assert_eq!(run(&program), "DEV DEV");

    let mut image = std::fs::read(&program).unwrap();
    let error = format!("{:#}", write(&mut image, &record("abc123"), "fixture").unwrap_err());
    assert!(error.contains("stamping fixture: it holds 2 stamps"), "{error}");
    assert!(read(&image).is_err(), "and one of the two is not read as the stamp either");
}

fn head() -> &'static str {
    "[package]\nname = 'fixture'\nversion = '0.1.0'\nedition = '2024'\n[workspace]\n[dependencies]\n"
}

/// Returns the crate `stamp` of this workspace; cargo says to a running test where its package is.
fn stamp_crate() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("run the tests with cargo");
    PathBuf::from(package).join("../foundation/stamp").canonicalize().unwrap()
}

fn write_package(folder: &Path, manifest: &str, main: &str) {
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
}

/// Builds the package at `folder` in a target folder of its own; the program's path.
fn build(folder: &Path, profile: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = folder.join("target");
    let output = Command::new(cargo)
        .args(["build", "--offline", "--profile", profile])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{profile}: {}", String::from_utf8_lossy(&output.stderr));
    target.join(profile).join("fixture")
}

fn run(program: &Path) -> String {
    let output = Command::new(program).output().expect("the program starts");
    assert!(output.status.success(), "{}: {}", program.display(), output.status);
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
