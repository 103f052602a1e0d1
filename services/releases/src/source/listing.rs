//! Lists the objects that a page needs, within bounds in which every service has its part.

use ferror::ResultExt as _;
use s3::{Client, ListedObject};

use super::scope::Scope;

/// How many objects are listed at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Those of a whole page. Where a bucket has more, each service has an equal part of them.
    page: usize,
    /// The least part of a service.
    service: usize,
}

/// Ten requests for a page, and one for a service.
pub(super) const MOST: Most = Most { page: 10_000, service: 1000 };
/// How many services a bucket with more objects than that may have.
const MAX_SERVICES: usize = 1000;

/// Lists the objects that `scope` needs. Returns also whether there are more.
///
/// # Errors
/// What the bucket answers.
pub(super) fn list(
    client: &Client,
    prefix: &str,
    scope: &Scope,
    most: Most,
) -> ferror::Result<(Vec<ListedObject>, bool)> {
    let list = |folder: &str, most| client.list(folder, most).context("listing the bucket");
    let (mut folders, mut part) = (scope.folders(prefix), most.page);
    if *scope == Scope::All {
        let listing = list(prefix, most.page)?;
        if !listing.truncated {
            return Ok((listing.objects, false));
        }
        // The services that come first would hide the others.
        folders = client.list_folders(prefix, MAX_SERVICES).context("listing the services")?;
        part = (most.page / folders.len().max(1)).max(most.service);
    }
    let (mut listed, mut truncated) = (Vec::new(), false);
    for folder in folders {
        let listing = list(&folder, part)?;
        listed.extend(listing.objects);
        truncated |= listing.truncated;
        // A service's channels say which releases count, and come behind those of most services.
        if listing.truncated && folder.ends_with('/') {
            listed.extend(list(&format!("{folder}channels/"), most.service)?.objects);
        }
    }
    listed.sort_by(|a, b| a.object_key.cmp(&b.object_key));
    listed.dedup_by(|a, b| a.object_key == b.object_key);
    Ok((listed, truncated))
}

#[cfg(test)]
mod tests {
    use local_s3::{LocalS3, Options};
    use s3::{Body, Put};

    use super::{Most, list};
    use crate::source::scope::Scope;

    #[test]
    fn in_a_large_bucket_every_service_and_its_channels_are_listed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let buckets = vec!["builds".to_owned()];
        let options = Options { root: folder.path().to_owned(), buckets, ..Options::default() };
        let server = LocalS3::start(&options).expect("an S3 server on loopback");
        let client = server.client("builds").expect("a client");
        let mut keys: Vec<_> = (0..6).map(|n| format!("p/a/a_00000{n}.json")).collect();
        keys.extend(["p/a/channels/stable.json", "p/b/b_000000.json"].map(str::to_owned));
        for key in &keys {
            client.put(key, &Put::new(Body::Bytes(b"x"), "application/json")).expect("it is put");
        }
        let listed = |scope: &Scope, page, service| {
            let (objects, truncated) = list(&client, "p/", scope, Most { page, service }).unwrap();
            (objects.into_iter().map(|it| it.object_key).collect::<Vec<_>>(), truncated)
        };
        assert_eq!(listed(&Scope::All, 8, 1), (keys.clone(), false));
        let of_each = ["p/a/a_000000.json", "p/a/a_000001.json", "p/a/channels/stable.json"];
        let of_each: Vec<_> = of_each.into_iter().chain(["p/b/b_000000.json"]).collect();
        let (found, truncated) = listed(&Scope::All, 4, 1);
        assert_eq!(
            (found.iter().map(String::as_str).collect::<Vec<_>>(), truncated),
            (of_each, true)
        );
        // A service has its least part also where there are many.
        assert_eq!(listed(&Scope::All, 2, 7), (keys.clone(), false));
        let (found, truncated) = listed(&Scope::Service("a".to_owned()), 3, 1);
        assert_eq!(
            (found.len(), found.last().map(String::as_str), truncated),
            (4, Some("p/a/channels/stable.json"), true)
        );
    }
}
