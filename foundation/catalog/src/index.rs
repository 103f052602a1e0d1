//! The index of binaries: by build key, the published archive that holds what was built from those inputs.
//!
//! An entry is the object `<prefix>keys/<build key>/<digest of the binary before its stamp>`. Two entries of one key say
//! that the same inputs gave two binaries, so that something is not reproducible and neither can be used. An entry is
//! only a hint where to look: whoever uses a binary compares its digest with the one in the entry's key. Losing entries
//! costs builds and nothing else.

use ferror::{Error, Kind, Result};
use s3::{Attributes, Body, Client, Precondition, Put};
use serde_json::json;

use crate::json::{self, Object};
use crate::keys::{index_key, is_commit, is_digest, is_service, is_version};
use crate::{Artifact, Manifest, manifest_key};

/// The one form that is written and understood.
const SCHEMA: u64 = 1;
/// Entries larger than this are not read: one has some 500 bytes, and an object key at most 1024.
pub(crate) const MAX_ENTRY_BYTES: u64 = 16 * 1024;
/// More binaries of one key than these are not named.
const MAX_ENTRIES: usize = 10;

/// The published archive that holds a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The service.
    pub service: String,
    /// The platform's name.
    pub platform: String,
    /// The release.
    pub version: String,
    /// The release's commit.
    pub commit: String,
    /// The archive's SHA-256.
    pub sha256: String,
    /// The SHA-256 of the binary before its stamp, which the entry's object key holds.
    pub unstamped_sha256: String,
}

/// The result of looking a build key up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indexed {
    /// There is no entry.
    Nothing,
    /// There is one.
    Entry(IndexEntry),
    /// There are several: the digests of the binaries.
    Several(Vec<String>),
}

impl IndexEntry {
    /// Makes the entry of an artifact of a release.
    pub fn new(manifest: &Manifest, artifact: &Artifact) -> Self {
        Self {
            service: artifact.service.clone(),
            platform: artifact.platform.clone(),
            version: manifest.version.clone(),
            commit: manifest.commit.clone(),
            sha256: artifact.sha256.clone(),
            unstamped_sha256: artifact.unstamped_sha256.clone(),
        }
    }

    /// Returns the entry's object key below `prefix`.
    pub fn object_key(&self, prefix: &str, build_key: &str) -> String {
        index_key(prefix, build_key, &self.unstamped_sha256)
    }

    /// Writes the entry. One that is there stays while its release does: more commits descend from the older release.
    ///
    /// # Errors
    /// Those of the requests.
    pub fn write(
        &self,
        client: &Client,
        prefix: &str,
        build_key: &str,
        attributes: &Attributes,
    ) -> Result<()> {
        let key = self.object_key(prefix, build_key);
        if let Some(object) = client.get(&key, MAX_ENTRY_BYTES)?
            && let Ok(there) = read(&object.bytes, self.unstamped_sha256.clone())
            && client.head(&manifest_key(prefix, &there.service, &there.version))?.is_some()
        {
            return Ok(());
        }
        let document = json!({
            "schema": SCHEMA,
            "service": self.service,
            "platform": self.platform,
            "version": self.version,
            "commit": self.commit,
            "sha256": self.sha256,
        });
        let bytes = format!("{document:#}\n").into_bytes();
        let put = Put {
            body: Body::Bytes(&bytes),
            content_type: "application/json",
            metadata: &[],
            attributes: Some(attributes),
            precondition: Precondition::None,
        };
        client.put(&key, &put).map(drop)
    }

    /// Returns the artifact of the release that the entry names.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the release says otherwise.
    pub fn artifact<'a>(&self, manifest: &'a Manifest) -> Result<&'a Artifact> {
        let is_it = |artifact: &&Artifact| Self::new(manifest, artifact) == *self;
        manifest.artifacts.iter().find(is_it).ok_or_else(|| {
            let Self { service, platform, version, .. } = self;
            Error::invalid(format!(
                "release {version} of {service} has no {platform} archive with the digests of its index entry"
            ))
        })
    }
}

impl Indexed {
    /// Looks up a build key.
    ///
    /// # Errors
    /// Those of the requests; [`Kind::Invalid`] for an object that is no entry.
    pub fn read(client: &Client, prefix: &str, build_key: &str) -> Result<Self> {
        let folder = folder(prefix, build_key);
        let listing = client.list(&folder, MAX_ENTRIES)?;
        let digest = |key: &str| key.strip_prefix(&folder).unwrap_or(key).to_owned();
        let mut digests: Vec<_> =
            listing.objects.iter().map(|object| digest(&object.object_key)).collect();
        if digests.len() > 1 {
            return Ok(Self::Several(digests));
        }
        let Some(digest) = digests.pop() else { return Ok(Self::Nothing) };
        let key = format!("{folder}{digest}");
        let Some(object) = client.get(&key, MAX_ENTRY_BYTES)? else { return Ok(Self::Nothing) };
        let entry = read(&object.bytes, digest);
        entry.map(Self::Entry).map_err(|error| {
            let bucket = &client.location().bucket;
            Error::new(Kind::Invalid, format!("object {bucket}/{key} is no index entry: {error}"))
        })
    }
}

fn folder(prefix: &str, build_key: &str) -> String {
    index_key(prefix, build_key, "")
}

/// Reads an entry: every field is known and has its form.
pub(crate) fn read(
    bytes: &[u8],
    unstamped_sha256: String,
) -> std::result::Result<IndexEntry, String> {
    let document = json::parse(bytes)?;
    let mut object = Object::new(&document)?;
    object.expect_schema(SCHEMA)?;
    let entry = IndexEntry {
        service: object.get("service")?,
        platform: object.get("platform")?,
        version: object.get("version")?,
        commit: object.get("commit")?,
        sha256: object.get("sha256")?,
        unstamped_sha256,
    };
    object.end()?;
    let digests = [&entry.sha256, &entry.unstamped_sha256];
    if let Some(wrong) = digests.into_iter().find(|digest| !is_digest(digest)) {
        return Err(format!("{wrong:?} is no SHA-256 in lower hex"));
    }
    if !is_service(&entry.service) {
        return Err(format!("{:?} is no service", entry.service));
    }
    if !is_version(&entry.version) || !is_commit(&entry.commit) {
        return Err(format!("it names version {:?} of commit {:?}", entry.version, entry.commit));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::read;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn an_entry_that_is_not_of_the_form_is_refused() {
        let entry = |change: (&str, serde_json::Value)| {
            let mut document = serde_json::json!({
                "schema": 1, "service": "billing", "platform": "linux_amd64", "version": "abcdef",
                "commit": "abcdef0123456789abcdef0123456789abcdef01", "sha256": DIGEST,
            });
            document[change.0] = change.1;
            read(document.to_string().as_bytes(), DIGEST.to_owned())
        };
        assert_eq!(entry(("schema", 1.into())).unwrap().service, "billing");
        for (field, value, says) in [
            ("schema", 2.into(), "schema"),
            ("service", "../other".into(), "is no service"),
            ("version", "main".into(), "names version"),
            ("commit", "--output=/etc/passwd".into(), "names version"),
            ("sha256", "0".into(), "no SHA-256"),
            ("more", 1.into(), "unknown"),
        ] {
            let error = entry((field, value)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(read(b"{}", DIGEST.to_owned()).is_err());
    }
}
