//! Gives a release a longer version, where another commit has the same first digits.

use catalog::{Artifact, Manifest, Names, Template, archive_key};
use ferror::{Error, Kind, Result};

/// The most digits of a commit in a version.
const MAX_DIGITS: usize = 40;

/// Returns `manifest` with one digit more of its commit in the version, and with the object keys of that version.
/// The archives still have to be packed again. `template` is the table's `object-key`.
///
/// # Errors
/// [`Kind::Conflict`] where there is no longer version, or no object keys of their own for it.
pub fn lengthen(manifest: &Manifest, template: Option<&Template>) -> Result<Manifest> {
    let (digits, content) = split(&manifest.version);
    let count = digits.len() + 1;
    if count > MAX_DIGITS.min(manifest.commit.len()) {
        return Err(cannot(manifest, "it has all the digits that a version may have"));
    }
    let version = mark(&manifest.commit[..count], content);
    let artifacts = manifest.artifacts.iter().map(|artifact| {
        let object_key = object_key(manifest, artifact, &version, template)?;
        Ok(Artifact { object_key, ..artifact.clone() })
    });
    let artifacts = artifacts.collect::<Result<Vec<_>>>()?;
    Ok(Manifest { version, artifacts, ..manifest.clone() })
}

/// Returns the object key of an artifact under another version. The key that it has says whether the table is the
/// one that `dist` read.
fn object_key(
    manifest: &Manifest,
    artifact: &Artifact,
    version: &str,
    template: Option<&Template>,
) -> Result<String> {
    let commit = mark(&manifest.commit, split(&manifest.version).1);
    let platform = artifact.platform.parse()?;
    let Artifact { service, file, object_key, .. } = artifact;
    let names = |version| Names { service, version, commit: &commit, platform, file };
    let now = names(&manifest.version);
    // Only a manifest whose keys a template gave names its prefix.
    let (template, prefix) = match (&manifest.prefix, template) {
        (None, _) => {
            let prefix = object_key.strip_suffix(&archive_key(None, "", &now)?);
            (None, prefix.unwrap_or_default())
        }
        (Some(_), Some(template)) if !template.has_version() => {
            return Err(cannot(manifest, "object-key in Cargo.toml has no {version}"));
        }
        (Some(prefix), template) => (template, prefix.as_str()),
    };
    if archive_key(template, prefix, &now)? != *object_key {
        let why = format!("object-key in Cargo.toml is not the one that gave {object_key}");
        return Err(cannot(manifest, &why));
    }
    archive_key(template, prefix, &names(version))
}

/// Splits a version into the digits of the commit and those that stand for uncommitted changes.
fn split(version: &str) -> (&str, Option<&str>) {
    match version.split_once("-dirty.") {
        Some((digits, content)) => (digits, Some(content)),
        None => (version, None),
    }
}

fn mark(digits: &str, content: Option<&str>) -> String {
    match content {
        Some(content) => format!("{digits}-dirty.{content}"),
        None => digits.to_owned(),
    }
}

fn cannot(manifest: &Manifest, why: &str) -> Error {
    let Manifest { version, commit, .. } = manifest;
    let message = format!(
        "version {version} is published already, of another commit than {commit}, and cannot be made longer: {why}"
    );
    Error::new(Kind::Conflict, message).hint(
        "commit again, or run dist with a longer version: `dist --version`, or `version-digits` and {version} in `object-key` in [workspace.metadata.xtask]",
    )
}

#[cfg(test)]
mod tests {
    use catalog::{Artifact, Manifest, Template};

    use super::lengthen;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn manifest(version: &str, object_key: &str, prefix: Option<&str>) -> Manifest {
        Manifest {
            version: version.to_owned(),
            commit: COMMIT.to_owned(),
            dirty: version.contains("dirty"),
            prefix: prefix.map(str::to_owned),
            artifacts: vec![Artifact {
                service: "api".to_owned(),
                platform: "linux_arm64".to_owned(),
                file: "api_linux_arm64.tar.gz".to_owned(),
                object_key: object_key.to_owned(),
                ..Artifact::default()
            }],
            ..Manifest::default()
        }
    }

    #[test]
    fn a_version_gets_one_digit_and_its_keys_follow() {
        for (version, key, prefix, template, expected) in [
            (
                "012345",
                "api/api_012345_linux_arm64.tar.gz",
                None,
                None,
                "0123456 api/api_0123456_linux_arm64.tar.gz",
            ),
            (
                "0123456",
                "a/b/api/api_0123456_linux_arm64.tar.gz",
                None,
                None,
                "01234567 a/b/api/api_01234567_linux_arm64.tar.gz",
            ),
            (
                "012345-dirty.0badcafe",
                "api/api_012345-dirty.0badcafe_linux_arm64.tar.gz",
                None,
                None,
                "0123456-dirty.0badcafe api/api_0123456-dirty.0badcafe_linux_arm64.tar.gz",
            ),
            (
                "012345",
                "p/api/012345/linux_arm64.tar.gz",
                Some("p/"),
                Some("{service}/{version}/{platform}.tar.gz"),
                "0123456 p/api/0123456/linux_arm64.tar.gz",
            ),
        ] {
            let template = template.map(|text| Template::parse(text).unwrap());
            let longer = lengthen(&manifest(version, key, prefix), template.as_ref()).unwrap();
            assert_eq!(format!("{} {}", longer.version, longer.artifacts[0].object_key), expected);
        }
    }

    #[test]
    fn what_cannot_be_made_longer_says_why() {
        let of_commit = format!("api/{COMMIT}/api_linux_arm64.tar.gz");
        let all_digits = format!("api/api_{COMMIT}_linux_arm64.tar.gz");
        for (version, key, prefix, template, why) in [
            (
                "012345",
                &*of_commit,
                Some(""),
                Some("{service}/{commit}/{file}"),
                "has no {version}",
            ),
            (
                "012345",
                "012345/api_linux_arm64.tar.gz",
                Some(""),
                Some("{service}/a/{version}/{file}"),
                "is not the one",
            ),
            ("012345", "012345/api_linux_arm64.tar.gz", Some(""), None, "is not the one"),
            (COMMIT, &all_digits, None, None, "all the digits"),
        ] {
            let template = template.map(|text| Template::parse(text).unwrap());
            let error = lengthen(&manifest(version, key, prefix), template.as_ref()).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.hint_text().unwrap().contains("dist --version"));
        }
    }
}
