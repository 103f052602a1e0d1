//! Decides whether the binary of an earlier build on this machine is what a build would give now.
//!
//! A record stands beside what cargo makes, one for each service, platform and profile: the build key's inputs, what
//! else the build read ([`Observed`]), where the linked binary is, and the digest of that before its stamp. A binary is
//! used only if all inputs are equal and it still has that digest. So nothing that happens to record or binary gives a
//! wrong program, neither another checkout that builds in the same folder nor an interruption nor a truncated file:
//! what does not fit is built again.
//!
//! A record is for one checkout, because programs can ask the compiler for the path of their sources, and for one xtask.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use catalog::json;
use serde_json::Value;

use crate::build::compile::Observed;
use crate::build::stamp;
use crate::build::toolchain::Toolchain;
use crate::model::build_key::BuildKey;
use crate::system::env::Env;
use crate::system::files;

/// Files get times of a clock that is behind by up to one tick of the kernel.
const TICK: Duration = Duration::from_millis(10);

/// A record of the last build of a service for a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The folder of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// The xtask that built.
    pub program: String,
    /// The inputs.
    pub key: BuildKey,
    /// What else was read.
    pub read: Read,
    /// The linked binary, as cargo left it.
    pub linked: PathBuf,
    /// The digest of the binary before its stamp.
    pub unstamped_sha256: String,
    /// Whether it has the OpenSSL that was built for it.
    pub has_openssl: bool,
    /// Whether it was compiled in the sandbox.
    pub sandboxed: bool,
    /// Whether the key has all that it was compiled from, as far as cargo knows.
    pub is_keyed: bool,
    /// Symbols of macOS that only a crate's word says exist.
    pub unchecked_symbols: Vec<String>,
    /// The archive that was made of it.
    pub packed: Packed,
}

/// An archive that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// What went into it besides the binary.
    pub key: BuildKey,
    /// The archive's length.
    pub size_bytes: u64,
    /// The archive's digest.
    pub sha256: String,
    /// The digest of the stamped binary.
    pub binary_sha256: String,
    /// The shared libraries that the binary loads and that are not part of every system.
    pub system_libraries: Vec<String>,
    /// Whether the binary carries a stamp.
    pub is_stamped: bool,
}

/// Digests of what a build read besides the inputs of its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    paths: BTreeMap<PathBuf, String>,
    variables: BTreeMap<String, String>,
}

impl Read {
    /// Takes the digests of what was `observed`, without the files of the key and what lies below `ignored`. `None`
    /// where one of the files is younger than `started`, since the build may have read it as it was before.
    pub fn of(
        observed: &Observed,
        key_files: &BTreeSet<PathBuf>,
        ignored: &[&Path],
        started: SystemTime,
        env: &Env,
    ) -> anyhow::Result<Option<Self>> {
        let mut read = Self::default();
        let mut youngest = SystemTime::UNIX_EPOCH;
        for file in key_files {
            youngest = youngest.max(changed_at(file));
        }
        for path in &observed.paths {
            let resolved = path.canonicalize().unwrap_or_else(|_| path.clone());
            let is_ignored = |path: &PathBuf| ignored.iter().any(|folder| path.starts_with(folder));
            if !(key_files.contains(&resolved) || is_ignored(&resolved) || is_ignored(path)) {
                let digest = path_digest(path, ignored, &mut youngest)?;
                read.paths.insert(path.clone(), digest);
            }
        }
        for name in &observed.variables {
            read.variables.insert(name.clone(), variable_digest(name, env));
        }
        Ok((youngest + TICK < started).then_some(read))
    }

    /// Returns the files and folders.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.keys().map(PathBuf::as_path)
    }

    /// Returns the first that is another one now.
    fn difference(&self, ignored: &[&Path], env: &Env) -> anyhow::Result<Option<String>> {
        for (path, digest) in &self.paths {
            if path_digest(path, ignored, &mut SystemTime::UNIX_EPOCH.clone())? != *digest {
                return Ok(Some(format!("{}, which the build read", path.display())));
            }
        }
        let mut variables = self.variables.iter();
        let moved = variables.find(|(name, digest)| variable_digest(name, env) != **digest);
        Ok(moved.map(|(name, _)| format!("env {name}, which the build read")))
    }
}

/// Computes the digest of a file, or of a folder and everything in it but folders of git and cargo. Sets `youngest` to
/// the last change of any of it, where that is later.
fn path_digest(
    path: &Path,
    ignored: &[&Path],
    youngest: &mut SystemTime,
) -> anyhow::Result<String> {
    *youngest = (*youngest).max(changed_at(path));
    if !path.is_dir() {
        return Ok(s3::hex(&files::content_digest(path)?));
    }
    let name = || format!("reading {}", path.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).with_context(name)? {
        entries.push(entry.with_context(name)?.path());
    }
    entries.sort_unstable();
    let mut content = Vec::new();
    for entry in entries {
        let is_left_out = entry.ends_with(".git")
            || ignored.iter().any(|folder| entry == **folder)
            || entry.join("CACHEDIR.TAG").exists();
        if !is_left_out {
            let digest = if entry.is_symlink() {
                s3::hex(&files::content_digest(&entry)?)
            } else {
                path_digest(&entry, ignored, youngest)?
            };
            let file = entry.file_name().unwrap_or_default().as_encoded_bytes();
            content.extend((file.len() as u64).to_le_bytes());
            content.extend(file);
            content.extend(digest.as_bytes());
        }
    }
    Ok(files::sha256(&content))
}

/// Returns when the file, or the one that a link leads to, was last changed. Programs cannot set this time.
fn changed_at(path: &Path) -> SystemTime {
    let time = |found: std::io::Result<fs::Metadata>| {
        found.ok().map(|found| {
            let seconds = Duration::from_secs(u64::try_from(found.ctime()).unwrap_or(0));
            let nanos = Duration::from_nanos(u64::try_from(found.ctime_nsec()).unwrap_or(0));
            SystemTime::UNIX_EPOCH + seconds + nanos
        })
    };
    let both = [time(path.metadata()), time(path.symlink_metadata())];
    both.into_iter().flatten().max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Computes the digest of a variable's value, which may be a secret.
fn variable_digest(name: &str, env: &Env) -> String {
    env.of_build(name).map_or(String::new(), |value| files::sha256(value.as_encoded_bytes()))
}

/// Returns what tells this xtask from another one, which may build and pack in another way: length and time of its file.
pub fn program() -> String {
    let found = std::env::current_exe().and_then(fs::metadata);
    found.map_or(String::new(), |found| {
        format!("{} {}.{}", found.len(), found.mtime(), found.mtime_nsec())
    })
}

/// Returns where the record of a service is.
pub fn path(toolchain: &Toolchain, profile: &str, service: &str) -> PathBuf {
    // Beside the build folder, in which builds can write.
    let folder = toolchain.target_dir.file_name().unwrap_or_default().to_string_lossy();
    let folder = toolchain.target_dir.with_file_name(format!("{folder}.reuse")).join(profile);
    folder.join(toolchain.platform.as_str()).join(format!("{service}.json"))
}

impl Record {
    /// Reads a record; `None` where there is none, or a damaged one.
    pub fn read(path: &Path) -> Option<Self> {
        let record = json::parse(&fs::read(path).ok()?).ok()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts =
            |value: &Value| -> Option<Vec<String>> { value.as_array()?.iter().map(text).collect() };
        let pairs = |value: &Value| -> Option<BTreeMap<String, String>> {
            let pair = |(name, value): (&String, &Value)| Some((name.clone(), text(value)?));
            value.as_object()?.iter().map(pair).collect()
        };
        let packed = &record["packed"];
        let paths = pairs(&record["paths"])?;
        Some(Self {
            root: text(&record["root"])?.into(),
            program: text(&record["program"])?,
            key: BuildKey::read(&record["key"])?,
            read: Read {
                paths: paths.into_iter().map(|(path, digest)| (path.into(), digest)).collect(),
                variables: pairs(&record["variables"])?,
            },
            linked: text(&record["linked"])?.into(),
            unstamped_sha256: text(&record["unstamped_sha256"])?,
            has_openssl: record["has_openssl"].as_bool()?,
            sandboxed: record["sandboxed"].as_bool()?,
            is_keyed: record["is_keyed"].as_bool()?,
            unchecked_symbols: texts(&record["unchecked_symbols"])?,
            packed: Packed {
                key: BuildKey::read(&packed["key"])?,
                size_bytes: packed["size_bytes"].as_u64()?,
                sha256: text(&packed["sha256"])?,
                binary_sha256: text(&packed["binary_sha256"])?,
                system_libraries: texts(&packed["system_libraries"])?,
                is_stamped: packed["is_stamped"].as_bool()?,
            },
        })
    }

    /// Writes the record. After a loss of power it may be missing or damaged.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let packed = &self.packed;
        let paths: BTreeMap<_, _> =
            self.read.paths.iter().map(|(path, digest)| (path.to_string_lossy(), digest)).collect();
        let record = serde_json::json!({
            "root": self.root.to_string_lossy(),
            "program": self.program,
            "key": self.key.to_json(),
            "paths": paths,
            "variables": self.read.variables,
            "linked": self.linked.to_string_lossy(),
            "unstamped_sha256": self.unstamped_sha256,
            "has_openssl": self.has_openssl,
            "sandboxed": self.sandboxed,
            "is_keyed": self.is_keyed,
            "unchecked_symbols": self.unchecked_symbols,
            "packed": {
                "key": packed.key.to_json(),
                "size_bytes": packed.size_bytes,
                "sha256": packed.sha256,
                "binary_sha256": packed.binary_sha256,
                "system_libraries": packed.system_libraries,
                "is_stamped": packed.is_stamped,
            },
        });
        files::write_cheaply(path, record.to_string().as_bytes(), 0o644)
    }

    /// Returns what differs between the build of the record and one of `key` in the workspace at `root`; `None` where its
    /// binary can be used, if that is still there.
    pub fn difference(
        &self,
        root: &Path,
        key: &BuildKey,
        ignored: &[&Path],
        env: &Env,
    ) -> anyhow::Result<Option<String>> {
        if self.root != root {
            return Ok(Some(format!("built last in {}", self.root.display())));
        }
        if self.program != program() {
            return Ok(Some("xtask".to_owned()));
        }
        match key.difference(&self.key) {
            Some(input) => Ok(Some(input)),
            None => self.read.difference(ignored, env),
        }
    }

    /// Reads the binary before its stamp; `None` where it is not the one that was built.
    pub fn image(&self) -> Option<Vec<u8>> {
        let mut image = fs::read(&self.linked).ok()?;
        stamp::normalise(&mut image).ok()?;
        (files::sha256(&image) == self.unstamped_sha256).then_some(image)
    }

    /// Returns whether archive and stamped binary are what was packed with the same inputs.
    pub fn is_there(&self, key: &BuildKey, archive: &Path, binary: &Path) -> bool {
        let has = |path: &Path, digest: &str, mode: u32| {
            let is_file = path
                .symlink_metadata()
                .is_ok_and(|found| found.is_file() && found.mode() & 0o777 == mode);
            is_file && fs::read(path).is_ok_and(|bytes| files::sha256(&bytes) == digest)
        };
        self.packed.key == *key
            && has(archive, &self.packed.sha256, 0o644)
            && has(binary, &self.packed.binary_sha256, 0o755)
    }
}
