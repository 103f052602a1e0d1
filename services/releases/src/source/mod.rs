//! Reads views from the bucket and caches them, so that many page views are few requests to the bucket.

mod listing;
mod reader;
mod scope;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferror::{Error, Kind};
use ftime::Epoch;
use service::Bucket;
use tokio::sync::{Mutex, Semaphore};
use tracing::{debug, error};

use self::reader::Reader;
pub(crate) use self::scope::Scope;
use crate::view::View;

/// How long a view, or the failure to make one, is shown before the bucket is asked again.
const FRESH: Duration = Duration::from_secs(5);
/// How long a request waits for the bucket.
const PATIENCE: Duration = Duration::from_secs(15);
/// How many views are made at once, besides that of all services; more wait for a permit.
const MAX_READS: usize = 4;
/// When there are more pages than this in the cache, those that no one looks at any more are dropped.
const MAX_PAGES: usize = 256;

/// A view, `None` where there is no such service or release, or the error. The requests of the next few
/// seconds share it.
pub(crate) type Outcome = Result<Option<Arc<View>>, Arc<Error>>;

/// The latest outcome for a page. The holder of the lock makes a new one.
type Slot = Arc<Mutex<Option<(Instant, Outcome)>>>;

/// Gives views, from the cache or the bucket.
#[derive(Clone)]
pub(crate) struct Source {
    reader: Arc<Reader>,
    pages: Arc<Mutex<HashMap<Scope, Slot>>>,
    permits: Arc<Semaphore>,
}

impl Source {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            reader: Arc::new(Reader::new(bucket)),
            pages: Arc::default(),
            permits: Arc::new(Semaphore::new(MAX_READS)),
        }
    }

    /// Returns a view that is at most a few seconds old.
    ///
    /// # Errors
    /// What the bucket answers; [`Kind::Unavailable`] when it does not answer in time.
    pub(crate) async fn view(&self, scope: Scope) -> Outcome {
        let reading = async {
            // One reads, the others wait for its result. The lock goes with the blocking work: when
            // a client gives up, what was begun for it still ends up in the cache.
            let mut latest = self.slot(&scope).await.lock_owned().await;
            if let Some(outcome) = latest.as_ref().and_then(fresh) {
                return Ok(outcome.clone());
            }
            // All services are one page, read once at a time: requests for many others, which may
            // well name nothing, do not keep it waiting.
            let permit = match scope {
                Scope::All => None,
                _ => Some(Arc::clone(&self.permits).acquire_owned().await),
            };
            let reader = Arc::clone(&self.reader);
            service::blocking("reading the bucket", move || {
                let outcome = read(&reader, &scope);
                *latest = Some((Instant::now(), outcome.clone()));
                drop(permit);
                Ok(outcome)
            })
            .await
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(outcome) => outcome.unwrap_or_else(|panic| Err(Arc::new(panic))),
            Err(_) => Err(Arc::new(Error::new(
                Kind::Unavailable,
                format!("the bucket did not answer within {} s", PATIENCE.as_secs()),
            ))),
        }
    }

    /// Returns the time by which ages are counted.
    pub(crate) fn now(&self) -> Epoch {
        self.reader.now()
    }

    async fn slot(&self, scope: &Scope) -> Slot {
        let mut pages = self.pages.lock().await;
        if pages.len() >= MAX_PAGES {
            // A slot whose lock is taken is being read.
            let is_used = |slot: &Slot| {
                slot.try_lock().map_or(true, |latest| latest.as_ref().and_then(fresh).is_some())
            };
            pages.retain(|_, slot| Arc::strong_count(slot) > 1 || is_used(slot));
        }
        Arc::clone(pages.entry(scope.clone()).or_default())
    }
}

fn fresh((made, outcome): &(Instant, Outcome)) -> Option<&Outcome> {
    (made.elapsed() < FRESH).then_some(outcome)
}

fn read(reader: &Reader, scope: &Scope) -> Outcome {
    let begun = Instant::now();
    let outcome = reader.view(scope);
    match &outcome {
        Ok(view) => debug!(
            ?scope,
            services = view.as_ref().map(|view| view.services.len()),
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
    outcome.map(|view| view.map(Arc::new)).map_err(Arc::new)
}
