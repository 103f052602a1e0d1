//! The plan: all work of a `dist`, as a value, before any of it is done.
//!
//! Pure: workspace, configuration, commit and options go in, a [`Plan`] comes out. Its `Display` is
//! what `--dry-run` prints.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use ferror::{Error, Result};
use serde_json::{Value, json};

use crate::git::Commit;
use crate::platform::{PLAIN_KEY_PLATFORM, Platform};
use crate::resources::Resource;
use crate::workspace::{Service, Workspace};

/// The digits of a commit that name a version, as the old scripts had it.
const VERSION_DIGITS: usize = 6;

/// All work of one `dist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the binaries report and the object keys carry.
    pub version: String,
    /// The source.
    pub commit: Commit,
    /// The time of archive entries, seconds since 1970 UTC.
    pub entry_time: u64,
    /// `DEST/snapshot`.
    pub snapshot_dir: PathBuf,
    /// The cargo profile.
    pub profile: String,
    /// The glibc floor.
    pub glibc: String,
    /// The macOS floor.
    pub macos: String,
    /// What is built, platform by platform.
    pub steps: Vec<Step>,
}

/// The services of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The platform.
    pub platform: Platform,
    /// Its services, by name.
    pub builds: Vec<Build>,
}

/// One service on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The service, which is also cargo's package.
    pub service: String,
    /// Its binary as cargo names it.
    pub bin: String,
    /// Cargo features.
    pub features: Vec<String>,
    /// Whether the default features are off.
    pub no_default_features: bool,
    /// Where the bare binary goes, below the snapshot folder.
    pub binary: String,
    /// The archive, in the snapshot folder.
    pub file: String,
    /// The archive's one top folder.
    pub top: String,
    /// Where `upload` puts the archive.
    pub object_key: String,
    /// What is packed beside the binary, sorted.
    pub resources: Vec<Resource>,
}

/// What the command line and the environment say about a plan.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Platforms instead of the configured ones.
    pub platforms: Option<Vec<Platform>>,
    /// `--version`: 6 to 40 digits of HEAD.
    pub version: Option<String>,
    /// The folder for artifacts, absolute.
    pub dest: PathBuf,
    /// `SOURCE_DATE_EPOCH`, as it stands there.
    pub source_date_epoch: Option<String>,
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
    let version = version(&commit, request.version.as_deref())?;
    let mut by_platform: BTreeMap<Platform, Vec<Build>> = BTreeMap::new();
    for service in services {
        let platforms: Vec<Platform> = match (&service.config.platforms, &request.platforms) {
            // Asking for platforms picks among a service's own; it never adds one.
            (Some(own), Some(asked)) => own.iter().filter(|p| asked.contains(p)).copied().collect(),
            (Some(own), None) => own.clone(),
            (None, asked) => asked.as_ref().unwrap_or(&config.platforms).clone(),
        };
        for platform in platforms {
            let build = build(service, platform, &version, &config.prefix, resources);
            by_platform.entry(platform).or_default().push(build);
        }
    }
    let steps: Vec<Step> =
        by_platform.into_iter().map(|(platform, builds)| Step { platform, builds }).collect();
    if steps.is_empty() {
        return Err(Error::config(
            "nothing to build: no service named is built for the platforms named",
        )
        .hint("see `platforms` in [package.metadata.xtask] of the services"));
    }
    Ok(Plan {
        entry_time: entry_time(&commit, request.source_date_epoch.as_deref())?,
        version,
        commit,
        snapshot_dir: request.dest.join("snapshot"),
        profile: config.profile.clone(),
        glibc: config.glibc.clone(),
        macos: config.macos.clone(),
        steps,
    })
}

impl Plan {
    /// The platforms of the plan, in order.
    pub fn platforms(&self) -> impl Iterator<Item = Platform> {
        self.steps.iter().map(|step| step.platform)
    }

    /// The plan as JSON, for programs.
    pub fn to_json(&self) -> String {
        let plan = json!({
            "version": self.version,
            "commit": {
                "id": self.commit.id,
                "committed_at": self.commit.committed_at,
                "branch": self.commit.branch,
                "dirty": self.commit.dirty,
            },
            "entry_time": self.entry_time,
            "snapshot_dir": self.snapshot_dir.to_string_lossy(),
            "profile": self.profile,
            "glibc": self.glibc,
            "macos": self.macos,
            "steps": self.steps.iter().map(step_json).collect::<Vec<_>>(),
        });
        format!("{plan:#}")
    }
}

fn step_json(step: &Step) -> Value {
    json!({
        "platform": step.platform.as_str(),
        "builds": step.builds.iter().map(build_json).collect::<Vec<_>>(),
    })
}

fn build_json(build: &Build) -> Value {
    let resource = |resource: &Resource| json!({ "name": resource.name, "source": resource.source.to_string_lossy() });
    json!({
        "service": build.service,
        "bin": build.bin,
        "features": build.features,
        "no_default_features": build.no_default_features,
        "binary": build.binary,
        "file": build.file,
        "top": build.top,
        "object_key": build.object_key,
        "resources": build.resources.iter().map(resource).collect::<Vec<_>>(),
    })
}

fn version(commit: &Commit, asked: Option<&str>) -> Result<String> {
    let Some(asked) = asked else {
        return Ok(first_digits(commit, VERSION_DIGITS));
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

/// The first digits of a commit, marked when the work tree holds anything else.
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
    version: &str,
    prefix: &str,
    resources: &BTreeMap<String, Vec<Resource>>,
) -> Build {
    let name = &service.name;
    let object = if platform == PLAIN_KEY_PLATFORM {
        format!("{prefix}{name}/{name}_{version}.tar.gz")
    } else {
        format!("{prefix}{name}/{name}_{version}_{platform}.tar.gz")
    };
    Build {
        service: name.clone(),
        bin: service.bin.clone(),
        features: service.config.features.clone(),
        no_default_features: service.config.no_default_features,
        binary: format!("{platform}/{name}"),
        file: format!("{name}_{platform}.tar.gz"),
        top: format!("{name}_{platform}"),
        object_key: object,
        resources: resources.get(name).cloned().unwrap_or_default(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.commit.dirty.is_some() { "dirty" } else { "clean" };
        let branch = self.commit.branch.as_deref().unwrap_or("no branch");
        writeln!(f, "version  {}", self.version)?;
        writeln!(f, "commit   {} ({state}, {branch})", self.commit.id)?;
        writeln!(f, "into     {}", self.snapshot_dir.display())?;
        writeln!(
            f,
            "build    profile {}, glibc {}, macOS {}",
            self.profile, self.glibc, self.macos
        )?;
        for step in &self.steps {
            writeln!(f, "\n{}  {}", step.platform, step.platform.triple())?;
            for build in &step.builds {
                writeln!(f, "  {}{}", build.service, features(build))?;
                writeln!(f, "    binary   {}", build.binary)?;
                writeln!(f, "    archive  {}", build.file)?;
                for resource in &build.resources {
                    writeln!(f, "      with   {}", resource.name)?;
                }
                writeln!(f, "    object   {}", build.object_key)?;
            }
        }
        Ok(())
    }
}

fn features(build: &Build) -> String {
    let mut text = String::new();
    if build.no_default_features {
        text.push_str(", no default features");
    }
    if !build.features.is_empty() {
        text.push_str(", features ");
        text.push_str(&build.features.join(" "));
    }
    text
}

/// The folder for artifacts: the option, else the environment, else `pkg` in the workspace.
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
