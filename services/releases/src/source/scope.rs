//! What part of the bucket is read for a page.

/// How many releases of a service are read where all services are shown, besides those that channels
/// name. Fewer are shown: the others tell how many lie between two channels.
const RELEASES_BESIDE_OTHERS: usize = 20;
/// How many are read where the service is shown alone.
const RELEASES_ALONE: usize = 100;
/// How many are read for one view. Where there are many services, each has an equal part.
const RELEASES_OF_ALL: usize = 400;

/// What part of the bucket a page shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    All,
    Service(String),
    Release(String, String),
}

impl Scope {
    /// Returns the beginnings of the keys of all objects that are needed.
    pub(super) fn folders(&self, prefix: &str) -> Vec<String> {
        match self {
            Self::All => vec![prefix.to_owned()],
            Self::Service(service) => vec![format!("{prefix}{service}/")],
            Self::Release(service, version) => vec![
                format!("{prefix}{service}/{service}_{version}"),
                format!("{prefix}{service}/channels/"),
            ],
        }
    }

    /// Returns how many of a service's newest releases are read where there are this many services.
    pub(super) fn newest(&self, services: usize) -> usize {
        match self {
            Self::All => (RELEASES_OF_ALL / services.max(1)).clamp(1, RELEASES_BESIDE_OTHERS),
            Self::Service(_) => RELEASES_ALONE,
            Self::Release(..) => 0,
        }
    }
}
