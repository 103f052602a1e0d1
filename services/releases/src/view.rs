//! What is shown, as plain data: the page draws it, the JSON API is its serialisation.

use catalog::{Found, Manifest, Reading};
use ftime::Epoch;
use serde::{Serialize, Serializer};

/// All of it, at one moment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// When the bucket was read.
    #[serde(serialize_with = "secs")]
    pub(crate) read_at: Epoch,
    /// Until when the download links work.
    #[serde(serialize_with = "secs")]
    pub(crate) links_until: Epoch,
    /// Whether the bucket holds more objects than are listed, so that services may be missing.
    pub(crate) truncated: bool,
    /// By name.
    pub(crate) services: Vec<Service>,
}

/// One service.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Service {
    #[serde(rename = "service")]
    pub(crate) name: String,
    /// Newest commit first.
    pub(crate) releases: Vec<Release>,
    /// How many older releases are in the bucket but not shown.
    pub(crate) not_shown: usize,
}

/// One release.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Release {
    pub(crate) version: String,
    /// When its manifest object was last written.
    #[serde(serialize_with = "secs")]
    pub(crate) published_at: Epoch,
    /// Why the manifest object cannot be read; then there are no details.
    pub(crate) unreadable: Option<String>,
    #[serde(flatten)]
    pub(crate) details: Option<Details>,
}

/// What a manifest object says.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Details {
    pub(crate) commit: String,
    pub(crate) dirty: bool,
    #[serde(serialize_with = "secs")]
    pub(crate) committed_at: Epoch,
    pub(crate) platforms: Vec<String>,
    pub(crate) artifacts: Vec<Artifact>,
}

/// One archive.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Artifact {
    pub(crate) platform: String,
    pub(crate) file: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
    pub(crate) object_key: String,
    /// A presigned GET; none when the object key is not one of this release.
    pub(crate) download_url: Option<String>,
}

impl Release {
    /// A release from what was listed and read. `link` signs the URL of an archive that is one of
    /// this release's own: what else a manifest object names must not become downloadable.
    pub(crate) fn new(
        (prefix, service): (&str, &str),
        found: &Found,
        reading: &Reading,
        link: &dyn Fn(&str) -> ferror::Result<String>,
    ) -> ferror::Result<Self> {
        let details = match &reading.content {
            Ok(manifest) => Some(Details::new((prefix, service), manifest, link)?),
            Err(_) => None,
        };
        Ok(Self {
            version: found.version.clone(),
            published_at: found.last_modified,
            unreadable: reading.content.as_ref().err().cloned(),
            details,
        })
    }

    /// What releases are sorted and aged by: the commit's time. When it was uploaded says less: a
    /// platform that was added later, or an old commit that was built again, is no newer release.
    pub(crate) fn made_at(&self) -> Epoch {
        self.details.as_ref().map_or(self.published_at, |details| details.committed_at)
    }
}

impl Details {
    fn new(
        (prefix, service): (&str, &str),
        manifest: &Manifest,
        link: &dyn Fn(&str) -> ferror::Result<String>,
    ) -> ferror::Result<Self> {
        let artifacts = manifest.artifacts.iter().map(|artifact| {
            let owned = manifest.owns(prefix, service, artifact);
            Ok(Artifact {
                platform: artifact.platform.clone(),
                file: artifact.file.clone(),
                size_bytes: artifact.size_bytes,
                sha256: artifact.sha256.clone(),
                download_url: owned.then(|| link(&artifact.object_key)).transpose()?,
                object_key: artifact.object_key.clone(),
            })
        });
        Ok(Self {
            commit: manifest.commit.clone(),
            dirty: manifest.dirty,
            committed_at: manifest.committed_at,
            platforms: manifest.platforms.clone(),
            artifacts: artifacts.collect::<ferror::Result<_>>()?,
        })
    }
}

/// Times are seconds since 1970 UTC, as in manifests.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields by reference")]
fn secs<S: Serializer>(epoch: &Epoch, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(epoch.secs())
}

#[cfg(test)]
pub(crate) mod tests {
    use catalog::{Found, Manifest, Reading};
    use ftime::Epoch;
    use serde_json::json;

    use super::{Release, Service, View};

    /// A release as a manifest object with these platforms and this file name would make it.
    pub(crate) fn release(platforms: &[&str], file: &str, object_key: &str) -> Release {
        let manifest = json!({
            "schema": 1, "version": "abc123", "dirty": false, "committed_at": 1_369_353_600,
            "commit": "abc1230000000000000000000000000000000000", "platforms": platforms,
            "artifacts": [{"platform": "linux_amd64", "file": file, "size_bytes": 4_299_162,
                "sha256": "ab".repeat(32), "object_key": object_key}],
        });
        let manifest = Manifest::read(manifest.to_string().as_bytes(), "oddjob", "abc123");
        from_reading(Ok(manifest.expect("the example is a manifest object")))
    }

    /// A release from what reading its manifest object gave.
    pub(crate) fn from_reading(content: Result<Manifest, String>) -> Release {
        let found = Found {
            version: "abc123".to_owned(),
            object_key: "oddjob/oddjob_abc123.json".to_owned(),
            size_bytes: 7,
            etag: "e".to_owned(),
            last_modified: Epoch::from_secs(1_400_000_000),
        };
        let reading = Reading { etag: "e".to_owned(), content };
        let link =
            |object_key: &str| Ok(format!("https://bucket.example/{object_key}?a=1&b=\"2\""));
        Release::new(("", "oddjob"), &found, &reading, &link).expect("this link never fails")
    }

    /// A view of these releases of one service.
    pub(crate) fn view(service: &str, releases: Vec<Release>) -> View {
        View {
            bucket: "builds".to_owned(),
            prefix: String::new(),
            read_at: Epoch::from_secs(1_400_000_000),
            links_until: Epoch::from_secs(1_400_003_600),
            truncated: false,
            services: vec![Service { name: service.to_owned(), releases, not_shown: 0 }],
        }
    }

    #[test]
    fn only_an_archive_of_the_release_itself_gets_a_link() {
        let check = |object_key: &str, expected: bool| {
            let release = release(&["linux_amd64"], "a.tar.gz", object_key);
            let url = release.details.unwrap().artifacts.remove(0).download_url;
            assert_eq!(url.is_some(), expected, "{object_key:?} gives {url:?}");
        };
        check("oddjob/oddjob_abc123.tar.gz", true);
        check("oddjob/oddjob_abc124.tar.gz", false);
        check("other/other_abc123.tar.gz", false);
        check("private/password.txt", false);
    }

    #[test]
    fn json_has_seconds_and_says_why_a_release_is_unreadable() {
        let fine = release(&["linux_amd64"], "a.tar.gz", "oddjob/oddjob_abc123.tar.gz");
        let broken = from_reading(Err("schema 2".to_owned()));
        let json = serde_json::to_value(view("oddjob", vec![fine, broken])).unwrap();
        let releases = &json["services"][0]["releases"];
        assert_eq!(releases[0]["committed_at"], 1_369_353_600);
        assert_eq!(releases[0]["unreadable"], json!(null));
        assert_eq!(releases[0]["artifacts"][0]["size_bytes"], 4_299_162);
        assert_eq!(releases[1]["unreadable"], "schema 2");
        assert_eq!(releases[1]["commit"], json!(null));
        assert_eq!(json["read_at"], 1_400_000_000);
    }
}
