//! Shows a plan to people (`--dry-run`) and to programs (`--json`).

use std::fmt;

use catalog::Platform;
use serde_json::{Value, json};

use super::{Build, Plan, Step};
use crate::model::native::Tool;
use crate::model::plan::Resource;

impl Plan {
    /// Returns the plan as JSON, for programs.
    pub fn to_json(&self) -> Value {
        json!({
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
            "glibc": self.glibc(),
            "macos": self.requirements.macos,
            "outside_sources":
                self.outside_sources.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
            "outside_flags": self.outside_flags,
            "pin": self.pin,
            "other_compiler": self.other_compiler,
            "system_libraries": self.requirements.system_libraries,
            "tools": self.tools.iter().map(Tool::to_json).collect::<Vec<_>>(),
            "steps": self.steps.iter().map(step_json).collect::<Vec<_>>(),
            "shard": self.shard().map(|shard| shard.to_string()),
        })
    }

    /// Returns the glibc floor, where a platform of the plan uses glibc.
    fn glibc(&self) -> Option<&str> {
        self.platforms().any(Platform::uses_glibc).then_some(self.requirements.glibc.as_str())
    }
}

fn step_json(step: &Step) -> Value {
    json!({
        "platform": step.platform.as_str(),
        "builds": step.builds.iter().map(build_json).collect::<Vec<_>>(),
    })
}

fn build_json(build: &Build) -> Value {
    let resource = |resource: &Resource| {
        json!({
            "name": resource.name,
            "source": resource.source.to_string_lossy(),
            "executable": resource.executable,
        })
    };
    json!({
        "service": build.service,
        "package": build.package,
        "bin": build.bin,
        "features": build.features,
        "no_default_features": build.no_default_features,
        "binary": build.binary,
        "file": build.file,
        "top": build.top,
        "object_key": build.object_key,
        "resources": build.resources.iter().map(resource).collect::<Vec<_>>(),
        "needs": build.needs.iter().map(|need| need.name()).collect::<Vec<_>>(),
    })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.commit.dirty.is_some() { "dirty" } else { "clean" };
        let branch = self.commit.branch.as_deref().unwrap_or("no branch");
        writeln!(f, "version  {}", self.version)?;
        writeln!(f, "commit   {} ({state}, {branch})", self.commit.id)?;
        writeln!(f, "into     {}", self.snapshot_dir.display())?;
        write!(f, "build    profile {}", self.profile)?;
        if let Some(glibc) = self.glibc() {
            write!(f, ", glibc {glibc}")?;
        }
        writeln!(f, ", macOS {}", self.requirements.macos)?;
        if let Some(compiler) = &self.other_compiler {
            writeln!(f, "another compiler than the pin {}: {compiler}", self.pin)?;
        }
        for path in &self.outside_sources {
            writeln!(f, "outside the repository: {}", path.display())?;
        }
        for flag in &self.outside_flags {
            writeln!(f, "flag from outside the repository: {flag}")?;
        }
        for library in &self.requirements.system_libraries {
            writeln!(f, "allowed  {library}, which is not part of every system")?;
        }
        for tool in &self.tools {
            writeln!(f, "tool     {tool}")?;
        }
        if let Some(part) = &self.part {
            writeln!(f, "shard    {}: {}", part.shard, part.count())?;
        }
        for step in &self.steps {
            let note = if step.platform.musl { ", static" } else { "" };
            writeln!(f, "\n{}  {}{note}", step.platform, step.platform.triple())?;
            for build in &step.builds {
                writeln!(f, "  {}{}{}", build.service, source(build), features(build))?;
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

/// Names binary and package, where the service does not have the package's name.
fn source(build: &Build) -> String {
    if build.package == build.service {
        return String::new();
    }
    format!(", binary {} of {}", build.bin, build.package)
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
