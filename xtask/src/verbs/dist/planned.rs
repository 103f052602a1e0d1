//! Makes the plan of a `dist`: reads the repository, and compares with it what was built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use catalog::{Arch, Os, Platform};
use ferror::Error;

use crate::build::handed_over;
use crate::build::outside_flags::{self, OutsideFlags};
use crate::build::resources;
use crate::build::toolchain::{self, build_tools};
use crate::model::native::Need;
use crate::model::plan::{self, Plan, Request};
use crate::model::shard::Shard;
use crate::model::source_file::SourceFile;
use crate::model::sources::PathPackage;
use crate::model::workspace::{Service, Workspace};
use crate::repository::cargo_config::CargoConfig;
use crate::repository::manifests::Manifests;
use crate::repository::{cargo_config, git, native, sources, work_tree, workspace};
use crate::system::env::Env;

use super::options::{Options, Purpose, may_fall_back};
use super::reuse;

/// A plan, and what its stamps and build keys stand for.
pub(super) struct Planned {
    pub(super) workspace: Workspace,
    pub(super) plan: Plan,
    /// Every package that lies in a folder.
    pub(super) packages: Vec<PathPackage>,
    /// When the first file of the repository was read.
    started: SystemTime,
    platforms: Vec<Platform>,
    /// What build scripts need besides the compiler.
    needs: BTreeSet<Need>,
    /// The files of the repository.
    pub(super) files: Vec<SourceFile>,
    /// What comes from outside the repository and may change the bytes.
    flags: OutsideFlags,
    /// The files that cargo's answers follow from.
    manifests: Manifests,
    cargo_config: CargoConfig,
}

impl Planned {
    /// Leaves the part of the plan that one machine makes, where several share it. All of them split it by what `plan` handed
    /// over, and by nothing that differs between them.
    pub(super) fn take(&mut self, shard: Shard, env: &Env) -> anyhow::Result<()> {
        let costs = handed_over::read_costs(&reuse::handed_over_dir(&self.plan))?;
        self.plan.take(shard, &costs);
        self.needs = self.plan.needs();
        self.plan.tools = build_tools::planned(&self.needs, env);
        self.platforms = self.plan.platforms().collect();
        Ok(())
    }

    /// Returns the folders that `dist` and `plan` write themselves.
    pub(super) fn our_folders(&self) -> [PathBuf; 3] {
        our_folders(&self.plan.snapshot_dir, &self.workspace)
    }

    /// Says what toolchains are prepared for.
    pub(super) fn toolchains<'a>(
        &'a self,
        purpose: Purpose,
        options: &Options,
        install: bool,
        env: &'a Env,
    ) -> toolchain::Request<'a> {
        let Self { workspace, plan, .. } = self;
        toolchain::Request {
            platforms: &self.platforms,
            library: options.library,
            may_fall_back: may_fall_back(purpose, options.strict, &workspace.config),
            pin: &plan.pin,
            flags_digest: self.flags.digest.as_deref(),
            needs: &self.needs,
            install,
            glibc: &plan.requirements.glibc,
            macos: &plan.requirements.macos,
            system_libraries: &plan.requirements.system_libraries,
            workspace_root: &workspace.root,
            target_dir: &workspace.target_dir,
            env,
        }
    }

    /// Says what decisions about a build go by.
    pub(super) fn reuse<'a>(
        &'a self,
        our_folders: &'a [&'a Path],
        no_reuse: bool,
        env: &'a Env,
    ) -> reuse::Request<'a> {
        reuse::Request {
            workspace: &self.workspace,
            plan: &self.plan,
            files: &self.files,
            packages: &self.packages,
            cargo_config: &self.cargo_config,
            flags: &self.flags,
            manifests: &self.manifests,
            our_folders,
            no_reuse,
            started: self.started,
            env,
        }
    }
}

fn our_folders(snapshot_dir: &Path, workspace: &Workspace) -> [PathBuf; 3] {
    let handed_over_dir = snapshot_dir.with_file_name(reuse::HANDED_OVER);
    [snapshot_dir.to_owned(), handed_over_dir, workspace.target_dir.clone()]
}

/// Makes the plan of a `dist`. Nothing is built for it; cargo may download the sources of dependencies, to say which ones
/// there are.
pub(super) fn plan(options: &Options, env: &Env) -> anyhow::Result<Planned> {
    let workspace = workspace::read(env)?;
    let started = SystemTime::now();
    let services = workspace.select(&options.services)?;
    let dest = dest(&workspace, options, env);
    let snapshot_dir = dest.join("snapshot");
    let ours = our_folders(&snapshot_dir, &workspace);
    let ours = ours.each_ref().map(PathBuf::as_path);
    let pin = toolchain::pin::find(&workspace.root, workspace.config.rust.as_deref())?;
    // Each of these waits for programs.
    let (cargo_config, other_compiler, commit, files) = thread::scope(|scope| {
        let cargo_config = scope.spawn(|| cargo_config::read(&workspace.root, env));
        let compiler =
            scope.spawn(|| toolchain::other_compiler(&workspace.root, &pin, options.library, env));
        let commit = git::read(&workspace.root, &ours, env);
        let files = work_tree::files(&workspace.root, &ours, env);
        (joined(cargo_config), joined(compiler), commit, files)
    });
    let cargo_config = cargo_config?;
    let handed_over_dir = snapshot_dir.with_file_name(reuse::HANDED_OVER);
    refuse_tracked(&handed_over_dir, files.as_deref().unwrap_or_default())?;
    cargo_config::refuse_unstable(&cargo_config, &workspace.root, env)?;
    let (commit, files) = (commit?, files?);
    let packages = sources::packages(&workspace, &cargo_config, env)?;
    let mut found = BTreeMap::new();
    for service in &services {
        found.insert(service.name.clone(), resources::find(&workspace, service, &files)?);
    }
    let flags = outside_flags::find(&workspace.root, &files, &workspace.config.profile, env)?;
    let asked = options.platforms.as_deref();
    let platforms = |service: &Service| plan::platforms(&workspace.config, service, asked);
    let manifests = Manifests::read(
        &workspace,
        &files,
        &packages,
        &flags.repository_files,
        flags.digest.as_deref(),
        env,
    )?;
    let needs = native::find(&workspace, &services, platforms, Some(&manifests), env);
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
    let plan = plan::plan(&workspace, &services, &found, commit, &request)?;
    let (platforms, needs) = (plan.platforms().collect(), plan.needs());
    Ok(Planned {
        workspace,
        plan,
        packages,
        started,
        platforms,
        needs,
        files,
        flags,
        manifests,
        cargo_config,
    })
}

/// Fails where git tracks a file in the folder of what `plan` downloaded: it would be packed in the place of a build.
fn refuse_tracked(folder: &Path, files: &[SourceFile]) -> ferror::Result<()> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let Some(file) = files.iter().find(|file| file.path.starts_with(&folder)) else {
        return Ok(());
    };
    let path = file.path.display();
    Err(Error::config(format!("git tracks {path}: only `plan` may put files there"))
        .hint(format!("remove it from the repository: `git rm {path}`")))
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

/// Fails if the source changed while it was built, since the stamp would not be true.
///
/// Only files that `dist` and `plan` write themselves are left out, since all others may be compiled.
pub(super) fn check_unchanged(planned: &Planned, env: &Env) -> anyhow::Result<()> {
    let ours = planned.our_folders();
    let ours = ours.each_ref().map(PathBuf::as_path);
    let now = git::read(&planned.workspace.root, &ours, env)?;
    let planned = &planned.plan.commit;
    if (&now.id, &now.dirty) == (&planned.id, &planned.dirty) {
        return Ok(());
    }
    Err(Error::config("the source changed while it was built: the stamp would not be true")
        .hint("run dist again")
        .into())
}
