//! The tables as written: their fields and types, nothing of what the values mean.

use std::collections::BTreeMap;

use ferror::{Error, Result};
use serde_json::Value;

use catalog::json::{self, Object};

/// `[workspace.metadata.xtask]`, as written.
#[derive(Debug, Default, Clone)]
pub(super) struct WorkspaceTable {
    pub(super) platforms: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) signature: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) glibc: Option<String>,
    pub(super) macos: Option<String>,
    pub(super) version_digits: Option<u64>,
    pub(super) include: Option<Vec<String>>,
    pub(super) content_type: Option<String>,
    pub(super) object_key: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) acl: Option<String>,
    pub(super) storage_class: Option<String>,
    pub(super) encryption: Option<String>,
    pub(super) kms_key_id: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) bucket_owner: Option<String>,
    pub(super) allow_http: Option<bool>,
    pub(super) pass_env: Option<Vec<String>>,
    pub(super) conditional_writes: Option<bool>,
    pub(super) outside_sources: Option<bool>,
    pub(super) rust: Option<String>,
    pub(super) outside_flags: Option<bool>,
    pub(super) other_compiler: Option<bool>,
    pub(super) system_libraries: Option<Vec<String>>,
    pub(super) skip_checks: Option<Vec<String>>,
    pub(super) openssl: Option<bool>,
    pub(super) inputs: Option<Vec<String>>,
    pub(super) env: Option<Vec<String>>,
}

/// `[package.metadata.xtask]`, as written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct ServiceTable {
    pub(super) include: Vec<String>,
    pub(super) platforms: Option<String>,
    pub(super) features: Vec<String>,
    pub(super) default_features: Option<bool>,
    pub(super) bin: Option<String>,
    pub(super) skip: bool,
    pub(super) inputs: Vec<String>,
    pub(super) ignore: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) sandbox: Option<bool>,
}

impl WorkspaceTable {
    pub(super) fn read(mut table: Object<'_>) -> json::Result<Self> {
        let read = Self {
            platforms: table.find("platforms")?,
            bucket: table.find("bucket")?,
            prefix: table.find("prefix")?,
            region: table.find("region")?,
            endpoint: table.find("endpoint")?,
            path_style: table.find("path-style")?,
            signature: table.find("signature")?,
            profile: table.find("profile")?,
            glibc: table.find("glibc")?,
            macos: table.find("macos")?,
            version_digits: table.find("version-digits")?,
            include: table.find("include")?,
            content_type: table.find("content-type")?,
            object_key: table.find("object-key")?,
            cache_control: table.find("cache-control")?,
            acl: table.find("acl")?,
            storage_class: table.find("storage-class")?,
            encryption: table.find("encryption")?,
            kms_key_id: table.find("kms-key-id")?,
            tags: table.find("tags")?.unwrap_or_default(),
            metadata: table.find("metadata")?.unwrap_or_default(),
            bucket_owner: table.find("bucket-owner")?,
            allow_http: table.find("allow-http")?,
            pass_env: table.find("pass-env")?,
            conditional_writes: table.find("conditional-writes")?,
            outside_sources: table.find("outside-sources")?,
            rust: table.find("rust")?,
            outside_flags: table.find("outside-flags")?,
            other_compiler: table.find("other-compiler")?,
            system_libraries: table.find("system-libraries")?,
            skip_checks: table.find("skip-checks")?,
            openssl: table.find("openssl")?,
            inputs: table.find("inputs")?,
            env: table.find("env")?,
        };
        table.end()?;
        Ok(read)
    }
}

impl ServiceTable {
    pub(super) fn read(mut table: Object<'_>) -> json::Result<Self> {
        let read = Self {
            include: table.find("include")?.unwrap_or_default(),
            platforms: table.find("platforms")?,
            features: table.find("features")?.unwrap_or_default(),
            default_features: table.find("default-features")?,
            bin: table.find("bin")?,
            skip: table.find("skip")?.unwrap_or_default(),
            inputs: table.find("inputs")?.unwrap_or_default(),
            ignore: table.find("ignore")?.unwrap_or_default(),
            env: table.find("env")?.unwrap_or_default(),
            sandbox: table.find("sandbox")?,
        };
        table.end()?;
        Ok(read)
    }
}

pub(super) fn read_table<T>(
    metadata: &Value,
    name: &str,
    read: fn(Object<'_>) -> json::Result<T>,
) -> Result<Option<T>> {
    let Some(value) = metadata.get("xtask") else { return Ok(None) };
    Object::new(value).and_then(read).map(Some).map_err(|error| {
        Error::config(format!("{name}: {error}")).hint("see the README's configuration table")
    })
}
