//! The two configuration tables, as written and as checked.
//!
//! `[workspace.metadata.xtask]` in the workspace's Cargo.toml and `[package.metadata.xtask]` in a
//! service's. Cargo carries both through `cargo metadata` untouched, so no TOML is read here. A
//! field that is not known is an error: a misspelt one would silently do nothing.

use ferror::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::platform::{self, Platform};

/// What old Linux hosts still run: the glibc of 2012, the oldest that rustc itself supports.
const GLIBC: &str = "2.17";
/// The first macOS on Apple's own processors.
const MACOS: &str = "11.0";
/// goxc's line in the repositories that are replaced.
const PLATFORMS: &str = "linux,!arm darwin";
/// What the old scripts sent.
pub const CONTENT_TYPE: &str = "application/x-compressed-tar";

/// `[workspace.metadata.xtask]`, as written.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WorkspaceTable {
    platforms: Option<String>,
    bucket: Option<String>,
    prefix: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    path_style: Option<bool>,
    signature: Option<String>,
    profile: Option<String>,
    glibc: Option<String>,
    macos: Option<String>,
    include: Option<Vec<String>>,
    content_type: Option<String>,
}

/// `[package.metadata.xtask]`, as written.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ServiceTable {
    include: Vec<String>,
    platforms: Option<String>,
    features: Vec<String>,
    default_features: Option<bool>,
    bin: Option<String>,
    skip: bool,
}

/// The workspace's configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What to build for, where a service or `--platforms` says nothing else.
    pub platforms: Vec<Platform>,
    /// Where `upload` publishes; also from the environment and `--bucket`.
    pub bucket: Option<String>,
    /// What every object key begins with: empty, or ending in `/`.
    pub prefix: String,
    /// The bucket's region.
    pub region: Option<String>,
    /// The server, where it is not AWS's.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path; `None` lets the endpoint decide.
    pub path_style: Option<bool>,
    /// `v4` or `v2`.
    pub signature: Option<String>,
    /// The cargo profile that `dist` builds.
    pub profile: String,
    /// The oldest glibc that Linux binaries run on.
    pub glibc: String,
    /// The oldest macOS that Darwin binaries run on.
    pub macos: String,
    /// Globs below the workspace's root, packed with every service.
    pub include: Vec<String>,
    /// The content type of uploaded archives.
    pub content_type: String,
}

/// A service's own configuration, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Globs below the service's folder, packed besides INSTALL*, README* and LICENSE*.
    pub include: Vec<String>,
    /// The platforms this service is built for, where they differ from the workspace's.
    pub platforms: Option<Vec<Platform>>,
    /// Cargo features to build with.
    pub features: Vec<String>,
    /// Whether the default features are off.
    pub no_default_features: bool,
    /// The binary to ship, where the package has several.
    pub bin: Option<String>,
    /// Whether `dist` leaves the service out unless it is named.
    pub skip: bool,
}

impl Config {
    /// Checks the workspace's `metadata` (all of it: other tools have tables there too).
    pub fn read(metadata: &Value) -> Result<Self> {
        const TABLE: &str = "[workspace.metadata.xtask]";
        let table: WorkspaceTable = read_table(metadata, TABLE)?.unwrap_or_default();
        let config = Self {
            platforms: platform::parse_line(table.platforms.as_deref().unwrap_or(PLATFORMS))
                .map_err(|error| error.context(TABLE))?,
            bucket: table.bucket,
            prefix: folder_prefix(table.prefix.unwrap_or_default()),
            region: table.region,
            endpoint: table.endpoint,
            path_style: table.path_style,
            signature: table.signature,
            profile: table.profile.unwrap_or_else(|| "release".into()),
            glibc: table.glibc.unwrap_or_else(|| GLIBC.into()),
            macos: table.macos.unwrap_or_else(|| MACOS.into()),
            include: table.include.unwrap_or_default(),
            content_type: table.content_type.unwrap_or_else(|| CONTENT_TYPE.into()),
        };
        config.check().map_err(|error| error.context(TABLE))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        check_release("glibc", &self.glibc, "2.17")?;
        check_release("macos", &self.macos, "11.0")?;
        check_globs(&self.include)?;
        let profile_is_a_name = self.profile.starts_with(|c: char| c.is_ascii_alphabetic())
            && self.profile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !profile_is_a_name {
            return Err(expected(
                "profile",
                &self.profile,
                "a cargo profile's name such as release",
            ));
        }
        if self.prefix.starts_with('/') || self.prefix.chars().any(char::is_control) {
            return Err(expected("prefix", &self.prefix, "a folder in the bucket such as team/"));
        }
        let printable = |c: char| c.is_ascii_graphic() || c == ' ';
        if self.content_type.trim().is_empty() || !self.content_type.chars().all(printable) {
            return Err(expected("content-type", &self.content_type, "a media type"));
        }
        match self.signature.as_deref() {
            None | Some("v4" | "v2") => Ok(()),
            Some(other) => Err(expected("signature", other, "v4 or v2")),
        }
    }
}

impl ServiceConfig {
    /// Checks the `metadata` of the package `name`; `None` when it has no table of ours.
    pub fn read(name: &str, metadata: &Value) -> Result<Option<Self>> {
        let table_name = format!("[package.metadata.xtask] of {name}");
        let Some(table) = read_table::<ServiceTable>(metadata, &table_name)? else {
            return Ok(None);
        };
        check_globs(&table.include).map_err(|error| error.context(&table_name))?;
        let platforms = table
            .platforms
            .map(|line| platform::parse_line(&line))
            .transpose()
            .map_err(|error| error.context(&table_name))?;
        Ok(Some(Self {
            include: table.include,
            platforms,
            features: table.features,
            no_default_features: table.default_features == Some(false),
            bin: table.bin,
            skip: table.skip,
        }))
    }
}

fn read_table<T: for<'de> Deserialize<'de>>(metadata: &Value, table: &str) -> Result<Option<T>> {
    match metadata.get("xtask") {
        None => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|error| {
            Error::config(format!("{table}: {error}")).hint("see the README's configuration table")
        }),
    }
}

fn folder_prefix(mut prefix: String) -> String {
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    prefix
}

fn check_release(field: &str, value: &str, example: &str) -> Result<()> {
    let number =
        |part: &str| !part.is_empty() && part.len() < 4 && part.bytes().all(|b| b.is_ascii_digit());
    match value.split_once('.') {
        Some((major, minor)) if number(major) && number(minor) => Ok(()),
        _ => Err(expected(field, value, &format!("two numbers such as {example}"))),
    }
}

fn check_globs(globs: &[String]) -> Result<()> {
    for text in globs {
        let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..");
        if leaves || text.is_empty() {
            return Err(expected(
                "include",
                text,
                "a pattern that stays in its folder, such as conf/*.toml",
            ));
        }
        glob::Pattern::new(text).map_err(|error| {
            expected("include", text, "a pattern such as conf/*.toml").caused_by(error)
        })?;
    }
    Ok(())
}

fn expected(field: &str, value: &str, what: &str) -> Error {
    Error::config(format!("{field} = {value:?}: expected {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Config, ServiceConfig};

    #[test]
    fn without_a_table_the_defaults_hold() {
        for metadata in [Value::Null, json!({}), json!({"other": {"x": 1}}), json!({"xtask": {}})] {
            let config = Config::read(&metadata).unwrap();
            assert_eq!(config.platforms.len(), 4);
            assert_eq!((config.glibc.as_str(), config.macos.as_str()), ("2.17", "11.0"));
            assert_eq!((config.profile.as_str(), config.prefix.as_str()), ("release", ""));
        }
    }

    #[test]
    fn a_bad_workspace_table_names_table_and_field() {
        let rows = [
            (json!({"buckett": "b"}), "unknown field `buckett`"),
            (json!({"path_style": true}), "unknown field `path_style`"),
            (json!({"platforms": "linus"}), "unknown word `linus`"),
            (json!({"glibc": "2"}), "glibc = \"2\": expected two numbers such as 2.17"),
            (json!({"macos": "11.x"}), "macos = \"11.x\""),
            (json!({"profile": "--release"}), "profile = \"--release\""),
            (json!({"signature": "v3"}), "signature = \"v3\": expected v4 or v2"),
            (json!({"prefix": "/a"}), "prefix = \"/a/\""),
            (json!({"include": ["../x"]}), "include = \"../x\""),
            (json!({"include": ["a[", "b"]}), "include = \"a[\""),
            (json!({"content-type": "a\nb"}), "content-type"),
            (json!([]), "invalid"),
        ];
        for (table, expected) in rows {
            let error = Config::read(&json!({ "xtask": table })).expect_err(expected);
            let text = format!("{error:#}");
            assert!(text.starts_with("[workspace.metadata.xtask]: "), "{text}");
            assert!(text.contains(expected), "{text}: expected it to contain {expected:?}");
            assert_eq!(error.kind(), ferror::Kind::Config);
        }
    }

    #[test]
    fn a_service_table_is_read_or_named_in_the_error() {
        let read = |table: Value| ServiceConfig::read("janitor", &json!({ "xtask": table }));
        assert_eq!(ServiceConfig::read("janitor", &Value::Null).unwrap(), None);
        let config =
            read(json!({"default-features": false, "platforms": "linux"})).unwrap().unwrap();
        assert!(config.no_default_features && !config.skip);
        assert_eq!(config.platforms.unwrap().len(), 2);
        let error = format!("{:#}", read(json!({"feature": []})).unwrap_err());
        assert!(
            error.contains("[package.metadata.xtask] of janitor: unknown field `feature`"),
            "{error}"
        );
    }

    #[test]
    fn a_prefix_is_a_folder() {
        for (given, expected) in [("", ""), ("team", "team/"), ("a/b/", "a/b/")] {
            assert_eq!(
                Config::read(&json!({"xtask": {"prefix": given}})).unwrap().prefix,
                expected
            );
        }
    }
}
