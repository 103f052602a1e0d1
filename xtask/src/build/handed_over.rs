//! What `plan` leaves for `dist`: published archives that it downloaded, by build key, `<key>.tar.gz` and `<key>.json`, a
//! manifest with that one artifact; and `plan.json`, with the costs of all builds.
//!
//! They may come from another machine, so whoever uses one checks it again: archive and binary have to have the digests of
//! the manifest. What does not fit is an error, and the service is built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::json::{self, Object};
use catalog::{Artifact, Manifest, Platform};
use ferror::Error;
use serde_json::Value;

use crate::build::{archive, stamp};
use crate::model::shard::Costs;
use crate::system::files;

/// What `plan` found out of each build.
pub const PLAN: &str = "plan.json";

/// A binary as a build would link it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// The release that has it.
    pub version: String,
    /// The release's artifact.
    pub artifact: Artifact,
    /// The binary before its stamp.
    pub image: Vec<u8>,
}

/// Returns where the archive of a build key lies.
pub fn archive_path(folder: &Path, build_key: &str) -> PathBuf {
    folder.join(format!("{build_key}.tar.gz"))
}

fn manifest_path(folder: &Path, build_key: &str) -> PathBuf {
    folder.join(format!("{build_key}.json"))
}

/// Writes what belongs to an archive that is there.
pub fn write(folder: &Path, build_key: &str, release: &Manifest) -> anyhow::Result<()> {
    files::write_cheaply(&manifest_path(folder, build_key), release.to_json().as_bytes(), 0o644)
}

/// Reads the binary of a build key; `None` where nothing of it was handed over.
pub fn read(
    folder: &Path,
    build_key: &str,
    service: &str,
    platform: Platform,
) -> anyhow::Result<Option<HandedOver>> {
    let path = manifest_path(folder, build_key);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("reading {}", path.display()))?,
    };
    let release = Manifest::read_strict(&bytes, &path.display().to_string())?;
    let [artifact] = &release.artifacts[..] else {
        return Err(Error::invalid(format!("{} has not one artifact", path.display())).into());
    };
    let path = archive_path(folder, build_key);
    let wrong = |how: &str| Error::invalid(format!("{}: {how}", path.display()));
    if (artifact.service.as_str(), artifact.platform.as_str()) != (service, platform.as_str()) {
        return Err(wrong("it is of another service or platform").into());
    }
    if artifact.build_key.as_deref() != Some(build_key) {
        return Err(wrong("its release was built with another build key").into());
    }
    let packed = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    if files::sha256(&packed) != artifact.sha256 {
        return Err(wrong("it has another sha256 than its release says").into());
    }
    let top = format!("{service}_{platform}");
    let (entries, _) =
        archive::read(&packed, &top).with_context(|| format!("reading {}", path.display()))?;
    let binary = entries.into_iter().find(|entry| entry.name == service);
    let mut image = binary.ok_or_else(|| wrong("it holds no binary of the service"))?.bytes;
    stamp::remove(&mut image).with_context(|| path.display().to_string())?;
    if files::sha256(&image) != artifact.unstamped_sha256 {
        return Err(wrong("its binary is not the one that its release says").into());
    }
    Ok(Some(HandedOver { version: release.version.clone(), artifact: artifact.clone(), image }))
}

/// Reads the costs of builds; where nothing was handed over, all builds cost the same.
pub fn read_costs(folder: &Path) -> anyhow::Result<Costs> {
    let path = folder.join(PLAN);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Costs::default()),
        other => other.with_context(|| format!("reading {}", path.display()))?,
    };
    let wrong = |error: String| {
        let message = format!("{} is not what `cargo xtask plan` writes: {error}", path.display());
        Error::invalid(message).hint("run `cargo xtask plan` again, or remove the file")
    };
    let document = json::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    costs(&document).map_err(|error| wrong(error).into())
}

fn costs(document: &Value) -> Result<Costs, String> {
    let mut costs = Costs::default();
    let mut fields = Object::new(document)?;
    let platform = |name: &str| name.parse::<Platform>().map_err(|error| error.to_string());
    for mut build in fields.get::<Vec<Object>>("builds")? {
        let place = (build.get("service")?, platform(build.get("platform")?)?);
        costs.builds.insert(place, build.get("cost")?);
    }
    for (name, cost) in fields.get::<BTreeMap<String, u64>>("platforms")? {
        costs.platforms.insert(platform(&name)?, cost);
    }
    Ok(costs)
}
