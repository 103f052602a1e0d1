//! The workspace, its services and its configuration, as values.

use std::path::PathBuf;

use ferror::Error;

use crate::model::config::{Config, ServiceConfig};
use crate::model::sources::PathPackage;
use crate::model::suggest;

/// A workspace, with its configuration checked.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub root: PathBuf,
    /// Plain cargo's target folder; ours lie below it.
    pub target_dir: PathBuf,
    /// `[workspace.metadata.xtask]`.
    pub config: Config,
    /// Every package below `services/` that has a binary, by name.
    pub services: Vec<Service>,
    /// Every member.
    pub packages: Vec<PathPackage>,
}

/// A workspace without its members.
#[derive(Debug, Clone)]
pub struct Root {
    /// The folder of the workspace's Cargo.toml.
    pub dir: PathBuf,
    /// Plain cargo's target folder.
    pub target_dir: PathBuf,
    /// `[workspace.metadata.xtask]`.
    pub config: Config,
}

/// A package that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The package's name, which names its archives and object keys.
    pub name: String,
    /// The binary in it that is shipped.
    pub bin: String,
    /// The folder of its Cargo.toml.
    pub dir: PathBuf,
    /// `[package.metadata.xtask]`, or the defaults.
    pub config: ServiceConfig,
}

/// A package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The folder of its Cargo.toml.
    pub dir: PathBuf,
}

impl Workspace {
    /// Returns the services named, in the workspace's order, or all that are not to be skipped.
    pub fn select(&self, names: &[String]) -> ferror::Result<Vec<&Service>> {
        if let Some(unknown) =
            names.iter().find(|name| !self.services.iter().any(|s| s.name == **name))
        {
            let known: Vec<_> = self.services.iter().map(|service| service.name.as_str()).collect();
            let what = match known.as_slice() {
                [] => "no package below services/ has a binary".to_owned(),
                known => {
                    let near = suggest::did_you_mean(unknown, known.iter().copied());
                    format!("{near}the services are {}", known.join(", "))
                }
            };
            return Err(Error::config(format!("unknown service `{unknown}`: {what}")));
        }
        let wanted = |service: &&Service| match names {
            [] => !service.config.skip,
            names => names.contains(&service.name),
        };
        let selected: Vec<_> = self.services.iter().filter(wanted).collect();
        if selected.is_empty() {
            return Err(Error::config(format!(
                "no service in {}",
                self.root.join("services").display()
            ))
            .hint(
                "a service is a package below services/ with a binary, and without `skip = true`",
            ));
        }
        Ok(selected)
    }
}
