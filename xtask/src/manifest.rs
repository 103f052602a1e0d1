//! manifest.json: the only hand-over between `dist` and `upload`, and the objects in the bucket
//! that say which artifacts a release consists of.
//!
//! Pure: bytes in, a checked value out, and back. A manifest may come from another machine, so
//! reading one checks everything that is later used as a path, a key or a number.

use std::collections::{BTreeMap, BTreeSet};

use ferror::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::platform::Platform;

/// The one form that is written and understood.
pub const SCHEMA: u32 = 1;
/// The manifest's name in the snapshot folder.
pub const FILE: &str = "manifest.json";

/// What a `dist` made, or, without a branch, what a release of one service consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the binaries report.
    pub version: String,
    /// The source's full commit.
    pub commit: String,
    /// Whether the source held more than the commit.
    pub dirty: bool,
    /// The commit's time, seconds since 1970 UTC.
    pub committed_at: i64,
    /// The branch it was built from. It travels as object metadata, not in the manifest object:
    /// one commit may be on two branches and is the same release on both.
    #[serde(default, skip_serializing_if = "Branch::is_left_out")]
    pub branch: Branch,
    /// The platforms, by name.
    pub platforms: Vec<String>,
    /// The artifacts, sorted by service and platform.
    pub artifacts: Vec<Artifact>,
}

/// A manifest's branch: left out altogether in a manifest object, a string or null in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Branch {
    /// A branch, or `null` for none.
    Named(Option<String>),
    /// There is no such field.
    #[default]
    #[serde(skip)]
    LeftOut,
}

/// A file that is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// The service.
    pub service: String,
    /// The platform's name.
    pub platform: String,
    /// The platform's triple.
    pub triple: String,
    /// The archive's name, beside the manifest.
    pub file: String,
    /// The archive's length.
    pub size_bytes: u64,
    /// The archive's SHA-256, lower hex, as all digests here.
    pub sha256: String,
    /// The stamped binary's SHA-256.
    pub binary_sha256: String,
    /// The binary's SHA-256 before the stamp: equal for equal code, whatever the commit.
    pub unstamped_sha256: String,
    /// Where the archive goes in the bucket, byte for byte.
    pub object_key: String,
    /// The compiler, as `rustc --version` names it.
    pub rustc: String,
}

impl Manifest {
    /// Reads and checks a manifest; `origin` names it in errors.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            Error::invalid(format!("{origin} is not a manifest of schema {SCHEMA}: {error}")).hint(
                "make it anew with `cargo xtask dist`, or use the bowline version that wrote it",
            )
        })?;
        manifest.check().map_err(|error| error.context(origin))?;
        Ok(manifest)
    }

    /// The manifest as it is written: pretty JSON and a newline.
    pub fn to_json(&self) -> String {
        let mut json =
            serde_json::to_string_pretty(self).expect("a manifest has nothing that JSON lacks");
        json.push('\n');
        json
    }

    /// The services in it, sorted.
    pub fn services(&self) -> BTreeSet<&str> {
        self.artifacts.iter().map(|artifact| artifact.service.as_str()).collect()
    }

    /// The part of one service, as its manifest object holds it: sorted, without branch, so that
    /// the same commit built twice gives the same bytes.
    #[must_use]
    pub fn part_of(&self, service: &str) -> Self {
        let mut artifacts: Vec<_> =
            self.artifacts.iter().filter(|artifact| artifact.service == service).cloned().collect();
        sort(&mut artifacts);
        Self {
            branch: Branch::LeftOut,
            platforms: platforms_of(&artifacts),
            artifacts,
            ..self.clone()
        }
    }

    /// Whether both are of the same source.
    pub fn is_same_release(&self, other: &Self) -> bool {
        (&self.version, &self.commit, self.dirty) == (&other.version, &other.commit, other.dirty)
    }

    /// Adds the artifacts of `earlier` that this manifest has none of for the same service and
    /// platform. Both are of the same release.
    pub fn extend_from(&mut self, earlier: &Self) {
        for artifact in &earlier.artifacts {
            let is_ours = |own: &Artifact| {
                (&own.service, &own.platform) == (&artifact.service, &artifact.platform)
            };
            if !self.artifacts.iter().any(is_ours) {
                self.artifacts.push(artifact.clone());
            }
        }
        sort(&mut self.artifacts);
        for platform in &earlier.platforms {
            if !self.platforms.contains(platform) {
                self.platforms.push(platform.clone());
            }
        }
        self.platforms = in_order(self.platforms.iter().map(String::as_str));
    }

    fn check(&self) -> Result<()> {
        if self.schema != SCHEMA {
            return Err(Error::invalid(format!(
                "schema {}: this bowline knows {SCHEMA}",
                self.schema
            )));
        }
        check_commit(&self.commit)?;
        check_version(&self.version, &self.commit, self.dirty)?;
        for platform in &self.platforms {
            platform.parse::<Platform>()?;
        }
        let (mut files, mut keys) = (BTreeSet::new(), BTreeSet::new());
        let mut folders = BTreeMap::new();
        for artifact in &self.artifacts {
            artifact
                .check()
                .map_err(|error| error.context(format!("artifact {}", artifact.file)))?;
            if !files.insert(&artifact.file) {
                return Err(Error::invalid(format!("file {} is listed twice", artifact.file)));
            }
            if !keys.insert(&artifact.object_key) {
                return Err(Error::invalid(format!(
                    "object key {} is listed twice",
                    artifact.object_key
                )));
            }
            let folder = artifact.folder();
            if *folders.entry(&artifact.service).or_insert(folder) != folder {
                return Err(Error::invalid(format!(
                    "the object keys of {} lie in two folders: a release has one",
                    artifact.service
                )));
            }
        }
        match folders.values().find_map(|folder| {
            let manifest_keys = self.services();
            manifest_keys
                .into_iter()
                .map(|s| format!("{folder}{s}_{}.json", self.version))
                .find(|k| keys.contains(k))
        }) {
            Some(key) => {
                Err(Error::invalid(format!("object key {key} belongs to a manifest object")))
            }
            None => Ok(()),
        }
    }

    /// The object key of the manifest object of one of its services: beside its artifacts.
    pub fn object_key(&self, service: &str) -> Option<String> {
        let artifact = self.artifacts.iter().find(|artifact| artifact.service == service)?;
        Some(format!("{}{service}_{}.json", artifact.folder(), self.version))
    }
}

impl Branch {
    fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut)
    }

    /// The branch's name, where there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => name.as_deref(),
            Self::LeftOut => None,
        }
    }
}

impl Artifact {
    /// The part of the object key up to its last `/`, with it.
    fn folder(&self) -> &str {
        &self.object_key[..self.object_key.rfind('/').map_or(0, |slash| slash + 1)]
    }

    fn check(&self) -> Result<()> {
        let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if self.service.is_empty() || !self.service.bytes().all(is_name_byte) {
            return Err(Error::invalid(format!("{:?} is no service's name", self.service)));
        }
        let platform: Platform = self.platform.parse()?;
        if platform.triple() != self.triple {
            return Err(Error::invalid(format!(
                "{platform} is {}, not {:?}",
                platform.triple(),
                self.triple
            )));
        }
        let plain = !self.file.contains(['/', '\\']) && !self.file.chars().any(char::is_control);
        if !plain || ["", ".", ".."].contains(&self.file.as_str()) {
            return Err(Error::invalid(format!(
                "file {:?}: expected the plain name of a file",
                self.file
            )));
        }
        for digest in [&self.sha256, &self.binary_sha256, &self.unstamped_sha256] {
            if digest.len() != 64 || !is_lower_hex(digest) {
                return Err(Error::invalid(format!("{digest:?} is no SHA-256 in lower hex")));
            }
        }
        check_object_key(&self.object_key)
    }
}

/// Artifacts never replace what `promote` writes below `<service>/channels/`.
fn check_object_key(key: &str) -> Result<()> {
    let reason = if key.is_empty() {
        "it is empty"
    } else if key.len() > 1024 {
        "it is longer than 1024 bytes"
    } else if key.chars().any(char::is_control) {
        "it holds a control character"
    } else if key.starts_with("channels/") || key.contains("/channels/") {
        "channels are not written by an upload"
    } else if key.ends_with('/') {
        "it names a folder"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("object key {key:?}: {reason}")))
}

fn check_commit(commit: &str) -> Result<()> {
    match commit.len() {
        40 | 64 if is_lower_hex(commit) => Ok(()),
        _ => Err(Error::invalid(format!("commit {commit:?}: expected 40 or 64 lower hex digits"))),
    }
}

fn check_version(version: &str, commit: &str, dirty: bool) -> Result<()> {
    let (digits, content) = match version.split_once("-dirty.") {
        Some((digits, content)) => (digits, Some(content)),
        None => (version, None),
    };
    let well_formed = (6..=40).contains(&digits.len())
        && commit.starts_with(digits)
        && content.is_some() == dirty
        && content.is_none_or(|content| content.len() == 8 && is_lower_hex(content));
    if well_formed {
        return Ok(());
    }
    let form = if dirty { "<digits>-dirty.<8 hex digits>" } else { "6 to 40 digits" };
    Err(Error::invalid(format!("version {version:?}: expected {form} of commit {commit}")))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn sort(artifacts: &mut [Artifact]) {
    artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
}

fn platforms_of(artifacts: &[Artifact]) -> Vec<String> {
    in_order(artifacts.iter().map(|artifact| artifact.platform.as_str()))
}

/// Platform names in the order of [`Platform::ALL`], each once.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<_> = names.collect();
    Platform::ALL
        .iter()
        .map(|p| p.as_str())
        .filter(|name| names.contains(name))
        .map(str::to_owned)
        .collect()
}
