//! Checks a manifest from another machine: everything that is later used as a path, an object key or a
//! number is checked here, once.

use std::collections::{BTreeMap, BTreeSet};

use ferror::{Error, Result};

use super::{Artifact, Manifest};
use crate::Platform;
use crate::keys::{folder_prefix, is_digest, is_lower_hex, is_service, problem};

/// Checks a manifest as a whole, and each artifact.
pub(super) fn manifest(manifest: &Manifest) -> Result<()> {
    check_commit(&manifest.commit)?;
    check_version(&manifest.version, &manifest.commit, manifest.dirty)?;
    for platform in &manifest.platforms {
        platform.parse::<Platform>()?;
    }
    let (mut files, mut keys, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for artifact in &manifest.artifacts {
        check_artifact(artifact)
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
        if !places.insert((&artifact.service, &artifact.platform)) {
            let Artifact { service, platform, .. } = artifact;
            return Err(Error::invalid(format!("{service} for {platform} is listed twice")));
        }
    }
    let manifest_objects = check_places(manifest)?;
    match manifest_objects.iter().find(|key| keys.contains(key)) {
        Some(key) => Err(Error::invalid(format!("object key {key} belongs to a manifest object"))),
        None => Ok(()),
    }
}

/// Checks that it is clear where the manifest objects go: below the prefix that is named, with everything
/// else, or in the one folder of a service's artifacts.
fn check_places(manifest: &Manifest) -> Result<BTreeSet<String>> {
    let mut folders = BTreeMap::new();
    for artifact in &manifest.artifacts {
        let Artifact { service, object_key, .. } = artifact;
        if let Some(prefix) = &manifest.prefix {
            if !object_key.starts_with(prefix.as_str()) {
                return Err(Error::invalid(format!(
                    "object key {object_key:?} is not below the prefix {prefix:?}"
                )));
            }
        } else if *folders.entry(service).or_insert(artifact.folder()) != artifact.folder() {
            return Err(Error::invalid(format!(
                "the object keys of {service} lie in two folders: a release has one"
            )));
        }
    }
    if let Some(prefix) = &manifest.prefix
        && folder_prefix(prefix).as_ref() != Some(prefix)
    {
        return Err(Error::invalid(format!("prefix {prefix:?}: expected a folder such as team/")));
    }
    let services = manifest.services();
    let keys = services.iter().filter_map(|service| manifest.object_key(service));
    keys.map(|key| check_object_key(&key).map(|()| key)).collect()
}

fn check_artifact(artifact: &Artifact) -> Result<()> {
    if !is_service(&artifact.service) {
        return Err(Error::invalid(format!("{:?} is no service's name", artifact.service)));
    }
    let platform: Platform = artifact.platform.parse()?;
    if platform.triple() != artifact.triple {
        return Err(Error::invalid(format!(
            "{platform} is {}, not {:?}",
            platform.triple(),
            artifact.triple
        )));
    }
    let plain =
        !artifact.file.contains(['/', '\\']) && !artifact.file.chars().any(char::is_control);
    if !plain || ["", ".", ".."].contains(&artifact.file.as_str()) {
        return Err(Error::invalid(format!(
            "file {:?}: expected the plain name of a file",
            artifact.file
        )));
    }
    let digests = [&artifact.sha256, &artifact.binary_sha256, &artifact.unstamped_sha256];
    for digest in digests.into_iter().chain(&artifact.build_key) {
        if !is_digest(digest) {
            return Err(Error::invalid(format!("{digest:?} is no SHA-256 in lower hex")));
        }
    }
    let lists = artifact.outside_flags.iter().chain(&artifact.system_libraries);
    let lists = lists.chain(&artifact.unchecked_symbols);
    let shown = lists.chain(&artifact.expected_rustc).chain(&artifact.openssl);
    if let Some(text) = shown.into_iter().find(|text| text.chars().any(char::is_control)) {
        return Err(Error::invalid(format!(
            "{text:?}: expected a text without control characters"
        )));
    }
    check_object_key(&artifact.object_key)
}

fn check_object_key(key: &str) -> Result<()> {
    match problem(key) {
        None => Ok(()),
        Some(reason) => Err(Error::invalid(format!("object key {key:?}: {reason}"))),
    }
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
