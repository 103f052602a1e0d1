//! Receipts: which archives of a release were built again from its commit and came out equal, byte for byte.
//!
//! A receipt is the object `<prefix>verified/<service>/<version>`. It names the archives by their digests, so it says
//! nothing of an archive that somebody puts in the place of one of them. Who can write receipts can say of any archive
//! that it was built again: a receipt is worth as much as the permission to write below `verified/`.

use ferror::{Error, Kind, Result};
use ftime::Epoch;
use s3::{Attributes, Body, Client, Precondition, Put, PutOutcome};
use serde_json::json;

use crate::json::{self, Object};
use crate::keys::{is_commit, is_digest};
use crate::{Artifact, Manifest, Platform, receipt_key};

/// The one form that is written and understood.
const SCHEMA: u64 = 1;
/// A receipt has some 250 bytes for each platform.
const MAX_RECEIPT_BYTES: u64 = 64 * 1024;
/// How often a receipt is read again where another run wrote it in between.
const MAX_ATTEMPTS: usize = 5;

/// The archives of a release that were built again and came out equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The service.
    pub service: String,
    /// The release.
    pub version: String,
    /// The release's commit.
    pub commit: String,
    /// The archives, sorted by platform.
    pub artifacts: Vec<Verified>,
}

/// An archive that was built again and came out equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The platform's name.
    pub platform: String,
    /// The archive's SHA-256.
    pub sha256: String,
    /// The SHA-256 of the stamped binary in it.
    pub binary_sha256: String,
    /// The time at which that was found, by the server's clock, in RFC 3339.
    pub at: String,
}

impl Receipt {
    /// Makes the receipt of a release of which nothing was built again yet.
    pub fn new(service: &str, manifest: &Manifest) -> Self {
        Self {
            service: service.to_owned(),
            version: manifest.version.clone(),
            commit: manifest.commit.clone(),
            artifacts: Vec::new(),
        }
    }

    /// Adds an artifact, in the place of what there is for its platform.
    pub fn add(&mut self, artifact: &Artifact, at: Epoch) {
        self.put(Verified {
            platform: artifact.platform.clone(),
            sha256: artifact.sha256.clone(),
            binary_sha256: artifact.binary_sha256.clone(),
            at: Epoch::from_secs(at.secs()).to_rfc3339(),
        });
    }

    fn put(&mut self, verified: Verified) {
        self.artifacts.retain(|known| known.platform != verified.platform);
        self.artifacts.push(verified);
        self.artifacts.sort_by(|a, b| a.platform.cmp(&b.platform));
    }

    /// Returns whether it names this very archive.
    pub fn names(&self, artifact: &Artifact) -> bool {
        let is_it = |known: &Verified| {
            (&known.platform, &known.sha256, &known.binary_sha256)
                == (&artifact.platform, &artifact.sha256, &artifact.binary_sha256)
        };
        self.service == artifact.service && self.artifacts.iter().any(is_it)
    }

    /// Reads the receipt of a release; `None` where there is none.
    ///
    /// # Errors
    /// Those of the request; [`Kind::Invalid`] where the object is no receipt of that release.
    pub fn read(
        client: &Client,
        prefix: &str,
        service: &str,
        version: &str,
    ) -> Result<Option<Self>> {
        Ok(read_stored(client, prefix, service, version)?.map(|(receipt, _)| receipt))
    }

    /// Writes it, together with what a receipt that is there says of other platforms.
    ///
    /// # Errors
    /// Those of the requests; [`Kind::Invalid`] where the object there is no receipt of this release.
    pub fn write(&self, client: &Client, prefix: &str, attributes: &Attributes) -> Result<()> {
        let key = receipt_key(prefix, &self.service, &self.version);
        // What is said of archives, which never change, does not hold for this.
        let cache_control = Some("no-cache".to_owned());
        let attributes = Attributes { cache_control, ..attributes.clone() };
        for _ in 0..MAX_ATTEMPTS {
            let stored = read_stored(client, prefix, &self.service, &self.version)?;
            let etag = stored.as_ref().map(|(_, etag)| etag.clone());
            let mut receipt = self.clone();
            if let Some((known, _)) = stored {
                if known.commit != self.commit {
                    let (theirs, ours) = (known.commit, &self.commit);
                    let what =
                        format!("the receipt {key} is of commit {theirs}, and not of {ours}");
                    return Err(Error::invalid(what).hint("remove it, and verify again"));
                }
                receipt.artifacts = known.artifacts;
                self.artifacts.iter().cloned().for_each(|verified| receipt.put(verified));
            }
            let bytes = receipt.to_json().into_bytes();
            let put = Put {
                body: Body::Bytes(&bytes),
                content_type: "application/json",
                metadata: &[],
                attributes: Some(&attributes),
                precondition: etag.as_deref().map_or(Precondition::Absent, Precondition::Matches),
            };
            if let PutOutcome::Stored(_) = client.put(&key, &put)? {
                return Ok(());
            }
        }
        let what = format!("the receipt {key} was written by others again and again");
        Err(Error::new(Kind::Conflict, what).hint("verify again when they are done"))
    }

    fn to_json(&self) -> String {
        let Self { service, version, commit, artifacts } = self;
        let verified = |Verified { platform, sha256, binary_sha256, at }: &Verified| json!({ "platform": platform, "sha256": sha256, "binary_sha256": binary_sha256, "at": at });
        let document = json!({
            "schema": SCHEMA,
            "service": service,
            "version": version,
            "commit": commit,
            "artifacts": artifacts.iter().map(verified).collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }
}

/// Reads a receipt and its entity tag.
fn read_stored(
    client: &Client,
    prefix: &str,
    service: &str,
    version: &str,
) -> Result<Option<(Receipt, String)>> {
    let key = receipt_key(prefix, service, version);
    let Some(object) = client.get(&key, MAX_RECEIPT_BYTES)? else { return Ok(None) };
    let receipt = read(&object.bytes, service, version).map_err(|error| {
        let bucket = &client.location().bucket;
        Error::invalid(format!("object {bucket}/{key} is no receipt of schema {SCHEMA}: {error}"))
            .hint("use the bowline version that wrote it, or remove it and verify again")
    })?;
    Ok(Some((receipt, object.head.etag)))
}

/// Reads a receipt: every field is known and has its form.
fn read(bytes: &[u8], service: &str, version: &str) -> std::result::Result<Receipt, String> {
    let document = json::parse(bytes)?;
    let mut object = Object::new(&document)?;
    object.expect_schema(SCHEMA)?;
    let mut receipt = Receipt {
        service: object.get("service")?,
        version: object.get("version")?,
        commit: object.get("commit")?,
        artifacts: Vec::new(),
    };
    for mut artifact in object.get::<Vec<Object<'_>>>("artifacts")? {
        receipt.artifacts.push(Verified {
            platform: artifact.get("platform")?,
            sha256: artifact.get("sha256")?,
            binary_sha256: artifact.get("binary_sha256")?,
            at: artifact.get("at")?,
        });
        artifact.end()?;
    }
    object.end()?;
    if (receipt.service.as_str(), receipt.version.as_str()) != (service, version) {
        return Err(format!("it is of {} {}", receipt.service, receipt.version));
    }
    if !is_commit(&receipt.commit) {
        return Err(format!("{:?} is no commit", receipt.commit));
    }
    for Verified { platform, sha256, binary_sha256, at } in &receipt.artifacts {
        platform.parse::<Platform>().map_err(|error| error.to_string())?;
        if let Some(wrong) = [sha256, binary_sha256].into_iter().find(|digest| !is_digest(digest)) {
            return Err(format!("{wrong:?} is no SHA-256 in lower hex"));
        }
        if Epoch::parse_rfc3339(at).is_err() {
            return Err(format!("{at:?} is no time"));
        }
    }
    let platforms = receipt.artifacts.iter().map(|verified| &verified.platform);
    if !platforms.is_sorted_by(|a, b| a < b) {
        return Err("its platforms are not in order, each once".to_owned());
    }
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use ftime::Epoch;

    use super::{Receipt, read};
    use crate::{Artifact, Manifest};

    fn artifact(platform: &str, digit: &str) -> Artifact {
        Artifact {
            service: "billing".to_owned(),
            platform: platform.to_owned(),
            sha256: digit.repeat(64),
            binary_sha256: digit.repeat(64),
            ..Artifact::default()
        }
    }

    fn receipt() -> Receipt {
        let manifest = Manifest {
            version: "abcdef".to_owned(),
            commit: "abcdef0123456789abcdef0123456789abcdef01".to_owned(),
            ..Manifest::default()
        };
        let mut receipt = Receipt::new("billing", &manifest);
        receipt.add(&artifact("linux_arm64", "1"), Epoch::from_secs(1_700_000_000));
        receipt.add(&artifact("linux_amd64", "2"), Epoch::from_secs(1_700_000_000));
        receipt
    }

    #[test]
    fn a_receipt_names_archives_by_their_digests_and_reads_back() {
        let mut receipt = receipt();
        let text = receipt.to_json();
        assert_eq!(read(text.as_bytes(), "billing", "abcdef").unwrap(), receipt);
        assert!(receipt.names(&artifact("linux_amd64", "2")));
        assert!(!receipt.names(&artifact("linux_amd64", "3")));
        assert!(!receipt.names(&artifact("darwin_arm64", "2")));
        let other = Artifact { service: "other".to_owned(), ..artifact("linux_amd64", "2") };
        assert!(!receipt.names(&other));
        receipt.add(&artifact("linux_amd64", "3"), Epoch::from_secs(1_700_000_001));
        assert!(receipt.names(&artifact("linux_amd64", "3")));
        assert_eq!(receipt.artifacts.len(), 2);
    }

    #[test]
    fn what_is_not_of_the_form_or_of_another_release_is_refused() {
        let text = receipt().to_json();
        for (from, to, says) in [
            ("\"schema\": 1", "\"schema\": 2", "schema"),
            ("\"service\": \"billing\"", "\"service\": \"other\"", "it is of other abcdef"),
            ("\"commit\": \"abcdef0", "\"commit\": \"--out", "is no commit"),
            ("\"sha256\": \"2", "\"sha256\": \"x", "is no SHA-256"),
            ("\"linux_arm64\"", "\"plan9\"", "unknown platform"),
            ("\"linux_arm64\"", "\"linux_amd64\"", "not in order, each once"),
            ("\"at\": \"2023", "\"at\": \"soon", "is no time"),
            ("\"schema\": 1", "\"more\": 1, \"schema\": 1", "unknown field"),
        ] {
            assert!(text.contains(from), "{text} has no {from}");
            let error = read(text.replacen(from, to, 1).as_bytes(), "billing", "abcdef");
            let error = error.expect_err(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
