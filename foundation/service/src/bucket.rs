//! The bucket that a service works on: its options, and the client made of them.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use ferror::{Error, Kind};
use s3::{
    Client, ClientOptions, CredentialInputs, CredentialProvider, DEFAULT_REGION, Location,
    NamedServer, RetryPolicy, ServerInputs, Signature,
};

/// How often a client may wait anew for as long as [`RetryPolicy`] allows. The default is made for one
/// run of a command; a service would use it up once and for all.
const BUDGET_RENEWED_EVERY: Duration = Duration::from_secs(60);

/// The options of every service that works on a bucket. Credentials are not among them, because
/// command lines can be read by every user of a machine.
#[derive(Debug, Clone, clap::Args)]
#[command(
    next_help_heading = "Bucket",
    after_help = "Credentials come from S3_KEY and S3_SECRET, else from where AWS's own tools look \
                  for them: AWS_* variables, profiles, a web identity, the role of the container or \
                  the instance."
)]
pub struct BucketArgs {
    /// The bucket
    #[arg(
        long,
        value_name = "NAME",
        env = "S3_BUCKET",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub bucket: String,
    /// The folder in the bucket that holds the releases, such as team/
    #[arg(
        long,
        value_name = "FOLDER",
        env = "S3_PREFIX",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        value_parser = folder_prefix
    )]
    pub prefix: String,
    /// The region of the bucket.
    #[arg(
        long,
        value_name = "NAME",
        env = "AWS_REGION",
        hide_env_values = true,
        help = "The region of the bucket, also from AWS_DEFAULT_REGION or the profile; us-east-1 unless set"
    )]
    pub region: Option<String>,
    /// The URL of a server other than AWS.
    #[arg(
        long,
        value_name = "URL",
        env = "AWS_ENDPOINT_URL_S3",
        hide_env_values = true,
        help = "The URL of a server other than AWS, also from AWS_ENDPOINT_URL or the profile"
    )]
    pub endpoint: Option<String>,
    /// v4, or v2 for old servers
    #[arg(
        long,
        value_name = "VERSION",
        env = "S3_SIGNATURE",
        hide_env_values = true,
        default_value = "v4"
    )]
    pub signature: Signature,
}

/// A bucket, and the part of it that a service works on.
#[derive(Clone)]
pub struct Bucket {
    /// Blocks: call it inside of [`blocking`](crate::blocking).
    pub client: Client,
    /// What every object key begins with; may be empty.
    pub prefix: String,
}

impl BucketArgs {
    /// Looks for credentials and makes a client. It connects to nothing, except to the metadata
    /// service of the instance when no other source has credentials. It blocks then.
    ///
    /// # Errors
    /// [`Kind::Config`] when there are no credentials, or they or an option cannot be used.
    pub fn open(self) -> ferror::Result<Bucket> {
        self.open_with(&|name| std::env::var(name).ok())
    }

    fn open_with(self, variable: &dyn Fn(&str) -> Option<String>) -> ferror::Result<Bucket> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        // The variables of these two options are read by `find_server`, in their order. One that was
        // set is what clap found, unless the option names something else.
        let given = |value: Option<String>, own_variable: &str| {
            value.filter(|value| {
                !value.trim().is_empty() && variable(own_variable).as_ref() != Some(value)
            })
        };
        let NamedServer { endpoint, region } = s3::find_server(&ServerInputs {
            given: NamedServer {
                endpoint: given(self.endpoint, "AWS_ENDPOINT_URL_S3"),
                region: given(self.region, "AWS_REGION"),
            },
            configured: NamedServer::default(),
            variable: &variable,
            home: variable("HOME").map(Into::into),
        })?;
        let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let roots_pem = s3::roots_pem(|name| variable(name).map(Into::into))?;
        let provider = find_credentials(&variable, &region, roots_pem.clone())?;
        let location = Location {
            bucket: self.bucket,
            region,
            endpoint,
            path_style: None,
            signature: self.signature,
        };
        if let Some(warning) = location.warning() {
            tracing::warn!("{warning}");
        }
        let retry_policy = RetryPolicy {
            budget_renewed_every: Some(BUDGET_RENEWED_EVERY),
            ..RetryPolicy::default()
        };
        let options = ClientOptions { roots_pem, retry_policy, ..ClientOptions::default() };
        let client = Client::with_options(location, provider, options)?;
        Ok(Bucket { client, prefix: self.prefix })
    }
}

/// Finds credentials in the sources of AWS's own tools; temporary ones are renewed when they expire.
fn find_credentials(
    variable: &dyn Fn(&str) -> Option<String>,
    region: &str,
    roots_pem: Option<Vec<u8>>,
) -> ferror::Result<CredentialProvider> {
    let named = |name: &str| variable(name).map(|value| (name.into(), value.into()));
    let found = s3::find_credentials(&CredentialInputs {
        variable,
        home: variable("HOME").map(Into::into),
        child_environment: ["HOME", "PATH"]
            .into_iter()
            .chain(s3::PROCESS_VARIABLES)
            .filter_map(named)
            .collect(),
        roots_pem,
        region: region.to_owned(),
        scope: None,
    });
    found.provider?.ok_or_else(|| {
        let steps: Vec<_> = found.steps.iter().map(ToString::to_string).collect();
        Error::new(Kind::Config, format!("no credentials ({})", steps.join("; ")))
            .hint("set S3_KEY and S3_SECRET, or one of the other sources that --help names")
    })
}

/// Reads a folder of the bucket: `team` means `team/`, as it does for uploads.
fn folder_prefix(text: &str) -> Result<String, String> {
    if text.starts_with('/') || text.chars().any(char::is_control) {
        return Err("expected a folder in the bucket such as team/".to_owned());
    }
    let end = if text.is_empty() || text.ends_with('/') { "" } else { "/" };
    Ok(format!("{text}{end}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Bucket, BucketArgs};

    #[derive(clap::Parser)]
    struct Args {
        #[command(flatten)]
        bucket: BucketArgs,
    }

    fn open(args: &[&str], env: &[(&str, &str)]) -> ferror::Result<Bucket> {
        let args = ["oddjob", "--bucket", "builds"].iter().chain(args);
        let args = Args::try_parse_from(args).unwrap_or_else(|error| panic!("{error}"));
        args.bucket.open_with(&|name| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const KEYS: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example")];

    #[test]
    fn an_option_goes_before_the_second_variable_and_a_prefix_is_a_folder() {
        let other =
            [("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
        let check = |args: &[&str], env: &[(&str, &str)], expected: [&str; 3]| {
            let bucket = open(args, env).unwrap_or_else(|error| panic!("{args:?}: {error:#}"));
            let location = bucket.client.location();
            let endpoint = location.endpoint.as_deref().unwrap_or_default();
            assert_eq!([&bucket.prefix, location.region.as_str(), endpoint], expected, "{args:?}");
        };
        let all = [&KEYS[..], &other].concat();
        check(&[], &KEYS, ["", "us-east-1", ""]);
        check(&["--prefix", "team"], &all, ["team/", "eu-west-1", "http://127.0.0.1:9"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config");
        std::fs::write(&file, "[profile x]\nregion = r-1\nendpoint_url = http://127.0.0.1:7\n")
            .expect("a file");
        let file = file.display().to_string();
        let profile = [("AWS_CONFIG_FILE", &*file), ("AWS_PROFILE", "x")];
        let with_profile = [&KEYS[..], &profile].concat();
        check(&[], &with_profile, ["", "r-1", "http://127.0.0.1:7"]);
        check(&[], &[&all[..], &profile].concat(), ["", "eu-west-1", "http://127.0.0.1:9"]);
        let ignoring = [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        check(&[], &[&with_profile[..], &ignoring].concat(), ["", "r-1", ""]);
        check(
            &["--prefix=team/", "--region=x-y-1", "--endpoint=http://127.0.0.1:8"],
            &all,
            ["team/", "x-y-1", "http://127.0.0.1:8"],
        );
    }

    #[test]
    fn an_error_names_what_is_missing_or_wrong_and_no_secret() {
        let check = |env: &[(&str, &str)], problem: &str| {
            let Err(error) = open(&[], env) else { panic!("{env:?} must not be accepted") };
            let text = format!("{error:#} {error:?}");
            assert_eq!(error.kind(), ferror::Kind::Config, "{text}");
            assert!(text.contains(problem), "{problem:?} is not in: {text}");
            assert!(!text.contains("hidden"), "a secret is in: {text}");
        };
        check(
            &[("S3_KEY", "k"), ("S3_SECRET", "hidden"), ("AWS_CA_BUNDLE", "/nowhere/ca.pem")],
            "reading AWS_CA_BUNDLE (/nowhere/ca.pem)",
        );
        check(
            &[("AWS_EC2_METADATA_DISABLED", "true")],
            "no credentials (S3_KEY: neither S3_KEY nor S3_SECRET is set",
        );
        check(&[("S3_SECRET", "hidden")], "S3_KEY");
        check(
            &[KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", "https://me:hidden@127.0.0.1:9")],
            "endpoint",
        );
    }
}
