//! The plan: all work of a `dist`, as a value, before any of it is done.
//!
//! Pure: workspace, configuration, commit and options go in, a [`Plan`] comes out. Its `Display` is
//! what `--dry-run` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use catalog::{Arch, Names, Os, Platform, archive_key, check_distinct, manifest_key};
use ferror::{Error, Result};

use crate::model::commit::Commit;
use crate::model::config::{BinaryCheck, Config};
use crate::model::native::{Need, Tool};
use crate::model::shard::{self, Costs, Part, Shard};
use crate::model::workspace::{Service, Workspace};

mod show;

/// The least digits of a commit that name a version, as the old scripts had it.
const VERSION_DIGITS: usize = 6;

/// The work of one `dist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The version that the binaries report and the object keys carry.
    pub version: String,
    /// The source.
    pub commit: Commit,
    /// The time of archive entries, seconds since 1970 UTC.
    pub entry_time: u64,
    /// `DEST/snapshot`.
    pub snapshot_dir: PathBuf,
    /// The cargo profile.
    pub profile: String,
    /// What each finished binary is compared with.
    pub requirements: Requirements,
    /// What comes from outside the repository and may change the bytes.
    pub outside_flags: Vec<String>,
    /// The compiler that the repository pins.
    pub pin: String,
    /// The compiler that would build, where it is known to be another one.
    pub other_compiler: Option<String>,
    /// The beginning of every object key, where a template gives them: then it does not show in
    /// them, and `upload` has to be told where the manifest objects go.
    pub prefix: Option<String>,
    /// The folders of packages that are compiled and no part of the repository, relative to the
    /// workspace's root.
    pub outside_sources: Vec<PathBuf>,
    /// What builds use besides compiler and linker.
    pub tools: Vec<Tool>,
    /// The builds, platform by platform; this machine's first.
    pub steps: Vec<Step>,
    /// Which part of the builds these are, where several machines share them.
    pub part: Option<Part>,
}

/// What a finished binary may need from the machine that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// The glibc floor, of the platforms that use glibc.
    pub glibc: String,
    /// The macOS floor.
    pub macos: String,
    /// Shared libraries that it may load besides those of every system.
    pub system_libraries: Vec<String>,
    /// What is not compared.
    pub skip_checks: Vec<BinaryCheck>,
}

/// The services of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The platform.
    pub platform: Platform,
    /// Its services, by name.
    pub builds: Vec<Build>,
}

/// A file that is packed beside the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its path in the archive's top folder: the path below the folder whose pattern named it.
    pub name: String,
    /// The file to pack.
    pub source: PathBuf,
    /// Whether its mode in the archive is 0755 rather than 0644.
    pub executable: bool,
}

/// One service on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The service.
    pub service: String,
    /// Cargo's package.
    pub package: String,
    /// Its binary as cargo names it.
    pub bin: String,
    /// Cargo features.
    pub features: Vec<String>,
    /// Whether the default features are off.
    pub no_default_features: bool,
    /// The path of the bare binary below the snapshot folder.
    pub binary: String,
    /// The archive, in the snapshot folder.
    pub file: String,
    /// The archive's one top folder.
    pub top: String,
    /// The object key of the archive.
    pub object_key: String,
    /// The files packed beside the binary, sorted.
    pub resources: Vec<Resource>,
    /// What the build scripts of its dependencies need.
    pub needs: BTreeSet<Need>,
}

/// The options of a plan, from the command line and the environment.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Platforms instead of the configured ones.
    pub platforms: Option<Vec<Platform>>,
    /// `--version`: 6 to 40 digits of HEAD.
    pub version: Option<String>,
    /// The folder for artifacts, absolute.
    pub dest: PathBuf,
    /// The folders of packages that are no part of the repository.
    pub outside_sources: Vec<PathBuf>,
    /// `SOURCE_DATE_EPOCH`, as it stands there.
    pub source_date_epoch: Option<String>,
    /// What comes from outside the repository and may change the bytes.
    pub outside_flags: Vec<String>,
    /// The compiler that the repository pins.
    pub pin: String,
    /// The compiler that would build, where it is known to be another one.
    pub other_compiler: Option<String>,
    /// What the build scripts of each service need on each platform.
    pub needs: BTreeMap<(String, Platform), BTreeSet<Need>>,
    /// What builds use besides compiler and linker.
    pub tools: Vec<Tool>,
    /// The operating system and the processor of this machine, whose platforms come first.
    pub host: Option<(Os, Arch)>,
}

/// Plans `services` of `workspace` at `commit`. `resources` are each service's, by name.
pub fn plan(
    workspace: &Workspace,
    services: &[&Service],
    resources: &BTreeMap<String, Vec<Resource>>,
    commit: Commit,
    request: &Request,
) -> Result<Plan> {
    let config = &workspace.config;
    check_version_shows(config, request.version.as_deref())?;
    let digits = workspace.config.version_digits;
    let version = version(&commit, request.version.as_deref(), digits)?;
    let mut by_platform: BTreeMap<Platform, Vec<Build>> = BTreeMap::new();
    for service in services {
        check_name(service)?;
        for platform in platforms(config, service, request.platforms.as_deref()) {
            let object_key = object_key(config, service, platform, &version, &commit)?;
            let mut build = build(service, platform, object_key, resources);
            let needs = request.needs.get(&(service.name.clone(), platform));
            build.needs = needs.cloned().unwrap_or_default();
            by_platform.entry(platform).or_default().push(build);
        }
    }
    let mut steps: Vec<Step> =
        by_platform.into_iter().map(|(platform, builds)| Step { platform, builds }).collect();
    // What can be started here is there first.
    let is_of_host = |platform: Platform| Some((platform.os, platform.arch)) == request.host;
    steps.sort_by_key(|step| !is_of_host(step.platform));
    if steps.is_empty() {
        return Err(Error::config(
            "nothing to build: no service named is built for the platforms named",
        )
        .hint("see `platforms` in [package.metadata.xtask] of the services"));
    }
    check_object_keys(&steps, &config.prefix, &version)?;
    Ok(Plan {
        entry_time: entry_time(&commit, request.source_date_epoch.as_deref())?,
        version,
        commit,
        snapshot_dir: request.dest.join("snapshot"),
        profile: config.profile.clone(),
        requirements: Requirements {
            glibc: config.glibc.clone(),
            macos: config.macos.clone(),
            system_libraries: config.system_libraries.clone(),
            skip_checks: config.skip_checks.clone(),
        },
        outside_flags: request.outside_flags.clone(),
        pin: request.pin.clone(),
        other_compiler: request.other_compiler.clone(),
        prefix: config.object_key.is_some().then(|| config.prefix.clone()),
        outside_sources: request.outside_sources.clone(),
        tools: request.tools.clone(),
        steps,
        part: None,
    })
}

/// Returns the platforms that a service is built for where `asked` are asked for.
pub fn platforms(config: &Config, service: &Service, asked: Option<&[Platform]>) -> Vec<Platform> {
    match (&service.config.platforms, asked) {
        // Asking for platforms picks among a service's own; it never adds one.
        (Some(own), Some(asked)) => own.iter().filter(|p| asked.contains(p)).copied().collect(),
        (Some(own), None) => own.clone(),
        (None, asked) => asked.unwrap_or(&config.platforms).to_owned(),
    }
}

impl Plan {
    /// Returns the platforms of the plan, in order.
    pub fn platforms(&self) -> impl Iterator<Item = Platform> {
        self.steps.iter().map(|step| step.platform)
    }

    /// Leaves the builds of one machine, where several share the plan.
    pub fn take(&mut self, shard: Shard, costs: &Costs) {
        let mut all = Vec::new();
        for step in &self.steps {
            all.extend(step.builds.iter().map(|build| (build.service.as_str(), step.platform)));
        }
        let split = shard::split(&all, costs, shard.total);
        for step in &mut self.steps {
            let own = split
                .iter()
                .filter(|one| one.shard == shard.number && one.platform == step.platform);
            let own: BTreeSet<_> = own.map(|one| one.service.as_str()).collect();
            step.builds.retain(|build| own.contains(build.service.as_str()));
        }
        self.steps.retain(|step| !step.builds.is_empty());
        self.part = Some(Part { shard, split });
    }

    /// Returns the machine that makes this part of the plan, where several share it.
    pub fn shard(&self) -> Option<Shard> {
        self.part.as_ref().map(|part| part.shard)
    }

    /// Returns what any of the builds needs.
    pub fn needs(&self) -> BTreeSet<Need> {
        let builds = self.steps.iter().flat_map(|step| &step.builds);
        builds.flat_map(|build| &build.needs).copied().collect()
    }
}

/// Refuses keys without the version where a commit has several, each stamped into its own artifacts.
fn check_version_shows(config: &Config, asked: Option<&str>) -> Result<()> {
    match (&config.object_key, asked) {
        (Some(template), Some(asked)) if !template.has_version() => Err(Error::config(format!(
            "--version {asked}: object-key has no {{version}}, so two versions of one commit would overwrite each other"
        ))
        .hint("put {version} into object-key in [workspace.metadata.xtask]")),
        _ => Ok(()),
    }
}

/// Refuses a name that no manifest may have: `upload` would refuse it after all is built.
fn check_name(Service { name, package, .. }: &Service) -> Result<()> {
    if catalog::is_service(name) {
        return Ok(());
    }
    Err(Error::config(format!(
        "service {name}: the name cannot be a folder of the bucket: expected 1 to 64 ASCII letters, digits, `-` and `_`, and not `channels`, `keys` or `verified`"
    ))
    .hint(format!(
        "give it another name: `name` in [package.metadata.xtask] of {package}, or in \
         [package.metadata.xtask.binaries.BINARY] where the package ships several"
    )))
}

fn version(commit: &Commit, asked: Option<&str>, digits: usize) -> Result<String> {
    let Some(asked) = asked else {
        return Ok(first_digits(commit, digits));
    };
    let is_hex = asked.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || !(VERSION_DIGITS..=40).contains(&asked.len()) {
        return Err(Error::usage(format!(
            "--version {asked}: expected 6 to 40 hex digits of HEAD"
        )));
    }
    if !commit.id.starts_with(&asked.to_ascii_lowercase()) {
        return Err(Error::config(format!("--version {asked}: HEAD is {}", commit.id))
            .hint("check out the commit to build; a version is always its commit's name"));
    }
    Ok(first_digits(commit, asked.len()))
}

/// Returns the first digits of a commit, marked when the work tree holds anything else.
fn first_digits(commit: &Commit, digits: usize) -> String {
    let short = &commit.id[..digits.min(commit.id.len())];
    match &commit.dirty {
        None => short.to_owned(),
        Some(content) => format!("{short}-dirty.{content}"),
    }
}

fn entry_time(commit: &Commit, source_date_epoch: Option<&str>) -> Result<u64> {
    match source_date_epoch {
        None => Ok(u64::try_from(commit.committed_at).unwrap_or(0)),
        Some(text) => text.trim().parse().map_err(|error| {
            Error::config(format!("SOURCE_DATE_EPOCH={text}: expected seconds since 1970 UTC"))
                .caused_by(error)
        }),
    }
}

fn build(
    service: &Service,
    platform: Platform,
    object_key: String,
    resources: &BTreeMap<String, Vec<Resource>>,
) -> Build {
    let name = &service.name;
    Build {
        service: name.clone(),
        package: service.package.clone(),
        bin: service.bin.clone(),
        features: service.config.features.clone(),
        no_default_features: service.config.no_default_features,
        binary: format!("{platform}/{name}"),
        file: file(name, platform),
        top: format!("{name}_{platform}"),
        object_key,
        resources: resources.get(name).cloned().unwrap_or_default(),
        needs: BTreeSet::new(),
    }
}

fn file(service: &str, platform: Platform) -> String {
    format!("{service}_{platform}.tar.gz")
}

fn object_key(
    config: &Config,
    service: &Service,
    platform: Platform,
    version: &str,
    commit: &Commit,
) -> Result<String> {
    let file = file(&service.name, platform);
    let commit = first_digits(commit, commit.id.len());
    let names = Names { service: &service.name, version, commit: &commit, platform, file: &file };
    archive_key(config.object_key.as_ref(), &config.prefix, &names)
}

/// Checks that nothing in a plan overwrites anything else in it.
fn check_object_keys(steps: &[Step], prefix: &str, version: &str) -> Result<()> {
    let builds = || steps.iter().flat_map(|step| &step.builds);
    let manifest_objects: BTreeSet<_> =
        builds().map(|build| manifest_key(prefix, &build.service, version)).collect();
    let archives = builds().map(|build| (build.file.as_str(), build.object_key.as_str()));
    check_distinct(archives, &manifest_objects)
}

/// Returns the folder for artifacts: the option, else the environment, else `pkg` in the workspace.
///
/// An option is relative to the folder it was typed in; the others to the workspace's root.
pub fn dest(
    option: Option<&Path>,
    current_dir: &Path,
    variable: Option<&str>,
    root: &Path,
) -> PathBuf {
    match (option, variable) {
        (Some(option), _) => current_dir.join(option),
        (None, Some(variable)) => root.join(variable),
        (None, None) => root.join("pkg"),
    }
}

#[cfg(test)]
mod tests;
