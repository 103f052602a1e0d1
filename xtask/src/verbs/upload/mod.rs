//! `upload`: from a manifest to a release in a bucket.
//!
//! The manifest is the only input, so that this can run in another job than `dist`: no repository,
//! no workspace member and no clock of a build is looked at. The order of the work stands here;
//! what is said to the bucket about one service stands in `publish`, what is refused in `refusals`.

mod index;
pub mod refusals;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use catalog::{Artifact, MANIFEST_FILE, Manifest};
use ferror::{Error, Kind};
use s3::{Attributes, Client, ClientOptions, CredentialProvider, Location};
use serde_json::json;

use crate::bucket::destination::{self, DestinationOptions, Reach};
use crate::bucket::progress::Progress;
use crate::bucket::publish::{self, Receipt, Taken};
use crate::bucket::timings::Timings;
use crate::build::{repack, snapshot, toolchain};
use crate::model::config::{CONTENT_TYPE, Config};
use crate::model::{longer_version, plan, suggest};
use crate::repository::local_server::LocalServer;
use crate::repository::workspace::{self, Table};
use crate::system::env::Env;
use crate::system::parallel;
use crate::system::ui::{self, Ui};

use self::index::Offer;

/// The most requests that are under way at once where `--jobs` says nothing: enough to hide the
/// way to a distant server, too few to be in its way.
const MOST_JOBS: usize = 8;

/// The most that `--jobs` takes: beyond it, a server sooner asks to slow down than it gets faster.
pub const MAX_JOBS: u8 = 64;

/// The variables that are set for the pull request of a fork only.
const OF_A_FORK: [&str; 3] = ["CIRCLE_PR_NUMBER", "CIRCLE_PR_USERNAME", "CIRCLE_PR_REPONAME"];

/// The options of `upload`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is there or is not")]
pub struct Options {
    /// The services named; empty means all.
    pub services: Vec<String>,
    /// `--dest`.
    pub dest: Option<PathBuf>,
    /// The location of the bucket.
    pub destination: DestinationOptions,
    /// `--allow-dirty`.
    pub allow_dirty: bool,
    /// `--skip-without-credentials`.
    pub skip_without_credentials: bool,
    /// `--jobs`: how many requests at once, 1 to [`MAX_JOBS`]; `None` goes by size and count.
    pub jobs: Option<u8>,
    /// `--verify`.
    pub verify: bool,
    /// `--timings`.
    pub timings: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
}

/// Runs `upload`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::table(env)?;
    let snapshot_dir = snapshot_dir(root.as_ref(), options, env);
    let manifest = read_manifest(&snapshot_dir)?;
    let services = select(&manifest, &options.services)?;
    let local = options.destination.local;
    refusals::other_commit(&manifest, local, env)?;
    refusals::dirty(&manifest.version, manifest.dirty, options.allow_dirty, local)?;
    let config = root.as_ref().map(|root| &root.config);
    refusals::outside_sources(&manifest.outside_sources, config, local)?;
    refusals::sizes(&manifest, &services, &snapshot_dir)?;

    let selected = |artifact: &&Artifact| services.contains(&artifact.service.as_str());
    let artifacts: Vec<_> = manifest.artifacts.iter().filter(selected).collect();
    refusals::origin(&artifacts, config, local, ui)?;
    if options.dry_run {
        return dry_run(
            &manifest,
            &services,
            &destination::checked(&options.destination, config, env, ui)?,
            ui,
        );
    }
    let bodies: usize = artifacts.iter().map(|artifact| s3::body_count(artifact.size_bytes)).sum();
    let jobs = options.jobs.map_or(bodies.clamp(1, MOST_JOBS), usize::from);
    let part = Manifest { artifacts: artifacts.into_iter().cloned().collect(), ..manifest.clone() };
    // What the server of `--local` gets is for looking at.
    let offer = if local { Offer::default() } else { Offer::find(&part, root.as_ref(), env, ui) };
    let connect = |manifest: &Manifest| {
        let mut keys = object_keys(manifest);
        if let Some(config) = config {
            keys.extend(offer.object_keys(manifest, &config.prefix));
        }
        connect(options, root.as_ref(), keys, jobs, env, ui)
    };
    let Some((client, local)) = connect(&part)? else { return Ok(()) };
    let started = Instant::now();
    let mut sending = Sending { manifest: part, dir: snapshot_dir.clone(), client };
    let receipts = Mutex::default();
    let published = loop {
        match sending.run(config, options.verify, jobs, &receipts, env, ui) {
            Ok(None) => break Ok(()),
            Ok(Some(taken)) => {
                // Credentials may be for the objects of the shorter version alone.
                let reconnect = |manifest: &Manifest| Ok(connect(manifest)?.map(|it| it.0));
                let longer = sending.lengthen(&taken, config, &snapshot_dir, reconnect, ui);
                if let Err(error) = longer {
                    break Err(error);
                }
            }
            Err(error) => break Err(error),
        }
    };
    let Sending { manifest, client, .. } = sending;
    if let (Ok(()), Some(config)) = (&published, config) {
        offer.write(&client, &manifest, config, jobs, ui);
    }
    if let Some(local) = local {
        let objects = local.objects_dir(&client.location().bucket);
        ui.say("left", format_args!("the objects in {}", ui::path(&objects, env)));
    }
    let timings = options.timings.then(|| Timings::new(&client, started.elapsed()));
    if let Some(timings) = &timings {
        ui.say("timings", timings);
    }
    // Where it failed too: what is in the bucket by now, a program should not have to ask for.
    let mut receipts = receipts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let keys = object_keys(&manifest);
    receipts.sort_by_key(|receipt| keys.iter().position(|key| *key == receipt.object_key));
    let complete = published.is_ok();
    ui.document(&document(&client, &manifest.version, complete, &receipts, timings.as_ref()));
    published
}

/// Returns the keys of all objects of a manifest: the artifacts, then the manifest objects.
fn object_keys(manifest: &Manifest) -> Vec<String> {
    let artifacts = manifest.artifacts.iter().map(|artifact| artifact.object_key.clone());
    let services = manifest.services();
    artifacts.chain(services.iter().filter_map(|service| manifest.object_key(service))).collect()
}

/// The releases of one version on their way into the bucket.
struct Sending {
    manifest: Manifest,
    /// The folder of the archives.
    dir: PathBuf,
    client: Client,
}

impl Sending {
    /// Publishes the releases; sends nothing where another commit has the version.
    fn run(
        &self,
        config: Option<&Config>,
        verify: bool,
        jobs: usize,
        receipts: &Mutex<Vec<Receipt>>,
        env: &Env,
        ui: &Ui,
    ) -> anyhow::Result<Option<Taken>> {
        let Self { manifest, dir, client } = self;
        let attributes =
            config.map_or_else(Attributes::default, |config| config.attributes.clone());
        let services = manifest.services();
        let releases = services.iter().map(|service| publish::Release {
            manifest,
            service,
            dir,
            content_type: config.map_or(CONTENT_TYPE, |config| &config.content_type),
            attributes: &attributes,
            verify,
        });
        let releases: Vec<_> = releases.collect();
        let total_bytes = manifest.artifacts.iter().map(|artifact| artifact.size_bytes).sum();
        let begun = parallel::map(&releases, jobs, |release| publish::begin(client, release))?;
        let begun = match begun.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(begun) => begun,
            Err(taken) => return Ok(Some(taken)),
        };
        let progress = Progress::start(client, total_bytes, env.stderr_is_terminal, ui);
        send_all(client, &begun, jobs, &progress, receipts, ui)?;
        Ok(None)
    }

    /// Gives the releases a version with one digit more, and says so. The archives of that version go into a folder
    /// of their own: what `dist` made stays as it is.
    fn lengthen(
        &mut self,
        taken: &Taken,
        config: Option<&Config>,
        snapshot_dir: &Path,
        connect: impl FnOnce(&Manifest) -> anyhow::Result<Option<Client>>,
        ui: &Ui,
    ) -> anyhow::Result<()> {
        let template = config.and_then(|config| config.object_key.as_ref());
        let mut longer = longer_version::lengthen(&self.manifest, template)?;
        let dir = snapshot_dir.join(".longer").join(&longer.version);
        for artifact in &mut longer.artifacts {
            *artifact = repack::repack(&self.manifest, artifact, &longer.version, &self.dir, &dir)?;
        }
        // Checked like a manifest that `dist` handed over: everybody reads what becomes of it.
        let longer = Manifest::read_strict(longer.to_json().as_bytes(), "the longer version")?;
        ui.warn(format_args!(
            "version {} is published already, of commit {}: commit {} gets version {}",
            self.manifest.version, taken.commit, self.manifest.commit, longer.version
        ));
        let client = connect(&longer)?.context("there are no credentials any more")?;
        *self = Self { manifest: longer, dir, client };
        Ok(())
    }
}

/// Sends every artifact of every service, then every manifest object. The receipts of what was done
/// are added to `receipts`, in no order.
fn send_all(
    client: &Client,
    begun: &[publish::Begun<'_>],
    jobs: usize,
    progress: &Progress,
    receipts: &Mutex<Vec<Receipt>>,
    ui: &Ui,
) -> anyhow::Result<()> {
    let done = |receipt| receipts.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
    for difference in begun.iter().flat_map(publish::Begun::differences) {
        ui.warn(difference);
    }
    let pairs = begun.iter().flat_map(|begun| begun.artifacts().iter().map(move |it| (begun, it)));
    let pairs: Vec<_> = pairs.collect();
    // Where one artifact is wrong, nothing is published.
    parallel::map(&pairs, jobs, |(begun, artifact)| {
        publish::send(client, begun, artifact, progress).map(done)
    })?;
    parallel::map(begun, jobs, |begun| publish::commit(client, begun, progress).map(done))?;
    Ok(())
}

/// Fails early for what can be known before there is a manifest: a missing or impossible bucket, or
/// missing credentials.
pub fn preflight(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::table(env)?;
    let config = root.as_ref().map(|root| &root.config);
    if options.dry_run {
        return Ok(destination::describe(&options.destination, config, env).map(drop)?);
    }
    if options.destination.local {
        return Ok(destination::checked(&options.destination, config, env, ui).map(drop)?);
    }
    let provider = destination::credentials(&options.destination, config, None, env, ui);
    if why_skip(options.skip_without_credentials, &provider, env).is_some() {
        return Ok(());
    }
    let provider = provider?;
    let location = destination::location(&options.destination, config, env)?;
    let provider = provider.ok_or_else(|| no_credentials(options))?;
    Client::with_options(location, provider, destination::client_options(config, 1, env)?)?;
    Ok(())
}

/// Says where an upload would go.
pub fn say_destination(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::table(env)?;
    let config = root.as_ref().map(|root| &root.config);
    ui.say("would upload", destination::describe(&options.destination, config, env)?);
    Ok(())
}

fn snapshot_dir(root: Option<&Table>, options: &Options, env: &Env) -> PathBuf {
    let base = root.map_or(env.current_dir.as_path(), |root| &root.dir);
    let variable = env.get("CIRCLE_ARTIFACTS");
    plan::dest(options.dest.as_deref(), &env.current_dir, variable.as_deref(), base)
        .join("snapshot")
}

fn read_manifest(snapshot_dir: &Path) -> anyhow::Result<Manifest> {
    snapshot::read(snapshot_dir)?.ok_or_else(|| {
        let path = snapshot_dir.join(MANIFEST_FILE);
        Error::config(format!("no manifest to upload: {} is not there", path.display()))
            .hint("run `cargo xtask dist` first, or name its folder with --dest")
            .into()
    })
}

fn select<'a>(manifest: &'a Manifest, names: &[String]) -> ferror::Result<Vec<&'a str>> {
    let services = manifest.services();
    if let Some(unknown) = names.iter().find(|name| !services.contains(name.as_str())) {
        let near = suggest::did_you_mean(unknown, services.iter().copied());
        let known = services.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Error::config(format!(
            "service `{unknown}` is not in the manifest: {near}it lists {known}"
        ))
        .hint("build it first: `cargo xtask dist`"));
    }
    let wanted = |service: &&str| names.is_empty() || names.iter().any(|name| name == service);
    Ok(services.into_iter().filter(wanted).collect())
}

/// Returns a client for the bucket; `None` when there are no credentials and the options allow
/// that.
fn connect(
    options: &Options,
    root: Option<&Table>,
    object_keys: Vec<String>,
    jobs: usize,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Option<(Client, Option<LocalServer>)>> {
    let config = root.map(|root| &root.config);
    if options.destination.local {
        let location = destination::location(&options.destination, config, env)?;
        let root = workspace::root(env)?.ok_or_else(|| {
            Error::config("--local builds its server with cargo: there is no workspace here")
                .hint("run it inside the repository, or name a bucket and an endpoint")
        })?;
        let cargo = toolchain::cargo_for_our_programs(&root.dir, env)?;
        let server = LocalServer::start(&root, &location.bucket, &cargo, env, ui)?;
        let location = Location {
            endpoint: Some(server.endpoint().to_owned()),
            region: server.region().to_owned(),
            path_style: Some(true),
            ..location
        };
        let client_options = ClientOptions { bodies_at_once: jobs, ..ClientOptions::default() };
        let client = Client::with_options(location, server.credentials()?, client_options)?;
        return Ok(Some((client, Some(server))));
    }
    let reach = Reach { object_keys, ..Reach::default() };
    let provider = destination::credentials(&options.destination, config, Some(reach), env, ui);
    // First, because where credentials are missing the bucket's name often is too: both come from
    // one context, which a fork's pull request does not get.
    if let Some(why) = why_skip(options.skip_without_credentials, &provider, env) {
        ui.result(format_args!("a fork's pull request, and {why}: nothing is uploaded"));
        let nothing = json!({ "bucket": null, "complete": false, "objects": [] });
        ui.document(&format!("{nothing:#}"));
        return Ok(None);
    }
    let provider = provider?;
    let location = destination::location(&options.destination, config, env)?;
    let provider = provider.ok_or_else(|| no_credentials(options))?;
    let client =
        Client::with_options(location, provider, destination::client_options(config, jobs, env)?)?;
    Ok(Some((client, None)))
}

/// Returns the reason to skip the upload under `--skip-without-credentials`: CI builds a fork's
/// pull request, which gets no credentials, or only the part of them that is no secret.
///
/// Anywhere else missing credentials are a mistake, such as a context that was renamed. `may_skip` is
/// `--skip-without-credentials`.
pub(super) fn why_skip(
    may_skip: bool,
    provider: &anyhow::Result<Option<CredentialProvider>>,
    env: &Env,
) -> Option<String> {
    if !may_skip || env.first(&OF_A_FORK).is_none() {
        return None;
    }
    match provider {
        Ok(Some(_)) => None,
        Ok(None) => Some("no credentials in the environment".to_owned()),
        Err(error) => {
            let error = error.downcast_ref::<Error>()?;
            (error.kind() == Kind::Config).then(|| error.to_string())
        }
    }
}

fn no_credentials(options: &Options) -> Error {
    let error = destination::no_credentials();
    if !options.skip_without_credentials {
        return error;
    }
    error.hint(format!(
        "--skip-without-credentials skips only a fork's pull request on CircleCI, for which one of {} is \
         set: look whether the job still gets its context",
        OF_A_FORK.join(", ")
    ))
}

fn dry_run(
    manifest: &Manifest,
    services: &[&str],
    location: &Location,
    ui: &Ui,
) -> anyhow::Result<()> {
    let mut objects = Vec::new();
    for service in services {
        for artifact in &manifest.part_of(service).artifacts {
            ui.result(format_args!(
                "would PUT  {}/{}  {}",
                location.bucket,
                artifact.object_key,
                ui::size(artifact.size_bytes)
            ));
            objects.push(artifact.object_key.clone());
        }
        let key = manifest.object_key(service).context("a service without artifacts")?;
        ui.result(format_args!("would PUT  {}/{key}", location.bucket));
        objects.push(key);
    }
    let document = json!({ "bucket": location.bucket, "object_keys": objects });
    ui.document(&format!("{document:#}"));
    Ok(())
}

fn document(
    client: &Client,
    version: &str,
    complete: bool,
    receipts: &[Receipt],
    timings: Option<&Timings>,
) -> String {
    let objects: Vec<_> = receipts.iter().map(Receipt::to_json).collect();
    let bucket = &client.location().bucket;
    let mut document =
        json!({ "bucket": bucket, "version": version, "complete": complete, "objects": objects });
    if let Some(timings) = timings {
        document["timings"] = timings.to_json();
    }
    format!("{document:#}")
}
