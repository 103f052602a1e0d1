//! Manifest objects: bytes -> what a release consists of, or in one sentence why not.

use ferror::{Error, Kind};
use ftime::Epoch;
use serde::Deserialize;

use crate::name::may_be_templated;
use crate::{ObjectKind, ObjectName, is_version};

/// Manifest objects larger than this are not read: a release of a hundred artifacts needs a tenth.
pub const MAX_MANIFEST_BYTES: u64 = 256 * 1024;

/// At most so many objects are asked for one manifest object: a request each.
const MAX_ASKED: usize = 100;

/// The layout that this code reads; the number is raised when a reader of the old one would be wrong.
const SCHEMA: u64 = 1;

/// One service's part of a release. Fields that no reader needs are not kept, unknown ones are fine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// The service; older writers left it out, the object key says it as well.
    #[serde(default)]
    pub service: Option<String>,
    /// What the stamp says and the object keys carry.
    pub version: String,
    /// The commit, all 40 hex digits.
    pub commit: String,
    /// Whether it was built from uncommitted changes.
    pub dirty: bool,
    /// When the commit was made.
    #[serde(deserialize_with = "epoch_secs")]
    pub committed_at: Epoch,
    /// Every platform of the release.
    pub platforms: Vec<String>,
    /// The release's archives.
    pub artifacts: Vec<Artifact>,
}

/// One archive of a release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// Such as `linux_arm64`.
    pub platform: String,
    /// The file's name as it was built, without a folder.
    pub file: String,
    /// Length of the archive.
    pub size_bytes: u64,
    /// SHA-256 of the archive in lower hex.
    pub sha256: String,
    /// Where it lies in the bucket, as the manifest says. [`Manifest::owns`] says whether it may.
    pub object_key: String,
    /// Whether the object there was asked and says itself that it is this archive. Only objects
    /// are asked whose key a template may have given; see [`read_manifest`](crate::read_manifest).
    #[serde(skip)]
    pub recognised: bool,
}

impl Manifest {
    /// Reads the manifest object that lies under `service` and `version`.
    ///
    /// # Errors
    /// [`Kind::Invalid`], with a reason that is fit to be shown: not JSON, another schema, or the
    /// content belongs to another key.
    pub fn read(bytes: &[u8], service: &str, version: &str) -> ferror::Result<Self> {
        #[derive(Deserialize)]
        struct Numbered {
            schema: u64,
        }
        // The schema first: only what has ours must have its fields.
        let Numbered { schema } = serde_json::from_slice(bytes).map_err(not_a_manifest)?;
        if schema != SCHEMA {
            return Err(Error::invalid(format!("schema {schema}, this program reads {SCHEMA}")));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(not_a_manifest)?;
        if manifest.version != version || !is_version(version) {
            return Err(Error::invalid(format!(
                "says version {:?} but lies under {version:?}",
                manifest.version
            )));
        }
        match &manifest.service {
            Some(other) if other != service => {
                Err(Error::invalid(format!("says service {other:?} but lies under {service:?}")))
            }
            _ => Ok(manifest),
        }
    }

    /// Whether `artifact`'s object key is an archive of this very service and version, by its form or
    /// because the object was recognised. A manifest object is input: it is not believed when it
    /// names anything else in the bucket.
    pub fn owns(&self, prefix: &str, service: &str, artifact: &Artifact) -> bool {
        artifact.recognised || self.has_fixed_form(prefix, service, artifact)
    }

    /// The artifacts whose objects have to be asked whether they are what this manifest says.
    pub(crate) fn to_be_asked(&self, prefix: &str, service: &str) -> Vec<usize> {
        let is_of_commit = self.commit.len() >= 40 && is_version(&self.version);
        let content = self.version.split_once("-dirty.");
        let mut marks = vec![self.version.as_str()];
        let commit = match content {
            Some((_, content)) => format!("{}-dirty.{content}", self.commit),
            None => self.commit.clone(),
        };
        if is_of_commit && self.commit.starts_with(content.map_or(&*self.version, |(v, _)| v)) {
            marks.push(&commit);
        }
        let asks = |artifact: &Artifact| {
            !self.has_fixed_form(prefix, service, artifact)
                && may_be_templated(prefix, &artifact.object_key, service, &marks)
        };
        let all = self.artifacts.iter().enumerate();
        all.filter(|(_, artifact)| asks(artifact)).map(|(at, _)| at).take(MAX_ASKED).collect()
    }

    fn has_fixed_form(&self, prefix: &str, service: &str, artifact: &Artifact) -> bool {
        ObjectName::parse(prefix, &artifact.object_key).is_some_and(|name| {
            name.service == service
                && name.version == self.version
                && name.kind == ObjectKind::Archive { platform: &artifact.platform }
        })
    }
}

fn not_a_manifest(error: serde_json::Error) -> Error {
    // serde_json's message names fields and positions, and quotes at most a short value.
    Error::new(Kind::Invalid, format!("not a manifest object: {error}")).caused_by(error)
}

fn epoch_secs<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Epoch, D::Error> {
    i64::deserialize(deserializer).map(Epoch::from_secs)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Manifest;

    fn example() -> Value {
        json!({
            "schema": 1, "service": "oddjob", "version": "abc123",
            "commit": "abc1230000000000000000000000000000000000", "dirty": false,
            "committed_at": 1_369_353_600, "platforms": ["linux_amd64", "linux_arm64"],
            "artifacts": [{
                "service": "oddjob", "platform": "linux_arm64", "triple": "aarch64-unknown-linux-gnu",
                "file": "oddjob_linux_arm64.tar.gz", "size_bytes": 1234, "sha256": "00",
                "binary_sha256": "11", "unstamped_sha256": "22",
                "object_key": "oddjob/oddjob_abc123_linux_arm64.tar.gz", "rustc": "1.95.0",
            }],
        })
    }

    fn read(value: &Value) -> ferror::Result<Manifest> {
        Manifest::read(value.to_string().as_bytes(), "oddjob", "abc123")
    }

    #[test]
    fn a_manifest_object_is_read_with_unknown_fields_and_without_a_service() {
        let mut value = example();
        value["later"] = json!({"a": 1});
        let manifest = read(&value).expect("unknown fields are fine");
        assert_eq!(manifest.committed_at.to_string(), "2013-05-24T00:00:00Z");
        assert_eq!(manifest.platforms, ["linux_amd64", "linux_arm64"]);
        assert_eq!(manifest.artifacts[0].size_bytes, 1234);
        value.as_object_mut().unwrap().remove("service");
        assert_eq!(read(&value).expect("a missing service is fine").service, None);
    }

    #[test]
    fn what_is_no_manifest_of_this_key_says_why() {
        let check = |name: &str, to: Value, expected: &str| {
            let mut value = example();
            value[name] = to;
            let error = read(&value).expect_err(expected).to_string();
            assert!(error.contains(expected), "{name}: {expected:?} is not in {error:?}");
        };
        check("schema", json!(2), "schema 2, this program reads 1");
        check("schema", json!("1"), "not a manifest object");
        check("version", json!("abc124"), "says version \"abc124\"");
        check("service", json!("other"), "says service \"other\"");
        check("committed_at", json!("yesterday"), "expected i64");
        check("artifacts", json!([{}]), "missing field `platform`");
        let error = Manifest::read(b"{\"schema\":1,", "oddjob", "abc123").unwrap_err();
        assert!(error.to_string().contains("not a manifest object"), "{error}");
    }

    #[test]
    fn only_archives_of_the_same_release_are_owned() {
        let manifest = read(&example()).unwrap();
        let check = |object_key: &str, expected: bool| {
            let mut artifact = manifest.artifacts[0].clone();
            object_key.clone_into(&mut artifact.object_key);
            assert_eq!(manifest.owns("", "oddjob", &artifact), expected, "{object_key:?}");
        };
        check("oddjob/oddjob_abc123_linux_arm64.tar.gz", true);
        check("oddjob/oddjob_abc123_darwin_arm64.tar.gz", false);
        check("oddjob/oddjob_abc124_linux_arm64.tar.gz", false);
        check("other/other_abc123_linux_arm64.tar.gz", false);
        check("oddjob/oddjob_abc123.json", false);
        check("oddjob/channels/stable.json", false);
        check("secrets/password", false);
    }
}
