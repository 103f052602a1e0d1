//! Reads the attributes of uploaded objects from the table.

use ferror::Result;
use s3::{Attributes, Encryption};

use super::expected;
use super::tables::WorkspaceTable;

/// Metadata that `upload` writes by itself.
const OWN_METADATA: [&str; 3] = ["branch", "commit", "version"];

/// Reads and checks the fields that become headers of every object.
pub(super) fn read(table: &WorkspaceTable) -> Result<Attributes> {
    if let Some(name) = OWN_METADATA.iter().find(|name| table.metadata.contains_key(**name)) {
        let what = "other names than branch, commit and version, which upload writes by itself";
        return Err(expected("metadata", name, what));
    }
    let attributes = Attributes {
        cache_control: table.cache_control.clone(),
        acl: table.acl.clone(),
        storage_class: table.storage_class.clone(),
        encryption: encryption(table.encryption.as_deref(), table.kms_key_id.as_deref())?,
        tags: table.tags.clone(),
        metadata: table.metadata.clone(),
    };
    attributes.check()?;
    Ok(attributes)
}

fn encryption(algorithm: Option<&str>, key_id: Option<&str>) -> Result<Option<Encryption>> {
    match (algorithm, key_id) {
        (None, None) => Ok(None),
        (Some("AES256"), None) => Ok(Some(Encryption::Aes256)),
        (Some("aws:kms"), key_id) => {
            Ok(Some(Encryption::Kms { key_id: key_id.map(str::to_owned) }))
        }
        (None | Some("AES256"), Some(key_id)) => {
            Err(expected("kms-key-id", key_id, "encryption = \"aws:kms\" beside it"))
        }
        (Some(other), _) => Err(expected("encryption", other, "AES256 or aws:kms")),
    }
}
