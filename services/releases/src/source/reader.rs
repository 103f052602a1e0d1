//! Reads views: lists no more than the page needs, and reads objects again only when they changed.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use catalog::{Found, Reading};
use ftime::Epoch;
use service::Bucket;
use tokio::sync::Mutex;
use tracing::warn;

use super::listing::{MOST, list};
use super::scope::Scope;
use crate::view::{Channel, Release, Service, View, compare};

/// How many channels of a service are read at most.
const MAX_CHANNELS: usize = 20;
/// How many objects of each kind are cached at most.
const MAX_CACHED: usize = 1000;
/// How many objects may be missing from a view because the bucket does not give them. Where more are, it gives none, and
/// asking for each would take long.
const MAX_MISSING: usize = 3;
/// How long the download links of a view work.
const LINKS_WORK: Duration = Duration::from_hours(1);

/// Reads views. Its methods block.
pub(crate) struct Reader {
    bucket: Bucket,
    manifests: ObjectCache<catalog::Manifest>,
    channels: ObjectCache<catalog::Channel>,
}

/// Objects by object key. They rarely change, and their entity tag says when.
struct ObjectCache<T>(Mutex<HashMap<String, Reading<T>>>);

impl Reader {
    pub(crate) fn new(bucket: Bucket) -> Self {
        let (manifests, channels) = (ObjectCache(Mutex::default()), ObjectCache(Mutex::default()));
        Self { bucket, manifests, channels }
    }

    /// Returns the time by which ages are counted: the bucket's, since it says when an object was uploaded.
    pub(crate) fn now(&self) -> Epoch {
        self.bucket.client.server_time()
    }

    /// Returns what `scope` shows; `None` where there is no such service or release.
    ///
    /// # Errors
    /// What the bucket answers.
    pub(crate) fn view(&self, scope: &Scope) -> ferror::Result<Option<View>> {
        let Bucket { client, prefix } = &self.bucket;
        let (listed, truncated) = list(client, prefix, scope, MOST)?;
        // After the first request, by which a client learns that this machine's clock is wrong; in whole
        // seconds, because people read it.
        let read_at = Epoch::from_secs(self.now().secs());
        let links_until = Cell::new(read_at.saturating_add(LINKS_WORK));
        let missing = Cell::new(0);
        let mut services = Vec::new();
        let sorted = catalog::by_service(prefix, listed);
        // Some have no release, and no part of the reading either.
        let newest = scope.newest(sorted.values().filter(|it| !it.manifests.is_empty()).count());
        for (name, objects) in sorted {
            let service = self.service(scope, (name, &objects), newest, &links_until, &missing)?;
            // Archives and channels alone are no release yet, or none any more.
            services
                .extend((!service.releases.is_empty() || service.not_shown > 0).then_some(service));
        }
        if *scope != Scope::All && services.is_empty() {
            return Ok(None);
        }
        Ok(Some(View {
            bucket: client.location().bucket.clone(),
            prefix: prefix.clone(),
            read_at,
            links_until: links_until.get(),
            truncated,
            services,
        }))
    }

    fn service(
        &self,
        scope: &Scope,
        (name, objects): (String, &catalog::Service),
        newest: usize,
        links_until: &Cell<Epoch>,
        missing: &Cell<usize>,
    ) -> ferror::Result<Service> {
        let Bucket { client, prefix } = &self.bucket;
        let mut channels = Vec::new();
        for found in objects.channels.iter().take(MAX_CHANNELS) {
            let read = || catalog::read_channel(client, &name, found);
            let reading = self.channels.read_or_cached(found, read);
            let reading = or_unreadable(reading, found, missing)?;
            channels.extend(reading.map(|reading| Channel::new(&found.name, reading.content)));
        }
        let named: BTreeSet<_> =
            channels.iter().filter_map(Channel::current).map(|e| e.version.clone()).collect();

        let mut service =
            Service { name, channels, releases: Vec::new(), not_shown: objects.manifests.len() };
        let mut shown = Vec::new();
        // presign_get takes this machine's time.
        let now = Epoch::now();
        let link = |object_key: &str| {
            let presigned = client.presign_get(object_key, now, LINKS_WORK)?;
            // Sooner where the credentials expire.
            links_until.set(links_until.get().min(presigned.expires_at));
            Ok(presigned.url)
        };
        for (nth, found) in objects.manifests.iter().enumerate() {
            let is_shown = match scope {
                Scope::Release(_, only) => found.name == *only,
                Scope::All | Scope::Service(_) => nth < newest || named.contains(&found.name),
            };
            if !is_shown {
                continue;
            }
            let release = (service.name.as_str(), found.name.as_str());
            let read = || catalog::read_manifest(client, release, &found.object_key);
            service.not_shown -= 1;
            let reading = self.manifests.read_or_cached(found, read);
            let reading = match scope {
                Scope::Release(..) => reading?,
                Scope::All | Scope::Service(_) => or_unreadable(reading, found, missing)?,
            };
            let Some(reading) = reading else { continue };
            let place = (prefix.as_str(), service.name.as_str());
            let release = Release::new(place, found, &reading, &service.channels, &link)?;
            shown.push((release, reading.content.ok()));
        }
        shown.sort_by_key(|(release, _)| std::cmp::Reverse(release.made_at()));
        let manifests: Vec<_>;
        (service.releases, manifests) = shown.into_iter().unzip();
        for (nth, release) in service.releases.iter_mut().enumerate() {
            let older = manifests[nth + 1..].iter().flatten();
            let same = manifests[nth].as_ref().and_then(|manifest| manifest.same_program(older));
            release.same_program_as = same.map(str::to_owned);
        }
        if matches!(scope, Scope::Release(..)) {
            // How far apart two releases are takes those between.
            service.not_shown = 0;
        } else {
            let complete = if service.not_shown > 0 { newest } else { usize::MAX };
            compare(&mut service.channels, &service.releases, complete);
        }
        Ok(service)
    }
}

/// Returns what is shown in the place of an object that the bucket does not give: it hides no other. The next view asks
/// for it again. Fails where `missing`, which is counted here, becomes too much.
fn or_unreadable<T>(
    read: ferror::Result<Option<Reading<T>>>,
    found: &Found,
    missing: &Cell<usize>,
) -> ferror::Result<Option<Reading<T>>> {
    read.or_else(|error| {
        missing.set(missing.get() + 1);
        if missing.get() > MAX_MISSING {
            return Err(error);
        }
        warn!(object_key = found.object_key, "cannot read it: {error:#}");
        let content = Err(format!("the bucket does not give it ({})", error.kind()));
        Ok(Some(Reading { etag: String::new(), content }))
    })
}

impl<T: Clone> ObjectCache<T> {
    /// Returns the cached object when its entity tag is still the listed one, else reads it.
    fn read_or_cached(
        &self,
        found: &Found,
        read: impl FnOnce() -> ferror::Result<Option<Reading<T>>>,
    ) -> ferror::Result<Option<Reading<T>>> {
        let before = self.0.blocking_lock().get(&found.object_key).cloned();
        if let Some(reading) = before.filter(|reading| reading.etag == found.etag) {
            return Ok(Some(reading));
        }
        let reading = read()?;
        let mut cached = self.0.blocking_lock();
        if cached.len() >= MAX_CACHED {
            // Removed releases are among them, which no listing names any more.
            cached.clear();
        }
        if let Some(reading) = &reading {
            cached.insert(found.object_key.clone(), reading.clone());
        }
        Ok(reading)
    }
}
