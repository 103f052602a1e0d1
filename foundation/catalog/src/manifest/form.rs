//! The written form of a manifest: its fields, in the order in which they are written.
//!
//! Equal manifests have equal bytes, because the manifest object in the bucket is compared and
//! digested as it stands: the order is part of the form.

use super::{Artifact, Branch, Manifest, SCHEMA};
use crate::json::{self, Object, value};

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
        unchecked_symbols: fields.find("unchecked_symbols")?.unwrap_or_default(),
        openssl: fields.find("openssl")?,
        system_libraries: fields.find("system_libraries")?.unwrap_or_default(),
        sandboxed: fields.find("sandboxed")?.unwrap_or_default(),
        build_key: fields.find("build_key")?,
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
        // Older writers had no build key, and nobody needs these two to show a release.
        unstamped_sha256: fields.find("unstamped_sha256").ok().flatten().unwrap_or_default(),
        build_key: fields.find("build_key").ok().flatten(),
        ..Artifact::default()
    })
}

/// Returns the written form.
pub(super) fn to_json(manifest: &Manifest) -> String {
    let mut fields = vec![
        ("schema", value(SCHEMA)),
        ("version", value(&*manifest.version)),
        ("commit", value(&*manifest.commit)),
        ("dirty", value(manifest.dirty)),
        ("committed_at", value(manifest.committed_at)),
    ];
    if let Branch::Named(name) = &manifest.branch {
        fields.push(("branch", value(name.clone())));
    }
    if let Some(prefix) = &manifest.prefix {
        fields.push(("prefix", value(&**prefix)));
    }
    if !manifest.outside_sources.is_empty() {
        fields.push(("outside_sources", value(manifest.outside_sources.clone())));
    }
    fields.push(("platforms", value(manifest.platforms.clone())));
    fields.push(("artifacts", json::array(manifest.artifacts.iter().map(artifact_to_json))));
    json::object(fields)
}

fn artifact_to_json(artifact: &Artifact) -> String {
    let mut fields = vec![
        ("service", value(&*artifact.service)),
        ("platform", value(&*artifact.platform)),
        ("triple", value(&*artifact.triple)),
        ("file", value(&*artifact.file)),
        ("size_bytes", value(artifact.size_bytes)),
        ("sha256", value(&*artifact.sha256)),
        ("binary_sha256", value(&*artifact.binary_sha256)),
        ("unstamped_sha256", value(&*artifact.unstamped_sha256)),
        ("object_key", value(&*artifact.object_key)),
        ("rustc", value(&*artifact.rustc)),
    ];
    if let Some(expected) = &artifact.expected_rustc {
        fields.push(("expected_rustc", value(&**expected)));
    }
    if !artifact.outside_flags.is_empty() {
        fields.push(("outside_flags", value(artifact.outside_flags.clone())));
    }
    if !artifact.unchecked_symbols.is_empty() {
        fields.push(("unchecked_symbols", value(artifact.unchecked_symbols.clone())));
    }
    if let Some(openssl) = &artifact.openssl {
        fields.push(("openssl", value(&**openssl)));
    }
    if !artifact.system_libraries.is_empty() {
        fields.push(("system_libraries", value(artifact.system_libraries.clone())));
    }
    if artifact.sandboxed {
        fields.push(("sandboxed", value(true)));
    }
    if let Some(key) = &artifact.build_key {
        fields.push(("build_key", value(&**key)));
    }
    json::object(fields)
}
