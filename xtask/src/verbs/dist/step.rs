//! Makes the artifacts of one platform: builds what has to be built, stamps and packs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::Context as _;
use catalog::Artifact;

use crate::build::archive::{self, Entry};
use crate::build::compile::{self, Binary, Sources};
use crate::build::handed_over::HandedOver;
use crate::build::macos_sdk::Sdk;
use crate::build::reuse::{self as build_reuse, Packed, Record};
use crate::build::toolchain::Toolchain;
use crate::build::{binary_check, pins, stamp};
use crate::model::plan::{Build, Plan, Step};
use crate::model::sources::SourceDigest;
use crate::repository::vendored;
use crate::system::env::Env;
use crate::system::sandbox::Machine;
use crate::system::ui::{self, Ui};
use crate::system::{files, parallel};

use super::manifest::remove_manifest;
use super::reuse::{self, Reuse, Source, Why};

/// The work for one platform.
pub(super) struct StepRun<'a> {
    pub(super) plan: &'a Plan,
    pub(super) step: &'a Step,
    pub(super) toolchain: &'a Toolchain,
    pub(super) reuse: &'a Reuse<'a>,
    pub(super) env: &'a Env,
    pub(super) ui: &'a Ui,
}

/// An artifact, and what the next `dist` has to know of its build.
#[derive(Default)]
pub(super) struct Made {
    pub(super) artifact: Artifact,
    pub(super) is_stamped: bool,
    /// Whether its binary is a published one.
    pub(super) is_published: bool,
    /// The files that it was made from, as far as they may be in no commit.
    pub(super) sources: BTreeSet<PathBuf>,
    pub(super) record: Option<(PathBuf, Record)>,
}

impl StepRun<'_> {
    pub(super) fn run(
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
                // Without a record, not all that it read is known, or some of it changed meanwhile.
                let is_keyed = is_keyed && record.is_some();
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

/// Facts about a build that a manifest has besides its bytes.
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
