//! The bucket that a service works on: rows for its table of settings, checked into a client.

use s3::{Client, Credentials, DEFAULT_REGION, Location};

use crate::{Setting, Settings};

/// The rows that every service with a bucket has in its table.
pub const BUCKET_SETTINGS: &[Setting] = &[
    Setting {
        name: "bucket",
        value: "NAME",
        vars: &["S3_BUCKET"],
        default: "",
        help: "the bucket",
    },
    Setting {
        name: "prefix",
        value: "TEXT",
        vars: &["S3_PREFIX"],
        default: "",
        help: "the folder in the bucket that holds the releases, such as team/",
    },
    Setting {
        name: "region",
        value: "NAME",
        vars: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        default: DEFAULT_REGION,
        help: "the bucket's region",
    },
    Setting {
        name: "endpoint",
        value: "URL",
        vars: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
        default: "",
        help: "a server other than AWS",
    },
    Setting {
        name: "signature",
        value: "V",
        vars: &["S3_SIGNATURE"],
        default: "v4",
        help: "v4, or v2 for old servers",
    },
];

/// What a help text says about credentials, which have no rows: a command line is no place for them.
pub const CREDENTIALS_NOTE: &str = "Credentials come from the environment alone: S3_KEY and S3_SECRET, or AWS_ACCESS_KEY_ID,\n\
     AWS_SECRET_ACCESS_KEY and, when they are temporary, AWS_SESSION_TOKEN.";

/// A bucket that can be talked to, and the part of it that is meant.
#[derive(Clone)]
pub struct Bucket {
    /// Blocking: call it from `tokio::task::spawn_blocking`.
    pub client: Client,
    /// What every object key begins with; may be empty.
    pub prefix: String,
}

impl Bucket {
    /// Reads the rows of [`BUCKET_SETTINGS`] and the credentials. Connects to nothing.
    pub fn from_settings(settings: &mut Settings<'_>) -> Option<Self> {
        let bucket = settings.required("bucket");
        let region = settings.required("region");
        let signature = settings.parsed("signature");
        let credentials = match Credentials::from_vars(|var| settings.env(var)) {
            Ok(Some(credentials)) => Some(credentials),
            Ok(None) => {
                settings.problem("no credentials: set S3_KEY and S3_SECRET, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
                None
            }
            Err(error) => {
                settings.problem(format!("credentials: {error}"));
                None
            }
        };
        let prefix = folder_prefix(settings);
        let location = Location {
            bucket: bucket?,
            region: region?,
            endpoint: settings.text("endpoint"),
            path_style: None,
            signature: signature?,
        };
        match Client::new(location, credentials?) {
            Ok(client) => Some(Self { client, prefix: prefix? }),
            Err(error) => {
                settings.problem(error.to_string());
                None
            }
        }
    }
}

/// `team` means `team/`, as it does for those who upload.
fn folder_prefix(settings: &mut Settings<'_>) -> Option<String> {
    let mut prefix = settings.text("prefix").unwrap_or_default();
    if prefix.starts_with('/') || prefix.chars().any(char::is_control) {
        settings.problem(format!("the prefix {prefix:?} is no folder in the bucket such as team/"));
        return None;
    }
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    Some(prefix)
}

#[cfg(test)]
mod tests {
    use super::{BUCKET_SETTINGS, Bucket};
    use crate::{Asked, ask};

    fn read(env: &[(&str, &str)]) -> ferror::Result<Asked<Bucket>> {
        let get = |name: &str| {
            env.iter().find(|(var, _)| *var == name).map(|(_, text)| (*text).to_owned())
        };
        ask(&[BUCKET_SETTINGS], [], &get, Bucket::from_settings)
    }

    #[test]
    fn the_environment_alone_is_enough_and_a_prefix_is_a_folder() {
        let check = |prefix: &str, expected: &str| {
            let env = [
                ("S3_BUCKET", "releases"),
                ("S3_PREFIX", prefix),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
                ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "example"),
            ];
            let Ok(Asked::Run(bucket)) = read(&env) else { panic!("{env:?} is a configuration") };
            assert_eq!(bucket.prefix, expected);
            assert_eq!(bucket.client.location().bucket, "releases");
            assert_eq!(bucket.client.location().region, "eu-west-1");
            assert_eq!(bucket.client.location().endpoint.as_deref(), Some("http://127.0.0.1:9"));
        };
        check("", "");
        check("team", "team/");
        check("team/", "team/");
    }

    #[test]
    fn everything_that_is_missing_or_bad_is_named_and_no_secret_is() {
        let check = |env: &[(&str, &str)], problems: &[&str]| {
            let Err(error) = read(env) else { panic!("{env:?} must not be accepted") };
            let text = format!("{error:#} {error:?}");
            for problem in problems {
                assert!(text.contains(problem), "{problem:?} is not in: {text}");
            }
            assert!(!text.contains("hidden"), "a secret is in: {text}");
        };
        check(&[], &["--bucket is missing", "no credentials: set S3_KEY and S3_SECRET"]);
        check(
            &[("S3_SECRET", "hidden"), ("S3_SIGNATURE", "v3"), ("S3_PREFIX", "/x")],
            &[
                "--bucket is missing",
                "S3_KEY",
                "the prefix \"/x\" is no folder",
                "S3_SIGNATURE is \"v3\"",
            ],
        );
    }
}
