//! The options of a client.

use std::path::PathBuf;

use ferror::{Error, ResultExt as _};

use crate::{RetryPolicy, transport};

/// The options of a client besides the location of the bucket.
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
    /// Whether the server knows `If-None-Match` and `If-Match` on writes. If not, the client asks for
    /// the object's head right before it writes: whoever writes between the two is overwritten.
    pub conditional_writes: bool,
    /// Sends the CRC64NVME of each object and of each part. A server that knows this checksum refuses bytes that
    /// differ, and refuses to join parts into another object.
    pub crc64nvme: bool,
    /// How often and how long failed requests are repeated.
    pub retry_policy: RetryPolicy,
    /// How many bodies of files are under way at once, counting each part of a multipart upload;
    /// at least one.
    pub bodies_at_once: usize,
    /// How much memory those bodies take together, in bytes. An object so large that one part is
    /// larger (beyond 10,000 times this) takes that part.
    pub memory_bytes: usize,
}

/// Reads the certificate authorities to trust in place of the bundled ones: the file that `AWS_CA_BUNDLE`
/// names, else that of `SSL_CERT_FILE`; none where neither is set. `variable` looks up an
/// environment variable, blank is unset.
///
/// # Errors
/// [`ferror::Kind::Config`] where a named file cannot be read, or is no bundle of certificates in PEM.
pub fn roots_pem(
    variable: impl Fn(&'static str) -> Option<PathBuf>,
) -> ferror::Result<Option<Vec<u8>>> {
    for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let named = variable(name);
        if let Some(path) = named.filter(|path| !path.to_string_lossy().trim().is_empty()) {
            let pem = std::fs::read(&path).map_err(|error| {
                Error::config(format!("reading {name} ({})", path.display())).caused_by(error)
            })?;
            // Checked here, where the variable that names it is known.
            transport::root_certs(&pem).with_context(|| format!("{name} ({})", path.display()))?;
            return Ok(Some(pem));
        }
    }
    Ok(None)
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            roots_pem: None,
            expected_bucket_owner: None,
            allow_http: false,
            conditional_writes: true,
            crc64nvme: false,
            retry_policy: RetryPolicy::default(),
            bodies_at_once: 4,
            memory_bytes: 32 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::roots_pem;

    #[test]
    fn the_first_file_that_is_named_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let bundle = |number| {
            format!("# {number}\n-----BEGIN CERTIFICATE-----\nMTIz\n-----END CERTIFICATE-----\n")
        };
        let texts = [bundle(1), bundle(2)].map(String::into_bytes);
        std::fs::write(&first, &texts[0]).unwrap();
        std::fs::write(&second, &texts[1]).unwrap();
        let read = |bundle: Option<&std::path::Path>, file: Option<&std::path::Path>| {
            let variable = |name| if name == "AWS_CA_BUNDLE" { bundle } else { file };
            roots_pem(|name| variable(name).map(Into::into))
        };
        assert_eq!(read(Some(&first), Some(&second)).unwrap(), Some(texts[0].clone()));
        assert_eq!(read(None, Some(&second)).unwrap(), Some(texts[1].clone()));
        assert_eq!(read(Some(" ".as_ref()), Some(&second)).unwrap(), Some(texts[1].clone()));
        assert_eq!(read(None, None).unwrap(), None);
        let error = read(Some(&folder.path().join("none")), Some(&second)).unwrap_err();
        assert!(error.to_string().starts_with("reading AWS_CA_BUNDLE ("), "{error}");
        for wrong in [
            "",
            "no certificate",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "-----BEGIN PRIVATE KEY-----\nMTIz\n-----END PRIVATE KEY-----\n",
        ] {
            std::fs::write(&first, wrong).unwrap();
            let error = read(Some(&first), Some(&second)).unwrap_err();
            assert!(error.to_string().starts_with("AWS_CA_BUNDLE ("), "{wrong}: {error}");
        }
    }
}
