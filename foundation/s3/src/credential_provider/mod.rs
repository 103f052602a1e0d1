//! Provides a client with credentials and fetches temporary ones again before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ferror::{Error, Kind, ResultExt as _};
use ftime::Epoch;

use crate::Credentials;

/// How long before their expiry temporary credentials are fetched again; half of the remaining time if
/// that is less.
const REFRESH_AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long the next refresh waits after one failed while the old credentials were still valid.
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
    /// `None` for fixed credentials.
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
    /// Provides these credentials, which never change.
    pub(crate) fn fixed(source: impl Into<String>, credentials: Credentials) -> Self {
        Self::new(source, Some(Held { credentials, expires: None, refresh_at: None }), None)
    }

    /// Provides the credentials that `fetch` issues; `first` are those that it issued already.
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

    /// Returns the credentials to sign with now. Temporary ones are fetched at the first call and anew five
    /// minutes before they expire, by one caller while the others wait. When that fails, those that
    /// are still valid stay in use, and the fetch is tried again later; if none are, the error of the
    /// source is returned.
    pub fn current(&self) -> ferror::Result<Credentials> {
        self.current_asked(Instant::now())
    }

    /// Returns the credentials as [`CredentialProvider::current`] does, and when they expire, where
    /// their source says so.
    pub(crate) fn current_until(&self) -> ferror::Result<(Credentials, Option<Epoch>)> {
        let credentials = self.current()?;
        let slot = self.lock();
        let held = slot.held.as_ref().filter(|held| held.credentials == credentials);
        Ok((credentials, held.and_then(|held| held.expires)))
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

    /// Fetches new credentials in place of `stale`, which a server called expired. Returns whether
    /// there are other ones now, perhaps fetched by another thread; false for fixed credentials.
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

/// Makes a copy of an error for another caller.
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
        // Printing must not wait for a fetch.
        let held = match self.0.slot.try_lock() {
            Ok(slot) => slot.held.as_ref().map(|held| format!(", {:?}", held.credentials)),
            Err(_) => None,
        };
        write!(f, "CredentialProvider({}{})", self.0.source, held.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
