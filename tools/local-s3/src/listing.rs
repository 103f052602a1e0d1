//! Listings: which object keys there are, and which of them stand on one page.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::dto::{CommonPrefix, ETag, ListObjectsV2Input, ListObjectsV2Output, Object, Timestamp};
use s3s::{S3Result, s3_error};

use crate::record::{Record, broken};
use crate::store::Store;

/// What S3 lists at most in one answer.
const MAX_LISTED: i32 = 1000;

/// Returns one page of a listing.
pub(crate) fn page(store: &Store, asked: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    let after = match asked.continuation_token.as_deref() {
        Some(token) => Some(read_token(token)?),
        None => asked.start_after.clone(),
    };
    let max_keys = asked.max_keys.unwrap_or(MAX_LISTED).clamp(0, MAX_LISTED);
    let _reading = store.reading();
    let mut keys = object_keys(store, &asked.bucket)?;
    keys.sort();
    let prefix = asked.prefix.as_deref().unwrap_or_default();
    let page = cut(&keys, prefix, asked.delimiter.as_deref(), after.as_deref(), max_keys);

    let (mut contents, mut common_prefixes) = (Vec::new(), Vec::new());
    for name in &page.names {
        if let Name::Prefix(prefix) = name {
            common_prefixes.push(CommonPrefix { prefix: Some((*prefix).to_owned()) });
            continue;
        }
        // It was there a moment ago, under the same lock.
        let Some(found) = store.look(&asked.bucket, name.text())? else { continue };
        contents.push(Object {
            key: Some(name.text().to_owned()),
            e_tag: Some(ETag::Strong(found.record.etag)),
            last_modified: Some(Timestamp::from(found.modified)),
            size: i64::try_from(found.record.size_bytes).ok(),
            ..Object::default()
        });
    }
    let next = page.names.last().filter(|_| page.is_truncated);
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(page.names.len()).ok(),
        next_continuation_token: next.map(|name| STANDARD.encode(name.text())),
        is_truncated: Some(page.is_truncated),
        max_keys: Some(max_keys),
        contents: (!contents.is_empty()).then_some(contents),
        common_prefixes: (!common_prefixes.is_empty()).then_some(common_prefixes),
        name: Some(asked.bucket),
        prefix: asked.prefix,
        delimiter: asked.delimiter,
        continuation_token: asked.continuation_token,
        start_after: asked.start_after,
        // Nothing is encoded; an answer that does not name an encoding says so.
        encoding_type: None,
        ..ListObjectsV2Output::default()
    })
}

fn read_token(token: &str) -> S3Result<String> {
    let key = STANDARD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    key.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token is not one of ours."))
}

/// Returns all object keys in a bucket, in any order.
fn object_keys(store: &Store, bucket: &str) -> S3Result<Vec<String>> {
    let folder = store.places().bucket(bucket)?;
    let mut keys = Vec::new();
    for file in files_below(&folder).map_err(broken)? {
        // A name that is not UTF-8 was put there by hand and is no object key.
        let key = file.strip_prefix(&folder).ok().and_then(Path::to_str);
        keys.extend(key.map(str::to_owned));
    }
    for file in files_below(&store.places().odd(bucket)).map_err(broken)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let record = Record::read(&store.places().record_named(bucket, name));
        keys.extend(record.map(|record| record.object_key));
    }
    Ok(keys)
}

fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let found = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
            found.push(entry.path());
        }
    }
    Ok(files)
}

/// What stands on one page, in order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page<'a> {
    names: Vec<Name<'a>>,
    is_truncated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name<'a> {
    Object(&'a str),
    /// What several object keys begin with, up to and with the delimiter.
    Prefix(&'a str),
}

impl<'a> Name<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Object(text) | Self::Prefix(text) => text,
        }
    }
}

/// Cuts a page out of `keys`, which are sorted: what begins with `prefix` and comes after `after`.
fn cut<'a>(
    keys: &'a [String],
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&str>,
    max_keys: i32,
) -> Page<'a> {
    let mut page = Page::default();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        let end = delimiter.and_then(|delimiter| {
            key[prefix.len()..].find(delimiter).map(|at| prefix.len() + at + delimiter.len())
        });
        let name = end.map_or(Name::Object(key), |end| Name::Prefix(&key[..end]));
        if after.is_some_and(|after| name.text() <= after) || page.names.last() == Some(&name) {
            continue;
        }
        if i32::try_from(page.names.len()).is_ok_and(|length| length >= max_keys) {
            page.is_truncated = max_keys > 0;
            break;
        }
        page.names.push(name);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::cut;

    /// Lists page by page; the pages with `,` between names and `|` between pages.
    fn pages(prefix: &str, delimiter: Option<&str>, max_keys: i32) -> String {
        let keys = ["a", "b/1", "b/2", "b/c/3", "b/c/4", "c"].map(str::to_owned);
        let (mut pages, mut after) = (Vec::new(), None);
        for _ in 0..=keys.len() {
            let page = cut(&keys, prefix, delimiter, after, max_keys);
            let names: Vec<_> = page.names.iter().map(|name| name.text()).collect();
            after = names.last().copied();
            pages.push(names.join(","));
            if !page.is_truncated {
                break;
            }
        }
        pages.join("|")
    }

    #[test]
    fn every_name_stands_on_one_page() {
        for (prefix, delimiter, max_keys, expected) in [
            ("", None, 10, "a,b/1,b/2,b/c/3,b/c/4,c"),
            ("", None, 4, "a,b/1,b/2,b/c/3|b/c/4,c"),
            ("", None, 6, "a,b/1,b/2,b/c/3,b/c/4,c"),
            ("b/", None, 10, "b/1,b/2,b/c/3,b/c/4"),
            ("", Some("/"), 10, "a,b/,c"),
            ("", Some("/"), 1, "a|b/|c"),
            ("b/", Some("/"), 2, "b/1,b/2|b/c/"),
            ("b", Some("/"), 2, "b/"),
            ("", Some(""), 10, "a,b/1,b/2,b/c/3,b/c/4,c"),
            ("x", None, 10, ""),
            ("", None, 0, ""),
        ] {
            assert_eq!(pages(prefix, delimiter, max_keys), expected, "{prefix} {delimiter:?}");
        }
    }
}
