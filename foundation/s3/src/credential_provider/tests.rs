//! The provider against sources whose lifetimes and failures are known.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ferror::{Error, Kind};
use ftime::Epoch;

use super::{CredentialProvider, Issued, REFRESH_AHEAD};
use crate::Credentials;

fn credentials(number: usize) -> Credentials {
    Credentials::new(format!("ASIAEXAMPLE-{number:04}"), "hidden", None).unwrap()
}

/// Returns a source that issues credentials number 1, 2, ... of these lifetimes; 0 is a failure.
fn source(lifetimes: &[u64]) -> (CredentialProvider, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let left = Mutex::new(lifetimes.iter().rev().copied().collect::<Vec<_>>());
    let provider = CredentialProvider::refreshing("test", None, move || {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        match left.lock().unwrap().pop().expect("one call too many") {
            0 => Err(Error::new(Kind::Unavailable, "the source is away")),
            secs => Ok(Issued {
                credentials: credentials(number),
                expires: Some(Epoch::now().saturating_add(Duration::from_secs(secs))),
            }),
        }
    });
    (provider, calls)
}

/// Changes the expiry of the provider's credentials to `left` from now.
fn age(provider: &CredentialProvider, left: Duration) {
    let mut slot = provider.lock();
    let held = slot.held.as_mut().expect("credentials were fetched");
    let end = Epoch::now().saturating_add(left);
    held.expires = Some(end);
    held.refresh_at = Some(end.saturating_sub(REFRESH_AHEAD));
}

#[test]
fn fixed_credentials_stay() {
    let provider = CredentialProvider::from(credentials(1));
    assert_eq!(provider.current().unwrap(), credentials(1));
    assert!(!provider.renew(&credentials(1)).unwrap());
    assert_eq!(format!("{provider:?}"), "CredentialProvider(given, Credentials(..0001))");
}

#[test]
fn temporary_ones_are_fetched_when_needed_and_anew_before_they_end() {
    let (provider, calls) = source(&[3600, 3600]);
    assert_eq!(format!("{provider:?}"), "CredentialProvider(test)");
    assert_eq!(calls.load(Ordering::SeqCst), 0, "nothing is fetched before it is needed");
    let clone = provider.clone();
    assert_eq!(provider.current().unwrap(), credentials(1));
    assert_eq!(clone.current().unwrap(), credentials(1));
    age(&provider, Duration::from_secs(301));
    assert_eq!(provider.current().unwrap(), credentials(1));
    age(&provider, Duration::from_secs(299));
    assert_eq!(clone.current().unwrap(), credentials(2));
    assert_eq!(provider.current().unwrap(), credentials(2));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn short_lived_ones_are_not_fetched_at_every_request() {
    let (provider, _) = source(&[200]);
    for _ in 0..3 {
        assert_eq!(provider.current().unwrap(), credentials(1));
    }
}

#[test]
fn a_failed_refresh_keeps_what_still_holds_and_is_not_repeated_at_once() {
    let (provider, calls) = source(&[3600, 0, 0]);
    provider.current().unwrap();
    age(&provider, Duration::from_secs(200));
    assert_eq!(provider.current().unwrap(), credentials(1));
    assert_eq!(provider.current().unwrap(), credentials(1));
    assert_eq!(calls.load(Ordering::SeqCst), 2, "one refresh was tried");
    age(&provider, Duration::ZERO);
    let error = provider.current().unwrap_err();
    assert_eq!(error.to_string(), "credentials (test): the source is away");
}

#[test]
fn renewing_replaces_the_stale_ones_alone() {
    let (provider, calls) = source(&[3600, 3600]);
    let stale = provider.current().unwrap();
    assert!(provider.renew(&stale).unwrap());
    assert_eq!(provider.current().unwrap(), credentials(2));
    assert!(provider.renew(&stale).unwrap(), "someone else renewed them");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let same = CredentialProvider::refreshing("test", None, || {
        Ok(Issued { credentials: credentials(7), expires: None })
    });
    assert!(!same.renew(&same.current().unwrap()).unwrap(), "these are all there are");
}

#[test]
fn expired_ones_are_an_error_and_never_used() {
    let provider = CredentialProvider::refreshing("test", None, || {
        Ok(Issued { credentials: credentials(1), expires: Some(Epoch::now()) })
    });
    let error = provider.current().unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn many_threads_cause_one_fetch() {
    let (provider, calls) = source(&[3600]);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(provider.current().unwrap(), credentials(1)));
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn those_who_waited_for_a_fetch_that_failed_get_its_error() {
    let (entered, is_under_way) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    let (ends, may_go) = (Mutex::new(entered), Mutex::new(may_go));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let provider = CredentialProvider::refreshing("test", None, move || {
        counted.fetch_add(1, Ordering::SeqCst);
        ends.lock().unwrap().send(()).unwrap();
        let _ = may_go.lock().unwrap().recv();
        Err(Error::new(Kind::Denied, "no").hint("ask"))
    });
    thread::scope(|scope| {
        let first = scope.spawn(|| provider.current());
        is_under_way.recv().unwrap();
        // It asked before the fetch ends, whenever it gets to wait.
        let asked_at = Instant::now();
        let waiting = scope.spawn({
            let provider = &provider;
            move || provider.current_asked(asked_at)
        });
        drop(let_go);
        for thread in [first, waiting] {
            let error = thread.join().unwrap().unwrap_err();
            assert_eq!((error.kind(), error.hint_text()), (Kind::Denied, Some("ask")));
            assert_eq!(error.to_string(), "credentials (test): no");
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
