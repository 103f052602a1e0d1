//! Where a client gets its credentials from, request by request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;

use crate::Credentials;

/// How long before their end temporary credentials are fetched anew; half of what is left, where
/// that is less.
const REFRESH_AHEAD: Duration = Duration::from_secs(5 * 60);

/// After a refresh failed while the old credentials still hold, the next one is not tried sooner.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// A source of credentials: fixed ones, or temporary ones that are fetched anew before they expire.
///
/// Cheap to clone; all clones share what was fetched, which stays in memory. Debug shows the
/// source's name and the last four characters of the access key id.
#[derive(Clone)]
pub struct CredentialProvider(Arc<Inner>);

/// Credentials as a source issued them.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) credentials: Credentials,
    /// When they stop working; `None` when the source does not say.
    pub(crate) expires: Option<Epoch>,
}

type Fetch = Box<dyn Fn() -> ferror::Result<Issued> + Send + Sync>;

struct Inner {
    source: String,
    /// `None` where the credentials are all there are.
    fetch: Option<Fetch>,
    /// Locked while a fetch is under way, so that there is one at a time.
    slot: Mutex<Slot>,
}

struct Slot {
    held: Option<Held>,
    /// When a fetch last failed, and how.
    failed: Option<(Instant, Error)>,
}

struct Held {
    credentials: Credentials,
    expires: Option<Epoch>,
    refresh_at: Option<Epoch>,
}

impl From<Credentials> for CredentialProvider {
    fn from(credentials: Credentials) -> Self {
        Self::fixed("given", credentials)
    }
}

impl CredentialProvider {
    /// These credentials, for good.
    pub(crate) fn fixed(source: impl Into<String>, credentials: Credentials) -> Self {
        Self::new(source, Some(Held { credentials, expires: None, refresh_at: None }), None)
    }

    /// What `fetch` issues, each time anew; `first` is what it issued already.
    pub(crate) fn refreshing(
        source: impl Into<String>,
        first: Option<Issued>,
        fetch: impl Fn() -> ferror::Result<Issued> + Send + Sync + 'static,
    ) -> Self {
        let held = first.map(|issued| Held::new(issued, Epoch::now()));
        Self::new(source, held, Some(Box::new(fetch)))
    }

    fn new(source: impl Into<String>, held: Option<Held>, fetch: Option<Fetch>) -> Self {
        let slot = Mutex::new(Slot { held, failed: None });
        Self(Arc::new(Inner { source: source.into(), fetch, slot }))
    }

    /// The credentials to sign with now. Temporary ones are fetched at the first call and anew five
    /// minutes before they expire, by one caller while the others wait. When that fails, those that
    /// still hold stay in use, and it is tried again later; when none hold, it is the source's
    /// error.
    pub fn current(&self) -> ferror::Result<Credentials> {
        self.current_asked(Instant::now())
    }

    fn current_asked(&self, asked_at: Instant) -> ferror::Result<Credentials> {
        let mut slot = self.lock();
        let now = Epoch::now();
        if let Some(held) = &slot.held
            && held.refresh_at.is_none_or(|at| now < at)
        {
            return Ok(held.credentials.clone());
        }
        if let Some((failed_at, error)) = &slot.failed
            && asked_at < *failed_at
        {
            // It failed while this caller waited; asking once more for each would take as often as
            // long.
            return Err(again(error));
        }
        match self.fetch() {
            Ok(fresh) => Ok(slot.held.insert(fresh).credentials.clone()),
            Err(error) => {
                // The attempt took its time: what held before it may not hold now.
                let now = Epoch::now();
                if let Some(held) = &mut slot.held
                    && held.expires.is_some_and(|end| now < end)
                {
                    held.refresh_at = Some(now.saturating_add(TRY_AGAIN_AFTER));
                    return Ok(held.credentials.clone());
                }
                slot.failed = Some((Instant::now(), again(&error)));
                Err(error)
            }
        }
    }

    /// Fetches new ones in place of `stale`, which a server called expired. True when there are
    /// others now, perhaps because another thread fetched them; false when these are all there are.
    pub fn renew(&self, stale: &Credentials) -> ferror::Result<bool> {
        if self.0.fetch.is_none() {
            return Ok(false);
        }
        let mut slot = self.lock();
        if slot.held.as_ref().is_some_and(|held| held.credentials != *stale) {
            return Ok(true);
        }
        let fresh = self.fetch()?;
        Ok(slot.held.insert(fresh).credentials != *stale)
    }

    fn fetch(&self) -> ferror::Result<Held> {
        let Some(fetch) = &self.0.fetch else {
            return Err(Error::new(Kind::Bug, "fixed credentials were to be fetched"));
        };
        let context = || format!("credentials ({})", self.0.source);
        // Without its source: what an issuer refuses is no refusal by the bucket.
        let issued = fetch().map_err(|error| again(&error)).with_context(context)?;
        let now = Epoch::now();
        if issued.expires.is_some_and(|end| end <= now) {
            return Err(Error::invalid("the source issues credentials that have expired")
                .hint("check this machine's clock, and the source")
                .context(context()));
        }
        Ok(Held::new(issued, now))
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Each change is one assignment, so a panic elsewhere leaves nothing half done.
        self.0.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same error once more, for another caller.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind(), format!("{error:#}"));
    match error.hint_text() {
        Some(hint) => same.hint(hint),
        None => same,
    }
}

impl Held {
    fn new(issued: Issued, now: Epoch) -> Self {
        let Issued { credentials, expires } = issued;
        let refresh_at = expires.map(|end| {
            let left = end.since(now).unwrap_or_default();
            end.saturating_sub(REFRESH_AHEAD.min(left / 2))
        });
        Self { credentials, expires, refresh_at }
    }
}

impl fmt::Debug for CredentialProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever prints must not wait for a fetch.
        let held = match self.0.slot.try_lock() {
            Ok(slot) => slot.held.as_ref().map(|held| format!(", {:?}", held.credentials)),
            Err(_) => None,
        };
        write!(f, "CredentialProvider({}{})", self.0.source, held.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
