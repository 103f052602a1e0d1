//! The manifest of one shard of a `dist`, and what the manifests of all shards are together: what one machine would have
//! written that made all of them.
//!
//! Pure. A shard's manifest may come from another machine, so everything in it is checked.

use std::collections::{BTreeMap, BTreeSet};

use catalog::json::{self, Object};
use catalog::{Artifact, Manifest, Platform};
use ferror::{Error, Result};
use serde_json::{Value, json};

use crate::model::shard::{Assigned, Part, Shard};

/// The one form that is written and understood.
const SCHEMA: u64 = 1;

/// What to do where shards do not fit each other.
const AGAIN: &str = "remove the folder, and make all shards anew: the same command for the same commit, with one pkg/plan for all \
                     machines or with none";

/// What one shard leaves for `upload`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardManifest {
    /// The shard, and who makes what.
    pub part: Part,
    /// Whether others may get what this machine built, in place of a build of their own.
    pub may_offer: bool,
    /// The files of artifacts whose binaries were published before.
    pub reused: BTreeSet<String>,
    /// The artifacts of this shard.
    pub manifest: Manifest,
}

impl ShardManifest {
    /// Returns the written form.
    pub fn to_json(&self) -> String {
        let Self { part: Part { shard, split }, may_offer, reused, manifest } = self;
        let assigned = |build: &Assigned| {
            let Assigned { platform, service, shard } = build;
            json!({ "service": service, "platform": platform.as_str(), "shard": shard })
        };
        let manifest: Value =
            serde_json::from_str(&manifest.to_json()).expect("a manifest is written as JSON");
        let document = json!({
            "schema": SCHEMA,
            "shard": shard.to_string(),
            "may_offer": may_offer,
            "reused": reused,
            "split": split.iter().map(assigned).collect::<Vec<_>>(),
            "manifest": manifest,
        });
        format!("{document:#}\n")
    }

    /// Reads the manifest of `shard` from the file that errors call `shown_as`.
    pub fn read(bytes: &[u8], shard: Shard, shown_as: &str) -> Result<Self> {
        let form = read_form(bytes).map_err(|error| {
            Error::invalid(format!("{shown_as} is not the manifest of a shard: {error}")).hint(
                "make it anew with `cargo xtask dist`, or use the bowline version that wrote it",
            )
        })?;
        if form.shard != shard.to_string() {
            let message = format!("{shown_as} says that it is of shard {:?}", form.shard);
            return Err(Error::invalid(message).hint(AGAIN));
        }
        let mut split = Vec::new();
        for (service, platform, shard) in form.split {
            let platform = platform.parse().map_err(|error: Error| error.context(shown_as))?;
            split.push(Assigned { platform, service, shard });
        }
        let manifest = Manifest::read_strict(form.manifest.to_string().as_bytes(), shown_as)?;
        let part = Part { shard, split };
        Ok(Self { part, may_offer: form.may_offer, reused: form.reused, manifest })
    }
}

/// A shard's manifest before what its fields say is checked.
struct Form {
    shard: String,
    may_offer: bool,
    reused: BTreeSet<String>,
    split: Vec<(String, String, u64)>,
    manifest: Value,
}

fn read_form(bytes: &[u8]) -> json::Result<Form> {
    let document = json::parse(bytes)?;
    let mut fields = Object::new(&document)?;
    fields.expect_schema(SCHEMA)?;
    let mut split = Vec::new();
    for mut build in fields.get::<Vec<Object>>("split")? {
        split.push((build.get("service")?, build.get("platform")?, build.get("shard")?));
        build.end()?;
    }
    let form = Form {
        shard: fields.get("shard")?,
        may_offer: fields.get("may_offer")?,
        reused: fields.get::<Vec<String>>("reused")?.into_iter().collect(),
        split,
        manifest: fields.get::<&Value>("manifest")?.clone(),
    };
    fields.end()?;
    Ok(form)
}

/// Joins the manifests of all shards, each with the name of its file, into that of one machine that made everything.
///
/// Fails where one is missing, where they are not of one `dist`, and where anything is missing or there twice.
pub fn merge(shards: &[(String, ShardManifest)]) -> Result<Manifest> {
    let [(first_name, first), rest @ ..] = shards else {
        return Err(Error::config("there are no shards to join"));
    };
    let total = first.part.shard.total;
    if let Some((name, other)) = rest.iter().find(|(_, one)| one.part.shard.total != total) {
        let other = other.part.shard.total;
        return Err(Error::invalid(format!(
            "{first_name} is of {total} shards, and {name} of {other}: one of them was left by another run"
        ))
        .hint(AGAIN));
    }
    let missing: Vec<_> = (1..=total)
        .filter(|number| shards.iter().all(|(_, one)| one.part.shard.number != *number))
        .map(|number| format!("{number}/{total}"))
        .collect();
    if !missing.is_empty() {
        return Err(Error::config(format!(
            "of {total} shards, {} are there: {} missing",
            total - missing.len() as u64,
            missing.join(", ")
        ))
        .hint(format!(
            "hand on what those machines made, or run `cargo xtask dist --shard {}` here, in a checkout of commit {}; \
             nothing is used of fewer shards than all",
            missing[0], first.manifest.commit
        )));
    }
    for (name, other) in rest {
        check_same(first_name, first, name, other)?;
    }
    check_artifacts(shards)?;

    let may_offer = shards.iter().all(|(_, one)| one.may_offer);
    let mut artifacts = Vec::new();
    for (_, ShardManifest { manifest, reused, .. }) in shards {
        artifacts.extend(manifest.artifacts.iter().cloned().map(|artifact| {
            let is_offered = may_offer || reused.contains(&artifact.file);
            Artifact { build_key: artifact.build_key.filter(|_| is_offered), ..artifact }
        }));
    }
    artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
    let outside: BTreeSet<_> =
        shards.iter().flat_map(|(_, one)| &one.manifest.outside_sources).cloned().collect();
    let outside_sources = outside.into_iter().collect();
    let merged = Manifest { artifacts, outside_sources, ..first.manifest.clone() };
    // What holds for a manifest as a whole, such as that no object key is there twice.
    Manifest::read_strict(merged.to_json().as_bytes(), "the manifests of all shards together")
}

/// Checks that two shards are of one `dist`.
fn check_same(
    first_name: &str,
    first: &ShardManifest,
    name: &str,
    other: &ShardManifest,
) -> Result<()> {
    let facts = |of: &ShardManifest| {
        let Manifest { version, commit, committed_at, branch, prefix, platforms, .. } =
            &of.manifest;
        [
            ("commit", commit.clone()),
            ("version", version.clone()),
            ("time of the commit", committed_at.to_string()),
            ("branch", branch.name().unwrap_or("none").to_owned()),
            ("prefix", prefix.clone().unwrap_or_else(|| "none".to_owned())),
            ("list of platforms", platforms.join(", ")),
        ]
    };
    for ((what, ours), (_, theirs)) in facts(first).into_iter().zip(facts(other)) {
        if ours != theirs {
            return Err(Error::invalid(format!(
                "{first_name} and {name} are of two runs: the {what} is {ours} in the first and {theirs} in the second"
            ))
            .hint(AGAIN));
        }
    }
    if first.part.split != other.part.split {
        return Err(Error::invalid(format!(
            "{first_name} and {name} do not split the work alike, so some of it may be missing or done twice"
        ))
        .hint(AGAIN));
    }
    Ok(())
}

/// Checks that each build of the split is there once, in the shard that was to make it, and nothing else is.
fn check_artifacts(shards: &[(String, ShardManifest)]) -> Result<()> {
    let mut made = BTreeMap::new();
    for (name, one) in shards {
        for artifact in &one.manifest.artifacts {
            let platform: Platform = artifact.platform.parse()?;
            let what = (artifact.service.as_str(), platform);
            if let Some((other, _)) = made.insert(what, (name, one.part.shard.number)) {
                let (service, platform) = what;
                let message = format!("{service} for {platform} is in {other} and in {name}");
                return Err(Error::invalid(message).hint(AGAIN));
            }
        }
    }
    for Assigned { service, platform, shard } in &shards[0].1.part.split {
        let what = format!("{service} for {platform}");
        match made.remove(&(service.as_str(), *platform)) {
            Some((_, number)) if number == *shard => {}
            Some((name, _)) => {
                let message = format!("{what} is in {name}, and shard {shard} was to make it");
                return Err(Error::invalid(message).hint(AGAIN));
            }
            None => {
                let message = format!("{what} is in no shard, and shard {shard} was to make it");
                return Err(Error::invalid(message).hint(AGAIN));
            }
        }
    }
    match made.first_key_value() {
        None => Ok(()),
        Some(((service, platform), (name, _))) => {
            let message =
                format!("{service} for {platform} is in {name}, and no shard was to make it");
            Err(Error::invalid(message).hint(AGAIN))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog::{Artifact, Branch, Manifest, Platform};
    use serde_json::{Value, json};

    use super::{ShardManifest, merge};
    use crate::model::shard::{Costs, Part, Shard, split};

    const COMMIT: &str = "abc1234567abc1234567abc1234567abc1234567";

    fn artifact(service: &str, platform: Platform) -> Artifact {
        let digest = "0".repeat(64);
        Artifact {
            service: service.into(),
            platform: platform.to_string(),
            triple: platform.triple().into(),
            file: format!("{service}_{platform}.tar.gz"),
            size_bytes: 7,
            sha256: digest.clone(),
            binary_sha256: digest.clone(),
            unstamped_sha256: digest.clone(),
            object_key: format!("{service}/{service}_abc123_{platform}.tar.gz"),
            rustc: "rustc 1.95.0".into(),
            sandboxed: true,
            build_key: Some(digest),
            ..Artifact::default()
        }
    }

    /// Returns what one machine writes: two services for two platforms.
    fn whole() -> Manifest {
        let [first, second, ..] = Platform::ALL;
        let pairs = [("a", first), ("a", second), ("b", first), ("b", second)];
        let mut artifacts: Vec<_> =
            pairs.map(|(service, platform)| artifact(service, platform)).into();
        artifacts.sort_by(|a, b| (&a.service, &a.platform).cmp(&(&b.service, &b.platform)));
        Manifest {
            version: "abc123".into(),
            commit: COMMIT.into(),
            committed_at: 1_700_000_000,
            branch: Branch::Named(Some("main".into())),
            platforms: vec![first.to_string(), second.to_string()],
            artifacts,
            ..Manifest::default()
        }
    }

    /// Returns what `total` machines write.
    fn shards(total: u64) -> Vec<(String, ShardManifest)> {
        let whole = whole();
        let all = whole.artifacts.iter();
        let builds: Vec<_> =
            all.map(|one| (one.service.as_str(), one.platform.parse().unwrap())).collect();
        let split = split(&builds, &Costs::default(), total);
        let of = |number| {
            let shard = Shard::new(number, total).unwrap();
            let is_own = |artifact: &&Artifact| {
                split.iter().any(|one| {
                    let place = (&*one.service, one.platform.as_str());
                    one.shard == number && place == (&*artifact.service, &*artifact.platform)
                })
            };
            let artifacts = whole.artifacts.iter().filter(is_own).cloned().collect();
            let manifest = Manifest { artifacts, ..whole.clone() };
            let part = Part { shard, split: split.clone() };
            let one = ShardManifest { part, may_offer: true, reused: BTreeSet::new(), manifest };
            (format!("manifest.{}.json", shard.in_file()), one)
        };
        (1..=total).map(of).collect()
    }

    #[test]
    fn all_shards_together_are_what_one_machine_writes() {
        for total in 1..=6 {
            let mut read = Vec::new();
            for (name, one) in shards(total) {
                let text = one.to_json();
                let again = ShardManifest::read(text.as_bytes(), one.part.shard, &name).unwrap();
                assert_eq!(again, one);
                read.push((name, again));
            }
            assert_eq!(merge(&read).unwrap().to_json(), whole().to_json(), "{total}");
            read.reverse();
            assert_eq!(merge(&read).unwrap(), whole(), "{total}");
        }
    }

    #[test]
    fn where_one_machine_may_not_offer_what_it_built_none_does() {
        let mut shards = shards(2);
        let file = shards[0].1.manifest.artifacts[0].file.clone();
        shards[0].1.reused.insert(file.clone());
        shards[1].1.may_offer = false;
        shards[1].1.manifest.outside_sources = vec!["../z".into(), "gen/a".into()];
        shards[0].1.manifest.outside_sources = vec!["gen/b".into(), "../z".into()];
        let merged = merge(&shards).unwrap();
        let offered = merged.artifacts.iter().filter(|artifact| artifact.build_key.is_some());
        assert_eq!(offered.map(|artifact| &artifact.file).collect::<Vec<_>>(), [&file]);
        assert_eq!(merged.outside_sources, ["../z", "gen/a", "gen/b"]);
    }

    type Change = fn(&mut [(String, ShardManifest)]);

    /// Reads the second of two shards after a change, and joins both.
    fn changed(change: impl FnOnce(&mut Value)) -> ferror::Result<Manifest> {
        let mut both = shards(2);
        let (name, second) = &both[1];
        let mut document = serde_json::from_str(&second.to_json()).unwrap();
        change(&mut document);
        let shard = second.part.shard;
        both[1].1 = ShardManifest::read(document.to_string().as_bytes(), shard, name)?;
        merge(&both)
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let other_commit = COMMIT.replace("7abc", "8abc");
        let rows: [(&str, Value, &str); 15] = [
            ("/schema", json!(2), "manifest.2-of-2.json is not the manifest of a shard: schema 2"),
            ("/shard", json!("1/2"), "manifest.2-of-2.json says that it is of shard \"1/2\""),
            ("/may_offer", json!("yes"), "may_offer: expected true or false"),
            ("/reused", json!([1]), "reused[0]: expected a string"),
            ("/split/0/platform", json!("linux_386"), "unknown platform `linux_386`"),
            ("/split/0/more", json!(1), "unknown field `more`"),
            ("/split/0/shard", json!(2), "do not split the work alike"),
            ("/split/0/service", json!("c"), "do not split the work alike"),
            ("/manifest/commit", json!(other_commit), "are of two runs: the commit is abc"),
            (
                "/manifest/version",
                json!("abc1234"),
                "the version is abc123 in the first and abc1234",
            ),
            ("/manifest/branch", json!("next"), "the branch is main in the first and next in"),
            (
                "/manifest/platforms",
                json!(["linux_amd64"]),
                "are of two runs: the list of platforms is",
            ),
            ("/manifest/artifacts", json!([]), "is in no shard, and shard 2 was to make it"),
            ("/manifest/artifacts/0/service", json!("c"), "is in no shard, and shard 2 was to"),
            ("/manifest/artifacts/0/size_bytes", json!(-1), "expected a whole number from 0"),
        ];
        for (pointer, value, expected) in rows {
            let error = changed(|document| {
                if let Some(at) = document.pointer_mut(pointer) {
                    *at = value.clone();
                } else {
                    let (place, name) = pointer.rsplit_once('/').unwrap();
                    document.pointer_mut(place).unwrap()[name] = value.clone();
                }
            });
            let error = format!("{:#}", error.expect_err(expected));
            assert!(error.contains(expected), "{pointer} = {value}: {error}");
        }
        let twice = |shards: &mut [(String, ShardManifest)]| {
            let artifact = shards[0].1.manifest.artifacts[0].clone();
            shards[1].1.manifest.artifacts.push(artifact);
        };
        let besides = |shards: &mut [(String, ShardManifest)]| {
            shards[1].1.manifest.artifacts.push(artifact("c", Platform::ALL[0]));
        };
        let exchanged = |shards: &mut [(String, ShardManifest)]| {
            let first = std::mem::take(&mut shards[0].1.manifest.artifacts);
            shards[0].1.manifest.artifacts =
                std::mem::replace(&mut shards[1].1.manifest.artifacts, first);
        };
        let one_object = |shards: &mut [(String, ShardManifest)]| {
            let object_key = shards[0].1.manifest.artifacts[0].object_key.clone();
            shards[1].1.manifest.artifacts[0].object_key = object_key;
        };
        let rows: [(Change, &str); 4] = [
            (twice, "is in manifest.1-of-2.json and in manifest.2-of-2.json"),
            (besides, "c for linux_amd64 is in manifest.2-of-2.json, and no shard was to make it"),
            (exchanged, "is in manifest.2-of-2.json, and shard 1 was to make it"),
            (one_object, "is listed twice"),
        ];
        for (change, expected) in rows {
            let mut both = shards(2);
            change(&mut both);
            let error = merge(&both).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn all_shards_have_to_be_there() {
        let mut three = shards(3);
        three.remove(1);
        let error = merge(&three).unwrap_err();
        assert_eq!(error.to_string(), "of 3 shards, 2 are there: 2/3 missing");
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("dist --shard 2/3") && hint.contains(COMMIT), "{hint}");
        three[1] = shards(2).remove(1);
        let error = merge(&three).unwrap_err().to_string();
        assert!(error.contains("of 3 shards, and manifest.2-of-2.json of 2"), "{error}");
    }
}
