//! Picks a few of many artifacts.

use catalog::Indexed;
use ferror::Kind;

use crate::bucket::releases::ReleaseBucket;
use crate::system::ui::Ui;
use crate::system::{files, parallel};

use super::Item;

/// The number of build keys that are looked up at a time.
const JOBS: usize = 8;

/// Picks `count` artifacts: first those whose binary an earlier release had already, because no build has made them
/// anew since, then others by chance.
pub(super) fn pick<'a>(
    items: Vec<Item<'a>>,
    count: usize,
    bucket: &ReleaseBucket,
    ui: &Ui,
) -> anyhow::Result<Vec<Item<'a>>> {
    let all = items.len();
    if count >= all {
        return Ok(items);
    }
    let reused = parallel::map(&items, JOBS, |item| is_reused(item, bucket))?;
    let seed = bucket.client.server_time().secs();
    let mut order: Vec<_> = items
        .iter()
        .zip(reused)
        .map(|(item, reused)| (!reused, chance(item, seed), *item))
        .collect();
    order.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    order.truncate(count);
    let reused = order.iter().filter(|(is_built, _, _)| !is_built).count();
    ui.say(
        "picked",
        format_args!(
            "{count} of {all} artifacts, {reused} of them with a binary of an earlier release"
        ),
    );
    Ok(order.into_iter().map(|(_, _, item)| item).collect())
}

/// Returns whether the index names another release for the binary's build key.
fn is_reused(item: &Item<'_>, bucket: &ReleaseBucket) -> ferror::Result<bool> {
    let Some(key) = &item.artifact.build_key else { return Ok(false) };
    match Indexed::read(&bucket.client, &bucket.prefix, key) {
        Ok(Indexed::Entry(entry)) => Ok(entry.version != item.manifest.version),
        Ok(_) => Ok(false),
        // An index that cannot be read is as none.
        Err(error) if [Kind::Denied, Kind::Invalid].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns a text that puts artifacts into another order at every time.
fn chance(item: &Item<'_>, seed: i64) -> String {
    let artifact = item.artifact;
    files::sha256(format!("{seed} {} {}", artifact.service, artifact.platform).as_bytes())
}
