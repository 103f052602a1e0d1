//! Prepares calls of pip that only the network settings of a person reach.
//!
//! pip takes every option from variables and from pip.conf, too. Many would install into another folder or
//! nothing at all (`user`, `target`, `require-virtualenv`, `no-index`), and python itself is steered by
//! variables. What says how servers are reached counts, and nothing else.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::Duration;

use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, process};

/// Enough for a python that starts and reads some files.
const LIMIT: Duration = Duration::from_secs(30);

/// The options that count, and their other names. `find-links` is among them since a folder of wheels is a
/// mirror, too: whatever the place, the digests decide.
const NETWORK: [(&str, &str); 12] = [
    ("cert", "cert"),
    ("client-cert", "client-cert"),
    ("default-timeout", "timeout"),
    ("extra-index-url", "extra-index-url"),
    ("find-links", "find-links"),
    ("index-url", "index-url"),
    ("keyring-provider", "keyring-provider"),
    ("proxy", "proxy"),
    ("pypi-url", "index-url"),
    ("retries", "retries"),
    ("timeout", "timeout"),
    ("trusted-host", "trusted-host"),
];

/// The words of `use-feature` and `use-deprecated` that choose whose certificates are trusted.
const TRUST: [&str; 2] = ["truststore", "legacy-certs"];

/// Options of `pip config list` that pip.conf could set, and which would change what it lists.
const PLAIN_LISTING: [(&str, &str); 6] = [
    ("PIP_GLOBAL", "0"),
    ("PIP_LOG", "/dev/null"),
    ("PIP_QUIET", "0"),
    ("PIP_SITE", "0"),
    ("PIP_USER", "0"),
    ("PIP_VERBOSE", "0"),
];

/// Returns `python3 -m pip` without a single setting of the person.
pub(super) fn plain(env: &Env) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip"]);
    child_env::clean(&mut command, env);
    for name in env.names() {
        if ["PIP_", "PYTHON"].iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes())) {
            command.env_remove(name);
        }
    }
    command
        .env("PIP_CONFIG_FILE", "/dev/null")
        // Without it, a file `pip.py` in the current folder would be run.
        .env("PYTHONSAFEPATH", "1")
        // These are variables, since an old pip ignores unknown ones and fails on unknown options.
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1");
    command
}

/// Returns the same with the network settings, as variables: a URL may have a password in it, and arguments
/// are shown.
pub(super) fn with_network(env: &Env, ui: &Ui) -> Command {
    let mut command = plain(env);
    let variables = variables(env);
    let settings = in_files(env, ui).into_iter().chain(variables);
    for (name, value) in network(settings) {
        command.env(format!("PIP_{}", name.replace('-', "_").to_uppercase()), value);
    }
    command
}

/// Returns the options that variables set, by their names in pip.conf.
fn variables(env: &Env) -> Vec<(String, String)> {
    let option = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_str()?.strip_prefix("PIP_")?.to_lowercase().replace('_', "-");
        Some((name, value.to_str()?.to_owned()))
    };
    env.variables().into_iter().filter_map(option).collect()
}

/// Returns what the files of pip set for `pip install`; later ones count.
fn in_files(env: &Env, ui: &Ui) -> Vec<(String, String)> {
    let mut command = plain(env);
    command.args(["config", "list"]).env_remove("PIP_CONFIG_FILE").envs(PLAIN_LISTING);
    if let Some((_, file)) = env.variables().into_iter().find(|(name, _)| name == "PIP_CONFIG_FILE")
    {
        command.env("PIP_CONFIG_FILE", file);
    }
    let reason = match process::run(&mut command, LIMIT) {
        Ok(output) if output.status.success() => return listed(&output.stdout),
        Ok(output) => without_userinfo(&output.reason()),
        Err(error) => error.to_string(),
    };
    ui.warn(format_args!("the settings in pip's files do not count: `pip config list`: {reason}"));
    Vec::new()
}

/// Reads the lines `SECTION.OPTION='VALUE'` of `pip config list`: those of all commands, then those of
/// `install`.
fn listed(printed: &str) -> Vec<(String, String)> {
    let of = |section: &str| -> Vec<_> {
        let line = |line: &str| {
            let (name, value) = line.strip_prefix(section)?.split_once('=')?;
            Some((name.to_owned(), unquote(value)?))
        };
        printed.lines().filter_map(line).collect()
    };
    [of("global."), of("install.")].concat()
}

/// Reads a string as python's `repr` writes it.
fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|first| "'\"".contains(*first))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let (mut value, mut rest) = (String::new(), inner.chars());
    while let Some(character) = rest.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        let digits = match rest.next()? {
            'n' => Err('\n'),
            'r' => Err('\r'),
            't' => Err('\t'),
            'x' => Ok(2),
            'u' => Ok(4),
            'U' => Ok(8),
            other => Err(other),
        };
        value.push(match digits {
            Err(character) => character,
            Ok(count) => {
                let number: String = rest.by_ref().take(count).collect();
                char::from_u32(u32::from_str_radix(&number, 16).ok()?)?
            }
        });
    }
    Some(value)
}

/// Returns the settings that count, each under one name. Of two with a name, the later one counts; an empty one
/// counts as unset, as for pip.
fn network(settings: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for (name, value) in settings {
        if ["use-feature", "use-deprecated"].contains(&&*name) {
            let words = value.split_whitespace().filter(|word| TRUST.contains(word));
            let words = words.collect::<Vec<_>>().join(" ");
            if !words.is_empty() {
                kept.insert(name, words);
            }
        } else if let Some((_, name)) = NETWORK.iter().find(|(known, _)| *known == name)
            && !value.is_empty()
        {
            kept.insert((*name).to_owned(), value);
        }
    }
    kept
}

/// Replaces what stands before the `@` of each URL: it may be a password, and pip does not hide it everywhere.
pub(super) fn without_userinfo(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end =
            part.find(|c: char| c.is_whitespace() || "/?#'\"".contains(c)).unwrap_or(part.len());
        shown.push_str("://");
        match part[..end].rfind('@') {
            Some(at) => {
                shown.push_str("***");
                shown.push_str(&part[at..]);
            }
            None => shown.push_str(part),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{LIMIT, listed, network, unquote, with_network, without_userinfo};
    use crate::system::env::Env;
    use crate::system::process;
    use crate::system::ui::Ui;

    #[test]
    fn only_network_settings_count_and_the_last_of_a_name() {
        let printed = "global.index-url='https://one/simple'\nglobal.user='true'\n\
                       install.pypi-url='https://two/simple'\ninstall.target='/x'\n\
                       download.proxy='http://p:1'\nglobal.timeout='5'\n\
                       global.use-feature='fast-deps truststore'\nglobal.cert=''\n";
        let variables = [("default-timeout", "7"), ("no-index", "1"), ("index-url", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let kept = network(listed(printed).into_iter().chain(variables));
        let kept: Vec<_> = kept.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected =
            [("index-url", "https://two/simple"), ("timeout", "7"), ("use-feature", "truststore")];
        assert_eq!(kept, expected);
    }

    #[test]
    fn strings_of_python_are_read() {
        let rows = [
            ("'plain'", Some("plain")),
            (r#""it's""#, Some("it's")),
            (r"'\nhttp://a/\nhttp://b/'", Some("\nhttp://a/\nhttp://b/")),
            (r"'\\ \' \xe9 \u20ac \U0001f600'", Some("\\ ' é € 😀")),
            ("'open", None),
            ("'", None),
            ("", None),
            (r"'\xzz'", None),
        ];
        for (text, expected) in rows {
            assert_eq!(unquote(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn users_and_passwords_of_urls_are_not_shown() {
        let rows = [
            ("get https://me:s3@cret@host/simple/: 403", "get https://***@host/simple/: 403"),
            ("https://host/a@b, http://x@[::1]:8", "https://host/a@b, http://***@[::1]:8"),
            ("no URL, me@host", "no URL, me@host"),
        ];
        for (text, expected) in rows {
            assert_eq!(without_userinfo(text), expected);
        }
    }

    /// Writes a wheel of one file, with python's own zip.
    const WHEEL: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('tool/here', 'yes')
    info = 'tool-1.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: tool\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', 'tool/here,,\\n')
";

    #[test]
    fn a_hostile_pip_conf_changes_nothing_but_the_place_that_wheels_come_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(path("wheels")).unwrap();
        let mut python = std::process::Command::new("python3");
        python.args(["-c", WHEEL, &path("wheels/tool-1.0-py3-none-any.whl")]);
        assert!(process::run(&mut python, LIMIT).unwrap().status.success());
        // Nothing listens at the index: the wheel comes from the folder.
        let conf = format!(
            "[global]\nindex-url = http://127.0.0.1:9/simple\nretries = 0\nfind-links = {}\n\
             user = true\nquiet = 3\nlog = /no/such/folder/log\nno-index = true\n\
             require-virtualenv = true\n\
             [install]\nprefix = {}\ntarget = {}\ndry-run = true\nno-binary = :all:\n",
            path("wheels"),
            path("prefix"),
            path("elsewhere"),
        );
        fs::write(path("pip.conf"), conf).unwrap();
        let env = Env::for_test(&[("PIP_CONFIG_FILE", &path("pip.conf"))]);
        let mut pip = with_network(&env, &Ui::new(&env));
        pip.args(["install", "--only-binary", ":all:", "--no-deps", "--target", &path("there")]);
        let output = process::run(pip.arg("tool==1.0"), LIMIT).unwrap();
        assert!(output.status.success(), "{}", output.stderr);
        assert!(folder.path().join("there/tool/here").is_file(), "{}", output.stdout);
        assert!(
            !folder.path().join("elsewhere").exists() && !folder.path().join("prefix").exists()
        );
    }
}
