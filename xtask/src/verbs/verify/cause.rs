//! Says why an artifact may differ from what its commit gives, by what was recorded of both builds.

use catalog::{Artifact, Indexed};
use ferror::Kind;

use crate::bucket::releases::ReleaseBucket;
use crate::build::difference::Compared;

/// The words for an archive that nothing recorded explains.
const REPLACED: &str = "archive and manifest agree with each other, and not with the commit";

/// Looks up the build key of a published artifact: who replaces a release may be unable to write the index.
pub(super) fn look_up(published: &Artifact, bucket: &ReleaseBucket) -> anyhow::Result<Indexed> {
    let Some(key) = &published.build_key else { return Ok(Indexed::Nothing) };
    match Indexed::read(&bucket.client, &bucket.prefix, key) {
        Err(error) if [Kind::Denied, Kind::Invalid].contains(&error.kind()) => Ok(Indexed::Nothing),
        read => Ok(read?),
    }
}

/// Returns the likely cause of a difference: the first that explains it, from what is certain to what is left.
pub(super) fn likely(
    published: &Artifact,
    built: &Artifact,
    compared: &Compared,
    indexed: &Indexed,
) -> String {
    if let Some(binary) = &compared.binary {
        let says = |what: &str| {
            format!(
                "the archive holds another binary than its own manifest object says ({what}): it was replaced after it was made"
            )
        };
        if binary.sha256 != published.binary_sha256 {
            return says("binary_sha256");
        }
        if binary.unstamped_sha256.as_ref().is_some_and(|it| *it != published.unstamped_sha256) {
            return says("unstamped_sha256");
        }
    }
    let recorded = recorded(published, built);
    if !recorded.is_empty() {
        return recorded.join("; ");
    }
    if compared.binary.as_ref().is_some_and(|binary| binary.is_equal) {
        return "the binary is the one that the commit gives, and the files beside it are not: they were packed from \
                another work tree, or replaced"
            .to_owned();
    }
    let key_of_index = match indexed {
        Indexed::Entry(entry) => Some(entry.unstamped_sha256.as_str()),
        _ => None,
    };
    match (&published.build_key, &built.build_key) {
        (Some(_), _) if key_of_index == Some(&built.unstamped_sha256) => format!(
            "{REPLACED}: the index of binaries has the binary that was built here for this release's build key, so the \
             release was replaced"
        ),
        (Some(theirs), Some(ours)) if theirs == ours => format!(
            "the build key {ours} is equal and the binaries are not: the key lacks an input of the build, or the build \
             is not reproducible; or {REPLACED}"
        ),
        (Some(_), Some(_)) => {
            "the build keys differ though the commit is the same: the machines differ in something that counts besides \
             the commit, such as the C compiler, the system's release or a variable that `env` names"
                .to_owned()
        }
        _ => format!(
            "{REPLACED}: nothing recorded explains it, so they were replaced together, or made from something else than \
             the commit"
        ),
    }
}

/// Lists what the manifests say otherwise of the tools and flags of both builds.
fn recorded(published: &Artifact, built: &Artifact) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, theirs: String, ours: String| {
        if theirs != ours {
            let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
            let (theirs, ours) = (or_none(theirs), or_none(ours));
            found.push(format!("{what}: {theirs} when it was published, {ours} here"));
        }
    };
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    compare("the compiler", published.rustc.clone(), built.rustc.clone());
    compare("OpenSSL", text(&published.openssl), text(&built.openssl));
    compare(
        "libraries of the machine",
        published.system_libraries.join(", "),
        built.system_libraries.join(", "),
    );
    compare(
        "flags from outside the repository",
        published.outside_flags.join(", "),
        built.outside_flags.join(", "),
    );
    found
}

#[cfg(test)]
mod tests {
    use catalog::{Artifact, IndexEntry, Indexed};

    use super::likely;
    use crate::build::difference::{Binary, Compared};

    fn artifact(binary: &str) -> Artifact {
        Artifact {
            rustc: "rustc 1.95.0".to_owned(),
            binary_sha256: format!("stamped {binary}"),
            unstamped_sha256: binary.to_owned(),
            build_key: Some("key".to_owned()),
            ..Artifact::default()
        }
    }

    /// Compares `published` with the build of the binary `ours`, where the archive has the binary `theirs`.
    fn cause(
        published: &Artifact,
        built: &Artifact,
        theirs: &str,
        indexed: Option<&str>,
    ) -> String {
        let binary = Binary {
            sha256: format!("stamped {theirs}"),
            unstamped_sha256: Some(theirs.to_owned()),
            is_equal: theirs == built.unstamped_sha256,
        };
        let compared = Compared { differences: Vec::new(), binary: Some(binary) };
        let entry = |digest: &str| IndexEntry {
            service: String::new(),
            platform: String::new(),
            version: String::new(),
            commit: String::new(),
            sha256: String::new(),
            unstamped_sha256: digest.to_owned(),
        };
        let indexed = indexed.map_or(Indexed::Nothing, |digest| Indexed::Entry(entry(digest)));
        likely(published, built, &compared, &indexed)
    }

    #[test]
    fn what_explains_a_difference_is_named_and_what_is_certain_goes_first() {
        let (published, built) = (artifact("theirs"), artifact("ours"));
        let other = |change: fn(&mut Artifact)| {
            let mut built = built.clone();
            change(&mut built);
            built
        };
        let without_key = Artifact { build_key: None, ..published.clone() };
        let compiler = other(|it| it.rustc = "rustc 1.96.0".to_owned());
        let flags = other(|it| it.outside_flags = vec!["CC=cc".to_owned()]);
        let key = other(|it| it.build_key = Some("another".to_owned()));
        let no_key = other(|it| it.build_key = None);
        let cases = [
            (
                &published,
                &compiler,
                "swapped",
                None,
                "than its own manifest object says (binary_sha256)",
            ),
            (
                &published,
                &compiler,
                "theirs",
                None,
                "the compiler: rustc 1.95.0 when it was published, rustc 1.96.0 here",
            ),
            (
                &published,
                &flags,
                "theirs",
                None,
                "outside the repository: none when it was published, CC=cc here",
            ),
            (
                &published,
                &built,
                "theirs",
                None,
                "the build key key is equal and the binaries are not: the key lacks",
            ),
            (&published, &built, "theirs", Some("theirs"), "the key lacks an input"),
            (
                &published,
                &built,
                "theirs",
                Some("ours"),
                "not with the commit: the index of binaries has",
            ),
            (
                &published,
                &no_key,
                "theirs",
                Some("ours"),
                "not with the commit: the index of binaries has",
            ),
            (
                &published,
                &key,
                "theirs",
                None,
                "the build keys differ though the commit is the same",
            ),
            (
                &without_key,
                &built,
                "theirs",
                None,
                "archive and manifest agree with each other, and not with the commit: nothing",
            ),
        ];
        for (published, built, theirs, indexed, expected) in cases {
            let cause = cause(published, built, theirs, indexed);
            assert!(cause.contains(expected), "expected {expected:?} in {cause:?}");
        }
        let resources = cause(&artifact("ours"), &built, "ours", None);
        assert!(resources.contains("the files beside it are not"), "{resources}");
        // A manifest that names the binary of the commit, for an archive with another one of the same stamp.
        let mut published = artifact("ours");
        published.binary_sha256 = "stamped theirs".to_owned();
        assert!(cause(&published, &built, "theirs", None).contains("(unstamped_sha256)"));
    }
}
