//! `fetch`: an archive of a release, downloaded, checked and unpacked.

use anyhow::Context as _;
use serde_json::json;

use crate::cli::ShelfOptions;
use crate::env::Env;
use crate::shelf::{self, Shelf};
use crate::ui::{self, Ui};
use crate::{download, unpack};

/// Runs `fetch`.
pub fn run(options: &ShelfOptions, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let service = options.service.as_deref().context("no SERVICE named")?;
    let shelf = Shelf::open(options, &[], env, ui)?;
    let manifest = shelf.choose(service, options)?;
    let artifact = shelf::artifact(&manifest, options.platform)?;
    let found = shelf.look_at(artifact)?;

    let into = options.into.as_deref().map(|dir| env.current_dir.join(dir));
    let into = into.unwrap_or_else(|| env.current_dir.clone());
    std::fs::create_dir_all(&into).with_context(|| format!("making {}", into.display()))?;
    let archive = into.join(&artifact.file);
    let size = ui::size(artifact.size_bytes);
    ui.say(
        "fetching",
        format_args!("{service} {} {}, {size}", manifest.version, artifact.platform),
    );
    download::to_file(&shelf.client, artifact, &found, &archive)?;
    let files = unpack::unpack(&archive, &into)?;

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
