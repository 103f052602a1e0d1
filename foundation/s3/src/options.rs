//! How a client behaves, where the defaults do not fit.

use crate::Patience;

/// What a client may be told besides where the bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Trust these root certificates (a bundle in PEM, as `AWS_CA_BUNDLE` and `SSL_CERT_FILE` name
    /// one) in place of the bundled ones.
    pub roots_pem: Option<Vec<u8>>,
    /// The account that has to own the bucket, 12 digits: another's bucket of that name is refused
    /// by the server, whatever its policy allows.
    pub expected_bucket_owner: Option<String>,
    /// Whether plain http may be used beyond loopback. Never with a session token or `SigV2`.
    pub allow_http: bool,
    /// How long it keeps trying.
    pub patience: Patience,
    /// How many bodies of files are under way at once, counting each part of a multipart upload;
    /// at least one.
    pub bodies_at_once: usize,
    /// How much memory those bodies take together, in bytes. An object so large that one part is
    /// larger (beyond 10,000 times this) takes that part.
    pub memory_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            roots_pem: None,
            expected_bucket_owner: None,
            allow_http: false,
            patience: Patience::default(),
            bodies_at_once: 4,
            memory_bytes: 32 * 1024 * 1024,
        }
    }
}
