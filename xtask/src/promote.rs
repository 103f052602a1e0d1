//! `promote`: a channel names another release, or again the one before.

use anyhow::Context as _;
use catalog::{Channel, Entry, MAX_ENTRIES, Manifest, StoredChannel, channel_key, is_promoter};
use ferror::{Error, Kind};
use ftime::Epoch;
use serde_json::json;

use crate::cli::ShelfOptions;
use crate::env::Env;
use crate::shelf::Shelf;
use crate::ui::{self, Ui};

/// Runs `promote`.
pub fn run(options: &ShelfOptions, env: &Env, ui: Ui) -> anyhow::Result<()> {
    let service = options.service.as_deref().context("no SERVICE named")?;
    let name = options.channel.as_deref().context("no channel named")?;
    let by = who(options, env)?;
    let shelf = Shelf::open(options, &[channel_key("", service, name)], env, ui)?;
    let seen = shelf.channel(service, name)?;
    let before = seen.as_ref().map(|seen| &seen.channel);
    let stamp = (by.as_str(), Epoch::from_secs(Epoch::now().secs()).to_rfc3339());
    let next = match options.version.as_deref() {
        Some(version) => forward(&shelf, (service, name), version, before, &stamp)?,
        None => back(&shelf, (service, name), before, &stamp)?,
    };
    match &next {
        Some(next) => {
            shelf.write_channel(next, seen.as_ref())?;
            look_again(&shelf, next)?;
        }
        None => ui.say("unchanged", "the channel names that release already"),
    }
    say(next.as_ref().or(before), next.is_some(), seen.as_ref(), ui);
    Ok(())
}

/// The channel that names `version`; `None` where it does so already.
fn forward(
    shelf: &Shelf,
    (service, name): (&str, &str),
    version: &str,
    before: Option<&Channel>,
    (by, at): &(&str, String),
) -> anyhow::Result<Option<Channel>> {
    let manifest = shelf.manifest(service, version)?;
    check_artifacts(shelf, &manifest)?;
    let replaced = before.map(|channel| channel.current.version.as_str());
    let mut current = Entry::new(&manifest, by, at, replaced);
    let mut earlier: Vec<_> = before.into_iter().flat_map(Channel::entries).cloned().collect();
    if let Some(channel) = before
        && channel.current.version == current.version
    {
        if channel.current.artifacts == current.artifacts {
            return Ok(None);
        }
        // The release got platforms since: the same step, with more artifacts.
        current.replaced.clone_from(&channel.current.replaced);
        earlier.remove(0);
    }
    earlier.truncate(MAX_ENTRIES - 1);
    let (service, name) = (service.to_owned(), name.to_owned());
    Ok(Some(Channel { service, name, current, before: earlier }))
}

/// The channel without its current entry. The one before says who went back to it, and from what.
fn back(
    shelf: &Shelf,
    (service, name): (&str, &str),
    before: Option<&Channel>,
    (by, at): &(&str, String),
) -> anyhow::Result<Option<Channel>> {
    let nothing = |what: &str| {
        Error::config(format!("channel {name} of {service} {what}: there is nothing to go back to"))
            .hint("name a VERSION to promote")
    };
    let channel = before.ok_or_else(|| nothing("is not there"))?;
    let [to, earlier @ ..] = channel.before.as_slice() else {
        return Err(nothing("has one entry").into());
    };
    let manifest = shelf.promoted(service, to)?;
    check_artifacts(shelf, &manifest)?;
    let current = Entry::new(&manifest, by, at, Some(&channel.current.version));
    Ok(Some(Channel { current, before: earlier.to_vec(), ..channel.clone() }))
}

/// Every archive is there and says that it is that.
fn check_artifacts(shelf: &Shelf, manifest: &Manifest) -> anyhow::Result<()> {
    for artifact in &manifest.artifacts {
        let looked = shelf.look_at(artifact);
        looked.with_context(|| format!("release {} cannot be promoted", manifest.version))?;
    }
    Ok(())
}

/// Whoever removes releases looks at the channels first, and may have done so before this one was
/// written. So the release is looked at once more when it is named.
fn look_again(shelf: &Shelf, named: &Channel) -> anyhow::Result<()> {
    let Channel { service, name, current, .. } = named;
    let whole =
        shelf.promoted(service, current).and_then(|manifest| check_artifacts(shelf, &manifest));
    whole.map_err(|error| {
        let version = &current.version;
        let what = match ui::ours(&error).map(Error::kind) {
            Some(Kind::Config | Kind::Invalid) => "was removed or replaced meanwhile",
            _ => "could not be looked at once more",
        };
        let again = format!("cargo xtask promote {service} --to {name} --rollback");
        Error::new(Kind::Conflict, format!("channel {name} names {version} now, which {what}"))
            .hint(format!("upload {version} again, promote another, or go back: `{again}`"))
            .caused_by(error)
            .into()
    })
}

fn who(options: &ShelfOptions, env: &Env) -> ferror::Result<String> {
    let by = options.by.clone().or_else(|| env.first(&["CIRCLE_USERNAME", "USER"]));
    let by = by.ok_or_else(|| {
        Error::config("it is not known who promotes: neither CIRCLE_USERNAME nor USER is set")
            .hint("say it by --by")
    })?;
    if is_promoter(&by) {
        return Ok(by);
    }
    Err(Error::config(format!("{by:?} is no name of who promotes: expected 1 to 100 characters"))
        .hint("say another by --by"))
}

fn say(channel: Option<&Channel>, changed: bool, seen: Option<&StoredChannel>, ui: Ui) {
    let Some(Channel { service, name, current, .. }) = channel else { return };
    let was = seen.map(|seen| seen.channel.current.version.as_str());
    let from = match was {
        Some(was) if changed && was != current.version => format!(", was {was}"),
        _ => String::new(),
    };
    ui.result(format_args!("{service} {name} is {}{from}", current.version));
    let document = json!({
        "service": service,
        "channel": name,
        "version": current.version,
        "commit": current.commit,
        "changed": changed,
        "was": was,
        "by": current.by,
        "at": current.at,
    });
    ui.document(&format!("{document:#}"));
}
