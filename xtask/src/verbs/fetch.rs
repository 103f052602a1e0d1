//! `fetch`: an archive of a release, downloaded, checked and unpacked.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use crate::bucket::releases::{self, ReleaseBucket, ReleaseBucketOptions, ReleaseChoice};
use crate::bucket::{channel, download, unpack};
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};

/// The options of `fetch`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The service named.
    pub service: String,
    /// Which archive of it.
    pub release: ReleaseChoice,
    /// `--into`.
    pub into: Option<PathBuf>,
    /// The bucket to look into.
    pub bucket: ReleaseBucketOptions,
    /// `--json`.
    pub json: bool,
}

/// Runs `fetch`.
pub fn run(options: &Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?;
    let config = root.as_ref().map(|root| &root.config);
    let service = options.service.as_str();
    let bucket = ReleaseBucket::open(&options.bucket, Some(service), &[], config, env, ui)?;
    let manifest = channel::choose(&bucket, service, &options.release)?;
    let artifact = releases::artifact(&manifest, options.release.platform)?;
    let found = bucket.look_at(artifact)?;

    let into = options.into.as_deref().map(|dir| env.current_dir.join(dir));
    let into = into.unwrap_or_else(|| env.current_dir.clone());
    std::fs::create_dir_all(&into).with_context(|| format!("making {}", into.display()))?;
    let archive = into.join(&artifact.file);
    let size = ui::size(artifact.size_bytes);
    ui.say(
        "fetching",
        format_args!("{service} {} {}, {size}", manifest.version, artifact.platform),
    );
    download::to_file(&bucket.client, artifact, &found, &archive)?;
    let files = unpack::unpack(&archive, &into)?;

    for path in [&archive].into_iter().chain(&files) {
        ui.result(ui::path(path, env))?;
    }
    let document = json!({
        "service": service,
        "version": manifest.version,
        "commit": manifest.commit,
        "platform": artifact.platform,
        "object_key": artifact.object_key,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "archive": archive,
        "files": files,
    });
    Ok(ui.document(&format!("{document:#}"))?)
}
