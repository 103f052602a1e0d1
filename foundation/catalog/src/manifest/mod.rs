//! manifest.json, which `dist` hands over to `upload`, and manifest objects, each of which makes one
//! service's part of it a release.
//!
//! Pure: bytes in, a checked value out, and back. A manifest may come from another machine, so
//! reading one strictly checks everything that is later used as a path, a key or a number. Reading
//! one leniently accepts what a newer or older program wrote, and nothing in it may be trusted: see
//! [`Manifest::owns`].

use std::collections::BTreeSet;

use ferror::{Error, Result};

use crate::keys::{self, ObjectName, may_be_templated};
use crate::{Platform, manifest_key};

mod check;
mod form;

/// The one form that is written and understood; the number is raised when a reader of the old one
/// would be wrong.
const SCHEMA: u64 = 1;
/// The manifest's name in the snapshot folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Manifest objects larger than this are not read: a release of a hundred artifacts needs a tenth.
pub const MAX_MANIFEST_BYTES: u64 = 256 * 1024;
/// A manifest object with more artifacts is not compared with others: a release has one for each platform.
const MAX_COMPARED: usize = 100;
/// At most so many objects are asked for one manifest object: a request each.
const MAX_ASKED: usize = 100;

/// The artifacts that a `dist` made, or, without a branch, those of a release of one service.
///
/// One that was read leniently has no branch and no prefix, and of its artifacts only what services
/// show or compare; it is not to be written again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The version that the binaries report.
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
    /// The folders of packages that were compiled and are no part of the repository, relative to the
    /// workspace's root: the commit does not say what they held. Left out where there are none.
    pub outside_sources: Vec<String>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The archive's object key, byte for byte. [`Manifest::owns`] says whether that of a manifest
    /// object is to be trusted.
    pub object_key: String,
    /// The compiler, as `rustc --version` names it.
    pub rustc: String,
    /// The compiler's release that was expected, where `rustc` is another one: the pin of the repository.
    /// Left out where the pinned compiler built it.
    pub expected_rustc: Option<String>,
    /// The flags from outside the repository that may have changed the bytes, such as
    /// `RUSTFLAGS=-C target-cpu=native`. Left out where nothing did.
    pub outside_flags: Vec<String>,
    /// Symbols of macOS that the binary uses and that only a crate's word says exist, each with its library and the
    /// crate.
    pub unchecked_symbols: Vec<String>,
    /// The version of the OpenSSL that `dist` built and linked into it. Left out where it did not.
    pub openssl: Option<String>,
    /// The shared libraries that it loads and that are not part of every system. Left out where there are none.
    pub system_libraries: Vec<String>,
    /// Whether it was compiled in the sandbox, where nothing but its inputs can be read.
    pub sandboxed: bool,
    /// The digest of everything that can change the binary before its stamp. Left out where another machine may not take
    /// the binary for what a build of the same inputs would give there.
    pub build_key: Option<String>,
    /// Whether the object at `object_key` was asked and says itself that it is this archive; not
    /// part of the written form. See [`read_manifest`](crate::read_manifest).
    pub recognised: bool,
}

impl Manifest {
    /// Reads and checks a manifest that is written again: every field is known, has its form, and
    /// agrees with the others. Errors call it `shown_as`.
    ///
    /// # Errors
    /// [`ferror::Kind::Invalid`].
    pub fn read_strict(bytes: &[u8], shown_as: &str) -> Result<Self> {
        let manifest = form::read_strict(bytes).map_err(|error| {
            Error::invalid(format!("{shown_as} is not a manifest of schema {SCHEMA}: {error}")).hint(
                "make it anew with `cargo xtask dist`, or use the bowline version that wrote it",
            )
        })?;
        check::manifest(&manifest).map_err(|error| error.context(shown_as))?;
        Ok(manifest)
    }

    /// Reads the manifest object at `key` as [`Manifest::read_strict`] does; no `dist` makes it anew.
    ///
    /// # Errors
    /// [`ferror::Kind::Invalid`].
    pub fn read_object_strict(bytes: &[u8], bucket: &str, key: &str) -> Result<Self> {
        Self::read_strict(bytes, &format!("object {bucket}/{key}")).map_err(|error| {
            error.hint(
                "use the bowline version that wrote it; an object that is damaged has to be deleted, \
                 and `cargo xtask upload` of the same commit writes it anew",
            )
        })
    }

    /// Reads the manifest object that lies under `service` and `version`, as services do: unknown
    /// fields are fine, and only the fields that are shown or compared have to be there.
    ///
    /// # Errors
    /// [`ferror::Kind::Invalid`], with a reason that is fit to be shown: not JSON, another schema, or
    /// the content belongs to another key.
    pub fn read_lenient(bytes: &[u8], service: &str, version: &str) -> Result<Self> {
        let (named, manifest) = form::read_lenient(bytes)
            .map_err(|error| Error::invalid(format!("not a manifest object: {error}")))?;
        let own = &manifest.version;
        if own != version || !keys::is_version(version) {
            let message = format!("says version {own:?} but lies under {version:?}");
            return Err(Error::invalid(message));
        }
        match named {
            Some(other) if other != service => {
                Err(Error::invalid(format!("says service {other:?} but lies under {service:?}")))
            }
            _ => Ok(manifest),
        }
    }

    /// Returns the written form: pretty JSON and a newline.
    pub fn to_json(&self) -> String {
        form::to_json(self) + "\n"
    }

    /// Returns the services in it, sorted.
    pub fn services(&self) -> BTreeSet<&str> {
        self.artifacts.iter().map(|artifact| artifact.service.as_str()).collect()
    }

    /// Returns the part of one service, as its manifest object holds it: sorted, without branch, so that
    /// the same commit built twice gives the same bytes.
    #[must_use]
    pub fn part_of(&self, service: &str) -> Self {
        let mut artifacts: Vec<_> =
            self.artifacts.iter().filter(|artifact| artifact.service == service).cloned().collect();
        sort(&mut artifacts);
        let platforms = in_order(artifacts.iter().map(|artifact| artifact.platform.as_str()));
        Self { branch: Branch::LeftOut, platforms, artifacts, ..self.clone() }
    }

    /// Returns the version of the first of `others` that has the same program for each platform of this release: equal
    /// binaries but for the stamp. A release without an archive, or of a writer that named no such digest, has none.
    pub fn same_program<'m>(&self, others: impl IntoIterator<Item = &'m Self>) -> Option<&'m str> {
        let has_it = |other: &Self, own: &Artifact| {
            let is_same = |it: &Artifact| {
                (&it.platform, &it.unstamped_sha256) == (&own.platform, &own.unstamped_sha256)
            };
            !own.unstamped_sha256.is_empty() && other.artifacts.iter().any(is_same)
        };
        let is_compared = |it: &Self| (1..=MAX_COMPARED).contains(&it.artifacts.len());
        let has_all = |other: &Self| self.artifacts.iter().all(|own| has_it(other, own));
        let is_it = |other: &&Self| is_compared(self) && is_compared(other) && has_all(other);
        others.into_iter().find(is_it).map(|other| &*other.version)
    }

    /// Returns whether both are of the same source.
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
        let outside = self.outside_sources.iter().chain(&earlier.outside_sources);
        self.outside_sources = outside.cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let platforms = self.platforms.iter().chain(&earlier.platforms);
        self.platforms = in_order(platforms.map(String::as_str));
    }

    /// Returns the object key of the manifest object of one of its services: below the prefix, or, where it
    /// names none, beside the service's artifacts.
    pub fn object_key(&self, service: &str) -> Option<String> {
        let artifact = self.artifacts.iter().find(|artifact| artifact.service == service)?;
        Some(match &self.prefix {
            Some(prefix) => manifest_key(prefix, service, &self.version),
            None => format!("{}{service}_{}.json", artifact.folder(), self.version),
        })
    }

    /// Returns whether `artifact`'s object key is that of an archive of this very service and
    /// version, by its form or because the object was recognised. A manifest object is input: it is
    /// not trusted when it names anything else in the bucket.
    pub fn owns(&self, prefix: &str, service: &str, artifact: &Artifact) -> bool {
        artifact.recognised || self.has_fixed_form(prefix, service, artifact)
    }

    /// Returns the artifacts whose objects have to be asked whether they are what this manifest says: those
    /// whose keys a template may have given.
    pub(crate) fn to_be_asked(&self, prefix: &str, service: &str) -> Vec<usize> {
        let is_of_commit = self.commit.len() >= 40 && keys::is_version(&self.version);
        let content = self.version.split_once("-dirty.");
        let mut marks = vec![self.version.as_str()];
        let commit = match content {
            Some((_, content)) => format!("{}-dirty.{content}", self.commit),
            None => self.commit.clone(),
        };
        if is_of_commit && self.commit.starts_with(content.map_or(&*self.version, |(v, _)| v)) {
            marks.push(&commit);
        }
        let asks = |artifact: &Artifact| {
            !self.has_fixed_form(prefix, service, artifact)
                && may_be_templated(prefix, &artifact.object_key, service, &marks)
        };
        let all = self.artifacts.iter().enumerate();
        all.filter(|(_, artifact)| asks(artifact)).map(|(at, _)| at).take(MAX_ASKED).collect()
    }

    fn has_fixed_form(&self, prefix: &str, service: &str, artifact: &Artifact) -> bool {
        let (version, platform) = (self.version.as_str(), artifact.platform.as_str());
        let expected = ObjectName::Archive { service, version, platform };
        ObjectName::parse(prefix, &artifact.object_key) == Some(expected)
    }
}

impl Branch {
    /// Returns the branch's name, where there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => name.as_deref(),
            Self::LeftOut => None,
        }
    }
}

impl Artifact {
    /// Returns the part of the object key up to its last `/`, with it.
    fn folder(&self) -> &str {
        &self.object_key[..self.object_key.rfind('/').map_or(0, |slash| slash + 1)]
    }
}

fn sort(artifacts: &mut [Artifact]) {
    artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
}

/// Sorts platform names in the order of [`Platform::ALL`], each once.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<_> = names.collect();
    let all = Platform::ALL.iter().map(|platform| platform.as_str());
    all.filter(|name| names.contains(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
