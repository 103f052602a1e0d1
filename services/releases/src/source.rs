//! The bucket, read with care: capped, and cached so that a storm of page views is no storm of
//! requests to the bucket.

mod reader;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferror::{Error, Kind};
use ftime::Epoch;
use service::Bucket;
use tokio::sync::{Mutex, Semaphore};
use tracing::{debug, error};

use self::reader::Reader;
use crate::view::View;

/// For so long a view, or the failure to make one, is shown without asking the bucket again.
const FRESH: Duration = Duration::from_secs(5);
/// For so long a request waits for the bucket.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many views are made at once, besides that of all services; more wait for their turn.
const AT_ONCE: usize = 4;
/// Of more pages than this, those that no one looks at any more are forgotten.
const MAX_PAGES: usize = 256;

/// What part of the bucket a page shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    All,
    Service(String),
    Release(String, String),
}

/// A view, none where there is no such service or release, or why there is none. All are shared by
/// the requests of the next few seconds.
pub(crate) type Outcome = Result<Option<Arc<View>>, Arc<Error>>;

/// A page's latest outcome. Whoever holds the lock makes a new one.
type Slot = Arc<Mutex<Option<(Instant, Outcome)>>>;

/// Where views come from.
#[derive(Clone)]
pub(crate) struct Source {
    reader: Arc<Reader>,
    pages: Arc<Mutex<HashMap<Scope, Slot>>>,
    turns: Arc<Semaphore>,
}

impl Source {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            reader: Arc::new(Reader::new(bucket)),
            pages: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// A view that is at most a few seconds old.
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
            let turn = match scope {
                Scope::All => None,
                _ => Some(Arc::clone(&self.turns).acquire_owned().await),
            };
            let reader = Arc::clone(&self.reader);
            service::blocking("reading the bucket", move || {
                let outcome = read(&reader, &scope);
                *latest = Some((Instant::now(), outcome.clone()));
                drop(turn);
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
    // In whole seconds: what people read needs no more.
    let now = Epoch::from_secs(Epoch::now().secs());
    let outcome = reader.view(scope, now);
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
