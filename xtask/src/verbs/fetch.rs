//! `fetch`: downloads an archive of a release, checks it and unpacks it.
//!
//! Whoever can write to the bucket chooses the names in it, and people run this in their
//! repository. So the names of the written files are computed here, and nothing that exists is
//! replaced.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::{Artifact, Manifest};
use ferror::Error;
use serde_json::json;

use crate::bucket::releases::{self, ReleaseBucket, ReleaseBucketOptions, ReleaseChoice};
use crate::bucket::{download, unpack};
use crate::repository::workspace;
use crate::system::env::Env;
use crate::system::ui::{self, Ui};
use crate::system::{files, interrupt};

/// The folder for archives without `--into`, below the current folder. Each archive gets a folder
/// of its own in it.
const FOLDER: &str = "fetched";

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
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    let root = workspace::root(env)?;
    let config = root.as_ref().map(|root| &root.config);
    let service = options.service.as_str();
    let bucket = ReleaseBucket::open(&options.bucket, Some(service), &[], config, env, ui)?;
    let manifest = bucket.choose(service, &options.release)?;
    let artifact = releases::artifact(&manifest, options.release.platform)?;
    let found = bucket.look_at(artifact)?;

    let top = format!("{service}_{}", artifact.platform);
    let archive_name = archive_name(&manifest, artifact, &top)?;
    let own = || format!("{FOLDER}/{service}_{}_{}", manifest.version, artifact.platform).into();
    let into = env.current_dir.join(options.into.clone().unwrap_or_else(own));
    let archive = into.join(archive_name);
    for path in [&archive, &into.join(&top)] {
        refuse_existing(path, env)?;
    }
    std::fs::create_dir_all(&into).with_context(|| format!("making {}", into.display()))?;
    let size = ui::size(artifact.size_bytes);
    ui.say(
        "fetching",
        format_args!("{service} {} {}, {size}", manifest.version, artifact.platform),
    );
    let downloaded = download::beside(&bucket.client, artifact, &found, &archive)?;
    // With an archive alone, the next run would refuse to replace it.
    let _hold = interrupt::hold();
    let writing = || format!("writing {}", archive.display());
    downloaded.rename_durably(&archive).with_context(writing)?;
    let unpacked = unpack::unpack(&archive, &into, &top);
    let files = unpacked.or_else(|error| {
        files::remove_if_there(&archive)?;
        Err(error).with_context(|| artifact.object_key.clone())
    })?;

    for path in [&archive].into_iter().chain(&files) {
        ui.result(ui::path(path, env));
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
    ui.document(&format!("{document:#}"));
    Ok(())
}

/// Returns the name of the archive's file, and fails if the manifest gives another than `dist`
/// would.
fn archive_name(manifest: &Manifest, artifact: &Artifact, top: &str) -> ferror::Result<String> {
    let expected = format!("{top}.tar.gz");
    if artifact.file == expected {
        return Ok(expected);
    }
    let (version, file) = (&manifest.version, &artifact.file);
    Err(Error::invalid(format!(
        "release {version} calls its archive {file:?}: expected {expected}, as dist does"
    ))
    .hint("somebody else than upload wrote this manifest object: look at it, and publish the release anew"))
}

fn refuse_existing(path: &Path, env: &Env) -> anyhow::Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let message = format!("{} is there already, and fetch replaces nothing", ui::path(path, env));
    Err(Error::config(message).hint("remove it, or name another folder by --into").into())
}
