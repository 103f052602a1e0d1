//! Decides for each service and platform whether it is built, or what the last build made of it is used.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use catalog::Platform;
use serde_json::{Value, json};

use crate::build::archive::Entry;
use crate::build::compile::{Allowed, Binary};
use crate::build::handed_over::{self, HandedOver};
use crate::build::key_inputs::{self, Machine};
use crate::build::outside_flags::OutsideFlags;
use crate::build::reuse::{self, Packed, Read, Record};
use crate::build::toolchain::{Identity, Toolchain};
use crate::model::build_key::{BuildKey, Input};
use crate::model::plan::{Build, Plan, Resource};
use crate::model::source_file::SourceFile;
use crate::model::sources::PathPackage;
use crate::model::workspace::{Service, Workspace};
use crate::repository::build_inputs::{self, Found, Sources};
use crate::repository::cargo_config::CargoConfig;
use crate::repository::cargo_files::{self, CargoFiles};
use crate::repository::dependencies::{self, Dependencies};
use crate::repository::manifests::Manifests;
use crate::system::env::Env;

/// The folder beside the snapshot in which `plan` leaves what it downloaded.
pub(super) const HANDED_OVER: &str = "plan";

/// The facts by which is decided what is built.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    /// The files of the repository.
    pub(super) files: &'a [SourceFile],
    /// Every package that lies in a folder.
    pub(super) packages: &'a [PathPackage],
    pub(super) cargo_config: &'a CargoConfig,
    pub(super) flags: &'a OutsideFlags,
    pub(super) manifests: &'a Manifests,
    pub(super) our_folders: &'a [&'a Path],
    pub(super) no_reuse: bool,
    /// When the first file of the repository was read.
    pub(super) started: SystemTime,
    pub(super) env: &'a Env,
}

/// The build keys of a plan.
pub(super) struct Reuse<'a> {
    request: Request<'a>,
    /// By service and platform; where nothing is known, why.
    keys: BTreeMap<(String, Platform), Result<Keyed, String>>,
}

struct Keyed {
    /// Why there is none, where some inputs are not known.
    key: Result<BuildKey, String>,
    found: Found,
}

/// A decision about one service on one platform.
pub(super) struct Decision {
    pub(super) source: Source,
    because: String,
    key: Option<String>,
}

/// The source of an archive.
pub(super) enum Source {
    /// From cargo.
    Build,
    /// From the binary of the last build, before its stamp.
    Linked(Record, Vec<u8>),
    /// It is there.
    Archive(Record),
    /// From a published binary that `plan` downloaded.
    Published(Box<HandedOver>),
}

/// A decision in words.
pub(super) struct Why {
    service: String,
    platform: Platform,
    outcome: &'static str,
    because: String,
    key: Option<String>,
}

impl<'a> Reuse<'a> {
    /// Reads the inputs of every service. What cannot be read is built, and fails there for the same reason.
    pub(super) fn read(request: &Request<'a>, toolchains: &[Identity]) -> Self {
        let Request { workspace, plan, files, flags, manifests, env, .. } = *request;
        let mut keys = BTreeMap::new();
        let Some(first) = toolchains.first() else { return Self { request: *request, keys } };
        let services: Vec<&Service> = workspace
            .services
            .iter()
            .filter(|service| {
                let mut builds = plan.steps.iter().flat_map(|step| &step.builds);
                builds.any(|build| build.service == service.name)
            })
            .collect();
        let platforms: Vec<_> = plan.platforms().collect();
        let read = dependencies::read(&dependencies::Request {
            workspace,
            services: &services,
            platforms: &platforms,
            host: &first.compiler.host,
            manifests,
            env,
        });
        let (dependencies, why_none) = match read {
            Ok(dependencies) => (dependencies, None),
            Err(error) => (Dependencies::default(), Some(format!("{error:#}"))),
        };
        let sources = Sources::new(workspace, files, &flags.repository_files, &dependencies);
        let machine = Machine::read(env);
        for (step, toolchain) in plan.steps.iter().filter_map(|step| {
            let is_for = |toolchain: &&Identity| toolchain.platform == step.platform;
            Some((step, toolchains.iter().find(is_for)?))
        }) {
            for build in &step.builds {
                let key = || -> anyhow::Result<Keyed> {
                    if let Some(why) = &why_none {
                        anyhow::bail!("{why}");
                    }
                    let sources = sources.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                    let service = services.iter().find(|service| service.name == build.service);
                    let service = service.expect("a plan is made of services");
                    let mut found = sources.of(service, step.platform, env)?;
                    let digest = flags.digest.as_deref();
                    let mut inputs = std::mem::take(&mut found.inputs);
                    inputs.extend(key_inputs::of(build, plan, toolchain, &machine, digest, env));
                    let key = sources.why_not_all(&found).map_or(Ok(BuildKey::new(inputs)), Err);
                    Ok(Keyed { key, found })
                };
                let key = key().map_err(|error| format!("{error:#}"));
                keys.insert((build.service.clone(), step.platform), key);
            }
        }
        Self { request: *request, keys }
    }

    /// Finds what cargo itself reads.
    pub(super) fn cargo_files(&self) -> CargoFiles {
        let Request { workspace, packages, cargo_config, env, .. } = self.request;
        cargo_files::find(workspace, packages, cargo_config, env)
    }

    /// Returns what the build of a service may read in the sandbox: what its key is made of, and what cargo reads; or why
    /// it is built without the sandbox.
    pub(super) fn allowed(
        &self,
        build: &Build,
        platform: Platform,
        cargo_files: &CargoFiles,
    ) -> Result<Allowed, String> {
        let CargoFiles { paths, folders, no_sandbox } = cargo_files;
        let Keyed { found, .. } = self.keyed(build, platform)?;
        if let Some(reason) = no_sandbox {
            return Err(reason.clone());
        }
        if let Some(package) = &found.no_sandbox {
            return Err(says_no_sandbox(package));
        }
        let mut outside = Vec::new();
        for dir in &found.outside {
            let files = build_inputs::readable_outside(dir, self.request.env);
            outside.extend(files.map_err(|error| format!("{error:#}"))?);
        }
        Ok(Allowed {
            paths: found.readable.iter().chain(paths).cloned().chain(outside).collect(),
            folders: folders.clone(),
            variables: found.variables.clone(),
        })
    }

    /// Returns whether the key of a service has what the build read, as far as cargo knows. Some of what cargo reads is
    /// readable in the sandbox, and not in the key.
    pub(super) fn is_keyed(
        &self,
        build: &Build,
        platform: Platform,
        binary: &Binary,
        cargo_files: &CargoFiles,
    ) -> bool {
        let (Ok(keyed), Some(observed)) = (self.keyed(build, platform), &binary.observed) else {
            return false;
        };
        if keyed.key.is_err() {
            return false;
        }
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let of_cargo: Vec<_> = cargo_files.paths.iter().map(real).collect();
        observed.paths.iter().map(real).all(|path| {
            keyed.found.files.contains(&path) || !of_cargo.iter().any(|it| path.starts_with(it))
        })
    }

    fn keyed(&self, build: &Build, platform: Platform) -> Result<&Keyed, String> {
        let keyed = self.keys.get(&(build.service.clone(), platform));
        match keyed {
            Some(Ok(keyed)) => Ok(keyed),
            Some(Err(why)) => Err(why.clone()),
            None => Err("its inputs are not known".to_owned()),
        }
    }

    /// Returns the build key of a service, or why it has none.
    pub(super) fn key(&self, build: &Build, platform: Platform) -> Result<String, String> {
        self.keyed(build, platform)?.key.as_ref().map(BuildKey::digest).map_err(Clone::clone)
    }

    /// Returns the numbers of the packages that are compiled for a service; none where they are not known.
    pub(super) fn packages(&self, build: &Build, platform: Platform) -> Vec<usize> {
        self.keyed(build, platform).map(|keyed| keyed.found.packages.clone()).unwrap_or_default()
    }

    /// Decides about one service.
    pub(super) fn decide(&self, build: &Build, toolchain: &Toolchain) -> Decision {
        let keyed = self.keyed(build, toolchain.platform);
        let both = keyed.and_then(|keyed| Ok((keyed.key.as_ref().map_err(Clone::clone)?, keyed)));
        let key = both.as_ref().ok().map(|(key, _)| key.digest());
        let (source, because) = match both {
            Err(why) => (Source::Build, why),
            Ok(_) if self.request.no_reuse => (Source::Build, "--no-reuse".to_owned()),
            Ok((_, Keyed { found: Found { no_sandbox: Some(package), .. }, .. })) => {
                (Source::Build, says_no_sandbox(package))
            }
            Ok((key, _)) => match self.look(build, toolchain, key) {
                (Source::Build, because) => {
                    self.look_at_handed_over(build, toolchain.platform, key, because)
                }
                found => found,
            },
        };
        Decision { source, because, key }
    }

    /// Looks at what `plan` downloaded, where this machine has no binary `because` of something.
    fn look_at_handed_over(
        &self,
        build: &Build,
        platform: Platform,
        key: &BuildKey,
        because: String,
    ) -> (Source, String) {
        let folder = handed_over_dir(self.request.plan);
        match handed_over::read(&folder, &key.digest(), &build.service, platform) {
            Ok(None) => (Source::Build, because),
            Ok(Some(found)) => {
                let because = format!("same program as {}", found.version);
                (Source::Published(Box::new(found)), because)
            }
            Err(error) => (Source::Build, format!("{error:#}")),
        }
    }

    /// Looks at what the last build left.
    fn look(&self, build: &Build, toolchain: &Toolchain, key: &BuildKey) -> (Source, String) {
        let Request { plan, our_folders, env, .. } = self.request;
        let path = reuse::path(toolchain, &plan.profile, &build.service);
        let Some(record) = Record::read(&path) else {
            return (Source::Build, "no build of it is known here".to_owned());
        };
        let root = &toolchain.workspace_root;
        match record.difference(root, key, our_folders, env) {
            Ok(None) => {}
            Ok(Some(input)) => return (Source::Build, input),
            Err(error) => return (Source::Build, format!("{error:#}")),
        }
        let pack_key = match resources(build) {
            Ok(entries) => pack_key(plan, toolchain.platform, build, &entries),
            Err(error) => return (Source::Build, format!("{error:#}")),
        };
        let archive = plan.snapshot_dir.join(&build.file);
        if record.is_there(&pack_key, &archive, &plan.snapshot_dir.join(&build.binary)) {
            return (Source::Archive(record), "nothing differs".to_owned());
        }
        let Some(image) = record.image() else {
            let linked = record.linked.display();
            return (Source::Build, format!("{linked} is not what the last build made"));
        };
        let because = pack_key.difference(&record.packed.key);
        let because = because.unwrap_or_else(|| format!("{} is not there", build.file));
        (Source::Linked(record, image), because)
    }

    /// Makes the record of a build, without what is packed of it. `None` where the next `dist` has to ask cargo again:
    /// not everything is known that was read, or some of it changed meanwhile.
    pub(super) fn record(
        &self,
        build: &Build,
        toolchain: &Toolchain,
        binary: &Binary,
        is_keyed: bool,
    ) -> anyhow::Result<Option<Record>> {
        let Request { our_folders, started, env, .. } = self.request;
        let Ok(Keyed { key: Ok(key), found }) = self.keyed(build, toolchain.platform) else {
            return Ok(None);
        };
        let Some(observed) = &binary.observed else { return Ok(None) };
        let read = Read::of(observed, &found.files, our_folders, started, env)?;
        Ok(read.map(|read| Record {
            root: toolchain.workspace_root.clone(),
            program: reuse::program(),
            key: key.clone(),
            read,
            linked: binary.path.clone(),
            unstamped_sha256: String::new(),
            has_openssl: binary.has_openssl,
            sandboxed: binary.sandboxed,
            is_keyed,
            unchecked_symbols: Vec::new(),
            packed: Packed::default(),
        }))
    }
}

/// Returns the folder in which `plan` leaves what it downloaded, beside the snapshot.
pub(super) fn handed_over_dir(plan: &Plan) -> PathBuf {
    plan.snapshot_dir.with_file_name(HANDED_OVER)
}

fn says_no_sandbox(package: &str) -> String {
    format!("sandbox = false of {package}")
}

/// Reads the files that are packed beside a binary.
pub(super) fn resources(build: &Build) -> anyhow::Result<Vec<Entry>> {
    let read = |resource: &Resource| {
        let bytes = std::fs::read(&resource.source)
            .with_context(|| format!("reading {}", resource.source.display()))?;
        Ok(Entry { name: resource.name.clone(), executable: resource.executable, bytes })
    };
    build.resources.iter().map(read).collect()
}

/// Returns what an archive is made of besides the binary and xtask.
pub(super) fn pack_key(
    plan: &Plan,
    platform: Platform,
    build: &Build,
    resources: &[Entry],
) -> BuildKey {
    let Plan { version, commit, entry_time, requirements, .. } = plan;
    let mut inputs = vec![
        Input::versioned("version", version, commit.id.as_bytes()),
        Input::versioned("time of the commit", &commit.committed_at.to_string(), b""),
        Input::versioned("time of entries", &entry_time.to_string(), b""),
        Input::versioned("platform", platform.as_str(), b""),
        Input::versioned("folder", &build.top, b""),
        Input::of("requirements", format!("{requirements:?}").as_bytes()),
    ];
    inputs.extend(resources.iter().map(|entry| {
        let kind = if entry.executable { b"x" } else { b"f" };
        Input::of(format!("packed {}", entry.name), &[kind, &entry.bytes[..]].concat())
    }));
    BuildKey::new(inputs)
}

impl Decision {
    /// Returns the decision in words.
    pub(super) fn why(&self, build: &Build, platform: Platform) -> Why {
        let outcome = match self.source {
            Source::Build => "built",
            Source::Linked(..) | Source::Published(_) => "reused",
            Source::Archive(_) => "kept",
        };
        let (because, key) = (self.because.clone(), self.key.clone());
        Why { service: build.service.clone(), platform, outcome, because, key }
    }
}

impl Why {
    /// Returns that a service is built: it has no `key`, or its toolchain cannot be had because of `error`.
    pub(super) fn built(
        build: &Build,
        platform: Platform,
        key: Result<String, String>,
        error: &anyhow::Error,
    ) -> Self {
        let (key, because) = match key {
            Ok(key) => (Some(key), format!("{error:#}")),
            Err(why) => (None, why),
        };
        Self { service: build.service.clone(), platform, outcome: "built", because, key }
    }

    /// Returns it for programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "service": self.service,
            "platform": self.platform.as_str(),
            "outcome": self.outcome,
            "because": self.because,
            "key": self.key,
        })
    }
}

/// `built   billing for linux_amd64: services/billing/src/main.rs`.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, platform, outcome, because, .. } = self;
        write!(f, "{outcome:<7} {service} for {platform}: {because}")
    }
}
