//! The bucket, read with care: capped, and cached so that a storm of page views is no storm of
//! requests to the bucket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Found, Reading, Shelf};
use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;
use service::Bucket;
use tokio::sync::Mutex;
use tracing::{debug, error};

use crate::view::{Release, Service, View};

/// At most so many objects are listed: ten requests to the bucket.
const MAX_OBJECTS: usize = 10_000;
/// At most so many releases of a service are read and shown.
const MAX_RELEASES_PER_SERVICE: usize = 20;
/// At most so many manifest objects are read for one view.
const MAX_RELEASES: usize = 400;
/// For so long a view, or the failure to make one, is shown without asking the bucket again.
const FRESH: Duration = Duration::from_secs(5);
/// For so long a request waits for the bucket.
const PATIENCE: Duration = Duration::from_secs(15);
/// For so long the links of a view work.
const LINKS_WORK: Duration = Duration::from_hours(1);

/// A view, or why there is none. Both are shared by the requests of the next few seconds.
type Outcome = Result<Arc<View>, Arc<Error>>;

/// Where views come from.
#[derive(Clone)]
pub(crate) struct Source(Arc<Mutex<Cache>>);

struct Cache {
    bucket: Bucket,
    latest: Option<(Instant, Outcome)>,
    /// Manifest objects by object key. They hardly ever change, and their entity tag says when.
    readings: HashMap<String, Reading>,
}

impl Source {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self(Arc::new(Mutex::new(Cache { bucket, latest: None, readings: HashMap::new() })))
    }

    /// A view that is at most a few seconds old.
    ///
    /// # Errors
    /// What the bucket answers; [`Kind::Unavailable`] when it does not answer in time.
    pub(crate) async fn view(&self) -> Outcome {
        // One reads, the others wait for its result. The lock goes with the blocking work: when a
        // client gives up, what was begun for it still ends up in the cache.
        let cache = Arc::clone(&self.0);
        let reading = async {
            let mut cache = cache.lock_owned().await;
            service::blocking("reading the bucket", move || Ok(cache.latest())).await
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(outcome) => outcome.unwrap_or_else(|panic| Err(Arc::new(panic))),
            Err(_) => Err(Arc::new(Error::new(
                Kind::Unavailable,
                format!("the bucket did not answer within {} s", PATIENCE.as_secs()),
            ))),
        }
    }
}

impl Cache {
    fn latest(&mut self) -> Outcome {
        if let Some((made, outcome)) = &self.latest
            && made.elapsed() < FRESH
        {
            return outcome.clone();
        }
        let begun = Instant::now();
        // In whole seconds: what people read needs no more.
        let now = Epoch::from_secs(Epoch::now().secs());
        let outcome = self.read(now).map(Arc::new).map_err(Arc::new);
        match &outcome {
            Ok(view) => debug!(
                services = view.services.len(),
                took_ms = begun.elapsed().as_millis() as u64,
                "read the bucket"
            ),
            // Logged here, once, and not by every request that it is shown to.
            Err(error) => error!(
                kind = %error.kind(),
                hint = error.hint_text(),
                "cannot read the bucket: {error:#}"
            ),
        }
        self.latest = Some((Instant::now(), outcome.clone()));
        outcome
    }

    fn read(&mut self, now: Epoch) -> ferror::Result<View> {
        let Bucket { client, prefix } = self.bucket.clone();
        let listing = client.list(&prefix, MAX_OBJECTS).context("listing the bucket")?;

        let mut known = std::mem::take(&mut self.readings);
        let mut services = Vec::new();
        for (name, objects) in Shelf::sort(&prefix, listing.objects).services {
            let room = MAX_RELEASES.saturating_sub(self.readings.len());
            let shown = room.min(MAX_RELEASES_PER_SERVICE).min(objects.manifests.len());
            let mut releases = Vec::new();
            for found in &objects.manifests[..shown] {
                let known = known.remove(&found.object_key);
                let Some(reading) = self.reading(&name, found, known)? else { continue };
                let link = |object_key: &str| client.presign_get(object_key, now, LINKS_WORK);
                releases.push(Release::new((&prefix, &name), found, &reading, &link)?);
                self.readings.insert(found.object_key.clone(), reading);
            }
            releases.sort_by_key(|release| std::cmp::Reverse(release.made_at()));
            let not_shown = objects.manifests.len() - shown;
            services.push(Service { name, releases, not_shown });
        }
        // Archives alone are an upload that has not ended: not a release yet.
        services.retain(|service| !service.releases.is_empty() || service.not_shown > 0);
        Ok(View {
            bucket: client.location().bucket.clone(),
            prefix,
            read_at: now,
            links_until: now.saturating_add(LINKS_WORK),
            truncated: listing.truncated,
            services,
        })
    }

    /// The manifest object as it was read before, when it is still the same, else as it is now.
    fn reading(
        &self,
        service: &str,
        found: &Found,
        known: Option<Reading>,
    ) -> ferror::Result<Option<Reading>> {
        match known {
            Some(reading) if reading.etag == found.etag => Ok(Some(reading)),
            _ => {
                let release = (service, found.version.as_str());
                catalog::read_manifest(&self.bucket.client, release, &found.object_key)
            }
        }
    }
}
