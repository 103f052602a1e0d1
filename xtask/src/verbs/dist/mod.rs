//! `dist`: from a commit to archives and a manifest.
//!
//! The order of the work stands here and nowhere else: lock, prepare the toolchains, see what the last build on
//! this machine left, build and pack the rest platform by platform, remove the old manifest before the first file is
//! replaced, write the new one last.

mod reuse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use catalog::{Arch, Artifact, Branch, MANIFEST_FILE, Manifest, Os, Platform};
use ferror::{Error, Kind};

use crate::build::archive::{self, Entry};
use crate::build::compile::{self, Binary, Sources};
use crate::build::handed_over::HandedOver;
use crate::build::macos_sdk::Sdk;
use crate::build::outside_flags::{self, OutsideFlags};
use crate::build::reuse::{self as build_reuse, Packed, Record};
use crate::build::toolchain::{self, Library, Toolchain, build_tools};
use crate::build::{binary_check, pins, resources, stamp};
use crate::model::commit::Commit;
use crate::model::config::Config;
use crate::model::native::Need;
use crate::model::plan::{self, Build, Plan, Request, Step};
use crate::model::source_file::{LFS_POINTER, SourceFile};
use crate::model::sources::{PathPackage, SourceDigest};
use crate::model::workspace::{Service, Workspace};
use crate::repository::cargo_config::CargoConfig;
use crate::repository::manifests::Manifests;
use crate::repository::{cargo_config, git, native, sources, vendored, work_tree, workspace};
use crate::system::env::Env;
use crate::system::file_lock::{self, FileLock};
use crate::system::sandbox::Machine;
use crate::system::ui::{self, Ui};
use crate::system::{files, parallel};

use self::reuse::{Reuse, Source, Why};

/// The options of `dist`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
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
    /// `--no-reuse`.
    pub no_reuse: bool,
    /// `--why`.
    pub why: bool,
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
    let started = SystemTime::now();
    let planned = plan(&workspace, options, env)?;
    let plan = &planned.plan;
    let needs = plan.needs();
    let platforms: Vec<_> = plan.platforms().collect();
    let toolchain_request = ToolchainRequest {
        workspace: &workspace,
        planned: &planned,
        needs: &needs,
        platforms: &platforms,
        library: options.library,
        may_fall_back: may_fall_back(purpose, options.strict, &workspace.config),
        env,
    };
    let prepare = |install| toolchain::prepare(&toolchain_request.of(install), ui);
    let handed_over_dir = reuse::handed_over_dir(plan);
    let our_folders = [&*plan.snapshot_dir, &*handed_over_dir, &*workspace.target_dir];
    let reuse_request = reuse::Request {
        workspace: &workspace,
        plan,
        files: &planned.files,
        packages: &planned.packages,
        cargo_config: &planned.cargo_config,
        flags: &planned.flags,
        manifests: &planned.manifests,
        our_folders: &our_folders,
        no_reuse: options.no_reuse,
        started,
        env,
    };
    if options.dry_run {
        let why = if options.why { Some(why(&reuse_request, &prepare(false))) } else { None };
        show(plan, why, options.json, ui);
        return Ok(None);
    }
    check(plan, &workspace.config)?;
    warn_of_outside(plan, purpose, &workspace.config, ui);
    let _lock = lock(&plan.snapshot_dir, ui)?;
    let read_sources = || sources::digests(&planned.packages, &workspace.root, &our_folders, env);
    let toolchains = ready(plan, prepare(true), options.strict)?;
    let identities: Vec<_> = toolchains.iter().map(Toolchain::identity).collect();
    let reuse = Reuse::read(&reuse_request, &identities);
    let earlier = read_manifest(plan);
    let mut machine = None;
    let (mut published, mut compiled) = (BTreeSet::new(), BTreeSet::new());
    let (mut artifacts, mut failures, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for (step, toolchain) in plan.steps.iter().zip(&toolchains) {
        let run = StepRun { plan, step, toolchain, reuse: &reuse, env, ui };
        match run.run(&read_sources, options.why, &mut machine) {
            Ok(made) => {
                for made in made {
                    compiled.extend(made.sources.iter().cloned());
                    if made.is_published {
                        published.insert(made.artifact.file.clone());
                    }
                    warn_of(&made, ui);
                    print(&made.artifact, plan, env, ui);
                    artifacts.push(made.artifact);
                    records.extend(made.record);
                }
            }
            Err(error) => failures.push((step.platform, error)),
        }
    }
    if !failures.is_empty() {
        // Whoever runs `upload` now means what failed here, and not what was built before.
        remove_manifest(plan)?;
        return Err(failed_builds(plan, &failures, earlier.is_some()).into());
    }
    check_unchanged(&workspace, plan, env)?;
    refuse_lfs_pointers(&compiled)?;
    let ignored = ignored_files(&workspace, plan, &compiled, &our_folders, env)?;
    warn_of_ignored(&ignored, ui);
    for (path, record) in records {
        record.write(&path)?;
    }
    let may_offer = ignored.is_empty() && may_offer(plan, &toolchains, env);
    // Of a published binary, it was said before; this machine's folders have no part in it.
    let may_offer = |artifact: &Artifact| may_offer || published.contains(&artifact.file);
    let manifest = write_manifest(plan, artifacts, &ignored, earlier, may_offer)?;
    ui.document(&manifest.to_json());
    Ok(Some(manifest))
}

/// Returns whether the distribution's library may be used without being asked for.
fn may_fall_back(purpose: Purpose, strict: bool, config: &Config) -> bool {
    match purpose {
        Purpose::Ship => false,
        Purpose::Local => !strict,
        // Where `upload` takes them all the same, they are as good as published.
        Purpose::Any => !strict && !config.other_compiler,
    }
}

/// What toolchains are prepared for.
struct ToolchainRequest<'a> {
    workspace: &'a Workspace,
    planned: &'a Planned,
    needs: &'a BTreeSet<Need>,
    platforms: &'a [Platform],
    library: Option<Library>,
    may_fall_back: bool,
    env: &'a Env,
}

impl<'a> ToolchainRequest<'a> {
    fn of(&self, install: bool) -> toolchain::Request<'a> {
        let Self { workspace, planned: Planned { plan, flags, .. }, needs, platforms, .. } = *self;
        toolchain::Request {
            platforms,
            library: self.library,
            may_fall_back: self.may_fall_back,
            pin: &plan.pin,
            flags_digest: flags.digest.as_deref(),
            needs,
            install,
            glibc: &plan.requirements.glibc,
            macos: &plan.requirements.macos,
            system_libraries: &plan.requirements.system_libraries,
            workspace_root: &workspace.root,
            target_dir: &workspace.target_dir,
            env: self.env,
        }
    }
}

/// The plan of a `dist`, and the build key of each service and platform.
pub struct Keys {
    /// The plan.
    pub plan: Plan,
    /// The workspace.
    pub workspace: Workspace,
    by_build: BTreeMap<(String, Platform), Result<String, String>>,
}

impl Keys {
    /// Returns the build key of a service on a platform, or why it has none.
    pub fn of(&self, service: &str, platform: Platform) -> Result<&str, &str> {
        match self.by_build.get(&(service.to_owned(), platform)) {
            Some(Ok(key)) => Ok(key),
            Some(Err(why)) => Err(why),
            None => Err("it is not in the plan"),
        }
    }

    /// Returns the folder in which `dist` looks for what `plan` downloaded.
    pub fn handed_over_dir(&self) -> PathBuf {
        reuse::handed_over_dir(&self.plan)
    }
}

/// Computes the build keys of a `dist`, without building or installing anything.
pub fn keys(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<Keys> {
    let workspace = workspace::read(env)?;
    let started = SystemTime::now();
    let planned = plan(&workspace, options, env)?;
    let plan = &planned.plan;
    let needs = plan.needs();
    let platforms: Vec<_> = plan.platforms().collect();
    let request = ToolchainRequest {
        workspace: &workspace,
        planned: &planned,
        needs: &needs,
        platforms: &platforms,
        library: options.library,
        may_fall_back: may_fall_back(Purpose::Any, options.strict, &workspace.config),
        env,
    };
    let identities = toolchain::expected(&request.of(false), ui)?;
    let request = reuse::Request {
        workspace: &workspace,
        plan,
        files: &planned.files,
        packages: &planned.packages,
        cargo_config: &planned.cargo_config,
        flags: &planned.flags,
        manifests: &planned.manifests,
        our_folders: &[],
        no_reuse: false,
        started,
        env,
    };
    let reuse = Reuse::read(&request, &identities);
    let mut by_build = BTreeMap::new();
    for step in &plan.steps {
        for build in &step.builds {
            let key = reuse.key(build, step.platform);
            by_build.insert((build.service.clone(), step.platform), key);
        }
    }
    Ok(Keys { plan: planned.plan, workspace, by_build })
}

/// Returns whether others may get what was built, in place of a build of their own: it was built of a commit and nothing
/// else, in folders to which nothing else has ever written.
fn may_offer(plan: &Plan, toolchains: &[Toolchain], env: &Env) -> bool {
    plan.commit.dirty.is_none()
        && plan.outside_sources.is_empty()
        // Their values are in the key, and not what is in the files that they name.
        && plan.outside_flags.is_empty()
        && toolchains.iter().all(|toolchain| compile::is_only_of_commits(toolchain, env))
}

/// Finds out what a `dist` would build, and why.
fn why(
    request: &reuse::Request<'_>,
    toolchains: &[(Platform, anyhow::Result<Toolchain>)],
) -> Vec<Why> {
    let plan = request.plan;
    let ready = toolchains.iter().filter_map(|(_, toolchain)| toolchain.as_ref().ok());
    let ready: Vec<_> = ready.map(Toolchain::identity).collect();
    let reuse = Reuse::read(request, &ready);
    let mut all = Vec::new();
    for (step, (_, toolchain)) in plan.steps.iter().zip(toolchains) {
        for build in &step.builds {
            all.push(match toolchain {
                Ok(toolchain) => reuse.decide(build, toolchain).why(build, step.platform),
                Err(error) => Why::built(build, step.platform, format!("{error:#}")),
            });
        }
    }
    all
}

/// Prints a plan, and what of it would be built.
fn show(plan: &Plan, why: Option<Vec<Why>>, json: bool, ui: &Ui) {
    if json {
        let mut document = plan.to_json();
        if let Some(why) = why {
            document["why"] = why.iter().map(Why::to_json).collect();
        }
        ui.document(&format!("{document:#}"));
    } else {
        ui.result(plan.to_string().trim_end());
        if let Some(why) = why {
            ui.result("");
            for line in why {
                ui.result(line);
            }
        }
    }
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
    /// The files of the repository.
    files: Vec<SourceFile>,
    /// What comes from outside the repository and may change the bytes.
    flags: OutsideFlags,
    /// What cargo's answers follow from.
    manifests: Manifests,
    cargo_config: CargoConfig,
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
    let dest = dest(workspace, options, env);
    let snapshot_dir = dest.join("snapshot");
    let handed_over_dir = snapshot_dir.with_file_name(reuse::HANDED_OVER);
    let ours = [snapshot_dir.as_path(), &handed_over_dir, &workspace.target_dir];
    let pin = toolchain::pin::find(&workspace.root, workspace.config.rust.as_deref())?;
    // Each of these waits for programs.
    let (cargo_config, other_compiler, commit, files) = thread::scope(|scope| {
        let cargo_config = scope.spawn(|| cargo_config::read(&workspace.root, env));
        let compiler =
            scope.spawn(|| toolchain::other_compiler(&workspace.root, &pin, options.library, env));
        let commit = read_commit(workspace, &snapshot_dir, env);
        let files = work_tree::files(&workspace.root, &ours, env);
        (joined(cargo_config), joined(compiler), commit, files)
    });
    let cargo_config = cargo_config?;
    cargo_config::refuse_unstable(&cargo_config, &workspace.root, env)?;
    let (commit, files) = (commit?, files?);
    let packages = sources::packages(workspace, &cargo_config, env)?;
    let mut found = BTreeMap::new();
    for service in &services {
        found.insert(service.name.clone(), resources::find(workspace, service, &files)?);
    }
    let flags = outside_flags::find(&workspace.root, &files, &workspace.config.profile, env)?;
    let asked = options.platforms.as_deref();
    let platforms = |service: &Service| plan::platforms(&workspace.config, service, asked);
    let manifests = Manifests::read(
        workspace,
        &files,
        &packages,
        &flags.repository_files,
        flags.digest.as_deref(),
        env,
    )?;
    let needs = native::find(workspace, &services, platforms, Some(&manifests), env);
    let all_needs: BTreeSet<_> = needs.values().flatten().copied().collect();
    let request = Request {
        tools: build_tools::planned(&all_needs, env),
        needs,
        platforms: options.platforms.clone(),
        version: options.version.clone(),
        dest,
        outside_sources: sources::outside_repository(&packages, &workspace.root, &files)?,
        source_date_epoch: env.get("SOURCE_DATE_EPOCH"),
        outside_flags: flags.shown.clone(),
        other_compiler,
        pin,
        host: host(),
    };
    let plan = plan::plan(workspace, &services, &found, commit, &request)?;
    Ok(Planned { plan, packages, files, flags, manifests, cargo_config })
}

/// Returns the result of a thread, or goes on with its panic.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
    let handed_over_dir = snapshot_dir.with_file_name(reuse::HANDED_OVER);
    git::read(&workspace.root, &[snapshot_dir, &handed_over_dir, &workspace.target_dir], env)
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

/// The work for one platform.
struct StepRun<'a> {
    plan: &'a Plan,
    step: &'a Step,
    toolchain: &'a Toolchain,
    reuse: &'a Reuse<'a>,
    env: &'a Env,
    ui: &'a Ui,
}

/// An artifact, and what the next `dist` has to know of its build.
#[derive(Default)]
struct Made {
    artifact: Artifact,
    is_stamped: bool,
    /// Whether its binary is a published one.
    is_published: bool,
    /// The files that it was made from, as far as they may be in no commit.
    sources: BTreeSet<PathBuf>,
    record: Option<(PathBuf, Record)>,
}

impl StepRun<'_> {
    fn run(
        &self,
        read_sources: &dyn Fn() -> anyhow::Result<Vec<SourceDigest>>,
        show_why: bool,
        machine: &mut Option<Result<Machine, String>>,
    ) -> anyhow::Result<Vec<Made>> {
        let Self { step, ui, .. } = *self;
        let again = parallel::map(&step.builds, threads(), |build| self.use_again(build))?;
        let (mut made, mut to_build) = (BTreeMap::new(), Vec::new());
        for (build, (again, why)) in step.builds.iter().zip(again) {
            if show_why {
                ui.result(why);
            }
            match again {
                Some(again) => drop(made.insert(build.service.as_str(), again)),
                None => to_build.push(build.clone()),
            }
        }
        if !made.is_empty() {
            let names: Vec<_> = made.keys().copied().collect();
            ui.say("unchanged", format_args!("{} for {}", names.join(", "), step.platform));
        }
        let rest = Step { platform: step.platform, builds: to_build };
        if !rest.builds.is_empty() {
            let built = self.build(&rest, read_sources, look_once(machine, ui))?;
            made.extend(rest.builds.iter().map(|build| build.service.as_str()).zip(built));
        }
        let mut in_order = Vec::new();
        for build in &step.builds {
            in_order.extend(made.remove(build.service.as_str()));
        }
        Ok(in_order)
    }

    /// Makes an artifact of what the last build left, where that is what a build would give now.
    fn use_again(&self, build: &Build) -> anyhow::Result<(Option<Made>, Why)> {
        let decision = self.reuse.decide(build, self.toolchain);
        let why = decision.why(build, self.step.platform);
        let made = match decision.source {
            Source::Build => None,
            Source::Linked(record, image) => {
                remove_manifest(self.plan)?;
                let binary = Unstamped::again(&record, image);
                let sources = record.read.paths().map(Path::to_owned).collect();
                let packed = self.pack(build, binary, Some(record));
                Some(Made { sources, ..packed.with_context(|| in_service(build))? })
            }
            Source::Archive(record) => Some(self.kept(build, &record)),
            Source::Published(found) => {
                remove_manifest(self.plan)?;
                let binary = Unstamped::published(*found);
                let packed = self.pack(build, binary, None).with_context(|| in_service(build))?;
                Some(Made { is_published: true, ..packed })
            }
        };
        Ok((made, why))
    }

    /// Builds and packs the services of `step`, in their order.
    fn build(
        &self,
        step: &Step,
        read_sources: &dyn Fn() -> anyhow::Result<Vec<SourceDigest>>,
        machine: Option<Machine>,
    ) -> anyhow::Result<Vec<Made>> {
        let Self { plan, toolchain, env, ui, .. } = *self;
        let names: Vec<_> = step.builds.iter().map(|build| build.service.as_str()).collect();
        ui.say("building", format_args!("{} for {}", names.join(", "), step.platform));
        let start = Instant::now();
        let root = &toolchain.workspace_root;
        if let Some(library) = toolchain.library_sources() {
            vendored::check_library(root, &library)?;
        }
        let lock_option = vendored::lock_option(root);
        let profile = &plan.profile;
        let cargo_files = self.reuse.cargo_files();
        let mut allowed = BTreeMap::new();
        for build in &step.builds {
            let files = self.reuse.allowed(build, step.platform, &cargo_files);
            allowed.insert(build.service.clone(), files);
        }
        if machine.is_some() {
            say_open(&allowed, ui);
        }
        let is_commit = plan.commit.dirty.is_none();
        let sources = Sources { digests: read_sources, allowed: &allowed, machine, is_commit };
        let built = compile::build(toolchain, step, profile, lock_option, &sources, env, ui)?;
        ui.say("built", format_args!("{} in {}", step.platform, ui::seconds(start.elapsed())));

        remove_manifest(plan)?;
        let work: Vec<_> = step.builds.iter().zip(&built.binaries).collect();
        parallel::map(&work, threads(), |(build, binary)| {
            let pack = || -> anyhow::Result<Made> {
                let is_keyed = self.reuse.is_keyed(build, step.platform, binary, &cargo_files);
                let record = self.reuse.record(build, toolchain, binary, is_keyed)?;
                let sources = binary.sources.clone();
                let image = compile::read(binary, toolchain)?;
                let binary = Unstamped::of(binary, image, is_keyed, built.sdk.as_ref())?;
                Ok(Made { sources, ..self.pack(build, binary, record)? })
            };
            pack().with_context(|| in_service(build))
        })
    }
}

/// Finds out what keeps builds from reading anything but their inputs here, when the first service is built, and says
/// where nothing does.
fn look_once(known: &mut Option<Result<Machine, String>>, ui: &Ui) -> Option<Machine> {
    let looked = known.get_or_insert_with(|| {
        let looked = Machine::look();
        if let Err(reason) = &looked {
            ui.say("building", format_args!("without a sandbox: {reason}"));
        }
        looked
    });
    looked.as_ref().ok().copied()
}

/// Says which services are built without the sandbox, and why.
fn say_open(allowed: &BTreeMap<String, Result<compile::Allowed, String>>, ui: &Ui) {
    let mut reasons = BTreeMap::<_, Vec<_>>::new();
    for (service, allowed) in allowed {
        if let Err(reason) = allowed {
            reasons.entry(reason).or_default().push(service.as_str());
        }
    }
    for (reason, services) in reasons {
        ui.say("building", format_args!("{} without a sandbox: {reason}", services.join(", ")));
    }
}

/// Returns how many services are packed at a time.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn in_service(build: &Build) -> String {
    format!("service {}", build.service)
}

/// A linked binary that was normalised.
struct Unstamped<'a> {
    image: Vec<u8>,
    name: String,
    facts: BuildFacts,
    unchecked: Unchecked<'a>,
}

/// What a manifest says of a build besides its bytes.
#[derive(Clone, Copy)]
struct BuildFacts {
    has_openssl: bool,
    sandboxed: bool,
    is_keyed: bool,
}

/// The symbols of macOS that only a crate's word says exist.
enum Unchecked<'a> {
    /// Known from the last build.
    Known(Vec<String>),
    /// To be found by what stood in for an SDK.
    By(Option<&'a Sdk>),
}

impl<'a> Unstamped<'a> {
    /// Takes what cargo has just linked.
    fn of(
        binary: &Binary,
        mut image: Vec<u8>,
        is_keyed: bool,
        sdk: Option<&'a Sdk>,
    ) -> anyhow::Result<Self> {
        let name = binary.path.display().to_string();
        stamp::normalise(&mut image).with_context(|| name.clone())?;
        let Binary { has_openssl, sandboxed, .. } = *binary;
        let facts = BuildFacts { has_openssl, sandboxed, is_keyed };
        Ok(Self { image, name, facts, unchecked: Unchecked::By(sdk) })
    }

    /// Takes the binary of the last build.
    fn again(record: &Record, image: Vec<u8>) -> Self {
        let name = record.linked.display().to_string();
        let unchecked = Unchecked::Known(record.unchecked_symbols.clone());
        Self { image, name, facts: BuildFacts::of(record), unchecked }
    }
}

impl BuildFacts {
    fn of(record: &Record) -> Self {
        let Record { has_openssl, sandboxed, is_keyed, .. } = *record;
        Self { has_openssl, sandboxed, is_keyed }
    }
}

impl Unstamped<'_> {
    /// Takes a published binary. Only those that were built in the sandbox are offered.
    fn published(found: HandedOver) -> Self {
        let HandedOver { artifact, image, .. } = found;
        let facts = BuildFacts {
            has_openssl: artifact.openssl.is_some(),
            sandboxed: artifact.sandboxed,
            is_keyed: true,
        };
        let unchecked = Unchecked::Known(artifact.unchecked_symbols);
        Self { image, name: artifact.object_key, facts, unchecked }
    }
}

/// Warns of what a person may not expect of an artifact.
fn warn_of(made: &Made, ui: &Ui) {
    let Artifact { service, platform, unchecked_symbols, .. } = &made.artifact;
    if !unchecked_symbols.is_empty() {
        ui.warn(format_args!(
            "{service} for {platform}: that macOS has these symbols is known only from the crates that use them: {}",
            unchecked_symbols.join("; ")
        ));
    }
    if !made.is_stamped {
        ui.warn(format_args!(
            "{service} for {platform} carries no stamp: it will not know its version (use the crate `stamp` in its main)"
        ));
    }
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

impl StepRun<'_> {
    /// Stamps one linked binary and packs it. The record of its build gets what was packed.
    fn pack(
        &self,
        build: &Build,
        binary: Unstamped<'_>,
        record: Option<Record>,
    ) -> anyhow::Result<Made> {
        let Self { plan, step, toolchain, .. } = *self;
        let Unstamped { mut image, name, facts: of_build, unchecked } = binary;
        let facts = stamp::facts(&image).with_context(|| name.clone())?;
        binary_check::check(&build.service, step.platform, &facts, &plan.requirements)?;
        let unchecked = match unchecked {
            Unchecked::Known(symbols) => symbols,
            Unchecked::By(sdk) => sdk.map(|sdk| sdk.unchecked(&facts.imports)).unwrap_or_default(),
        };
        let unstamped_sha256 = files::sha256(&image);
        let stamped = ::stamp::Record {
            version: plan.version.clone(),
            commit: plan.commit.id.clone(),
            dirty: plan.commit.dirty.is_some(),
            committed_at: plan.commit.committed_at,
            platform: step.platform.to_string(),
        };
        let outcome = stamp::write(&mut image, &stamped, &name)?;
        check(&image, &stamped, outcome).with_context(|| name.clone())?;

        let binary_sha256 = files::sha256(&image);
        files::write_whole(&plan.snapshot_dir.join(&build.binary), &image, 0o755)?;
        let mut entries =
            vec![Entry { name: build.service.clone(), executable: true, bytes: image }];
        entries.extend(reuse::resources(build)?);
        let key = reuse::pack_key(plan, step.platform, build, &entries[1..]);
        let path = plan.snapshot_dir.join(&build.file);
        let (size_bytes, sha256) = archive::pack(&path, &build.top, &entries, plan.entry_time)?;
        let packed = Packed {
            key,
            size_bytes,
            sha256,
            binary_sha256,
            system_libraries: binary_check::system_libraries(step.platform, &facts),
            is_stamped: outcome == stamp::Outcome::Stamped,
        };
        let artifact = self.artifact(build, &packed, &unstamped_sha256, &unchecked, of_build);
        let record = record.map(|record| {
            let path = build_reuse::path(toolchain, &plan.profile, &build.service);
            (path, Record { packed, unstamped_sha256, unchecked_symbols: unchecked, ..record })
        });
        let is_stamped = outcome == stamp::Outcome::Stamped;
        Ok(Made { artifact, is_stamped, record, ..Made::default() })
    }

    /// Returns the artifact of an archive that stays as it is.
    fn kept(&self, build: &Build, record: &Record) -> Made {
        let facts = BuildFacts::of(record);
        let (unstamped, unchecked) = (&record.unstamped_sha256, &record.unchecked_symbols);
        let artifact = self.artifact(build, &record.packed, unstamped, unchecked, facts);
        let is_stamped = record.packed.is_stamped;
        let sources = record.read.paths().map(Path::to_owned).collect();
        Made { artifact, is_stamped, sources, ..Made::default() }
    }

    /// Returns the artifact of an archive.
    fn artifact(
        &self,
        build: &Build,
        packed: &Packed,
        unstamped_sha256: &str,
        unchecked: &[String],
        facts: BuildFacts,
    ) -> Artifact {
        let Self { plan, step, toolchain, .. } = *self;
        Artifact {
            service: build.service.clone(),
            platform: step.platform.to_string(),
            triple: step.platform.triple().to_owned(),
            file: build.file.clone(),
            size_bytes: packed.size_bytes,
            sha256: packed.sha256.clone(),
            binary_sha256: packed.binary_sha256.clone(),
            unstamped_sha256: unstamped_sha256.to_owned(),
            object_key: build.object_key.clone(),
            rustc: toolchain.rustc.clone(),
            expected_rustc: toolchain.expected_rustc.clone(),
            outside_flags: plan.outside_flags.clone(),
            unchecked_symbols: unchecked.to_vec(),
            openssl: facts.has_openssl.then(|| pins::openssl_version().to_owned()),
            system_libraries: packed.system_libraries.clone(),
            sandboxed: facts.sandboxed,
            // As far as the build itself says; the rest is known when all are built.
            build_key: if facts.sandboxed && facts.is_keyed {
                self.reuse.key(build, step.platform).ok()
            } else {
                None
            },
            recognised: false,
        }
    }
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
    may_offer: impl Fn(&Artifact) -> bool,
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
    for artifact in &mut manifest.artifacts {
        if !may_offer(artifact) {
            artifact.build_key = None;
        }
    }
    let mut sums = String::new();
    for artifact in &manifest.artifacts {
        let _ = writeln!(sums, "{}  {}", artifact.sha256, artifact.file);
    }
    let json = manifest.to_json();
    for (name, text) in [(SUMS, &sums), (MANIFEST_FILE, &json)] {
        let path = plan.snapshot_dir.join(name);
        if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            files::write_whole(&path, text.as_bytes(), 0o644)?;
        }
    }
    Ok(manifest)
}
