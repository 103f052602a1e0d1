//! Names that people choose: of a service, of a GitHub account, of a bucket. What every later part asks of them is
//! checked here, before anything is written.

use ferror::{Error, Result};
use s3::{DEFAULT_REGION, Location, Signature};

/// Words of the language, strict and reserved, and what stands for an item of it (The Rust
/// Reference, "Keywords"). Cargo refuses a package of such a name.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Crates that come with the compiler, and names that cargo keeps for folders of its own.
const OF_RUST: [&str; 12] = [
    "alloc",
    "core",
    "proc_macro",
    "proc-macro",
    "std",
    "test",
    "build",
    "deps",
    "examples",
    "incremental",
    "self",
    "target",
];

/// Names that are no service's: those of folders of the bucket and of pages of `releases`, and of packages that
/// a service would be confused with.
const OF_OURS: [&str; 9] = [
    "api",
    "bowline-xtask",
    "channels",
    "healthz",
    "keys",
    "local-s3",
    "verified",
    "version",
    "xtask",
];

/// Users that Debian, Ubuntu and the packages of a usual host make: a service would run as one of them, and
/// read what is theirs. So would the names that begin with `systemd-`.
pub const OF_HOSTS: [&str; 31] = [
    "root",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "mail",
    "news",
    "uucp",
    "proxy",
    "www-data",
    "backup",
    "list",
    "irc",
    "gnats",
    "nobody",
    "messagebus",
    "sshd",
    "polkitd",
    "dbus",
    "tss",
    "uuidd",
    "syslog",
    "landscape",
    "pollinate",
    "usbmux",
    "dnsmasq",
    "ntp",
    "postfix",
];

/// The longest name of a GitHub account.
const MAX_ACCOUNT: usize = 39;
/// The longest name of a user on Linux: on a host, a service runs as one of its own.
const MAX_SERVICE: usize = 32;

/// Checks the name of a new service: that of a package, a binary, a folder and part of object keys.
///
/// Fails with [`ferror::Kind::Usage`].
pub fn check_service(name: &str) -> Result<()> {
    const EXPECTED: &str =
        "expected up to 32 lower-case letters, digits, `-` and `_`, with a letter first";
    let wrong = |why: &str| Err(Error::usage(format!("the name {name:?} {why}")));
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    if !first || name.len() > MAX_SERVICE || !name.chars().all(fits) {
        return wrong(&format!("is not one of a service: {EXPECTED}"));
    }
    if KEYWORDS.contains(&name) {
        return wrong("is a word of the language Rust, which no package may have");
    }
    if OF_RUST.contains(&name) {
        return wrong("stands for something of Rust or cargo already");
    }
    if OF_OURS.contains(&name) {
        return wrong("stands for a part of the automation already");
    }
    if OF_HOSTS.contains(&name) || name.starts_with("systemd-") {
        return wrong(
            "is a user of every host already, and a service runs as one that has its name",
        );
    }
    Ok(())
}

/// Checks the name of a GitHub account: up to 39 letters and digits, with single hyphens between.
///
/// Fails with [`ferror::Kind::Usage`].
pub fn check_account(name: &str) -> Result<()> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    if name.len() <= MAX_ACCOUNT && name.split('-').all(is_word) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the GitHub user name {name:?} is none: expected up to 39 letters, digits and single hyphens"
    )))
}

/// Checks the name of a bucket.
///
/// Fails with [`ferror::Kind::Usage`].
pub fn check_bucket(bucket: &str) -> Result<()> {
    let location = Location {
        bucket: bucket.to_owned(),
        region: DEFAULT_REGION.to_owned(),
        endpoint: None,
        path_style: Some(false),
        signature: Signature::V4,
    };
    location.check(false).map_err(|error| Error::usage(error.message()))
}

#[cfg(test)]
mod tests {
    use super::{check_account, check_service};

    #[test]
    fn a_service_has_a_name_that_packages_keys_and_people_take() {
        for name in ["a", "oddjob", "odd-job", "odd_job2", "my-proxy", "systemd", &"a".repeat(32)] {
            check_service(name).unwrap_or_else(|error| panic!("{error}"));
        }
        for (name, expected) in [
            ("", "the name \"\" is not one of a service"),
            (" ", "the name \" \" is not one of a service"),
            ("Odd", "lower-case"),
            ("2go", "a letter first"),
            ("-x", "a letter first"),
            ("_x", "a letter first"),
            ("a b", "\"a b\""),
            ("a/b", "\"a/b\""),
            ("../x", "\"../x\""),
            ("a.b", "\"a.b\""),
            ("größe", "\"größe\""),
            (&"a".repeat(33), "up to 32"),
            ("match", "a word of the language"),
            ("gen", "a word of the language"),
            ("std", "of Rust or cargo"),
            ("test", "of Rust or cargo"),
            ("target", "of Rust or cargo"),
            ("channels", "a part of the automation"),
            ("keys", "a part of the automation"),
            ("verified", "a part of the automation"),
            ("xtask", "a part of the automation"),
            ("bowline-xtask", "a part of the automation"),
            ("healthz", "a part of the automation"),
            ("root", "a user of every host already"),
            ("daemon", "a user of every host already"),
            ("www-data", "a user of every host already"),
            ("systemd-resolve", "a user of every host already"),
        ] {
            let error = check_service(name).expect_err(name).to_string();
            assert!(error.contains(expected), "{name:?}: {error}");
        }
    }

    #[test]
    fn an_account_has_the_form_that_github_gives() {
        for name in ["a", "octo-cat", "Team2", &"a".repeat(39)] {
            check_account(name).unwrap_or_else(|error| panic!("{error}"));
        }
        for name in ["", "-a", "a-", "a--b", "a b", "a_b", "a\"b", &"a".repeat(40)] {
            check_account(name).expect_err(name);
        }
    }
}
