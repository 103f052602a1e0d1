//! Cargo's JSON messages, one a line: what was made, and what was said about it.
//!
//! Format: the cargo book, "External tools". Lines that are no such message are build scripts' or
//! macros' own output, and are left out.

use std::path::PathBuf;

use serde_json::Value;

/// A message that matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A compiler's words, ready to be shown.
    Said(String),
    /// A crate is there.
    Made(Made),
}

/// What cargo says of a crate when it is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) package: String,
    pub(super) target: String,
    /// It was there before, and nothing was compiled.
    pub(super) fresh: bool,
    /// The linked file, of a binary.
    pub(super) executable: Option<PathBuf>,
}

/// Reads one line.
pub(super) fn read(line: &str) -> Option<Message> {
    let message: Value = serde_json::from_str(line).ok()?;
    match message["reason"].as_str()? {
        "compiler-artifact" => made(&message).map(Message::Made),
        "compiler-message" => {
            let diagnostic = &message["message"];
            let about_the_sdk = diagnostic["message"].as_str().is_some_and(is_about_the_sdk);
            let rendered = diagnostic["rendered"].as_str().filter(|_| !about_the_sdk)?;
            Some(Message::Said(rendered.to_owned()))
        }
        _ => None,
    }
}

fn made(message: &Value) -> Option<Made> {
    let target = &message["target"];
    let is_bin = target["kind"].as_array()?.iter().any(|kind| kind == "bin");
    Some(Made {
        package: package_name(message["package_id"].as_str()?).to_owned(),
        target: target["name"].as_str()?.to_owned(),
        fresh: message["fresh"].as_bool()?,
        executable: message["executable"].as_str().filter(|_| is_bin).map(PathBuf::from),
    })
}

/// rustc looks for Apple's SDK, which is not needed: zig brings what the linker reads.
fn is_about_the_sdk(message: &str) -> bool {
    message.starts_with("invoking `\"xcrun\"")
}

/// The name in a package id: after `#` and before `@`, else the last part of the path before `#`.
///
/// Format: the cargo book, "Package ID Specifications".
fn package_name(id: &str) -> &str {
    let (location, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    match fragment.split_once('@') {
        Some((name, _)) => name,
        None => location.rsplit('/').next().unwrap_or(location),
    }
}

#[cfg(test)]
mod tests {
    use super::{Made, Message, package_name, read};

    fn artifact(kind: &str, fresh: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/services/web#0.1.0",
            "manifest_path":"/w/services/web/Cargo.toml","target":{{"kind":["{kind}"],
            "crate_types":["bin"],"name":"web","src_path":"/w/services/web/src/main.rs",
            "edition":"2024","doc":true,"doctest":false,"test":true}},"profile":{{"opt_level":"3",
            "debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false}},
            "features":[],"filenames":["/t/web"],"executable":{executable},"fresh":{fresh}}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn artifacts_are_read() {
        let made = |fresh, executable: Option<&str>| {
            Some(Message::Made(Made {
                package: "web".into(),
                target: "web".into(),
                fresh,
                executable: executable.map(Into::into),
            }))
        };
        let rows = [
            (artifact("bin", true, "\"/t/web\""), made(true, Some("/t/web"))),
            (artifact("lib", false, "null"), made(false, None)),
            // A build script is an executable that nobody ships.
            (artifact("custom-build", false, "\"/t/build\""), made(false, None)),
            (r#"{"reason":"build-finished","success":true}"#.into(), None),
            (r#"{"reason":"of a later cargo"}"#.into(), None),
            ("printed by a macro".into(), None),
            (String::new(), None),
        ];
        for (line, expected) in rows {
            assert_eq!(read(&line), expected, "{line}");
        }
    }

    #[test]
    fn every_diagnostic_is_passed_on_but_the_one_about_the_sdk() {
        let said = |message: &str| {
            let message =
                serde_json::json!({"message": message, "rendered": "as shown", "level": "warning"});
            let line = serde_json::json!({"reason": "compiler-message", "message": message});
            read(&line.to_string())
        };
        assert_eq!(said("unused variable: `x`"), Some(Message::Said("as shown".into())));
        assert_eq!(said("invoking `\"xcrun\" \"--sdk\"` to find MacOSX.sdk failed"), None);
    }

    #[test]
    fn names_are_read_from_every_form_of_package_id() {
        let rows = [
            ("path+file:///w/services/web#0.1.0", "web"),
            ("path+file:///w/services/folder#web@0.1.0", "web"),
            ("registry+https://example.org/index#ring@0.17.14", "ring"),
            ("git+https://example.org/team/lib?rev=1#lib-core@0.1.0", "lib-core"),
        ];
        for (id, expected) in rows {
            assert_eq!(package_name(id), expected, "{id}");
        }
    }
}
