//! Finds bucket and credentials from options, environment and table, and makes a client of them.

use ferror::Error;
use s3::{
    ClientOptions, CredentialInputs, CredentialProvider, Encryption, Fault, Location, NamedServer,
    ServerInputs, SessionScope,
};

use crate::model::config::Config;
use crate::system::env::Env;
use crate::system::ui::Ui;

/// The bucket of `--local` where none is named.
const LOCAL_BUCKET: &str = "local";

/// The options that say where a bucket is and how its server is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationOptions {
    /// `--bucket`.
    pub bucket: Option<String>,
    /// `--region`.
    pub region: Option<String>,
    /// `--endpoint`.
    pub endpoint: Option<String>,
    /// `--signature`.
    pub signature: Option<s3::Signature>,
    /// `--local`, which the verbs that upload have.
    pub local: bool,
    /// `--explain`.
    pub explain: bool,
}

/// The objects that credentials are to be used for; those of a web identity may do nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The objects that are written, and read.
    pub object_keys: Vec<String>,
    /// The beginnings of the keys of objects that are only read.
    pub read_prefixes: Vec<String>,
}

/// Returns the certificate authorities to trust, where a file of them is named.
pub fn roots_pem(env: &Env) -> anyhow::Result<Option<Vec<u8>>> {
    Ok(s3::roots_pem(|name| env.get_os(name).map(Into::into))?)
}

/// Looks for credentials wherever AWS's own tools do; with `--explain`, says what each source had.
///
/// Those of a web identity may do no more than `reach`; `None` leaves them what the role may do,
/// which is right only where nothing is asked of them.
pub fn credentials(
    options: &DestinationOptions,
    config: Option<&Config>,
    reach: Option<Reach>,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Option<CredentialProvider>> {
    if let (true, Ok(location)) = (reach.is_some(), location(options, config, env)) {
        warn(&location, ui);
    }
    let scope = bucket(options, config, env).zip(reach);
    let scope = scope.map(|(bucket, reach)| SessionScope {
        bucket,
        object_keys: reach.object_keys,
        read_prefixes: reach.read_prefixes,
        tagging: config.is_some_and(|config| !config.attributes.tags.is_empty()),
        acl: config.is_some_and(|config| config.attributes.acl.is_some()),
        kms: config.is_some_and(|config| {
            matches!(config.attributes.encryption, Some(Encryption::Kms { .. }))
        }),
        ..SessionScope::default()
    });
    let found = s3::find_credentials(&CredentialInputs {
        variable: &|name| env.get(name),
        home: env.get_os("HOME").map(Into::into),
        child_environment: env.variables(),
        roots_pem: roots_pem(env)?,
        region: region(named_server(options, config, env)?),
        scope,
    });
    if options.explain {
        for step in &found.steps {
            ui.say("credentials", step);
        }
    }
    Ok(found.provider?)
}

/// Returns the options of a client besides the location of the bucket.
pub fn client_options(
    config: Option<&Config>,
    jobs: usize,
    env: &Env,
) -> anyhow::Result<ClientOptions> {
    Ok(ClientOptions {
        roots_pem: roots_pem(env)?,
        expected_bucket_owner: config.and_then(|config| config.bucket_owner.clone()),
        allow_http: config.is_some_and(|config| config.allow_http),
        conditional_writes: config.is_none_or(|config| config.conditional_writes),
        crc64nvme: config.is_some_and(|config| config.crc64nvme),
        bodies_at_once: jobs,
        ..ClientOptions::default()
    })
}

/// Returns the error of a write, with a hint that names the field which makes upload do without the header
/// that the server does not know.
pub fn explain_unknown_header(error: Error) -> Error {
    let header = Fault::of(&error).map_or_else(String::new, |fault| fault.unknown_header.clone());
    let field = match header.as_str() {
        "if-none-match" | "if-match" => {
            let hint = format!(
                "this server does not know {header}: set conditional-writes = false in [workspace.metadata.xtask], and each object is looked at before it is written instead; never upload or promote twice at the same moment then"
            );
            return error.hint(hint);
        }
        "x-amz-acl" => "acl",
        "x-amz-tagging" => "tags",
        "x-amz-storage-class" => "storage-class",
        "x-amz-server-side-encryption" => "encryption",
        "x-amz-server-side-encryption-aws-kms-key-id" => "kms-key-id",
        "x-amz-expected-bucket-owner" => "bucket-owner",
        "cache-control" => "cache-control",
        name if name.starts_with("x-amz-checksum-") => "checksum",
        _ => return error,
    };
    error.hint(format!(
        "this server does not take {header}: remove {field} from [workspace.metadata.xtask]"
    ))
}

/// Returns the error where there are none.
pub fn no_credentials() -> Error {
    Error::config("no credentials: neither S3_KEY and S3_SECRET nor AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set, and no profile, web identity or role of this machine has any")
        .hint("set one pair, see with `--explain` what each source lacks, or try it without any: `--local`")
}

fn region(named: NamedServer) -> String {
    named.region.unwrap_or_else(|| s3::DEFAULT_REGION.to_owned())
}

/// Finds the endpoint and the region. The repository's table goes before the profile of whoever runs
/// this: it says where this repository's bucket is.
fn named_server(
    options: &DestinationOptions,
    config: Option<&Config>,
    env: &Env,
) -> ferror::Result<NamedServer> {
    let given = |endpoint: &Option<String>, region: &Option<String>| NamedServer {
        endpoint: endpoint.clone(),
        region: region.clone(),
    };
    if options.local {
        // The server of its own has neither from outside.
        return Ok(given(&options.endpoint, &options.region));
    }
    s3::find_server(&ServerInputs {
        given: given(&options.endpoint, &options.region),
        configured: config.map(|it| given(&it.endpoint, &it.region)).unwrap_or_default(),
        variable: &|name| env.get(name),
        home: env.get_os("HOME").map(Into::into),
    })
}

fn bucket(options: &DestinationOptions, config: Option<&Config>, env: &Env) -> Option<String> {
    let configured = || config.and_then(|config| config.bucket.clone());
    options.bucket.clone().or_else(|| env.get("S3_BUCKET")).or_else(configured)
}

/// Finds the bucket, its region and its endpoint, each by itself: by option, environment, table, profile or default.
pub fn location(
    options: &DestinationOptions,
    config: Option<&Config>,
    env: &Env,
) -> ferror::Result<Location> {
    let local = || options.local.then(|| LOCAL_BUCKET.to_owned());
    let bucket = bucket(options, config, env).or_else(local).ok_or_else(|| {
        Error::config("no bucket named")
            .hint("name it by --bucket, S3_BUCKET, or `bucket` in [workspace.metadata.xtask]; or try `--local`")
    })?;
    location_of(bucket, options, config, env)
}

/// Finds the [`location`] and refuses what a client would refuse: for a dry run, which makes none.
pub fn checked(
    options: &DestinationOptions,
    config: Option<&Config>,
    env: &Env,
    ui: &Ui,
) -> ferror::Result<Location> {
    let location = location(options, config, env)?;
    check(&location, options, config)?;
    warn(&location, ui);
    Ok(location)
}

fn warn(location: &Location, ui: &Ui) {
    if let Some(warning) = location.warning() {
        ui.warn(warning);
    }
}

/// Describes where an upload would go, as far as that is known, and checks it.
pub fn describe(
    options: &DestinationOptions,
    config: Option<&Config>,
    env: &Env,
) -> ferror::Result<String> {
    let named = bucket(options, config, env);
    // Endpoint and region are checked without a bucket too: any valid name serves for that.
    let bucket = named.clone().unwrap_or_else(|| LOCAL_BUCKET.to_owned());
    let location = location_of(bucket, options, config, env)?;
    check(&location, options, config)?;
    if options.local {
        return Ok(format!("to bucket {} of an S3 server of its own", location.bucket));
    }
    let bucket = named.map_or_else(
        || "a bucket that is not named yet".to_owned(),
        |bucket| format!("bucket {bucket}"),
    );
    let server = location.endpoint.as_deref().unwrap_or("AWS");
    Ok(format!("to {bucket} at {server}, region {}", location.region))
}

fn check(
    location: &Location,
    options: &DestinationOptions,
    config: Option<&Config>,
) -> ferror::Result<()> {
    if !options.local {
        return location.check(config.is_some_and(|config| config.allow_http));
    }
    // The local server's port is known when it runs, and its address is always valid.
    let endpoint = Some("http://127.0.0.1".to_owned());
    let region = s3::DEFAULT_REGION.to_owned();
    let path_style = Some(true);
    Location { endpoint, region, path_style, ..location.clone() }.check(false)
}

fn location_of(
    bucket: String,
    options: &DestinationOptions,
    config: Option<&Config>,
    env: &Env,
) -> ferror::Result<Location> {
    let table =
        |field: fn(&Config) -> &Option<String>| config.and_then(|config| field(config).clone());
    let server = named_server(options, config, env)?;
    let signature = match (options.signature, table(|config| &config.signature)) {
        (Some(signature), _) => signature,
        (None, Some(text)) => text.parse()?,
        (None, None) => s3::Signature::V4,
    };
    Ok(Location {
        bucket,
        endpoint: server.endpoint.clone(),
        region: region(server),
        path_style: config.and_then(|config| config.path_style),
        signature,
    })
}
