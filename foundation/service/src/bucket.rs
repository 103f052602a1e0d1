//! The bucket that a service works on: rows for its table of settings, checked into a client.

use std::time::Duration;

use s3::{
    Client, ClientOptions, CredentialInputs, CredentialProvider, DEFAULT_REGION, Location,
    RetryPolicy,
};

use crate::{Setting, Settings};

/// A service outlives a budget of waiting that is meant for one run: on average, one request of it
/// may be waiting at any time.
const BUDGET_RENEWED_EVERY: Duration = Duration::from_mins(1);

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
pub const CREDENTIALS_NOTE: &str = "Credentials come from S3_KEY and S3_SECRET, else from where AWS's own tools look for them: AWS_*\n\
     variables, profiles, a web identity, the container's or the instance's role.";

/// A bucket that can be talked to, and the part of it that is meant.
#[derive(Clone)]
pub struct Bucket {
    /// Blocking: call it from `tokio::task::spawn_blocking`.
    pub client: Client,
    /// What every object key begins with; may be empty.
    pub prefix: String,
}

impl Bucket {
    /// Reads the rows of [`BUCKET_SETTINGS`] and looks for credentials. Connects to
    /// nothing, save to the instance's own metadata service when no other source has credentials.
    pub fn from_settings(settings: &mut Settings<'_>) -> Option<Self> {
        let bucket = settings.required("bucket");
        let region = settings.required("region");
        let signature = settings.parsed("signature");
        let roots_pem = s3::roots_pem(|name| settings.env(name).map(Into::into));
        let roots_pem = roots_pem.map_err(|error| settings.problem(format!("{error:#}"))).ok();
        let roots = roots_pem.clone().flatten();
        let provider = find_credentials(settings, region.as_deref(), roots);
        let prefix = folder_prefix(settings);
        let location = Location {
            bucket: bucket?,
            region: region?,
            endpoint: settings.text("endpoint"),
            path_style: None,
            signature: signature?,
        };
        let retry_policy = RetryPolicy {
            budget_renewed_every: Some(BUDGET_RENEWED_EVERY),
            ..RetryPolicy::default()
        };
        let options =
            ClientOptions { roots_pem: roots_pem?, retry_policy, ..ClientOptions::default() };
        match Client::with_options(location, provider?, options) {
            Ok(client) => Some(Self { client, prefix: prefix? }),
            Err(error) => {
                settings.problem(error.to_string());
                None
            }
        }
    }
}

/// Credentials from wherever AWS's own tools look for them; those that end are fetched anew.
fn find_credentials(
    settings: &mut Settings<'_>,
    region: Option<&str>,
    roots_pem: Option<Vec<u8>>,
) -> Option<CredentialProvider> {
    let named = |name: &str| settings.env(name).map(|value| (name.into(), value.into()));
    let found = s3::find_credentials(&CredentialInputs {
        variable: &|name| settings.env(name),
        home: settings.env("HOME").map(Into::into),
        child_environment: ["HOME", "PATH"]
            .into_iter()
            .chain(s3::PROCESS_VARIABLES)
            .filter_map(named)
            .collect(),
        roots_pem,
        region: region.unwrap_or(DEFAULT_REGION).to_owned(),
        scope: None,
    });
    match found.provider {
        Ok(Some(provider)) => Some(provider),
        Ok(None) => {
            let steps: Vec<_> = found.steps.iter().map(ToString::to_string).collect();
            settings.problem(format!("no credentials ({})", steps.join("; ")));
            None
        }
        Err(error) => {
            settings.problem(error.to_string());
            None
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
    use crate::Asked;
    use crate::settings::ask;

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
        check(
            &[("S3_KEY", "k"), ("S3_SECRET", "hidden"), ("AWS_CA_BUNDLE", "/nowhere/ca.pem")],
            &["--bucket is missing", "reading AWS_CA_BUNDLE (/nowhere/ca.pem)"],
        );
        check(
            &[("AWS_EC2_METADATA_DISABLED", "true")],
            &["--bucket is missing", "no credentials (S3_KEY: neither S3_KEY nor S3_SECRET is set"],
        );
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
