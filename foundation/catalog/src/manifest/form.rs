//! The written form of a manifest: its fields, in the order in which they are written.
//!
//! Equal manifests have equal bytes, because the manifest object in the bucket is compared and
//! digested as it stands: the order is part of the form.

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::{Artifact, Branch, Manifest, SCHEMA};
use crate::json::{self, Object};

/// Reads the form, all of it; what the fields say is not checked here.
pub(super) fn read_strict(bytes: &[u8]) -> json::Result<Manifest> {
    let document = json::parse(bytes)?;
    let mut fields = Object::new(&document)?;
    fields.expect_schema(SCHEMA)?;
    let artifacts: Vec<_> = fields.get("artifacts")?;
    let manifest = Manifest {
        version: fields.get("version")?,
        commit: fields.get("commit")?,
        dirty: fields.get("dirty")?,
        committed_at: fields.get("committed_at")?,
        branch: fields.find("branch")?.map_or(Branch::LeftOut, Branch::Named),
        prefix: fields.find("prefix")?,
        outside_sources: fields.find("outside_sources")?.unwrap_or_default(),
        platforms: fields.get("platforms")?,
        artifacts: artifacts.into_iter().map(artifact_strict).collect::<json::Result<_>>()?,
    };
    fields.end()?;
    Ok(manifest)
}

fn artifact_strict(mut fields: Object<'_>) -> json::Result<Artifact> {
    let artifact = Artifact {
        service: fields.get("service")?,
        platform: fields.get("platform")?,
        triple: fields.get("triple")?,
        file: fields.get("file")?,
        size_bytes: fields.get("size_bytes")?,
        sha256: fields.get("sha256")?,
        binary_sha256: fields.get("binary_sha256")?,
        unstamped_sha256: fields.get("unstamped_sha256")?,
        object_key: fields.get("object_key")?,
        rustc: fields.get("rustc")?,
        expected_rustc: fields.find("expected_rustc")?,
        outside_flags: fields.find("outside_flags")?.unwrap_or_default(),
        recognised: false,
    };
    fields.end()?;
    Ok(artifact)
}

/// Reads the fields that services show or compare, and the service that the document names, which
/// older writers left out.
pub(super) fn read_lenient(bytes: &[u8]) -> json::Result<(Option<String>, Manifest)> {
    let document = json::parse(bytes)?;
    let mut fields = Object::new(&document)?;
    fields.expect_schema(SCHEMA)?;
    let artifacts: Vec<_> = fields.get("artifacts")?;
    let manifest = Manifest {
        version: fields.get("version")?,
        commit: fields.get("commit")?,
        dirty: fields.get("dirty")?,
        committed_at: fields.get("committed_at")?,
        platforms: fields.get("platforms")?,
        artifacts: artifacts.into_iter().map(artifact_lenient).collect::<json::Result<_>>()?,
        ..Manifest::default()
    };
    Ok((fields.find::<Option<_>>("service")?.flatten(), manifest))
}

fn artifact_lenient(mut fields: Object<'_>) -> json::Result<Artifact> {
    Ok(Artifact {
        platform: fields.get("platform")?,
        file: fields.get("file")?,
        size_bytes: fields.get("size_bytes")?,
        sha256: fields.get("sha256")?,
        object_key: fields.get("object_key")?,
        ..Artifact::default()
    })
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Manifest", 10)?;
        fields.serialize_field("schema", &SCHEMA)?;
        fields.serialize_field("version", &self.version)?;
        fields.serialize_field("commit", &self.commit)?;
        fields.serialize_field("dirty", &self.dirty)?;
        fields.serialize_field("committed_at", &self.committed_at)?;
        if let Branch::Named(name) = &self.branch {
            fields.serialize_field("branch", name)?;
        }
        if let Some(prefix) = &self.prefix {
            fields.serialize_field("prefix", prefix)?;
        }
        if !self.outside_sources.is_empty() {
            fields.serialize_field("outside_sources", &self.outside_sources)?;
        }
        fields.serialize_field("platforms", &self.platforms)?;
        fields.serialize_field("artifacts", &self.artifacts)?;
        fields.end()
    }
}

impl Serialize for Artifact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Artifact", 12)?;
        fields.serialize_field("service", &self.service)?;
        fields.serialize_field("platform", &self.platform)?;
        fields.serialize_field("triple", &self.triple)?;
        fields.serialize_field("file", &self.file)?;
        fields.serialize_field("size_bytes", &self.size_bytes)?;
        fields.serialize_field("sha256", &self.sha256)?;
        fields.serialize_field("binary_sha256", &self.binary_sha256)?;
        fields.serialize_field("unstamped_sha256", &self.unstamped_sha256)?;
        fields.serialize_field("object_key", &self.object_key)?;
        fields.serialize_field("rustc", &self.rustc)?;
        if let Some(expected) = &self.expected_rustc {
            fields.serialize_field("expected_rustc", expected)?;
        }
        if !self.outside_flags.is_empty() {
            fields.serialize_field("outside_flags", &self.outside_flags)?;
        }
        fields.end()
    }
}
