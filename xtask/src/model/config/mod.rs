//! The two configuration tables, as written and as checked.
//!
//! `[workspace.metadata.xtask]` in the workspace's Cargo.toml and `[package.metadata.xtask]` in a
//! service's. Cargo carries both through `cargo metadata` untouched, so no TOML is read here. A
//! field that is not known is an error: a misspelt one would silently do nothing.

use std::collections::BTreeMap;

use catalog::{Platform, Template};
use ferror::{Error, Result};
use s3::Attributes;
use serde_json::Value;

use crate::model::platform_line;
use crate::model::service_entry::ServiceEntry;
use tables::{PackageTable, ServiceTable, WorkspaceTable, read_table};

mod attributes;
mod tables;

/// The glibc that old Linux hosts still run: that of 2012, the oldest that rustc itself supports.
const GLIBC: &str = "2.17";
/// The first macOS on Apple's own processors.
const MACOS: &str = "11.0";
/// The oldest releases that the pinned rustc supports, by its book of targets ("Platform Support");
/// `rustc --print deployment-target` says the macOS. On arm64 rustc takes 11.0 for anything older.
const OLDEST: [(&str, (u16, u16)); 2] = [("glibc", (2, 17)), ("macos", (10, 12))];
/// goxc's line in the repositories that are replaced.
const PLATFORMS: &str = "linux,!arm darwin";
/// The content type of archives, as the old scripts sent it.
pub const CONTENT_TYPE: &str = "application/x-compressed-tar";

/// The variables that are credentials, or by which somebody gets some: what the S3 client looks for
/// credentials in, and the CI's token in its older form. Programs that xtask starts do not get them.
///
/// The variables that name a profile are not among them: the files of profiles are there all the same.
pub const CREDENTIALS: [&str; 13] = [
    "S3_KEY",
    "S3_SECRET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "CIRCLE_OIDC_TOKEN",
    "CIRCLE_OIDC_TOKEN_V2",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// The workspace's configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the table")]
pub struct Config {
    /// The platforms to build for, where a service or `--platforms` says nothing else.
    pub platforms: Vec<Platform>,
    /// The bucket that `upload` publishes to; also from the environment and `--bucket`.
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
    /// How many digits of the commit are the version.
    pub version_digits: usize,
    /// Globs below the workspace's root, packed with every service.
    pub include: Vec<String>,
    /// The content type of uploaded archives.
    pub content_type: String,
    /// The template of archives' keys, where they do not have the fixed form.
    pub object_key: Option<Template>,
    /// The further attributes of uploaded objects.
    pub attributes: Attributes,
    /// The AWS account that the bucket has to belong to.
    pub bucket_owner: Option<String>,
    /// Whether requests may go over plain http beyond this machine.
    pub allow_http: bool,
    /// Those of [`CREDENTIALS`] that programs get which xtask starts.
    pub pass_env: Vec<String>,
    /// Whether the server knows `If-None-Match` and `If-Match` on writes.
    pub conditional_writes: bool,
    /// Whether uploads carry the CRC64NVME of each object.
    pub crc64nvme: bool,
    /// Whether `upload` publishes what was compiled from sources outside the repository, too.
    pub outside_sources: bool,
    /// The compiler that builds, as a release or `nightly-DATE`, where it is not the one that xtask pins.
    pub rust: Option<String>,
    /// Whether `upload` takes what was built with flags from outside the repository.
    pub outside_flags: bool,
    /// Whether `upload` takes what another compiler than the pinned one built.
    pub other_compiler: bool,
    /// Libraries that are not part of every system, which binaries may load all the same: names of shared libraries, or
    /// of packages of pkg-config, which build scripts may find.
    pub system_libraries: Vec<String>,
    /// What is not compared between a finished binary and the plan.
    pub skip_checks: Vec<BinaryCheck>,
    /// Whether `dist` builds OpenSSL for `openssl-sys`.
    pub openssl: bool,
    /// What every service is built from besides its packages.
    pub inputs: Inputs,
    /// The branches whose uploads offer their binaries to later builds.
    pub index_branches: Vec<String>,
    /// The entries of `services`; `None` where the table has no such field.
    pub services: Option<Vec<ServiceEntry>>,
}

/// The files and variables that a package is built from, besides the files of its folder. The first two fields are patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Other files of the repository.
    pub files: Vec<String>,
    /// Files of the package's folder that no build reads.
    pub ignored: Vec<String>,
    /// Variables of the environment.
    pub variables: Vec<String>,
    /// `sandbox = false`: whether its build may read what it likes.
    pub no_sandbox: bool,
}

/// What of a finished binary is compared with the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryCheck {
    /// ELF or Mach-O.
    Format,
    /// The processor.
    Processor,
    /// The oldest glibc that it runs with.
    Glibc,
    /// The oldest macOS that it runs on.
    Macos,
    /// The shared libraries that it loads.
    Libraries,
}

impl BinaryCheck {
    /// Every check, by the name that `skip-checks` has for it.
    pub const ALL: [(&str, Self); 5] = [
        ("format", Self::Format),
        ("processor", Self::Processor),
        ("glibc", Self::Glibc),
        ("macos", Self::Macos),
        ("libraries", Self::Libraries),
    ];

    /// Returns its name in `skip-checks`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, check)| *check == self).map_or("", |(name, _)| name)
    }

    fn parse(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, check)| *check).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            expected("skip-checks", name, &format!("some of {names}"))
        })
    }
}

/// `[package.metadata.xtask]`, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageConfig {
    /// The binary to ship, where the package has several and the workspace names none of them.
    pub bin: Option<String>,
    /// The service's name, where it is not the package's.
    pub name: Option<String>,
    /// What the package is built from. A library may have these fields, too.
    pub inputs: Inputs,
    /// The fields that apply to every binary of the package.
    pub config: ServiceConfig,
    /// The binaries that have a table of their own.
    pub binaries: BTreeMap<String, BinaryConfig>,
}

/// `[package.metadata.xtask.binaries.BINARY]`, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BinaryConfig {
    /// The service's name, where it is another one than by the rule.
    pub name: Option<String>,
    /// The fields of the binary's table, and those of the package that it does not replace.
    pub config: ServiceConfig,
}

/// How a service is shipped, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Globs below the package's folder, packed besides INSTALL*, README* and LICENSE*.
    pub include: Vec<String>,
    /// The platforms this service is built for, where they differ from the workspace's.
    pub platforms: Option<Vec<Platform>>,
    /// Cargo features to build with.
    pub features: Vec<String>,
    /// Whether the default features are off.
    pub no_default_features: bool,
    /// Whether `dist` leaves the service out unless it is named.
    pub skip: bool,
}

impl Config {
    /// Checks the workspace's `metadata` (all of it: other tools have tables there too).
    pub fn read(metadata: &Value) -> Result<Self> {
        const TABLE: &str = "[workspace.metadata.xtask]";
        let table = read_table(metadata, TABLE, WorkspaceTable::read)?.unwrap_or_default();
        let attributes = attributes::read(&table).map_err(|error| error.context(TABLE))?;
        let object_key = table.object_key.as_deref().map(Template::parse).transpose();
        let skip_checks = table.skip_checks.iter().flatten().map(|name| BinaryCheck::parse(name));
        let skip_checks: Result<_> = skip_checks.collect();
        let entries =
            |texts: Vec<String>| texts.iter().map(|text| ServiceEntry::parse(text)).collect();
        let services: Result<_> = table.services.map(entries).transpose();
        let config = Self {
            platforms: platform_line::parse(table.platforms.as_deref().unwrap_or(PLATFORMS))
                .map_err(|error| error.context(TABLE))?,
            bucket: table.bucket,
            prefix: read_prefix(table.prefix).map_err(|error| error.context(TABLE))?,
            region: table.region,
            endpoint: table.endpoint,
            path_style: table.path_style,
            signature: table.signature,
            profile: table.profile.unwrap_or_else(|| "release".into()),
            glibc: table.glibc.unwrap_or_else(|| GLIBC.into()),
            macos: table.macos.unwrap_or_else(|| MACOS.into()),
            version_digits: read_version_digits(table.version_digits)
                .map_err(|error| error.context(TABLE))?,
            include: table.include.unwrap_or_default(),
            content_type: table.content_type.unwrap_or_else(|| CONTENT_TYPE.into()),
            object_key: object_key.map_err(|error| error.context(TABLE))?,
            attributes,
            bucket_owner: table.bucket_owner,
            allow_http: table.allow_http.unwrap_or_default(),
            pass_env: table.pass_env.unwrap_or_default(),
            conditional_writes: table.conditional_writes.unwrap_or(true),
            crc64nvme: sends_crc64nvme(table.checksum.as_deref())
                .map_err(|error| error.context(TABLE))?,
            outside_sources: table.outside_sources.unwrap_or_default(),
            rust: table.rust,
            outside_flags: table.outside_flags.unwrap_or_default(),
            other_compiler: table.other_compiler.unwrap_or_default(),
            system_libraries: table.system_libraries.unwrap_or_default(),
            skip_checks: skip_checks.map_err(|error| error.context(TABLE))?,
            openssl: table.openssl.unwrap_or(true),
            inputs: Inputs {
                files: table.inputs.unwrap_or_default(),
                variables: table.env.unwrap_or_default(),
                ..Inputs::default()
            },
            index_branches: table.index_branches.unwrap_or_else(|| vec!["main".into()]),
            services: services.map_err(|error| error.context(TABLE))?,
        };
        config.check().map_err(|error| error.context(TABLE))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        check_release("glibc", &self.glibc, GLIBC)?;
        check_release("macos", &self.macos, MACOS)?;
        check_globs(&self.include)?;
        self.inputs.check()?;
        let profile_is_a_name = self.profile.starts_with(|c: char| c.is_ascii_alphabetic())
            && self.profile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !profile_is_a_name {
            return Err(expected(
                "profile",
                &self.profile,
                "a cargo profile's name such as release",
            ));
        }
        let printable = |c: char| c.is_ascii_graphic() || c == ' ';
        if self.content_type.trim().is_empty() || !self.content_type.chars().all(printable) {
            return Err(expected("content-type", &self.content_type, "a media type"));
        }
        if let Some(owner) = &self.bucket_owner {
            s3::check_bucket_owner(owner).map_err(|_| {
                expected("bucket-owner", owner, "the 12 digits of an AWS account id")
            })?;
        }
        if let Some(name) = self.pass_env.iter().find(|name| !CREDENTIALS.contains(&name.as_str()))
        {
            let what = format!(
                "one of {}: every other variable is passed on anyway",
                CREDENTIALS.join(", ")
            );
            return Err(expected("pass-env", name, &what));
        }
        if let Some(rust) = self.rust.as_deref().filter(|rust| !is_pin(rust)) {
            return Err(expected(
                "rust",
                rust,
                "a release such as 1.95.0 or 1.95, or nightly-2026-05-01",
            ));
        }
        match self.signature.as_deref() {
            None | Some("v4" | "v2") => Ok(()),
            Some(other) => Err(expected("signature", other, "v4 or v2")),
        }
    }
}

impl PackageConfig {
    /// Checks the `metadata` of the package `name`; `None` when it has no table of ours.
    pub fn read(name: &str, metadata: &Value) -> Result<Option<Self>> {
        let table_name = format!("[package.metadata.xtask] of {name}");
        let Some(table) = read_table(metadata, &table_name, PackageTable::read)? else {
            return Ok(None);
        };
        let inputs = Inputs {
            files: table.inputs,
            ignored: table.ignore,
            variables: table.env,
            no_sandbox: table.sandbox == Some(false),
        };
        inputs.check().map_err(|error| error.context(&table_name))?;
        let mut binaries = BTreeMap::new();
        for (bin, own) in table.binaries {
            let context = |error: Error| error.context(format!("{table_name}: binaries.{bin}"));
            let config = ServiceConfig::read(own.clone().or(&table.service)).map_err(context)?;
            binaries.insert(bin.clone(), BinaryConfig { name: own.name, config });
        }
        let name = table.service.name.clone();
        let config =
            ServiceConfig::read(table.service).map_err(|error| error.context(&table_name))?;
        Ok(Some(Self { bin: table.bin, name, inputs, config, binaries }))
    }
}

impl PackageConfig {
    /// Returns whether the table says what the package is built from, and nothing else. A library may have such a one.
    pub fn has_only_inputs(&self) -> bool {
        let inputs = self.inputs.clone();
        inputs != Inputs::default() && *self == Self { inputs, ..Self::default() }
    }
}

impl ServiceConfig {
    fn read(table: ServiceTable) -> Result<Self> {
        let include = table.include.unwrap_or_default();
        check_globs(&include)?;
        Ok(Self {
            include,
            platforms: table.platforms.map(|line| platform_line::parse(&line)).transpose()?,
            features: table.features.unwrap_or_default(),
            no_default_features: table.default_features == Some(false),
            skip: table.skip.unwrap_or_default(),
        })
    }
}

impl Inputs {
    fn check(&self) -> Result<()> {
        for (field, patterns) in [("inputs", &self.files), ("ignore", &self.ignored)] {
            let example = if field == "inputs" { "../../proto/**" } else { "tests/**" };
            let expected = |text: &str| {
                expected(field, text, &format!("a pattern below a folder, such as {example}"))
            };
            for text in patterns {
                let leaves = field == "ignore" && text.split('/').any(|part| part == "..");
                if text.is_empty() || text.starts_with('/') || leaves {
                    return Err(expected(text));
                }
                glob::Pattern::new(text).map_err(|error| expected(text).caused_by(error))?;
            }
        }
        let is_name = |name: &&String| !name.is_empty() && !name.contains(['=', '\0']);
        match self.variables.iter().find(|name| !is_name(name)) {
            Some(wrong) => Err(expected("env", wrong, "the name of a variable")),
            None => Ok(()),
        }
    }
}

/// Returns whether a toolchain's name stands for one compiler: `1.95.0`, `1.95` or `nightly-2026-05-01`.
pub fn is_pin(name: &str) -> bool {
    let are_numbers = |text: &str, separator: char, counts: &[usize]| {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        counts.contains(&text.split(separator).count()) && text.split(separator).all(is_number)
    };
    match name.strip_prefix("nightly-") {
        Some(date) => are_numbers(date, '-', &[3]),
        None => are_numbers(name, '.', &[2, 3]),
    }
}

fn read_version_digits(digits: Option<u64>) -> Result<usize> {
    let digits = digits.unwrap_or(6);
    let is_version = |count: &usize| catalog::is_version(&"0".repeat(*count));
    usize::try_from(digits).ok().filter(|count| *count <= 40).filter(is_version).ok_or_else(|| {
        Error::config(format!("version-digits = {digits}: expected 6 to 40 digits of the commit"))
    })
}

fn sends_crc64nvme(checksum: Option<&str>) -> Result<bool> {
    match checksum {
        None => Ok(false),
        Some("crc64nvme") => Ok(true),
        Some(other) => Err(expected("checksum", other, "crc64nvme, or no such field")),
    }
}

fn read_prefix(prefix: Option<String>) -> Result<String> {
    let prefix = prefix.unwrap_or_default();
    catalog::folder_prefix(&prefix)
        .ok_or_else(|| expected("prefix", &prefix, "a folder in the bucket such as team/"))
}

fn check_release(field: &str, value: &str, example: &str) -> Result<()> {
    let number = |part: &str| {
        let digits = part.len() < 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse::<u16>().ok()).flatten()
    };
    let parts = value.split_once('.');
    let Some(release) = parts.and_then(|(major, minor)| number(major).zip(number(minor))) else {
        return Err(expected(field, value, &format!("two numbers such as {example}")));
    };
    match OLDEST.iter().find(|(name, oldest)| *name == field && release < *oldest) {
        None => Ok(()),
        Some((_, (major, minor))) => {
            let what = format!("{major}.{minor} or newer, which is what rustc supports");
            Err(expected(field, value, &what))
        }
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
mod tests;
