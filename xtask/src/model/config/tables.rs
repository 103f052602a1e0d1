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
    pub(super) checksum: Option<String>,
    pub(super) outside_sources: Option<bool>,
    pub(super) rust: Option<String>,
    pub(super) outside_flags: Option<bool>,
    pub(super) other_compiler: Option<bool>,
    pub(super) system_libraries: Option<Vec<String>>,
    pub(super) skip_checks: Option<Vec<String>>,
    pub(super) openssl: Option<bool>,
    pub(super) inputs: Option<Vec<String>>,
    pub(super) env: Option<Vec<String>>,
    pub(super) services: Option<Vec<String>>,
}

/// `[package.metadata.xtask]`, as written.
#[derive(Debug, Default, Clone)]
pub(super) struct PackageTable {
    pub(super) bin: Option<String>,
    pub(super) inputs: Vec<String>,
    pub(super) ignore: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) sandbox: Option<bool>,
    pub(super) binaries: BTreeMap<String, ServiceTable>,
    pub(super) service: ServiceTable,
}

/// The fields that say how a binary is shipped, as written for a package or for one binary of it.
#[derive(Debug, Default, Clone)]
pub(super) struct ServiceTable {
    pub(super) name: Option<String>,
    pub(super) include: Option<Vec<String>>,
    pub(super) platforms: Option<String>,
    pub(super) features: Option<Vec<String>>,
    pub(super) default_features: Option<bool>,
    pub(super) skip: Option<bool>,
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
            checksum: table.find("checksum")?,
            outside_sources: table.find("outside-sources")?,
            rust: table.find("rust")?,
            outside_flags: table.find("outside-flags")?,
            other_compiler: table.find("other-compiler")?,
            system_libraries: table.find("system-libraries")?,
            skip_checks: table.find("skip-checks")?,
            openssl: table.find("openssl")?,
            inputs: table.find("inputs")?,
            env: table.find("env")?,
            services: table.find("services")?,
        };
        table.end()?;
        Ok(read)
    }
}

impl PackageTable {
    pub(super) fn read(mut table: Object<'_>) -> json::Result<Self> {
        let service = ServiceTable::read_fields(&mut table)?;
        let bin = table.find("bin")?;
        let binaries: BTreeMap<String, Object> = table.find("binaries")?.unwrap_or_default();
        let inputs = table.find("inputs")?.unwrap_or_default();
        let ignore = table.find("ignore")?.unwrap_or_default();
        let env = table.find("env")?.unwrap_or_default();
        let sandbox = table.find("sandbox")?;
        table.end()?;
        let read = |(bin, mut table): (String, Object<'_>)| {
            let own = ServiceTable::read_fields(&mut table)?;
            table.end()?;
            Ok((bin, own))
        };
        let binaries = binaries.into_iter().map(read).collect::<json::Result<_>>()?;
        Ok(Self { bin, inputs, ignore, env, sandbox, binaries, service })
    }
}

impl ServiceTable {
    fn read_fields(table: &mut Object<'_>) -> json::Result<Self> {
        Ok(Self {
            name: table.find("name")?,
            include: table.find("include")?,
            platforms: table.find("platforms")?,
            features: table.find("features")?,
            default_features: table.find("default-features")?,
            skip: table.find("skip")?,
        })
    }

    /// Takes the fields that are missing here, all but the name, from `package`.
    pub(super) fn or(self, package: &Self) -> Self {
        let package = package.clone();
        Self {
            name: self.name,
            include: self.include.or(package.include),
            platforms: self.platforms.or(package.platforms),
            features: self.features.or(package.features),
            default_features: self.default_features.or(package.default_features),
            skip: self.skip.or(package.skip),
        }
    }
}

pub(super) fn read_table<T>(
    metadata: &Value,
    name: &str,
    read: fn(Object<'_>) -> json::Result<T>,
) -> Result<Option<T>> {
    let Some(value) = metadata.get("xtask") else { return Ok(None) };
    Object::new(value).and_then(read).map(Some).map_err(|error| {
        Error::config(format!("{name}: {error}")).hint("see docs/configuration.md")
    })
}
