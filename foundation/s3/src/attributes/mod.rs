//! The attributes of an object besides its bytes: caching, access, storage class, encryption, tags, metadata.
//!
//! Every value is sent as a header, so each is checked before a request is made: a value that a proxy
//! or a signature would change on the way is refused. (AWS, "Amazon S3
//! API Reference", `PutObject` and `CreateMultipartUpload`, which take the same headers.)

use std::collections::BTreeMap;

use ferror::{Error, Result};

use crate::encode;

/// The metadata name under which the client stores the digest of every object.
pub(crate) const DIGEST_NAME: &str = "sha256";
/// S3 takes 2 KiB of metadata, names and values together. A quarter is left for the digest and for
/// what a program says of its objects by itself.
const MAX_METADATA_BYTES: usize = 1536;
/// (AWS, "Categorizing your objects using tags".) Lengths are those of UTF-16, as S3 counts them.
const MAX_TAGS: usize = 10;
const MAX_TAG_NAME_UNITS: usize = 128;
const MAX_TAG_VALUE_UNITS: usize = 256;
/// The canned ACLs of objects. (AWS, "Access control list (ACL) overview".)
const CANNED_ACLS: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];
/// The longest key ARN or alias that KMS gives out.
const MAX_KEY_ID_BYTES: usize = 2048;

/// The attributes that an upload sets. The default sets none, and the bucket's defaults apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `Cache-Control`, such as `public, max-age=31536000, immutable`.
    pub cache_control: Option<String>,
    /// The canned ACL, such as `bucket-owner-full-control`.
    pub acl: Option<String>,
    /// The storage class, such as `STANDARD_IA`; servers differ in which they have.
    pub storage_class: Option<String>,
    /// Encryption at rest by the server.
    pub encryption: Option<Encryption>,
    /// Tags by name; a value may be empty.
    pub tags: BTreeMap<String, String>,
    /// Metadata by name in lower case, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// Encryption at rest by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// `AES256`: keys that the store manages.
    Aes256,
    /// `aws:kms`: a key of the key management service.
    Kms {
        /// The key's id, ARN or alias; `None` is the account's own key for S3.
        key_id: Option<String>,
    },
}

impl Attributes {
    /// Checks every value against its grammar.
    ///
    /// # Errors
    /// [`ferror::Kind::Config`], which names the attribute and what was expected.
    pub fn check(&self) -> Result<()> {
        if let Some(value) = &self.cache_control {
            check_words("the cache-control", value)?;
        }
        if let Some(acl) = &self.acl
            && !CANNED_ACLS.contains(&acl.as_str())
        {
            return Err(expected("the acl", acl, &format!("one of {}", CANNED_ACLS.join(", "))));
        }
        if let Some(class) = &self.storage_class {
            let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            if class.is_empty() || !class.bytes().all(fits) {
                let what = "capital letters, digits and _ such as STANDARD_IA";
                return Err(expected("the storage class", class, what));
            }
        }
        if let Some(Encryption::Kms { key_id: Some(key_id) }) = &self.encryption {
            let fits = (1..=MAX_KEY_ID_BYTES).contains(&key_id.len())
                && key_id.bytes().all(|b| b.is_ascii_graphic());
            if !fits {
                let what = "a key's id, ARN or alias: visible ASCII without blanks";
                return Err(expected("the KMS key id", key_id, what));
            }
        }
        check_tags(&self.tags)?;
        check_metadata(&self.metadata)
    }

    /// Returns the attributes as headers, names in lower case, ready to be signed. Call
    /// [`Attributes::check`] first; nothing is checked here.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut push = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        if let Some(value) = &self.cache_control {
            push("cache-control", value);
        }
        if let Some(acl) = &self.acl {
            push("x-amz-acl", acl);
        }
        if let Some(class) = &self.storage_class {
            push("x-amz-storage-class", class);
        }
        match &self.encryption {
            None => {}
            Some(Encryption::Aes256) => push("x-amz-server-side-encryption", "AES256"),
            Some(Encryption::Kms { key_id }) => {
                push("x-amz-server-side-encryption", "aws:kms");
                if let Some(key_id) = key_id {
                    push("x-amz-server-side-encryption-aws-kms-key-id", key_id);
                }
            }
        }
        if !self.tags.is_empty() {
            let tags: Vec<_> = self.tags.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
            push("x-amz-tagging", &encode::query(&tags));
        }
        for (name, value) in &self.metadata {
            push(&format!("x-amz-meta-{name}"), value);
        }
        headers
    }
}

/// Checks what `x-amz-expected-bucket-owner` carries: the id of an AWS account.
///
/// # Errors
/// [`ferror::Kind::Config`], when it is not 12 digits.
pub fn check_bucket_owner(account_id: &str) -> Result<()> {
    if account_id.len() == 12 && account_id.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(expected("the expected bucket owner", account_id, "the 12 digits of an AWS account id"))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > MAX_TAGS {
        return Err(Error::config(format!(
            "{} tags: an object has at most {MAX_TAGS}",
            tags.len()
        )));
    }
    let fits = |text: &str| {
        text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c))
    };
    for (name, value) in tags {
        if !(1..=MAX_TAG_NAME_UNITS).contains(&name.encode_utf16().count()) || !fits(name) {
            return Err(expected(
                "the tag name",
                name,
                "1 to 128 letters, digits, blanks and + - = . _ : / @",
            ));
        }
        if name.starts_with("aws:") {
            return Err(expected(
                "the tag name",
                name,
                "another beginning than aws:, which is AWS's own",
            ));
        }
        if value.encode_utf16().count() > MAX_TAG_VALUE_UNITS || !fits(value) {
            let what = "at most 256 letters, digits, blanks and + - = . _ : / @";
            return Err(expected(&format!("the value of the tag {name:?}"), value, what));
        }
    }
    Ok(())
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in metadata {
        if !is_metadata_name(name) {
            return Err(expected(
                "the metadata name",
                name,
                "lower-case letters, digits and hyphens",
            ));
        }
        if name == DIGEST_NAME {
            return Err(expected(
                "the metadata name",
                name,
                "another: each object's digest has it",
            ));
        }
        check_words(&format!("the value of the metadata {name:?}"), value)?;
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_METADATA_BYTES {
        return Err(Error::config(format!(
            "the metadata has {bytes} bytes, names and values together: expected at most {MAX_METADATA_BYTES}"
        )));
    }
    Ok(())
}

/// Returns whether `name` can be a metadata name: lower-case letters, digits and hyphens.
pub(crate) fn is_metadata_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(fits)
}

/// Returns whether `value` is visible ASCII with single blanks between words. `SigV4` collapses runs
/// of blanks, and HTTP trims the ends.
pub(crate) fn is_spaced_words(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && value.split(' ').all(|word| !word.is_empty())
}

/// Refuses a value that is not [spaced words](is_spaced_words); the error calls it `what`.
pub(crate) fn check_words(what: &str, value: &str) -> Result<()> {
    if is_spaced_words(value) {
        return Ok(());
    }
    Err(expected(what, value, "visible ASCII with single blanks between words"))
}

/// Makes the error for a wrong value, of which it shows the beginning, escaped.
fn expected(what: &str, value: &str, wanted: &str) -> Error {
    let shown: String = value.chars().take(60).collect();
    Error::config(format!("{what} is {shown:?}: expected {wanted}"))
}

#[cfg(test)]
mod tests;
