//! Object keys: text -> service, version and kind. The one place that knows their grammar.

/// The platform whose archive has no platform in its key: it keeps the key that deployments have
/// always pulled.
pub const DEFAULT_PLATFORM: &str = "linux_amd64";

/// The longest object key that S3 takes, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// What one of our object keys says. It borrows from the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectName<'k> {
    /// The folder, and the first part of the file's name.
    pub service: &'k str,
    /// 6 to 40 hex digits, perhaps with `-dirty.` and 8 more.
    pub version: &'k str,
    /// Which of the release's objects it is.
    pub kind: ObjectKind<'k>,
}

/// The kinds of object that a release consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind<'k> {
    /// The manifest object, which makes the release visible.
    Manifest,
    /// The archive for one platform.
    Archive {
        /// Such as `linux_arm64`.
        platform: &'k str,
    },
}

impl<'k> ObjectName<'k> {
    /// Reads an object key. `None` when it is not one of ours: another folder depth, another name,
    /// another grammar.
    pub fn parse(prefix: &str, object_key: &'k str) -> Option<Self> {
        let (service, file) = object_key.strip_prefix(prefix)?.split_once('/')?;
        if !is_service(service) {
            return None;
        }
        let rest = file.strip_prefix(service)?.strip_prefix('_')?;
        if let Some(version) = rest.strip_suffix(".json") {
            return is_version(version).then_some(Self {
                service,
                version,
                kind: ObjectKind::Manifest,
            });
        }
        // A version has no underscore, so the first one ends it.
        let (version, platform) = match rest.strip_suffix(".tar.gz")?.split_once('_') {
            None => (rest.strip_suffix(".tar.gz")?, DEFAULT_PLATFORM),
            // One platform has one key.
            Some((_, DEFAULT_PLATFORM)) => return None,
            Some(parts) => parts,
        };
        (is_version(version) && is_platform(platform)).then_some(Self {
            service,
            version,
            kind: ObjectKind::Archive { platform },
        })
    }
}

/// The object key of the manifest object of a release.
pub fn manifest_key(prefix: &str, service: &str, version: &str) -> String {
    format!("{prefix}{service}/{service}_{version}.json")
}

/// The folder of a service's channels, and all of its objects' keys begin with it.
pub(crate) fn channel_folder(prefix: &str, service: &str) -> String {
    format!("{prefix}{service}/channels/")
}

/// Reads the object key of a channel as the service and the channel's name: 1 to 63 lower-case
/// letters, digits and hyphens, as `promote` takes them. `None` when it is none.
pub(crate) fn parse_channel<'k>(prefix: &str, object_key: &'k str) -> Option<(&'k str, &'k str)> {
    let (service, file) = object_key.strip_prefix(prefix)?.split_once("/channels/")?;
    let name = file.strip_suffix(".json")?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_channel = (1..=63).contains(&name.len()) && name.bytes().all(fits);
    (is_service(service) && is_channel).then_some((service, name))
}

/// Whether an object key may be one that a key template gave to an archive of `service`: below the
/// prefix, naming the service and one of `marks` (the release's version and commit), and neither a
/// channel nor one of our own forms that says otherwise. It may be: whoever wrote a manifest object
/// chose the key, so the object has to be asked as well.
pub(crate) fn may_be_templated(
    prefix: &str,
    object_key: &str,
    service: &str,
    marks: &[&str],
) -> bool {
    let Some(below) = object_key.strip_prefix(prefix) else { return false };
    let says_otherwise = ObjectName::parse(prefix, object_key).is_some_and(|name| {
        // One of our own service's archives is fine where the commit stands for the version.
        name.service != service
            || name.kind == ObjectKind::Manifest
            || !marks.contains(&name.version)
    });
    let mut folders = object_key.split('/');
    !says_otherwise
        && object_key.len() <= MAX_KEY_BYTES
        && !object_key.contains(char::is_control)
        && !folders.any(|name| ["", ".", "..", "channels"].contains(&name))
        && stands_alone(below, service, |c| c.is_ascii_alphanumeric())
        && marks.iter().any(|mark| stands_alone(below, mark, |c| c.is_ascii_hexdigit()))
}

/// Whether `word` stands somewhere in `text` with nothing that belongs to words on either side.
fn stands_alone(text: &str, word: &str, belongs: impl Fn(char) -> bool) -> bool {
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            !text[..at].ends_with(&belongs) && !text[at + word.len()..].starts_with(&belongs)
        })
}

/// Whether `text` is a version: 6 to 40 hex digits, or those, `-dirty.` and 8 hex digits.
pub fn is_version(text: &str) -> bool {
    let (commit, content) = text.split_once("-dirty.").unwrap_or((text, "00000000"));
    is_hex(commit, 6, 40) && is_hex(content, 8, 8)
}

fn is_hex(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `text` can be a service's name: the grammar of a Cargo package name, in ASCII. `channels`
/// is a folder's name, never a service's.
pub fn is_service(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text != "channels"
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_platform(text: &str) -> bool {
    let is_word = |word: &str| {
        (1..=16).contains(&word.len())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.split_once('_').is_some_and(|(os, arch)| is_word(os) && is_word(arch))
}

#[cfg(test)]
mod tests {
    use super::{ObjectKind, ObjectName, manifest_key, may_be_templated};

    #[test]
    fn keys_of_ours_say_what_they_are() {
        let check = |prefix: &str, key: &str, service: &str, version: &str, platform: &str| {
            let kind = match platform {
                "" => ObjectKind::Manifest,
                platform => ObjectKind::Archive { platform },
            };
            let expected = Some(ObjectName { service, version, kind });
            assert_eq!(ObjectName::parse(prefix, key), expected, "{key:?} under {prefix:?}");
        };
        check("", "a/a_abc123.json", "a", "abc123", "");
        check("", "a/a_abc123.tar.gz", "a", "abc123", "linux_amd64");
        check("", "a/a_abc123_darwin_arm64.tar.gz", "a", "abc123", "darwin_arm64");
        check("team/", "team/my_odd-job/my_odd-job_0123456.json", "my_odd-job", "0123456", "");
        check("team-", "team-a/a_abc123.tar.gz", "a", "abc123", "linux_amd64");
        check("", "a/a_abc123-dirty.89abcdef.json", "a", "abc123-dirty.89abcdef", "");
        let dirty = "a/a_abc123-dirty.89abcdef_linux_arm64.tar.gz";
        check("", dirty, "a", "abc123-dirty.89abcdef", "linux_arm64");
        let forty = "0123456789012345678901234567890123456789";
        check("", &format!("a/a_{forty}.json"), "a", forty, "");
    }

    #[test]
    fn a_manifest_key_is_read_back() {
        let key = manifest_key("team/", "my_odd-job", "abc123");
        assert_eq!(key, "team/my_odd-job/my_odd-job_abc123.json");
        let name = ObjectName::parse("team/", &key).expect("it is ours");
        assert_eq!((name.service, name.version), ("my_odd-job", "abc123"));
        assert_eq!(name.kind, ObjectKind::Manifest);
    }

    #[test]
    fn every_other_key_is_not_ours() {
        for key in [
            "",
            "a",
            "a/",
            "/a_abc123.json",
            "a/b_abc123.json",
            "a/a_abc12.json",
            "a/a_abc12g.json",
            "a/a_01234567890123456789012345678901234567890.json",
            "a/a_abc123-dirty.json",
            "a/a_abc123-dirty.89abcde.json",
            "a/a_abc123.json.bak",
            "a/a_abc123_.tar.gz",
            "a/a_abc123_linux.tar.gz",
            "a/a_abc123_linux_amd64.tar.gz",
            "a/a_abc123_linux_arm_64.tar.gz",
            "a/a_abc123_Linux_arm64.tar.gz",
            "a/a_abc123_linux_arm64.json",
            "a/a_abc123.tar.xz",
            "a/channels/stable.json",
            "a/channels/a_abc123.json",
            "channels/channels_abc123.json",
            "a/a/a_abc123.json",
            "../.._abc123.json",
            "a/../a_abc123.json",
            "ä/ä_abc123.json",
            "<b>/<b>_abc123.json",
        ] {
            assert_eq!(ObjectName::parse("", key), None, "{key:?} must not be taken for ours");
        }
        assert_eq!(ObjectName::parse("team/", "a/a_abc123.json"), None, "outside the prefix");
        assert_eq!(ObjectName::parse("", "team/a/a_abc123.json"), None, "deeper than the prefix");
    }

    #[test]
    fn a_templated_key_names_its_service_and_release() {
        let commit = "abc1230000000000000000000000000000000000";
        let check = |prefix: &str, key: &str, expected: bool| {
            let may_be = may_be_templated(prefix, key, "odd-job", &["abc123", commit]);
            assert_eq!(may_be, expected, "{key:?} under {prefix:?}");
        };
        check("", "odd-job/abc123/linux/amd64.tgz", true);
        check("team/", "team/odd-job/vabc123/odd-job_linux_amd64.tar.gz", true);
        check("", &format!("builds/{commit}/linux_amd64/odd-job.tgz"), true);
        check("", "odd-job/odd-job_abc123_linux_amd64.tar.gz", true);
        check("", &format!("odd-job/odd-job_{commit}_linux_arm64.tar.gz"), true);
        check("", "secrets/password", false);
        check("", "odd-job/abc1234/linux_amd64", false);
        check("", "odd-job/0abc123/linux_amd64", false);
        check("", "odd-jobs/abc123/linux_amd64", false);
        check("team/", "odd-job/abc123/linux_amd64", false);
        check("odd-job/abc123/", "odd-job/abc123/linux_amd64", false);
        check("", "odd-job/channels/abc123", false);
        check("", "/odd-job/abc123/linux_amd64", false);
        check("", "odd-job/../abc123/linux_amd64", false);
        check("", "odd-job/abc123/linux_amd64\n", false);
        check("", &format!("odd-job/abc123/{}", "x".repeat(1024)), false);
        // Our own forms mean what they say.
        check("", "odd-job/odd-job_abc123.json", false);
        check("", "other/other_abc123_odd-job.tar.gz", true);
        check("", "other-odd-job/other-odd-job_abc123.tar.gz", false);
        check("", "odd-job/odd-job_def456.tar.gz", false);
        check("", "odd-job/odd-job_def456_linux_abc123.tar.gz", false);
    }
}
