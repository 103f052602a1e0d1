//! The options that say where a bucket and the releases in it are.

use super::Values::{Any, Words};
use super::{Row, option, switch, within};
use crate::bucket::destination::DestinationOptions;
use crate::bucket::releases::ReleaseBucketOptions;
use crate::cli::values::{folder_prefix, signature, text};

/// Where credentials come from, for the verbs that need some.
pub(super) const CREDENTIALS: &str = "Credentials never come from options. S3_KEY and S3_SECRET, else AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY, else a profile, a web identity, the container's or the instance's role.";

/// Returns the rows of the options that say where a bucket is.
pub(super) fn destination_rows() -> Vec<Row<DestinationOptions>> {
    vec![
        option(
            "bucket",
            ("B", Any),
            "the bucket; else $S3_BUCKET, else `bucket` in Cargo.toml",
            text,
            |o: &mut DestinationOptions| &mut o.bucket,
        ),
        option(
            "region",
            ("R", Any),
            "its region; else $AWS_REGION, $AWS_DEFAULT_REGION, `region`, the profile's, us-east-1",
            text,
            |o| &mut o.region,
        ),
        option(
            "endpoint",
            ("URL", Any),
            "the server, when it is not AWS; else $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, \
             `endpoint`, the profile's",
            text,
            |o| &mut o.endpoint,
        ),
        option(
            "signature",
            ("v4|v2", Words(&["v4", "v2"])),
            "v4 (default), or v2 for old servers",
            signature,
            |o| &mut o.signature,
        ),
        switch(
            "explain",
            "print where the credentials come from, and what each earlier source lacked",
            |o| &mut o.explain,
        ),
    ]
}

/// Returns the rows of the options that say where releases are.
pub(super) fn bucket_rows() -> Vec<Row<ReleaseBucketOptions>> {
    let mut rows = vec![option(
        "prefix",
        ("P", Any),
        "the folder in the bucket that every key begins with; else `prefix` in Cargo.toml",
        folder_prefix,
        |o: &mut ReleaseBucketOptions| &mut o.prefix,
    )];
    rows.extend(within(destination_rows(), |o: &mut ReleaseBucketOptions| &mut o.destination));
    rows
}
