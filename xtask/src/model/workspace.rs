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
    /// The binaries that are shipped, by name.
    pub services: Vec<Service>,
    /// The entries of `services` in the table by which every binary of the workspace would be shipped.
    pub possible_entries: Vec<String>,
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

/// A binary that is shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of its archives and in its object keys.
    pub name: String,
    /// Its package.
    pub package: String,
    /// Its binary, as cargo names it.
    pub bin: String,
    /// The folder of the package's Cargo.toml.
    pub dir: PathBuf,
    /// What the package's table says of it, or the defaults.
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
        if self.services.is_empty() {
            return Err(self.no_services());
        }
        if let Some(unknown) =
            names.iter().find(|name| !self.services.iter().any(|s| s.name == **name))
        {
            return Err(self.unknown_service(unknown));
        }
        let wanted = |service: &&Service| match names {
            [] => !service.config.skip,
            names => names.contains(&service.name),
        };
        let selected: Vec<_> = self.services.iter().filter(wanted).collect();
        if selected.is_empty() {
            return Err(Error::config("nothing to build: every service has `skip = true`")
                .hint(format!("name one: the services are {}", self.service_names())));
        }
        Ok(selected)
    }

    fn service_names(&self) -> String {
        let names: Vec<_> = self.services.iter().map(|service| service.name.as_str()).collect();
        names.join(", ")
    }

    fn unknown_service(&self, unknown: &str) -> Error {
        let known = self.services.iter().map(|service| service.name.as_str());
        let near = suggest::did_you_mean(unknown, known);
        let names = self.service_names();
        let error =
            Error::config(format!("unknown service `{unknown}`: {near}the services are {names}"));
        let is_it = |entry: &&String| entry.split(':').any(|part| part == unknown);
        match self.possible_entries.iter().find(is_it) {
            Some(entry) => error.hint(format!(
                "the workspace has such a binary: add {entry:?} to `services` in [workspace.metadata.xtask], or build \
                 the service that ships it"
            )),
            None => error,
        }
    }

    fn no_services(&self) -> Error {
        let why = match &self.config.services {
            None => format!(
                "no services: no package below {} has a binary",
                self.root.join("services").display()
            ),
            Some(_) => "no services: `services` in [workspace.metadata.xtask] is empty".to_owned(),
        };
        if self.possible_entries.is_empty() {
            return Error::config(why).hint(
                "no package of this workspace has a binary; a service is a binary of a package",
            );
        }
        let entries: Vec<_> = self.possible_entries.iter().map(|e| format!("{e:?}")).collect();
        Error::config(why).hint(format!(
            "say below [workspace.metadata.xtask] in {} which binaries are shipped; those of this workspace are\n  \
             services = [{}]",
            self.root.join("Cargo.toml").display(),
            entries.join(", ")
        ))
    }
}
