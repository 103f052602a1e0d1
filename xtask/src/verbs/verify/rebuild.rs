//! Builds a commit in a clean folder, by the `cargo xtask` of that commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use catalog::{Artifact, MANIFEST_FILE, Manifest, json};
use ferror::{Error, Kind};

use crate::repository::clean_checkout::{self, Checkout};
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, process};

/// Variables of CI that speak of the commit here, and not of the one that is built, or would have `dist` make a part; those
/// that name a target folder; and those that have another program run rustc, such as one that takes compiled crates from others.
const NOT_INHERITED: [&str; 11] = [
    "CIRCLE_SHA1",
    "CIRCLE_BRANCH",
    "CIRCLE_ARTIFACTS",
    "CIRCLE_NODE_INDEX",
    "CIRCLE_NODE_TOTAL",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_BUILD_DIR",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// What a commit's own `dist` made.
pub(super) struct Built {
    /// The folder of the archives.
    pub(super) snapshot_dir: PathBuf,
    manifest: Manifest,
}

impl Built {
    /// Returns what was built for the service and platform of a published artifact.
    pub(super) fn artifact(&self, published: &Artifact) -> anyhow::Result<&Artifact> {
        let is_it = |built: &&Artifact| {
            (&built.service, &built.platform) == (&published.service, &published.platform)
        };
        self.manifest.artifacts.iter().find(is_it).ok_or_else(|| {
            let Artifact { service, platform, .. } = published;
            let message = format!("`dist` of the commit made nothing of {service} for {platform}");
            Error::new(Kind::Failed, message)
                .hint("the release has an artifact that its commit does not plan: look at its manifest object")
                .into()
        })
    }
}

/// Checks `commit` out below `dir`, and builds the services and platforms of `wanted` there as `version`.
pub(super) fn rebuild(
    commit: &str,
    version: &str,
    wanted: &[&Artifact],
    dir: &Path,
    root: &Path,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Built> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    ui.say("checking out", format_args!("{version} into {}", dir.display()));
    let Checkout { workspace, left_out } =
        clean_checkout::make(commit, root, &dir.join("repository"), env)?;
    for submodule in left_out {
        ui.warn(format_args!(
            "the submodule {0} is left out, because it is not checked out here: `git submodule update --init {0}`",
            submodule.display()
        ));
    }
    // What the table here passes on may be the credentials that write receipts.
    let mut env_of_build = env.clone();
    env_of_build.pass_env.clear();
    let cargo = |arguments: &[&str]| {
        let mut command = child_env::tool_in(&workspace, "cargo", &env_of_build);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.env("CARGO_TARGET_DIR", dir.join("target"));
        command.arg(env.alias()).args(arguments).stdin(Stdio::null());
        command
    };
    ui.say("building", format_args!("xtask of {version}"));
    check_xtask(&mut cargo(&["dist", "--help"]), commit)?;
    // Where object keys have no version, `dist` takes no other than its own.
    let usual = usual_version(&mut cargo(&["dist", "--dry-run", "--json"]), wanted)?;
    let as_version = if usual == version { vec![] } else { vec!["--version", version] };

    let dest = dir.join("built");
    // One call for services of the same platforms: mostly one for all.
    let mut platforms = BTreeMap::<&str, BTreeSet<&str>>::new();
    for artifact in wanted {
        platforms.entry(&artifact.service).or_default().insert(&artifact.platform);
    }
    let mut calls = BTreeMap::<_, Vec<&str>>::new();
    for (service, platforms) in platforms {
        calls.entry(platforms).or_default().push(service);
    }
    for (platforms, services) in calls {
        let platforms = platforms.into_iter().collect::<Vec<_>>().join(" ");
        ui.say("building", format_args!("{} for {platforms}, as {version}", services.join(", ")));
        let mut command = cargo(&["dist", "--no-reuse", "--platforms", &platforms]);
        command.args(&as_version).arg("--dest").arg(&dest).args(services);
        run(command.stdout(Stdio::null()), commit)?;
    }
    let snapshot_dir = dest.join("snapshot");
    let manifest = read_manifest(&snapshot_dir.join(MANIFEST_FILE), commit, version)?;
    warn_of_no_sandbox(&manifest, ui);
    Ok(Built { snapshot_dir, manifest })
}

/// Fails where the commit has no `cargo xtask`, or one whose `dist` reuses what others built.
fn check_xtask(help: &mut Command, commit: &str) -> anyhow::Result<()> {
    let line = process::command_line(help);
    let output = process::output(help).with_context(|| format!("running `{line}`"))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        let message = format!("the xtask of commit {commit} does not run: `{line}` failed");
        return Err(Error::new(Kind::Failed, format!("{message}:\n{last}"))
            .hint("a release can be verified if its commit has the alias of `cargo xtask` and builds with what is here")
            .into());
    }
    if String::from_utf8_lossy(&output.stdout).contains("--no-reuse") {
        return Ok(());
    }
    let message = format!("the xtask of commit {commit} does not know `dist --no-reuse`");
    Err(Error::config(message)
        .hint("it is older than that option, so the release cannot be verified: name a newer one")
        .into())
}

/// Returns the version that `dist` gives to the commit if it is not told another one.
fn usual_version(plan: &mut Command, wanted: &[&Artifact]) -> anyhow::Result<String> {
    let platforms: BTreeSet<_> = wanted.iter().map(|artifact| &*artifact.platform).collect();
    let services: BTreeSet<_> = wanted.iter().map(|artifact| &*artifact.service).collect();
    plan.args(["--platforms", &platforms.into_iter().collect::<Vec<_>>().join(" ")]).args(services);
    let line = process::command_line(plan);
    let output = process::spawn(plan.stdout(Stdio::piped()))
        .and_then(process::Running::output)
        .with_context(|| format!("running `{line}`"))?;
    if !output.status.success() {
        let message =
            format!("the plan of the commit cannot be made: `{line}` failed ({})", output.status);
        return Err(Error::new(Kind::Failed, message).hint("its messages above say why").into());
    }
    let document =
        json::parse(&output.stdout).with_context(|| format!("reading what `{line}` printed"))?;
    Ok(document["version"].as_str().unwrap_or_default().to_owned())
}

fn run(command: &mut Command, commit: &str) -> anyhow::Result<()> {
    let line = process::command_line(command);
    let status = process::spawn(command)
        .and_then(process::Running::wait)
        .with_context(|| format!("running `{line}`"))?;
    if status.success() {
        return Ok(());
    }
    let message = format!("commit {commit} could not be built again: `{line}` failed ({status})");
    Err(Error::new(Kind::Failed, message).hint("its messages above say why").into())
}

/// Reads what `dist` made, and checks that it is of the release.
fn read_manifest(path: &Path, commit: &str, version: &str) -> anyhow::Result<Manifest> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let manifest = Manifest::read_strict(&bytes, &path.display().to_string())?;
    if (manifest.commit.as_str(), manifest.version.as_str()) == (commit, version) && !manifest.dirty
    {
        return Ok(manifest);
    }
    let is = &manifest.version;
    let (why, hint) = if manifest.dirty {
        (
            "git sees changes in it",
            "look for a filter or an attribute of this repository that gives other files than the commit has, such as Git LFS \
             without its program",
        )
    } else {
        (
            "the xtask of the commit gives it another version",
            "the release cannot be verified if it was published by another xtask than that of its commit",
        )
    };
    let message = format!("the clean checkout of {version} was built as {is}: {why}");
    Err(Error::config(message).hint(hint).into())
}

fn warn_of_no_sandbox(manifest: &Manifest, ui: &Ui) {
    if manifest.artifacts.iter().any(|artifact| !artifact.sandboxed) {
        ui.warn(
            "built without the sandbox: build scripts could read the credentials of this process, see docs/sandbox.md",
        );
    }
}
