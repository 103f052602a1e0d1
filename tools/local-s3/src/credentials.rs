//! The one pair of credentials that the server accepts, made up anew for every run: nothing that
//! leaks from a demonstration opens anything later.

use std::fmt;

use ferror::{Error, Kind};

use crate::record::hex;

/// An access key id with its secret.
#[derive(Clone)]
pub struct Credentials {
    /// Twenty characters, as long as those of AWS.
    pub access_key_id: String,
    /// Forty characters, 160 random bits.
    pub secret_access_key: String,
}

impl Credentials {
    /// Makes up a pair from the operating system's random numbers.
    pub fn random() -> ferror::Result<Self> {
        Ok(Self {
            access_key_id: format!("LOCA{}", random_hex::<8>()?.to_uppercase()),
            secret_access_key: random_hex::<20>()?,
        })
    }
}

/// Never shows the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

fn random_hex<const BYTES: usize>() -> ferror::Result<String> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(Kind::Config, "the operating system gives no random numbers").caused_by(error)
    })?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::Credentials;

    #[test]
    fn every_pair_is_new_and_debug_hides_the_secret() {
        let (one, other) = (Credentials::random().unwrap(), Credentials::random().unwrap());
        assert_eq!(one.access_key_id.len(), 20);
        assert_eq!(one.secret_access_key.len(), 40);
        assert_ne!(one.access_key_id, other.access_key_id);
        assert_ne!(one.secret_access_key, other.secret_access_key);
        let shown = format!("{one:?}");
        assert!(!shown.contains(&one.secret_access_key), "the secret is shown: {shown}");
    }
}
