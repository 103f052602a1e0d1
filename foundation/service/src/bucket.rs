//! The bucket that a service works on: its options, and the client made of them.

use std::cell::RefCell;
use std::ffi::OsString;
use std::time::Duration;

use ferror::{Error, Kind};
use s3::{
    Client, ClientOptions, CredentialInputs, CredentialProvider, DEFAULT_REGION, Location,
    NamedServer, RetryPolicy, ServerInputs, Signature,
};

use crate::arguments::{is_blank, without_value};

/// How often a client may wait anew for as long as [`RetryPolicy`] allows. The default is made for one
/// run of a command; a service would use it up once and for all.
const BUDGET_RENEWED_EVERY: Duration = Duration::from_secs(60);

const HEADING: &str = "Bucket";

/// The options of every service that works on a bucket. Credentials are not among them, because
/// command lines can be read by every user of a machine.
#[derive(Debug, Clone, clap::Args)]
// `None`: it would become the description of the program that flattens this.
#[command(
    about = None,
    long_about = None,
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
        help_heading = HEADING,
        value_parser = bucket_name
    )]
    pub bucket: String,
    /// The folder in the bucket that holds the releases, such as team/
    #[arg(
        long,
        value_name = "FOLDER",
        env = "S3_PREFIX",
        hide_env_values = true,
        help_heading = HEADING,
        value_parser = folder_prefix
    )]
    pub prefix: Option<String>,
    // The variables of the next two are read in `open`: which of them count depends on others.
    /// The region of the bucket.
    #[arg(
        long,
        value_name = "NAME",
        help_heading = HEADING,
        value_parser = region_name,
        help = "The region of the bucket, also from AWS_REGION, AWS_DEFAULT_REGION or the profile; us-east-1 unless set"
    )]
    pub region: Option<String>,
    /// The URL of a server other than AWS.
    #[arg(
        long,
        value_name = "URL",
        help_heading = HEADING,
        value_parser = endpoint_url,
        help = "The URL of a server other than AWS, also from AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile"
    )]
    pub endpoint: Option<String>,
    /// v4, or v2 for old servers
    #[arg(
        long,
        value_name = "VERSION",
        env = "S3_SIGNATURE",
        hide_env_values = true,
        help_heading = HEADING,
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
    /// [`Kind::Config`] when there are no credentials, or they or an option cannot be used. An error
    /// has the name of an environment variable in place of its value.
    pub fn open(self) -> ferror::Result<Bucket> {
        self.open_with(&|name| std::env::var_os(name))
    }

    fn open_with(self, lookup: &dyn Fn(&str) -> Option<OsString>) -> ferror::Result<Bucket> {
        let variables = Variables { lookup, used: RefCell::default() };
        // clap has read it.
        variables.raw("S3_BUCKET");
        let opened = self.client(&variables);
        let used = variables.used.into_inner();
        if let Some((name, _)) = used.iter().find(|(_, value)| value.is_none()) {
            return Err(Error::config(format!("the environment variable {name} is not UTF-8"))
                .hint(format!("set {name} anew, or unset it")));
        }
        opened.map_err(|error| without_values(&error, &used))
    }

    fn client(self, variables: &Variables<'_>) -> ferror::Result<Bucket> {
        let variable = |name: &str| variables.text(name);
        let NamedServer { endpoint, region } = s3::find_server(&ServerInputs {
            given: NamedServer { endpoint: self.endpoint, region: self.region },
            configured: NamedServer::default(),
            variable: &variable,
            home: variables.raw("HOME").map(Into::into),
        })?;
        // Checked here, where the variable is known; the value may also come from a profile.
        let check = |value: Option<&String>, read: fn(&str) -> ferror::Result<String>| {
            let Some(value) = value else { return Ok(String::new()) };
            read(value).map_err(|error| match variables.name_of(value) {
                Some(name) => error.context(name),
                None => error,
            })
        };
        check(endpoint.as_ref(), endpoint_url)?;
        check(region.as_ref(), region_name)?;
        let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let roots_pem = s3::roots_pem(|name| variables.raw(name).map(Into::into))?;
        let provider = find_credentials(variables, &region, roots_pem.clone())?;
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
        Ok(Bucket { client, prefix: self.prefix.unwrap_or_default() })
    }
}

/// Finds credentials in the sources of AWS's own tools; temporary ones are renewed when they expire.
fn find_credentials(
    variables: &Variables<'_>,
    region: &str,
    roots_pem: Option<Vec<u8>>,
) -> ferror::Result<CredentialProvider> {
    let named = |name: &str| variables.raw(name).map(|value| (name.into(), value));
    let found = s3::find_credentials(&CredentialInputs {
        variable: &|name| variables.text(name),
        home: variables.raw("HOME").map(Into::into),
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

/// The environment, and what was read of it. A blank value counts as unset.
struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
    /// Names and values; no value where it had to be text and is not.
    used: RefCell<Vec<(String, Option<String>)>>,
}

impl Variables<'_> {
    fn raw(&self, name: &str) -> Option<OsString> {
        let value = (self.lookup)(name).filter(|value| !is_blank(value))?;
        let shown = value.to_string_lossy().into_owned();
        self.used.borrow_mut().push((name.to_owned(), Some(shown)));
        Some(value)
    }

    /// Returns the variable that has this value.
    fn name_of(&self, value: &str) -> Option<String> {
        let used = self.used.borrow();
        let found = used.iter().find(|(_, used)| used.as_deref() == Some(value))?;
        Some(found.0.clone())
    }

    fn text(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name).filter(|value| !is_blank(value))?.into_string().ok();
        self.used.borrow_mut().push((name.to_owned(), value.clone()));
        value
    }
}

/// Puts `$NAME` in place of the value of each variable that an error quotes.
fn without_values(error: &Error, variables: &[(String, Option<String>)]) -> Error {
    let hide = |text: String| {
        let values = variables.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        values.fold(text, |text, (name, value)| without_value(&text, name, value))
    };
    let hidden = Error::new(error.kind(), hide(format!("{error:#}")));
    match error.hint_text() {
        Some(hint) => hidden.hint(hide(hint.to_owned())),
        None => hidden,
    }
}

/// Reads a bucket's name. Some that may stand in a path may not stand in a host name, which is
/// checked with the endpoint.
fn bucket_name(text: &str) -> ferror::Result<String> {
    let location = Location { bucket: text.to_owned(), ..valid_location() };
    location.check(false).map(|()| location.bucket)
}

fn region_name(text: &str) -> ferror::Result<String> {
    let location = Location { region: text.to_owned(), ..valid_location() };
    location.check(false).map(|()| location.region)
}

fn endpoint_url(text: &str) -> ferror::Result<String> {
    let location = Location { endpoint: Some(text.to_owned()), ..valid_location() };
    location.check(false).map(|()| text.to_owned())
}

fn valid_location() -> Location {
    Location {
        bucket: "bucket".to_owned(),
        region: DEFAULT_REGION.to_owned(),
        endpoint: None,
        path_style: Some(true),
        signature: Signature::V4,
    }
}

/// Reads a folder of the bucket: `team` means `team/`, as it does for uploads.
fn folder_prefix(text: &str) -> Result<String, &'static str> {
    let prefix = catalog::folder_prefix(text).filter(|_| !text.trim().is_empty());
    prefix.ok_or("expected a folder in the bucket such as team/")
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
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
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
    fn a_prefix_that_xtask_refuses_is_refused_here_too() {
        for prefix in ["", " ", "/", "/a", "a//b", "a/../b", "./a", "a/\nb"] {
            let parsed = Args::try_parse_from(["oddjob", "--bucket", "b", "--prefix", prefix]);
            let error = parsed.err().unwrap_or_else(|| panic!("{prefix:?} is accepted"));
            assert!(error.to_string().contains("expected a folder in the bucket"), "{error}");
        }
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
            "reading AWS_CA_BUNDLE ($AWS_CA_BUNDLE): No such file",
        );
        check(
            &[("AWS_EC2_METADATA_DISABLED", "true")],
            "no credentials (S3_KEY: neither S3_KEY nor S3_SECRET is set",
        );
        check(&[("S3_SECRET", "hidden")], "S3_KEY");
        check(
            &[KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", "https://me:hidden@127.0.0.1:9")],
            "AWS_ENDPOINT_URL: the endpoint holds a user or a password",
        );
    }
}
