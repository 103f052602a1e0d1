//! Parses profile files: sections, names and values.
//!
//! What a file means follows the AWS SDKs and Tools Reference Guide, "Format of the shared config
//! and credentials files", and where that is silent, the AWS CLI: `#` and `;` begin a comment at
//! the beginning of a line alone; a line that is indented deeper than the property before it
//! continues that; names are not case sensitive; of two equal names the later one counts.

use std::collections::BTreeMap;

use ferror::Error;

/// The properties of one profile, by name in lower case.
pub(super) type Properties = BTreeMap<String, String>;

/// The two profile files, which name their sections differently, and what is looked for in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// `[NAME]`.
    Credentials,
    /// `[default]` or `[profile NAME]`; other sections are no profiles.
    Config,
    /// `[services NAME]`, in the same file.
    Services,
}

/// Reads the profile called `profile`; `None` if the file does not have it. An error gives the number
/// of the line and never its text.
pub(super) fn profile(
    text: &str,
    kind: FileKind,
    profile: &str,
) -> ferror::Result<Option<Properties>> {
    let mut found: Option<Properties> = None;
    // `[profile default]` goes before `[default]`.
    let mut spelled_out: Option<Properties> = None;
    let mut section = Section::None;
    // The last property: its name, and how deep its line was indented.
    let mut last: Option<(String, usize)> = None;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let wrong = |why: &str| Error::config(format!("line {} {why}", index + 1));
        let depth = line.len() - line.trim_start().len();
        let deeper = last.as_ref().is_some_and(|(_, of_last)| depth > *of_last);
        if !deeper && content.starts_with('[') {
            let name = header(content).ok_or_else(|| wrong("is no [section]"))?;
            section = Section::of(name, kind, profile);
            last = None;
            match section {
                Section::Wanted => drop(found.get_or_insert_default()),
                Section::SpelledOut => drop(spelled_out.get_or_insert_default()),
                _ => {}
            }
            continue;
        }
        let properties = match section {
            Section::None => return Err(wrong("stands before the first [section]")),
            Section::Other => None,
            Section::Wanted => found.as_mut(),
            Section::SpelledOut => spelled_out.as_mut(),
        };
        if let (true, Some((name, _))) = (deeper, &last) {
            if let Some(value) = properties.and_then(|properties| properties.get_mut(name)) {
                value.push('\n');
                value.push_str(content);
            }
            continue;
        }
        let (name, value) = content
            .split_once(['=', ':'])
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| wrong("is not NAME = VALUE"))?;
        last = Some((name.clone(), depth));
        if let Some(properties) = properties {
            properties.insert(name, value);
        }
    }
    Ok(spelled_out.or(found))
}

/// Returns a property that stands indented below another one, as in `s3 =` and `endpoint_url = URL`.
/// A blank one counts as absent.
pub(super) fn nested(value: &str, name: &str) -> Option<String> {
    let lines = value.lines().filter_map(|line| line.split_once(['=', ':']));
    let mut named = lines.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    named.next_back().map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[derive(Clone, Copy)]
enum Section {
    /// No section has begun yet.
    None,
    Other,
    Wanted,
    /// `[profile default]`.
    SpelledOut,
}

impl Section {
    fn of(name: &str, kind: FileKind, profile: &str) -> Self {
        if kind == FileKind::Credentials {
            return if unquoted(name) == profile { Self::Wanted } else { Self::Other };
        }
        let is_services = kind == FileKind::Services;
        let word = if is_services { "services" } else { "profile" };
        let after = name.strip_prefix(word).filter(|rest| rest.starts_with([' ', '\t']));
        match after {
            Some(rest) if unquoted(rest.trim()) != profile => Self::Other,
            Some(_) if profile == "default" && !is_services => Self::SpelledOut,
            Some(_) => Self::Wanted,
            None if name == "default" && profile == "default" && !is_services => Self::Wanted,
            None => Self::Other,
        }
    }
}

/// Returns the name in a section's line, which may end with a comment.
fn header(content: &str) -> Option<&str> {
    let (name, rest) = content.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with(['#', ';'])).then(|| name.trim())
}

fn unquoted(name: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{FileKind, nested, profile};
    use crate::credentials::tests::bounded;

    /// Compares the properties of the profile `wanted` with `expected`, which has them as
    /// `name=value`, sorted.
    fn check(text: &str, kind: FileKind, wanted: &str, expected: Option<&[&str]>) {
        let found = profile(text, kind, wanted).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let found = found.map(|properties| {
            properties.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        });
        let expected = expected.map(|rows| rows.iter().map(|row| (*row).to_owned()).collect());
        assert_eq!(found, expected, "[{wanted}] of {text:?}");
    }

    #[test]
    fn profiles_are_found_and_read() {
        use FileKind::{Config, Credentials};
        check("", Credentials, "default", None);
        check("[default]", Credentials, "default", Some(&[]));
        check("[default]\na=1\n[b]\na=2\n", Credentials, "b", Some(&["a=2"]));
        check("\u{feff}[default]\r\na = 1\r\n", Credentials, "default", Some(&["a=1"]));
        check("# c\n ; c\n[ default ] # c\nA : b=c\n", Credentials, "default", Some(&["a=b=c"]));
        check("[default]\na=1 # kept\n", Credentials, "default", Some(&["a=1 # kept"]));
        check("[default]\n  a=1\n  b=2\n", Credentials, "default", Some(&["a=1", "b=2"]));
        check(
            "[default]\ns3 =\n  x = 1\n\n  y=2\nb=3",
            Config,
            "default",
            Some(&["b=3", "s3=\nx = 1\ny=2"]),
        );
        check("[default]\na=1\n[default]\na=2\nb=3", Credentials, "default", Some(&["a=2", "b=3"]));
        check("[a]\nx=1\n  [b]\n", Credentials, "b", None);
        // The files name their sections differently.
        check("[profile b]\na=1", Credentials, "b", None);
        check("[profile b]\na=1", Config, "b", Some(&["a=1"]));
        check("[profile\t\"b c\"]\na=1", Config, "b c", Some(&["a=1"]));
        check("[b]\na=1", Config, "b", None);
        check("[profiles b]\na=1", Config, "s b", None);
        check("[sso-session b]\na=1\n[services b]\na=2", Config, "b", None);
        check("[default]\na=1", Config, "default", Some(&["a=1"]));
        check("[profile default]\na=1\n[default]\na=2", Config, "default", Some(&["a=1"]));
    }

    #[test]
    fn services_are_found_with_what_is_below_them() {
        use FileKind::Services;
        let text =
            "[services b]\ns3 =\n  x = 1\n  Endpoint_URL = https://a:9\nsts=\n  endpoint_url = n\n";
        check(
            text,
            Services,
            "b",
            Some(&["s3=\nx = 1\nEndpoint_URL = https://a:9", "sts=\nendpoint_url = n"]),
        );
        check("[profile b]\na=1\n[default]\nb=1", Services, "b", None);
        check("[default]\na=1\n[services default]\na=2", Services, "default", Some(&["a=2"]));
        let found = profile(text, Services, "b").unwrap().unwrap();
        assert_eq!(nested(&found["s3"], "endpoint_url").as_deref(), Some("https://a:9"));
        assert_eq!(nested(&found["s3"], "y"), None);
        assert_eq!(nested("\nendpoint_url =", "endpoint_url"), None);
    }

    #[test]
    fn a_broken_line_is_named_and_not_shown() {
        for (text, line) in [
            ("hidden = 1", "line 1 stands before"),
            ("[default]\n\nhidden", "line 3 is not NAME = VALUE"),
            ("[default]\n= hidden", "line 2 is not NAME = VALUE"),
            ("[hidden", "line 1 is no [section]"),
            ("[default] hidden", "line 1 is no [section]"),
        ] {
            let error = profile(text, FileKind::Credentials, "default").unwrap_err().to_string();
            assert!(error.contains(line), "{text:?}: {error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(bounded())]

        #[test]
        fn no_input_panics(
            lines in prop::collection::vec("[ \t]{0,2}[\\[\\]a =:#;\"'p\u{e9}\u{feff}\r]{0,8}(profile a)?\\]?", 0..12),
            config in any::<bool>(),
        ) {
            let kind = if config { FileKind::Config } else { FileKind::Credentials };
            let _ = profile(&lines.join("\n"), kind, "a");
        }

        #[test]
        fn what_is_written_is_read(value in "[!-~]{1,40}") {
            let text = format!("[profile a]\nx = {value}\n");
            let found = profile(&text, FileKind::Config, "a").unwrap().unwrap();
            assert_eq!(found["x"], value);
        }
    }
}
