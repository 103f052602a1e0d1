//! `presign`: prints a URL that downloads one archive of a release, and the digest that the archive
//! must have.

use std::time::Duration;

use ftime::Epoch;
use serde_json::json;

use crate::bucket::releases::{self, ReleaseBucket, ReleaseBucketOptions, ReleaseChoice};
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// How long a URL lasts where `--expires` says nothing: long enough for one deployment.
const EXPIRES: Duration = Duration::from_secs(60 * 60);

/// The options of `presign`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The service named.
    pub service: String,
    /// Which archive of it.
    pub release: ReleaseChoice,
    /// `--expires`.
    pub expires: Option<Duration>,
    /// The bucket to look into.
    pub bucket: ReleaseBucketOptions,
    /// `--json`.
    pub json: bool,
}

/// Runs `presign`.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?;
    let config = root.as_ref().map(|root| &root.config);
    let service = options.service.as_str();
    let bucket = ReleaseBucket::open(&options.bucket, Some(service), &[], config, env, ui)?;
    let manifest = bucket.choose(service, &options.release)?;
    let artifact = releases::artifact(&manifest, options.release.platform)?;
    // Whoever gets the URL trusts it, so the object is checked first. The request also finds the
    // bucket's region, which the URL names.
    bucket.look_at(artifact)?;
    let (now, expires) = (Epoch::now(), options.expires.unwrap_or(EXPIRES));
    let presigned = bucket.client.presign_get(&artifact.object_key, now, expires)?;
    let (url, expires_at) = (presigned.url, presigned.expires_at.to_rfc3339());
    if presigned.is_cut_short {
        ui.warn(format_args!(
            "the URL expires at {expires_at}, earlier than asked for: the credentials expire then"
        ));
    }
    if presigned.may_end_sooner {
        ui.warn(
            "the URL may expire before its time: the credentials are temporary, and do not say until \
             when they work",
        );
    }
    if !options.json {
        ui.result(&url);
        ui.result(&artifact.sha256);
    }
    let document = json!({
        "service": service,
        "version": manifest.version,
        "commit": manifest.commit,
        "platform": artifact.platform,
        "file": artifact.file,
        "object_key": artifact.object_key,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "unstamped_sha256": artifact.unstamped_sha256,
        "url": url,
        "expires_at": expires_at,
    });
    ui.document(&format!("{document:#}"));
    Ok(())
}
