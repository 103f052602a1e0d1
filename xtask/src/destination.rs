//! Where an upload goes and as whom: from options, environment and table to a client.

use std::path::Path;

use anyhow::Context as _;
use ferror::Error;
use s3::{Client, ClientOptions, Credentials, Location};

use crate::cli::Options;
use crate::config::Config;
use crate::env::Env;

/// The bucket of `--local` where none is named.
const LOCAL_BUCKET: &str = "local";

/// A client that trusts the bundled certificate authorities, or those of a file that is named.
pub fn client(
    location: Location,
    credentials: Credentials,
    options: ClientOptions,
    env: &Env,
) -> anyhow::Result<Client> {
    let options = ClientOptions { roots_pem: roots_pem(env)?, ..options };
    Ok(Client::with_options(location, credentials, options)?)
}

/// The certificate authorities to trust, where a file of them is named.
fn roots_pem(env: &Env) -> anyhow::Result<Option<Vec<u8>>> {
    for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        if let Some(path) = env.get_os(name) {
            let path = Path::new(path);
            let read = std::fs::read(path);
            return read.map(Some).with_context(|| format!("reading {name} ({})", path.display()));
        }
    }
    Ok(None)
}

/// The credentials of the environment, if there are any.
pub fn credentials(env: &Env) -> ferror::Result<Option<Credentials>> {
    Credentials::from_vars(|name| env.get(name))
}

/// The error where there are none.
pub fn no_credentials() -> Error {
    Error::config("no credentials: neither S3_KEY and S3_SECRET nor AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set")
        .hint("set one pair, or try it without any: `--local`")
}

fn bucket(options: &Options, config: Option<&Config>, env: &Env) -> Option<String> {
    let configured = || config.and_then(|config| config.bucket.clone());
    options.upload.bucket.clone().or_else(|| env.get("S3_BUCKET")).or_else(configured)
}

/// Option, environment, table, default: in this order, for each part by itself.
pub fn location(options: &Options, config: Option<&Config>, env: &Env) -> ferror::Result<Location> {
    let upload = &options.upload;
    let table =
        |field: fn(&Config) -> &Option<String>| config.and_then(|config| field(config).clone());
    let local = || options.upload.local.then(|| LOCAL_BUCKET.to_owned());
    let bucket = bucket(options, config, env).or_else(local).ok_or_else(|| {
        Error::config("no bucket named")
            .hint("name it by --bucket, S3_BUCKET, or `bucket` in [workspace.metadata.xtask]; or try `--local`")
    })?;
    let region = upload.region.clone().or_else(|| env.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let endpoint =
        upload.endpoint.clone().or_else(|| env.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]));
    let signature = upload.signature.clone().or_else(|| table(|config| &config.signature));
    Ok(Location {
        bucket,
        region: region
            .or_else(|| table(|config| &config.region))
            .unwrap_or_else(|| s3::DEFAULT_REGION.to_owned()),
        endpoint: endpoint.or_else(|| table(|config| &config.endpoint)),
        path_style: config.and_then(|config| config.path_style),
        signature: signature.map_or(Ok(s3::Signature::V4), |text| text.parse())?,
    })
}
