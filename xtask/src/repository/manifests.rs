//! Keeps what cargo says of dependencies until something changes that it follows from.
//!
//! Cargo's answers follow from Cargo.lock, the Cargo.toml files and cargo's configuration. Each takes cargo a tenth of
//! a second, and a plan needs several.

use std::path::PathBuf;

use catalog::json;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::model::source_file::SourceFile;
use crate::model::sources::PathPackage;
use crate::model::workspace::Workspace;
use crate::system::env::Env;
use crate::system::files;

/// A state of a workspace's Cargo.lock, Cargo.toml files and configuration.
#[derive(Debug, Clone)]
pub struct Manifests {
    digest: String,
    folder: PathBuf,
}

impl Manifests {
    /// Reads the state. The repository has `files`, of which `cargo_config` are cargo's configuration; `flags_digest` is of the
    /// configuration outside of it; `packages` may lie there too.
    pub fn read(
        workspace: &Workspace,
        files: &[SourceFile],
        packages: &[PathPackage],
        cargo_config: &[PathBuf],
        flags_digest: Option<&str>,
        env: &Env,
    ) -> anyhow::Result<Self> {
        let mut state = Sha256::new();
        let mut add = |bytes: &[u8]| {
            state.update((bytes.len() as u64).to_le_bytes());
            state.update(bytes);
        };
        let cargo = env.get_os("CARGO").unwrap_or_default();
        let flags = flags_digest.unwrap_or_default();
        let config = &workspace.config;
        let texts = [workspace.root.as_os_str(), cargo, flags.as_ref(), config.profile.as_ref()];
        for text in texts {
            add(text.as_encoded_bytes());
        }
        for service in &workspace.services {
            let own = &service.config;
            let line = (&service.name, &own.features, own.no_default_features);
            add(format!("{line:?}").as_bytes());
        }
        let of_repository = files.iter().map(|file| file.path.clone());
        let mut paths: Vec<_> = of_repository.filter(|path| path.ends_with("Cargo.toml")).collect();
        paths.extend(packages.iter().map(|package| package.dir.join("Cargo.toml")));
        paths.extend_from_slice(cargo_config);
        paths.push(workspace.root.join("Cargo.lock"));
        for path in paths {
            add(path.as_os_str().as_encoded_bytes());
            add(&files::content_digest(&path)?);
        }
        let digest = s3::hex(&state.finalize());
        Ok(Self { digest, folder: workspace.target_dir.join("dist") })
    }

    /// Returns what was kept under that name for this state.
    pub fn kept(&self, name: &str) -> Option<Value> {
        let bytes = std::fs::read(self.path(name)).ok()?;
        let mut kept = json::parse(&bytes).ok()?;
        (kept["digest"] == self.digest.as_str()).then(|| kept["value"].take())
    }

    /// Keeps a value under that name. Where that is not possible, cargo is asked again the next time.
    pub fn keep(&self, name: &str, value: &Value) {
        let text = json!({ "digest": self.digest, "value": value }).to_string();
        let _ = files::write_cheaply(&self.path(name), text.as_bytes(), 0o644);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}
