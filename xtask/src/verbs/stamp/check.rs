//! Compares the archives beside a manifest with it, and starts the programs that run on this machine.
//!
//! It is for the machine that a release is for: on a Mac, Apple's own `codesign` judges the signatures that `dist`
//! made on Linux.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::stamp::Record;
use anyhow::Context as _;
use catalog::{Arch, Artifact, MANIFEST_FILE, Manifest, Os, Platform};
use ferror::{Error, Kind};
use serde_json::{Value, json};

use crate::bucket::unpack;
use crate::build::{snapshot, stamp};
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, files, process};

/// Enough for a program that only prints its version.
const LIMIT: Duration = Duration::from_secs(60);

/// What to do with archives that are wrong.
pub(super) const HINT: &str = "do not deploy them; run dist again, and upload with --verify";

/// What was done with an archive that is right.
struct Checked {
    /// Whether `codesign` judged the signature.
    codesign: bool,
    /// Whether the program was started.
    started: bool,
}

/// Checks the archives of the manifest in `folder`. Prints a line for each that is right, and adds it to `checked` for
/// `--json`.
pub(super) fn run(
    folder: &Path,
    checked: &mut Vec<Value>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<()> {
    let manifest = snapshot::read(folder)?.ok_or_else(|| {
        Error::config(format!("{} is not there", folder.join(MANIFEST_FILE).display()))
            .hint("--check wants folders with a manifest.json or those of all shards, as dist leaves them")
    })?;
    let codesign = env.find_program("codesign");
    let scratch = Scratch::new(folder)?;
    let (mut problems, mut unjudged) = (Vec::new(), 0);
    for artifact in &manifest.artifacts {
        match check(&manifest, artifact, folder, &scratch.0, codesign.as_deref(), env) {
            Ok(Checked { codesign, started }) => {
                let is_mac = artifact.platform.starts_with("darwin");
                unjudged += usize::from(is_mac && !codesign);
                let signed = if codesign { ", signed" } else { "" };
                let ran = if started { ", started" } else { "" };
                ui.result(format_args!("{}  stamped{signed}{ran}", artifact.file));
                checked.push(json!({
                    "file": folder.join(&artifact.file),
                    "platform": artifact.platform,
                    "codesign": codesign,
                    "started": started,
                }));
            }
            Err(error) => problems.push(format!("\n  {}: {error:#}", artifact.file)),
        }
    }
    if unjudged > 0 {
        ui.say(
            "skipped",
            format_args!("codesign for {unjudged} archives: it is not on this machine"),
        );
    }
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} of {} archives are not as the manifest in {} says:{}",
        problems.len(),
        manifest.artifacts.len(),
        folder.display(),
        problems.concat()
    );
    Err(Error::invalid(message).hint(HINT).into())
}

fn check(
    manifest: &Manifest,
    artifact: &Artifact,
    folder: &Path,
    scratch: &Path,
    codesign: Option<&Path>,
    env: &Env,
) -> anyhow::Result<Checked> {
    let archive = folder.join(&artifact.file);
    let bytes = std::fs::read(&archive).context("it cannot be read")?;
    if files::sha256(&bytes) != artifact.sha256 {
        return Err(wrong("the archive has another sha256"));
    }
    let platform: Platform = artifact.platform.parse()?;
    let top = format!("{}_{platform}", artifact.service);
    unpack::unpack(&archive, scratch, &top)?;
    let program = scratch.join(&top).join(&artifact.service);
    let image =
        std::fs::read(&program).with_context(|| format!("it has no file {}", artifact.service))?;
    if files::sha256(&image) != artifact.binary_sha256 {
        return Err(wrong("its binary has another sha256"));
    }
    stamp::verify(&image)?;
    let expected = Record {
        version: manifest.version.clone(),
        commit: manifest.commit.clone(),
        dirty: manifest.dirty,
        committed_at: manifest.committed_at,
        platform: artifact.platform.clone(),
    };
    let is_stamped = stamp::has_section(&image)?;
    if is_stamped && stamp::read(&image)?.as_ref() != Some(&expected) {
        return Err(wrong("its binary carries another stamp"));
    }
    if platform.os == Os::Darwin
        && let Some(codesign) = codesign
    {
        let mut command = Command::new(codesign);
        command.args(["--verify", "--strict"]).arg(&program);
        child_env::clean(&mut command, env);
        let output = process::run(&mut command, LIMIT)?;
        if !output.status.success() {
            return Err(wrong(&format!("codesign refuses its binary: {}", output.reason())));
        }
    }
    let started = is_stamped && runs_here(platform);
    if started {
        start(&program, &expected, env)?;
    }
    Ok(Checked { codesign: platform.os == Os::Darwin && codesign.is_some(), started })
}

/// Starts a program with `--version`, without credentials, and compares what it prints.
fn start(program: &Path, expected: &Record, env: &Env) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.arg("--version");
    child_env::clean(&mut command, env);
    let output = process::run(&mut command, LIMIT)?;
    let Record { version, commit, platform, .. } = expected;
    let line = format!(" {version} (commit {commit}, {platform})");
    if !output.status.success() {
        let reason = output.reason();
        return Err(wrong(&format!("its program ends with {}: {reason}", output.status)));
    }
    if output.stdout.contains(&line) {
        return Ok(());
    }
    let said = output.stdout.lines().next().unwrap_or_default();
    Err(wrong(&format!("its program says {said:?} for --version; expected \"…{line}\"")))
}

fn wrong(what: &str) -> anyhow::Error {
    Error::new(Kind::Invalid, what).into()
}

/// Returns whether this machine runs programs of `platform`, as far as it is known without trying.
fn runs_here(platform: Platform) -> bool {
    let os = match platform.os {
        Os::Linux => "linux",
        Os::Darwin => "macos",
    };
    let arch = match platform.arch {
        Arch::Amd64 => "x86_64",
        Arch::Arm64 => "aarch64",
    };
    let has_libc = platform.musl || cfg!(not(target_env = "musl"));
    (os, arch) == (std::env::consts::OS, std::env::consts::ARCH) && has_libc
}

/// A folder beside the archives, where programs may surely be started, which is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(format!(".checked-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path.canonicalize()?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use catalog::{Artifact, Branch, MANIFEST_FILE, Manifest, Platform};
    use tempfile::TempDir;

    use super::run;
    use crate::build::archive::{Entry, pack};
    use crate::build::stamp::fixture::{MachO, Signed, record};
    use crate::build::stamp::write;
    use crate::system::env::Env;
    use crate::system::files;
    use crate::system::ui::Ui;

    /// Makes what `dist` leaves of a service for macOS.
    fn snapshot() -> TempDir {
        let folder = TempDir::new().unwrap();
        let record = record("abc123-dirty.0badcafe");
        let mut image = MachO::new(Signed::Linker).image();
        write(&mut image, &record, "fixture").unwrap();
        let binary_sha256 = files::sha256(&image);
        let file = "alpha_darwin_arm64.tar.gz";
        let entries = [Entry { name: "alpha".into(), executable: true, bytes: image }];
        let path = folder.path().join(file);
        let (size_bytes, sha256) = pack(&path, "alpha_darwin_arm64", &entries, 0).unwrap();
        let artifact = Artifact {
            service: "alpha".into(),
            platform: "darwin_arm64".into(),
            triple: Platform::DEFAULT[3].triple().into(),
            file: file.into(),
            size_bytes,
            sha256,
            unstamped_sha256: binary_sha256.clone(),
            binary_sha256,
            object_key: "alpha/alpha_darwin_arm64.tar.gz".into(),
            rustc: "rustc 1.95.0".into(),
            expected_rustc: None,
            outside_flags: Vec::new(),
            unchecked_symbols: Vec::new(),
            openssl: None,
            system_libraries: Vec::new(),
            sandboxed: false,
            build_key: None,
            recognised: false,
        };
        let manifest = Manifest {
            version: record.version,
            commit: record.commit,
            dirty: record.dirty,
            committed_at: record.committed_at,
            branch: Branch::Named(None),
            prefix: None,
            outside_sources: Vec::new(),
            platforms: vec!["darwin_arm64".into()],
            artifacts: vec![artifact],
        };
        std::fs::write(folder.path().join(MANIFEST_FILE), manifest.to_json()).unwrap();
        folder
    }

    /// Checks the folder with a `codesign` of that text, if there is one.
    fn check(folder: &Path, codesign: Option<&str>) -> anyhow::Result<bool> {
        let programs = TempDir::new().unwrap();
        if let Some(text) = codesign {
            let path = programs.path().join("codesign");
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = programs.path().to_str().unwrap();
        let env = Env::for_test(&[("PATH", path), ("CARGO_PKG_NAME", "xtask")]);
        let mut checked = Vec::new();
        let result = run(folder, &mut checked, &env, &Ui::new(&env).with_json(true));
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.count(), 2, "something is left in the folder");
        result.map(|()| checked[0]["codesign"] == true)
    }

    #[test]
    fn codesign_judges_binaries_for_macos_where_it_is() {
        let folder = snapshot();
        assert!(!check(folder.path(), None).unwrap());
        let accepts =
            "[ \"$1 $2\" = '--verify --strict' ] && [ \"${3##*/}\" = alpha ] && [ -s \"$3\" ]";
        assert!(check(folder.path(), Some(accepts)).unwrap());
        // Cargo gives its tests this variable, which goes with the credentials.
        let sees_nothing = "[ -z \"$CARGO_PKG_NAME\" ]";
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        assert!(check(folder.path(), Some(sees_nothing)).unwrap());
        let refuses = "echo \"$3: invalid signature\" >&2; exit 1";
        let error = check(folder.path(), Some(refuses)).unwrap_err().to_string();
        assert!(error.starts_with("1 of 1 archives are not as "), "{error}");
        assert!(
            error.contains("alpha_darwin_arm64.tar.gz: codesign refuses its binary: "),
            "{error}"
        );
        assert!(error.contains("invalid signature"), "{error}");
    }

    #[test]
    fn whatever_differs_from_the_manifest_is_named() {
        let folder = snapshot();
        let manifest = folder.path().join(MANIFEST_FILE);
        let text = std::fs::read_to_string(&manifest).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let artifact = |name: &str| document["artifacts"][0][name].as_str().unwrap().to_owned();
        let other = "0".repeat(64);
        let rows = [
            ("1795000000", "1795000001", "carries another stamp"),
            (&*artifact("sha256"), &*other, "the archive has another sha256"),
            (&*artifact("binary_sha256"), &*other, "its binary has another sha256"),
            ("alpha_darwin_arm64.tar.gz\"", "beta_darwin_arm64.tar.gz\"", "it cannot be read"),
        ];
        for (from, to, expected) in rows {
            assert!(text.contains(from), "{text} has no {from}");
            std::fs::write(&manifest, text.replace(from, to)).unwrap();
            let error = check(folder.path(), None).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::remove_file(manifest).unwrap();
        let env = Env::for_test(&[]);
        let error =
            run(folder.path(), &mut Vec::new(), &env, &Ui::new(&env)).unwrap_err().to_string();
        assert!(error.contains("manifest.json is not there"), "{error}");
    }
}
