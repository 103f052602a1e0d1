//! Where a client gets its credentials from, request by request.

use std::fmt;

use crate::Credentials;

/// A source of credentials. Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Credentials);

impl From<Credentials> for Keyring {
    fn from(credentials: Credentials) -> Self {
        Self(credentials)
    }
}

impl Keyring {
    /// The credentials to sign with now.
    pub fn current(&self) -> ferror::Result<Credentials> {
        Ok(self.0.clone())
    }

    /// Fetches new ones in place of `stale`, which a server called expired; false when these are
    /// all there are.
    pub fn renew(&self, _stale: &Credentials) -> ferror::Result<bool> {
        Ok(false)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
