//! `dist`: from a commit to archives and a manifest.
//!
//! The order of the work stands here and nowhere else: lock, prepare the toolchains, build and pack
//! platform by platform, remove the old manifest before the first file is replaced, write the new one
//! last.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use catalog::{Arch, Artifact, Branch, MANIFEST_FILE, Manifest, Os, Platform};
use ferror::{Error, Kind};

use crate::build::archive::{self, Entry};
use crate::build::compile::{self, Binary};
use crate::build::macos_sdk::Sdk;
use crate::build::toolchain::{self, Library, Toolchain, build_tools};
use crate::build::{binary_check, outside_flags, pins, resources, stamp};
use crate::model::commit::Commit;
use crate::model::config::Config;
use crate::model::plan::{self, Build, Plan, Request, Step};
use crate::model::source_file::LFS_POINTER;
use crate::model::sources::{PathPackage, SourceDigest};
use crate::model::workspace::{Service, Workspace};
use crate::repository::{cargo_config, git, native, sources, vendored, work_tree, workspace};
use crate::system::env::Env;
use crate::system::file_lock::{self, FileLock};
use crate::system::files;
use crate::system::ui::{self, Ui};

/// The options of `dist`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The services named; empty means all.
    pub services: Vec<String>,
    /// `--dest`.
    pub dest: Option<PathBuf>,
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--version`.
    pub version: Option<String>,
    /// `--library`.
    pub library: Option<Library>,
    /// `--strict`.
    pub strict: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
}

/// What becomes of the artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are published as soon as they are there.
    Ship,
    /// They go into a server on this machine.
    Local,
    /// `upload` may publish them later, and says then what it refuses.
    Any,
}

/// Runs `dist`. `None` after a dry run.
///
/// The purpose decides whether the distribution's library may be used without being asked for: where the
/// artifacts are published, a slow network must not choose the compiler. `check` sees the plan before anything is
/// built.
pub fn run(
    purpose: Purpose,
    check: impl FnOnce(&Plan, &Config) -> ferror::Result<()>,
    options: &Options,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Option<Manifest>> {
    let workspace = workspace::read(env)?;
    let Planned { plan, packages, flags_digest } = plan(&workspace, options, env)?;
    if options.dry_run {
        if options.json {
            ui.document(&plan.to_json());
        } else {
            ui.result(plan.to_string().trim_end());
        }
        return Ok(None);
    }
    check(&plan, &workspace.config)?;
    warn_of_outside(&plan, purpose, &workspace.config, ui);
    let may_fall_back = match purpose {
        Purpose::Ship => false,
        Purpose::Local => !options.strict,
        // Where `upload` takes them all the same, they are as good as published.
        Purpose::Any => !options.strict && !workspace.config.other_compiler,
    };
    let _lock = lock(&plan.snapshot_dir, ui)?;
    let toolchain_request = toolchain::Request {
        platforms: &plan.platforms().collect::<Vec<_>>(),
        library: options.library,
        may_fall_back,
        pin: &plan.pin,
        flags_digest: flags_digest.as_deref(),
        needs: &plan.needs(),
        install: true,
        glibc: &plan.requirements.glibc,
        macos: &plan.requirements.macos,
        system_libraries: &plan.requirements.system_libraries,
        workspace_root: &workspace.root,
        target_dir: &workspace.target_dir,
        env,
    };
    let our_folders = [&*plan.snapshot_dir, &*workspace.target_dir];
    let read_sources = || sources::digests(&packages, &workspace.root, &our_folders, env);
    let toolchains = ready(&plan, toolchain::prepare(&toolchain_request, ui), options.strict)?;
    let earlier = read_manifest(&plan);
    let (mut artifacts, mut failures, mut compiled) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (step, toolchain) in plan.steps.iter().zip(toolchains) {
        match run_step(&plan, step, &toolchain, &read_sources, env, ui) {
            Ok(made) => {
                for artifact in &made.artifacts {
                    print(artifact, &plan, env, ui);
                }
                artifacts.extend(made.artifacts);
                compiled.extend(made.sources);
            }
            Err(error) => failures.push((step.platform, error)),
        }
    }
    if !failures.is_empty() {
        // Whoever runs `upload` now means what failed here, and not what was built before.
        remove_manifest(&plan)?;
        return Err(failed_builds(&plan, &failures, earlier.is_some()).into());
    }
    check_unchanged(&workspace, &plan, env)?;
    refuse_lfs_pointers(&compiled)?;
    let ignored = ignored_files(&workspace, &plan, &compiled, &our_folders, env)?;
    warn_of_ignored(&ignored, ui);
    let manifest = write_manifest(&plan, artifacts, &ignored, earlier)?;
    ui.document(&manifest.to_json());
    Ok(Some(manifest))
}

/// Warns about what is compiled and does not belong to the repository.
fn warn_of_outside(plan: &Plan, purpose: Purpose, config: &Config, ui: &Ui) {
    if !plan.outside_sources.is_empty() {
        let paths: Vec<_> =
            plan.outside_sources.iter().map(|path| path.to_string_lossy()).collect();
        ui.warn(format_args!(
            "outside the repository: {}: these sources are compiled, and the version does not say what they held",
            paths.join(", ")
        ));
    }
    if !plan.outside_flags.is_empty() && purpose != Purpose::Local && !config.outside_flags {
        ui.warn(format_args!(
            "flags from outside the repository change the bytes, so `upload` refuses them: {}",
            plan.outside_flags.join(", ")
        ));
    }
}

/// Fails where a file that stands for another one was compiled in its place: a clone with the real file would make
/// another program of the same commit.
fn refuse_lfs_pointers(compiled: &BTreeSet<PathBuf>) -> ferror::Result<()> {
    // What a build script names need not be there, and may be a folder.
    let is_pointer = |path: &&PathBuf| files::begins_with(path, LFS_POINTER).unwrap_or_default();
    match compiled.iter().find(is_pointer) {
        None => Ok(()),
        Some(path) => {
            let path = path.display();
            let message =
                format!("{path} was compiled, and holds a pointer of Git LFS, not the file");
            Err(Error::config(message).hint("run `git lfs pull`, then dist again"))
        }
    }
}

/// Finds the compiled files that no commit holds, beside the folders that the plan names already.
fn ignored_files(
    workspace: &Workspace,
    plan: &Plan,
    compiled: &BTreeSet<PathBuf>,
    our_folders: &[&Path],
    env: &Env,
) -> anyhow::Result<Vec<PathBuf>> {
    let named: Vec<_> = plan.outside_sources.iter().map(|dir| workspace.root.join(dir)).collect();
    let known: Vec<_> = our_folders.iter().copied().chain(named.iter().map(|dir| &**dir)).collect();
    sources::ignored_files(compiled, &workspace.root, &known, env)
}

fn warn_of_ignored(paths: &[PathBuf], ui: &Ui) {
    if !paths.is_empty() {
        let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        ui.warn(format_args!(
            "in no commit: {}: git ignores these files or they lie elsewhere, they are compiled, and the version does not say what they held",
            paths.join(", ")
        ));
    }
}

/// A plan, and what its stamps stand for.
struct Planned {
    plan: Plan,
    /// Every package that lies in a folder.
    packages: Vec<PathPackage>,
    /// The digest of the flags from outside the repository, where there are any.
    flags_digest: Option<String>,
}

/// Returns the toolchains when all of them are there. Until then nothing is built or removed: what an earlier
/// `dist` made outlasts a network that fails.
fn ready(
    plan: &Plan,
    toolchains: Vec<(Platform, anyhow::Result<Toolchain>)>,
    strict: bool,
) -> anyhow::Result<Vec<Toolchain>> {
    let (mut ready, mut failures) = (Vec::new(), Vec::new());
    for (platform, toolchain) in toolchains {
        let checked = toolchain.and_then(|toolchain| {
            if strict {
                toolchain.check_pin()?;
            }
            Ok(toolchain)
        });
        match checked {
            Ok(toolchain) => ready.push(toolchain),
            Err(error) => failures.push((platform, error)),
        }
    }
    if failures.is_empty() {
        return Ok(ready);
    }
    let others = if ready.is_empty() { "" } else { ", or name the other platforms by --platforms" };
    let hint =
        format!("mend that and run dist again{others}; nothing was built, and nothing removed");
    Err(cannot_build(plan, &failures, "").hint(hint).into())
}

/// Makes the plan of a `dist`. Nothing is built for it; cargo may download the sources of dependencies, to say which ones
/// there are.
fn plan(workspace: &Workspace, options: &Options, env: &Env) -> anyhow::Result<Planned> {
    let services = workspace.select(&options.services)?;
    let cargo_config = cargo_config::read(&workspace.root, env)?;
    cargo_config::refuse_unstable(&cargo_config, &workspace.root, env)?;
    let dest = dest(workspace, options, env);
    let snapshot_dir = dest.join("snapshot");
    let commit = read_commit(workspace, &snapshot_dir, env)?;
    let packages = sources::packages(workspace, &cargo_config, env)?;
    let ours = [snapshot_dir.as_path(), &workspace.target_dir];
    let files = work_tree::files(&workspace.root, &ours, env)?;
    let mut found = BTreeMap::new();
    for service in &services {
        found.insert(service.name.clone(), resources::find(workspace, service, &files)?);
    }
    let outside_flags =
        outside_flags::find(&workspace.root, &files, &workspace.config.profile, env)?;
    let pin = toolchain::pin::find(&workspace.root, workspace.config.rust.as_deref())?;
    let asked = options.platforms.as_deref();
    let platforms = |service: &Service| plan::platforms(&workspace.config, service, asked);
    let needs = native::find(workspace, &services, platforms, env);
    let all_needs: BTreeSet<_> = needs.values().flatten().copied().collect();
    let request = Request {
        tools: build_tools::planned(&all_needs, env),
        needs,
        platforms: options.platforms.clone(),
        version: options.version.clone(),
        dest,
        outside_sources: sources::outside_repository(&packages, &workspace.root, env)?,
        source_date_epoch: env.get("SOURCE_DATE_EPOCH"),
        outside_flags: outside_flags.shown,
        other_compiler: toolchain::other_compiler(&workspace.root, &pin, options.library, env),
        pin,
        host: host(),
    };
    let plan = plan::plan(workspace, &services, &found, commit, &request)?;
    Ok(Planned { plan, packages, flags_digest: outside_flags.digest })
}

/// Returns this machine's operating system and processor, where services are built for them.
fn host() -> Option<(Os, Arch)> {
    let is_here = |platform: &Platform| {
        let os = if platform.os == Os::Linux { "linux" } else { "macos" };
        let arch = if platform.arch == Arch::Amd64 { "x86_64" } else { "aarch64" };
        (os, arch) == (std::env::consts::OS, std::env::consts::ARCH)
    };
    Platform::ALL.into_iter().find(is_here).map(|platform| (platform.os, platform.arch))
}

fn dest(workspace: &Workspace, options: &Options, env: &Env) -> PathBuf {
    let variable = env.get("CIRCLE_ARTIFACTS");
    plan::dest(options.dest.as_deref(), &env.current_dir, variable.as_deref(), &workspace.root)
}

/// Reads the commit and the uncommitted changes. Only files that this program writes itself are
/// left out, since all others may be compiled, wherever artifacts go.
fn read_commit(workspace: &Workspace, snapshot_dir: &Path, env: &Env) -> anyhow::Result<Commit> {
    git::read(&workspace.root, &[snapshot_dir, &workspace.target_dir], env)
}

/// Waits until no other `dist` works in the folder, and keeps others out until the lock is dropped.
fn lock(snapshot_dir: &Path, ui: &Ui) -> anyhow::Result<FileLock> {
    let waiting =
        || ui.say("waiting", format_args!("for another dist into {}", snapshot_dir.display()));
    file_lock::lock(&snapshot_dir.join(".lock"), waiting)
}

/// Reads what an earlier `dist` wrote; `None` where that cannot be read.
fn read_manifest(plan: &Plan) -> Option<Manifest> {
    let bytes = std::fs::read(plan.snapshot_dir.join(MANIFEST_FILE)).ok()?;
    Manifest::read_strict(&bytes, MANIFEST_FILE).ok()
}

/// Removes what an earlier `dist` wrote, before the first file that it names is replaced: from then on there is no
/// manifest until all of this run's work is done. A run that is interrupted before leaves everything as it was.
fn remove_manifest(plan: &Plan) -> anyhow::Result<()> {
    files::remove_if_there(&plan.snapshot_dir.join(MANIFEST_FILE))?;
    files::remove_if_there(&plan.snapshot_dir.join(SUMS))
}

/// What one step of the plan made.
struct Made {
    artifacts: Vec<Artifact>,
    /// The files in folders that the binaries were made from.
    sources: Vec<PathBuf>,
}

fn run_step(
    plan: &Plan,
    step: &Step,
    toolchain: &Toolchain,
    read_sources: &dyn Fn() -> anyhow::Result<Vec<SourceDigest>>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Made> {
    let names: Vec<_> = step.builds.iter().map(|build| build.service.as_str()).collect();
    ui.say("building", format_args!("{} for {}", names.join(", "), step.platform));
    let start = Instant::now();
    let root = &toolchain.workspace_root;
    if let Some(library) = toolchain.library_sources() {
        vendored::check_library(root, &library)?;
    }
    let lock_option = vendored::lock_option(root);
    let built = compile::build(toolchain, step, &plan.profile, lock_option, read_sources, env, ui)?;
    ui.say("built", format_args!("{} in {}", step.platform, ui::seconds(start.elapsed())));

    remove_manifest(plan)?;
    let mut artifacts = Vec::new();
    for (build, binary) in step.builds.iter().zip(&built.binaries) {
        let sdk = built.sdk.as_ref();
        let artifact = pack(plan, step, build, binary, sdk, toolchain, ui)
            .with_context(|| format!("service {}", build.service))?;
        artifacts.push(artifact);
    }
    let sources = built.binaries.into_iter().flat_map(|binary| binary.sources).collect();
    Ok(Made { artifacts, sources })
}

/// Prints the line of an archive that is there.
fn print(artifact: &Artifact, plan: &Plan, env: &Env, ui: &Ui) {
    ui.result(format_args!(
        "{}  {}  sha256 {}",
        ui::path(&plan.snapshot_dir.join(&artifact.file), env),
        ui::size(artifact.size_bytes),
        artifact.sha256
    ));
}

/// Stamps one linked binary and packs it.
fn pack(
    plan: &Plan,
    step: &Step,
    build: &Build,
    binary: &Binary,
    sdk: Option<&Sdk>,
    toolchain: &Toolchain,
    ui: &Ui,
) -> anyhow::Result<Artifact> {
    let linked = &binary.path;
    let mut image =
        std::fs::read(linked).with_context(|| format!("reading {}", linked.display()))?;
    let name = linked.display().to_string();
    stamp::normalise(&mut image).with_context(|| name.clone())?;
    let facts = stamp::facts(&image).with_context(|| name.clone())?;
    binary_check::check(&build.service, step.platform, &facts, &plan.requirements)?;
    let unchecked = sdk.map(|sdk| sdk.unchecked(&facts.imports)).unwrap_or_default();
    if !unchecked.is_empty() {
        ui.warn(format_args!(
            "{} for {}: that macOS has these symbols is known only from the crates that use them: {}",
            build.service,
            step.platform,
            unchecked.join("; ")
        ));
    }
    let unstamped_sha256 = files::sha256(&image);
    let record = ::stamp::Record {
        version: plan.version.clone(),
        commit: plan.commit.id.clone(),
        dirty: plan.commit.dirty.is_some(),
        committed_at: plan.commit.committed_at,
        platform: step.platform.to_string(),
    };
    let outcome = stamp::write(&mut image, &record, &name)?;
    if outcome == stamp::Outcome::NoSection {
        ui.warn(format_args!(
            "{} for {} carries no stamp: it will not know its version (use the crate `stamp` in its main)",
            build.service, step.platform
        ));
    }
    check(&image, &record, outcome).with_context(|| name.clone())?;

    let binary_sha256 = files::sha256(&image);
    files::write_whole(&plan.snapshot_dir.join(&build.binary), &image, 0o755)?;
    let mut entries = vec![Entry { name: build.service.clone(), executable: true, bytes: image }];
    for resource in &build.resources {
        let read = || std::fs::read(&resource.source);
        let bytes = read().with_context(|| format!("reading {}", resource.source.display()))?;
        let (name, executable) = (resource.name.clone(), resource.executable);
        entries.push(Entry { name, executable, bytes });
    }
    let path = plan.snapshot_dir.join(&build.file);
    let (size_bytes, sha256) = archive::pack(&path, &build.top, &entries, plan.entry_time)?;
    Ok(Artifact {
        service: build.service.clone(),
        platform: step.platform.to_string(),
        triple: step.platform.triple().to_owned(),
        file: build.file.clone(),
        size_bytes,
        sha256,
        binary_sha256,
        unstamped_sha256,
        object_key: build.object_key.clone(),
        rustc: toolchain.rustc.clone(),
        expected_rustc: toolchain.expected_rustc.clone(),
        outside_flags: plan.outside_flags.clone(),
        unchecked_symbols: unchecked,
        openssl: binary.has_openssl.then(|| pins::openssl_version().to_owned()),
        system_libraries: binary_check::system_libraries(step.platform, &facts),
        recognised: false,
    })
}

/// Reads the finished binary as a stranger would: through the file format, signature and all.
fn check(image: &[u8], record: &::stamp::Record, outcome: stamp::Outcome) -> anyhow::Result<()> {
    stamp::verify(image)?;
    let expected = (outcome == stamp::Outcome::Stamped).then_some(record);
    anyhow::ensure!(
        stamp::read(image)?.as_ref() == expected,
        "it does not carry the stamp it was given"
    );
    Ok(())
}

/// Makes the error of the platforms whose build failed. `had_manifest` says that an earlier manifest was removed.
fn failed_builds(plan: &Plan, failures: &[(Platform, anyhow::Error)], had_manifest: bool) -> Error {
    let others = if failures.len() < plan.steps.len() {
        ", or name by --platforms the others alone, whose archives are made"
    } else {
        ""
    };
    let gone = if had_manifest { " (the earlier one is removed)" } else { "" };
    let note = format!(
        "; mend that and run dist again{others}; until then there is no manifest to upload{gone}"
    );
    cannot_build(plan, failures, &note)
}

/// Joins the errors of all platforms into one, whose kind is the gravest: a compile error goes before all
/// others. What `note` says stands before them, so that the last words are what was wrong and what to do.
fn cannot_build(plan: &Plan, failures: &[(Platform, anyhow::Error)], note: &str) -> Error {
    let kinds =
        || failures.iter().map(|(_, error)| ui::ours(error).map_or(Kind::Config, Error::kind));
    let kind = kinds().find(|kind| *kind == Kind::Failed).or_else(|| kinds().next());
    let mut message =
        format!("{} of {} platforms could not be built{note}", failures.len(), plan.steps.len());
    for (platform, error) in failures {
        let _ = write!(message, "\n  {platform}: {}", format!("{error:#}").replace('\n', "\n    "));
        if let Some(hint) = ui::ours(error).and_then(Error::hint_text) {
            let _ = write!(message, "\n    hint: {hint}");
        }
    }
    Error::new(kind.unwrap_or(Kind::Bug), message)
}

/// Fails if the source changed while it was built, since the stamp would not be true.
fn check_unchanged(workspace: &Workspace, plan: &Plan, env: &Env) -> anyhow::Result<()> {
    let now = read_commit(workspace, &plan.snapshot_dir, env)?;
    if (&now.id, &now.dirty) == (&plan.commit.id, &plan.commit.dirty) {
        return Ok(());
    }
    Err(Error::config("the source changed while it was built: the stamp would not be true")
        .hint("run dist again")
        .into())
}

/// Returns the names of the plan's platforms in an order that does not depend on the machine.
fn sorted_platforms(plan: &Plan) -> Vec<String> {
    let platforms: BTreeSet<_> = plan.platforms().collect();
    platforms.into_iter().map(|platform| platform.to_string()).collect()
}

/// The digests as `sha256sum -c` reads them.
const SUMS: &str = "SHA256SUMS";

fn write_manifest(
    plan: &Plan,
    mut artifacts: Vec<Artifact>,
    ignored: &[PathBuf],
    earlier: Option<Manifest>,
) -> anyhow::Result<Manifest> {
    artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
    let mut manifest = Manifest {
        version: plan.version.clone(),
        commit: plan.commit.id.clone(),
        dirty: plan.commit.dirty.is_some(),
        committed_at: plan.commit.committed_at,
        branch: Branch::Named(plan.commit.branch.clone()),
        prefix: plan.prefix.clone(),
        outside_sources: plan
            .outside_sources
            .iter()
            .chain(ignored)
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        platforms: sorted_platforms(plan),
        artifacts,
    };
    if let Some(mut earlier) = earlier.filter(|earlier| earlier.is_same_release(&manifest)) {
        let is_there = |artifact: &Artifact| {
            let metadata = std::fs::symlink_metadata(plan.snapshot_dir.join(&artifact.file));
            metadata
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() == artifact.size_bytes)
        };
        earlier.artifacts.retain(is_there);
        manifest.extend_from(&earlier);
    }
    let mut sums = String::new();
    for artifact in &manifest.artifacts {
        let _ = writeln!(sums, "{}  {}", artifact.sha256, artifact.file);
    }
    files::write_whole(&plan.snapshot_dir.join(SUMS), sums.as_bytes(), 0o644)?;
    files::write_whole(
        &plan.snapshot_dir.join(MANIFEST_FILE),
        manifest.to_json().as_bytes(),
        0o644,
    )?;
    Ok(manifest)
}
