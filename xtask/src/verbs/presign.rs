//! `presign`: a URL for one archive of a release, and what it has to hash to.

use std::time::Duration;

use anyhow::Context as _;
use ftime::Epoch;
use serde_json::json;

use crate::bucket::channel;
use crate::bucket::releases::{self, Shelf};
use crate::cli::ShelfOptions;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// How long a URL lasts where `--expires` says nothing: long enough for one deployment.
const EXPIRES: Duration = Duration::from_secs(60 * 60);

/// Runs `presign`.
pub fn run(options: &ShelfOptions, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let service = options.service.as_deref().context("no SERVICE named")?;
    let shelf = Shelf::open(options, &[], env, ui)?;
    let manifest = channel::choose(&shelf, service, options)?;
    let artifact = releases::artifact(&manifest, options.platform)?;
    // A URL is believed by whoever gets it. Asking also finds the bucket's region, which it names.
    shelf.look_at(artifact)?;
    let (now, expires) = (Epoch::now(), options.expires.unwrap_or(EXPIRES));
    let url = shelf.client.presign_get(&artifact.object_key, now, expires)?;
    if !options.place.json {
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
        "url": url,
        "expires_at": now.saturating_add(expires).to_rfc3339(),
    });
    ui.document(&format!("{document:#}"));
    Ok(())
}
