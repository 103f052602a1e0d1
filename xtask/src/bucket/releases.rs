//! Reads releases and channels of a bucket.
//!
//! A release exists once its manifest object does. A manifest object is input: it is read as
//! strictly as the file that `upload` takes, and accepted only if it lies under its own object key.

use std::collections::BTreeMap;

use anyhow::Context as _;
use catalog::{
    Artifact, Channel, Entry, MAX_MANIFEST_BYTES, Manifest, PLAIN_KEY_PLATFORM, Platform, Service,
    StoredChannel, by_service, manifest_key,
};
use ferror::{Error, Kind};
use s3::{Attributes, Client, Head};

use crate::bucket::destination::{self, DestinationOptions, Reach};
use crate::model::config::Config;
use crate::model::suggest;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// More objects than this are not looked through: ten services with a release an hour for years.
const MAX_OBJECTS: usize = 1_000_000;
/// More folders than this are not looked through for a similar name: one page of a listing.
const MAX_FOLDERS: usize = 1000;

/// The problem with a [`ReleaseChoice`] that names neither a version nor a channel.
pub const NO_RELEASE_NAMED: &str = "no release named: give its version by --version (`cargo xtask list SERVICE` shows them), or a \
     channel that names it by --channel";

/// A bucket, and the folder in it that holds the releases.
#[derive(Debug)]
pub struct ReleaseBucket {
    /// The client of the bucket.
    pub client: Client,
    /// The beginning of every key: empty, or ending in `/`.
    pub prefix: String,
    /// The storage class, encryption and the like of written objects.
    pub attributes: Attributes,
}

/// The options of the verbs that read or promote releases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseBucketOptions {
    /// The location of the bucket.
    pub destination: DestinationOptions,
    /// `--prefix`: empty, or ending in `/`.
    pub prefix: Option<String>,
}

/// The options that choose an archive of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseChoice {
    /// `--version`.
    pub version: Option<String>,
    /// `--channel`.
    pub channel: Option<String>,
    /// `--platform`.
    pub platform: Option<Platform>,
}

impl ReleaseBucket {
    /// Makes a client for the bucket that options, environment and table (`config`) name. `writes`
    /// are the keys, below the prefix, that are to be written; everything else is only read, and
    /// with `service` only of that one.
    ///
    /// # Errors
    /// [`Kind::Config`] where no bucket is named or there are no credentials.
    pub fn open(
        options: &ReleaseBucketOptions,
        service: Option<&str>,
        writes: &[String],
        config: Option<&Config>,
        env: &Env,
        ui: &Ui,
    ) -> anyhow::Result<Self> {
        let prefix = options.prefix.clone().or_else(|| config.map(|config| config.prefix.clone()));
        let prefix = prefix.unwrap_or_default();
        let destination = &options.destination;
        let location = destination::location(destination, config, env).map_err(|error| {
            error.hint("name it by --bucket, S3_BUCKET, or `bucket` in [workspace.metadata.xtask]")
        })?;
        let reach = Reach {
            object_keys: writes.iter().map(|key| format!("{prefix}{key}")).collect(),
            read_prefixes: vec![read_prefix(&prefix, service, config)],
        };
        let provider = destination::credentials(destination, config, Some(reach), env, ui)?;
        let provider = provider.ok_or_else(|| {
            destination::no_credentials()
                .hint("set one pair, or see with `--explain` what each source lacks")
        })?;
        let client_options = destination::client_options(config, 1, env)?;
        let client = Client::with_options(location, provider, client_options)?;
        let attributes =
            config.map_or_else(Attributes::default, |config| config.attributes.clone());
        Ok(Self { client, prefix, attributes })
    }

    /// Lists the objects of `service`, or of all services.
    pub fn list(&self, service: Option<&str>) -> anyhow::Result<BTreeMap<String, Service>> {
        let folder = service.map_or_else(String::new, |service| format!("{service}/"));
        let listing = self.client.list(&format!("{}{folder}", self.prefix), MAX_OBJECTS)?;
        if listing.truncated {
            let bucket = &self.client.location().bucket;
            let message = format!("bucket {bucket} holds more than {MAX_OBJECTS} objects there");
            return Err(Error::invalid(message).hint("name one SERVICE").into());
        }
        Ok(by_service(&self.prefix, listing.objects))
    }

    /// Reads the manifest object of a release.
    ///
    /// # Errors
    /// [`Kind::Config`] where there is no such release, [`Kind::Invalid`] where its manifest object
    /// is refused.
    pub fn manifest(&self, service: &str, version: &str) -> anyhow::Result<Manifest> {
        let key = manifest_key(&self.prefix, service, version);
        let bucket = &self.client.location().bucket;
        let object = self.client.get(&key, MAX_MANIFEST_BYTES).context("reading the release")?;
        let object = object.ok_or_else(|| {
            Error::config(format!("no release {version} of {service}: no {key} in {bucket}"))
                .hint(self.what_there_is(service))
        })?;
        let manifest = Manifest::read_object_strict(&object.bytes, bucket, &key)?;
        let says = manifest.services().into_iter().collect::<Vec<_>>().join(", ");
        let own_key = manifest.object_key(service);
        if says != service || manifest.version != version || own_key.as_deref() != Some(&*key) {
            let message = format!(
                "object {bucket}/{key} is of {says} {} and lies elsewhere",
                manifest.version
            );
            return Err(Error::new(Kind::Invalid, message).into());
        }
        Ok(manifest)
    }

    /// Reads the release that `--channel` or `--version` names. Of a channel's, only the artifacts that were
    /// promoted.
    ///
    /// # Errors
    /// [`Kind::Config`] where there is none, neither is given, or its artifact for `--platform` was not promoted.
    pub fn choose(&self, service: &str, choice: &ReleaseChoice) -> anyhow::Result<Manifest> {
        if let Some(name) = &choice.channel {
            let platform = choice.platform.unwrap_or(PLAIN_KEY_PLATFORM);
            return self.named(service, name, platform);
        }
        let version = choice.version.as_ref().ok_or_else(|| Error::config(NO_RELEASE_NAMED))?;
        self.manifest(service, version)
    }

    /// Reads the promoted artifacts of the release that a channel names.
    fn named(&self, service: &str, name: &str, platform: Platform) -> anyhow::Result<Manifest> {
        let stored = self.channel(service, name)?.ok_or_else(|| {
            Error::config(format!("{service} has no channel {name}"))
                .hint(self.what_there_is(service))
        })?;
        let entry = &stored.channel.current;
        let chosen = self.promoted(service, entry).and_then(|mut manifest| {
            entry.keep_promoted(&mut manifest, platform)?;
            Ok(manifest)
        });
        chosen.with_context(|| format!("channel {name}"))
    }

    /// Reads the release that an entry of a channel names, with the digests that were promoted.
    ///
    /// # Errors
    /// As of [`ReleaseBucket::manifest`]; [`Kind::Invalid`] where it has other digests now.
    pub fn promoted(&self, service: &str, entry: &Entry) -> anyhow::Result<Manifest> {
        let manifest = self.manifest(service, &entry.version)?;
        entry.check(&manifest)?;
        Ok(manifest)
    }

    /// Reads a channel; `None` where there is none.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the object is no channel.
    pub fn channel(&self, service: &str, name: &str) -> ferror::Result<Option<StoredChannel>> {
        StoredChannel::read(&self.client, &self.prefix, service, name)
    }

    /// Writes a channel, if it is still what was `seen`.
    ///
    /// # Errors
    /// As of [`Channel::write`].
    pub fn write_channel(
        &self,
        channel: &Channel,
        seen: Option<&StoredChannel>,
    ) -> ferror::Result<()> {
        let written = channel.write(&self.client, &self.prefix, &self.attributes, seen);
        written.map_err(destination::explain_unknown_header)
    }

    /// Asks for the object of an artifact.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it is not there, or does not itself say that it is that artifact: a
    /// manifest object may name any object.
    pub fn look_at(&self, artifact: &Artifact) -> anyhow::Result<Head> {
        let key = format!("{}/{}", self.client.location().bucket, artifact.object_key);
        let wrong = |how: String| {
            Error::invalid(format!("{key} is not what its release's manifest object says: {how}"))
                .hint("run `cargo xtask upload --verify` where the release was built: it puts its bytes back")
        };
        let head = self.client.head(&artifact.object_key)?;
        let head = head.ok_or_else(|| wrong("it is not there".to_owned()))?;
        if head.size_bytes != artifact.size_bytes {
            let sizes = format!("it has {} bytes, not {}", head.size_bytes, artifact.size_bytes);
            return Err(wrong(sizes).into());
        }
        match head.metadata.get("sha256") {
            Some(sha256) if *sha256 == artifact.sha256 => Ok(head),
            Some(_) => Err(wrong("it carries another sha256".to_owned()).into()),
            None => Err(wrong("it carries no sha256".to_owned()).into()),
        }
    }

    /// Returns the error where a service has no release.
    pub fn no_release(&self, service: &str) -> Error {
        let folder = format!("{}/{}{service}/", self.client.location().bucket, self.prefix);
        Error::config(format!("no release of `{service}`: there is none in {folder}"))
            .hint(self.what_there_is(service))
    }

    /// Returns the hint where something of a service is not there: for a service without any object, one with a
    /// similar name, if the credentials allow a look at the folders.
    fn what_there_is(&self, service: &str) -> String {
        let folders = self.client.list_folders(&self.prefix, MAX_FOLDERS).unwrap_or_default();
        let name = |folder: &'_ String| {
            Some(folder.strip_prefix(&self.prefix)?.strip_suffix('/')?.to_owned())
        };
        let names: Vec<_> = folders.iter().filter_map(name).collect();
        if names.iter().any(|name| name == service) {
            return format!("see what there is: `cargo xtask list {service}`");
        }
        let near = suggest::did_you_mean(service, names.iter().map(String::as_str));
        format!("{near}see what there is: `cargo xtask list`")
    }
}

/// Returns the artifact of a release for `platform`.
///
/// # Errors
/// [`Kind::Config`] with the platforms that the release has.
pub fn artifact(manifest: &Manifest, platform: Option<Platform>) -> ferror::Result<&Artifact> {
    let platform = platform.unwrap_or(PLAIN_KEY_PLATFORM);
    let found = manifest.artifacts.iter().find(|one| one.platform == platform.as_str());
    found.ok_or_else(|| {
        let known: Vec<_> = manifest.artifacts.iter().map(|one| one.platform.as_str()).collect();
        let (version, known) = (&manifest.version, known.join(", "));
        Error::config(format!("release {version} has no {platform}: it has {known}"))
            .hint("name one of them by --platform")
    })
}

/// Returns the beginning of the keys to read: a service's folder, or the prefix where a template may have put
/// archives elsewhere below it.
fn read_prefix(prefix: &str, service: Option<&str>, config: Option<&Config>) -> String {
    match service {
        Some(service) if config.is_some_and(|config| config.object_key.is_none()) => {
            format!("{prefix}{service}/")
        }
        _ => prefix.to_owned(),
    }
}
