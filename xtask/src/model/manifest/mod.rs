//! manifest.json: the only hand-over between `dist` and `upload`, and the objects in the bucket
//! that say which artifacts a release consists of.
//!
//! Pure: bytes in, a checked value out, and back. A manifest may come from another machine, so
//! reading one checks everything that is later used as a path, a key or a number.

use std::collections::BTreeSet;

use ferror::{Error, Result};

use crate::model::object_key;
use crate::model::platform::Platform;

mod check;
mod form;

/// The one form that is written and understood.
pub const SCHEMA: u64 = 1;
/// The manifest's name in the snapshot folder.
pub const FILE: &str = "manifest.json";

/// What a `dist` made, or, without a branch, what a release of one service consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u64,
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
    pub branch: Branch,
    /// What the object keys begin with, where a template gave them: then it does not show in them.
    /// Left out where they have the fixed form.
    pub prefix: Option<String>,
    /// The platforms, by name.
    pub platforms: Vec<String>,
    /// The artifacts, sorted by service and platform.
    pub artifacts: Vec<Artifact>,
}

/// A manifest's branch: left out altogether in a manifest object, a string or null in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Branch {
    /// A branch, or `null` for none.
    Named(Option<String>),
    /// There is no such field.
    #[default]
    LeftOut,
}

/// A file that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let manifest = form::read(bytes).map_err(|error| {
            Error::invalid(format!("{origin} is not a manifest of schema {SCHEMA}: {error}")).hint(
                "make it anew with `cargo xtask dist`, or use the bowline version that wrote it",
            )
        })?;
        check::manifest(&manifest).map_err(|error| error.context(origin))?;
        Ok(manifest)
    }

    /// As [`Manifest::parse`], of the manifest object at `key`, which no `dist` makes anew.
    pub fn parse_object(bytes: &[u8], bucket: &str, key: &str) -> Result<Self> {
        Self::parse(bytes, &format!("object {bucket}/{key}")).map_err(|error| {
            error.hint(
                "use the bowline version that wrote it; an object that is damaged has to be deleted, \
                 and `cargo xtask upload` of the same commit writes it anew",
            )
        })
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
        // Once one of its artifacts has a template's key, the manifest has to say where it goes.
        self.prefix = self.prefix.take().or_else(|| earlier.prefix.clone());
        for platform in &earlier.platforms {
            if !self.platforms.contains(platform) {
                self.platforms.push(platform.clone());
            }
        }
        self.platforms = in_order(self.platforms.iter().map(String::as_str));
    }

    /// The object key of the manifest object of one of its services: below the prefix, or, where it
    /// names none, beside the service's artifacts.
    pub fn object_key(&self, service: &str) -> Option<String> {
        let artifact = self.artifacts.iter().find(|artifact| artifact.service == service)?;
        Some(match &self.prefix {
            Some(prefix) => object_key::manifest_object(prefix, service, &self.version),
            None => format!("{}{service}_{}.json", artifact.folder(), self.version),
        })
    }
}

impl Branch {
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

#[cfg(test)]
mod tests;
