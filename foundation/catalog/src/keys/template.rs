//! The template of `object-key`: read once, filled in for every archive.
//!
//! A template that cannot work is refused when it is read, before a build of ten minutes.

use ferror::{Error, Result};

use super::{MAX_KEY_BYTES, problem, stands_alone};
use crate::Platform;

/// The values for the placeholders of a template.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The service.
    pub service: &'a str,
    /// The version.
    pub version: &'a str,
    /// The commit, all of it; with uncommitted changes marked as a version is.
    pub commit: &'a str,
    /// The platform.
    pub platform: Platform,
    /// The archive's name in the snapshot folder.
    pub file: &'a str,
}

/// A template that has been read: its keys differ from service to service, from version to version
/// and from platform to platform, and say which they are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Service,
    Version,
    Commit,
    Platform,
    Os,
    Arch,
    File,
}

const FIELDS: [(&str, Field); 7] = [
    ("service", Field::Service),
    ("version", Field::Version),
    ("commit", Field::Commit),
    ("platform", Field::Platform),
    ("os", Field::Os),
    ("arch", Field::Arch),
    ("file", Field::File),
];

impl Template {
    /// Reads a template such as `{service}/{version}/{file}`.
    ///
    /// # Errors
    /// [`ferror::Kind::Config`], which names the template, what is wrong with it, and what there is.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::config(format!("object-key = {}: {why}", shown(text)));
        let parts = parts(text).map_err(|why| wrong(&why))?;
        let template = Self { text: text.to_owned(), parts };
        if let Some(why) = template.problem() {
            return Err(wrong(&why));
        }
        // What only shows in a key shows in this one too.
        for platform in Platform::ALL {
            let names = Names {
                service: "service",
                version: "0123ab",
                commit: "0123abcdef0123abcdef0123abcdef0123abcdef",
                platform,
                file: &format!("service_{platform}.tar.gz"),
            };
            template.fill("", &names)?;
        }
        Ok(template)
    }

    /// Returns the key of one archive, below `prefix`.
    pub fn fill(&self, prefix: &str, names: &Names<'_>) -> Result<String> {
        let (os, arch) = names.platform.words();
        let below: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Field(Field::Service) => names.service,
                Part::Field(Field::Version) => names.version,
                Part::Field(Field::Commit) => names.commit,
                Part::Field(Field::Platform) => names.platform.as_str(),
                Part::Field(Field::Os) => os,
                Part::Field(Field::Arch) => arch,
                Part::Field(Field::File) => names.file,
            })
            .collect();
        let key = format!("{prefix}{below}");
        match problem(&key).or_else(|| misleads(&below, names)) {
            None => Ok(key),
            Some(why) => Err(Error::config(format!(
                "object-key = {} gives {}: {why}",
                shown(&self.text),
                shown(&key)
            ))),
        }
    }

    /// Returns whether keys carry the version, and so differ between two versions of one commit.
    pub fn has_version(&self) -> bool {
        self.has(Field::Version)
    }

    fn has(&self, field: Field) -> bool {
        self.parts.contains(&Part::Field(field))
    }

    fn problem(&self) -> Option<String> {
        if self.text.len() > MAX_KEY_BYTES {
            return Some(format!("it is longer than {MAX_KEY_BYTES} bytes"));
        }
        if self.text.starts_with('/') {
            return Some("it begins with `/`; keys begin with a name".to_owned());
        }
        if self.text.chars().any(char::is_control) {
            return Some("it holds a control character".to_owned());
        }
        let mut segments = self.text.split('/');
        if let Some(segment) = segments.find(|segment| ["", ".", ".."].contains(segment)) {
            return Some(format!("`{segment}` is no name between two `/`"));
        }
        let tells_platforms_apart = self.has(Field::Platform)
            || self.has(Field::File)
            || (self.has(Field::Os) && self.has(Field::Arch));
        let missing = if !self.has(Field::Service) {
            "{service}, or services would overwrite each other"
        } else if !self.has(Field::Version) && !self.has(Field::Commit) {
            "{version} or {commit}, or releases would overwrite each other"
        } else if !tells_platforms_apart {
            "{platform}, {file}, or {os} and {arch}, or platforms would overwrite each other"
        } else {
            return None;
        };
        Some(format!("it needs {missing}"))
    }
}

/// Cuts a template at its braces.
fn parts(text: &str) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let inside = from.strip_prefix('{').ok_or("`}` without a `{` before it")?;
        let (name, after) = match inside.find(['{', '}']) {
            Some(end) if inside[end..].starts_with('}') => (&inside[..end], &inside[end + 1..]),
            _ => {
                return Err(format!(
                    "`{{` without a `}}` after it: the placeholders are {}",
                    known()
                ));
            }
        };
        let (_, field) = FIELDS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let name: String = name.escape_debug().take(60).collect();
            format!("unknown placeholder `{{{name}}}`: the placeholders are {}", known())
        })?;
        parts.push(Part::Field(*field));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

/// Returns why readers of the bucket would take a key for that of another service, or ignore it:
/// they know services by `<service>/<service>_`, and accept a manifest object only for keys that
/// name service and release.
fn misleads(below: &str, names: &Names<'_>) -> Option<&'static str> {
    if let Some((folder, file)) = below.split_once('/')
        && folder != names.service
        && file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('_'))
    {
        return Some("it reads as one of another service, named by its folder");
    }
    let is_name = |c: char| c.is_ascii_alphanumeric();
    let is_digit = |c: char| c.is_ascii_hexdigit();
    if !stands_alone(below, names.service, is_name) {
        return Some("{service} has to be set off by something that is neither letter nor digit");
    }
    if !stands_alone(below, names.version, is_digit) && !stands_alone(below, names.commit, is_digit)
    {
        return Some("{version} or {commit} has to be set off by something that is no hex digit");
    }
    None
}

fn known() -> String {
    FIELDS.map(|(name, _)| format!("{{{name}}}")).join(" ")
}

/// Returns the beginning of a text as errors quote it.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(120).collect::<String>())
}
