//! Which server and which region are meant: options, environment, configuration, profile files.
//!
//! (AWS SDKs and Tools Reference Guide, "Service-specific endpoints" and "AWS Region".) A profile whose
//! keys are another provider's says so by `endpoint_url`; without it, the key id and a signature would
//! go to AWS.

use std::path::PathBuf;

use ferror::{Error, ResultExt as _};

use super::ini::{self, FileKind};
use super::profile::{self, CONFIG_FILE, CREDENTIALS_FILE, PROFILE};
use crate::endpoint::Endpoint;

pub(super) const IGNORED: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
pub(super) const STS_ENDPOINT: &str = "AWS_ENDPOINT_URL_STS";

/// Every environment variable that [`find_server`] reads.
pub const SERVER_VARIABLES: [&str; 8] = [
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    IGNORED,
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    PROFILE,
    CONFIG_FILE,
    CREDENTIALS_FILE,
];

/// A server and a region, as far as they are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedServer {
    /// `https://HOST[:PORT]`; `None`: AWS.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// The inputs of [`find_server`].
pub struct ServerInputs<'a> {
    /// The endpoint and region that the command line names. They go before all others.
    pub given: NamedServer,
    /// The endpoint and region of the program's own configuration. They go after the environment, and before
    /// profile files, which belong to a machine and not to a bucket.
    pub configured: NamedServer,
    /// Looks up an environment variable of [`SERVER_VARIABLES`]. A blank value counts as unset.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The home folder, which profile files are looked for in.
    pub home: Option<PathBuf>,
}

/// Finds endpoint and region, each by itself. The endpoint is that of the command line, of
/// `AWS_ENDPOINT_URL_S3`, of `AWS_ENDPOINT_URL`, of the program's configuration, of the profile's
/// `services` section for `s3`, of the profile's `endpoint_url`. With
/// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, the variables and the profile do not count; with
/// `ignore_configured_endpoint_urls` in the profile, the profile's own do not. The region is that of the command line, of `AWS_REGION`, of
/// `AWS_DEFAULT_REGION`, of the program's configuration, of the profile.
///
/// Profile files are read only where something is missing until then.
///
/// # Errors
/// [`ferror::Kind::Config`] where a profile file cannot be read, or what it says is no endpoint.
pub fn find_server(inputs: &ServerInputs<'_>) -> ferror::Result<NamedServer> {
    let variable = |name: &str| {
        debug_assert!(SERVER_VARIABLES.contains(&name), "{name} is not in the table");
        (inputs.variable)(name).filter(|value| !value.trim().is_empty())
    };
    let ignores_variables = variable(IGNORED).as_deref().is_some_and(is_true);
    let first = |names: [&str; 2]| names.into_iter().find_map(&variable);
    let ServerInputs { given, configured, .. } = inputs;
    let from_variables = || {
        if ignores_variables { None } else { first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) }
    };
    let endpoint = given.endpoint.clone().or_else(from_variables);
    let endpoint = endpoint.or_else(|| configured.endpoint.clone());
    let region = given.region.clone().or_else(|| first(["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let region = region.or_else(|| configured.region.clone());
    let endpoint_is_known = endpoint.is_some() || ignores_variables;
    if endpoint_is_known && region.is_some() {
        return Ok(NamedServer { endpoint, region });
    }
    let profile = Profile::read(&variable, inputs.home.as_ref())?;
    let region = region.or_else(|| profile.value("region").map(str::to_owned));
    if endpoint_is_known || profile.is_ignored(&variable) {
        return Ok(NamedServer { endpoint, region });
    }
    Ok(NamedServer { endpoint: profile.endpoint()?, region })
}

/// An endpoint, and the variable or the line that names it.
pub(super) struct NamedEndpoint {
    pub(super) place: String,
    pub(super) url: String,
}

/// Finds the endpoint of STS: that of `AWS_ENDPOINT_URL_STS`, else of the profile's `services` section for
/// `sts`. `None`: AWS.
///
/// Ignores `AWS_ENDPOINT_URL` and a profile's own `endpoint_url`, which AWS's tools use here too: in this project they
/// name the S3 server, which must not get to see the token.
pub(super) fn find_sts(
    variable: &dyn Fn(&str) -> Option<String>,
    home: Option<&PathBuf>,
) -> ferror::Result<Option<NamedEndpoint>> {
    if variable(IGNORED).as_deref().is_some_and(is_true) {
        return Ok(None);
    }
    if let Some(url) = variable(STS_ENDPOINT) {
        return Ok(Some(NamedEndpoint { place: STS_ENDPOINT.to_owned(), url }));
    }
    let profile = Profile::read(variable, home)?;
    Ok(if profile.is_ignored(variable) { None } else { profile.endpoint_for("sts") })
}

fn is_true(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

/// A profile as both files have it.
struct Profile {
    name: String,
    properties: ini::Properties,
    /// The `services` section that it names.
    services: Option<(String, ini::Properties)>,
}

impl Profile {
    fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        home: Option<&PathBuf>,
    ) -> ferror::Result<Self> {
        let name = variable(PROFILE).unwrap_or_else(|| "default".to_owned());
        let read = |file: &str, default: &str, kind, name: &str| {
            profile::read(variable(file), home, default, kind, name)
        };
        // Whether a profile that was named is missing is for the search for credentials to say.
        let in_config = read(CONFIG_FILE, "config", FileKind::Config, &name)?;
        let mut properties = in_config.unwrap_or_default();
        let in_credentials = read(CREDENTIALS_FILE, "credentials", FileKind::Credentials, &name)?;
        properties.extend(in_credentials.unwrap_or_default());
        let services = match properties.get("services").filter(|named| !named.is_empty()) {
            None => None,
            Some(named) => {
                let section = read(CONFIG_FILE, "config", FileKind::Services, named)?;
                let missing = || {
                    Error::config(format!(
                        "profile {name:?} names services = {named}, and no [services {named}] is there"
                    ))
                    .hint(format!("add that section to the file of {CONFIG_FILE}, or remove the line"))
                };
                Some((named.clone(), section.ok_or_else(missing)?))
            }
        };
        Ok(Self { name, properties, services })
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns whether the profile says that none of its endpoints counts. A variable that says otherwise goes
    /// before it.
    fn is_ignored(&self, variable: &dyn Fn(&str) -> Option<String>) -> bool {
        variable(IGNORED).is_none()
            && self.value("ignore_configured_endpoint_urls").is_some_and(is_true)
    }

    /// Returns the endpoint that the `services` section names for one service.
    fn endpoint_for(&self, service: &str) -> Option<NamedEndpoint> {
        let (name, section) = self.services.as_ref()?;
        let url = ini::nested(section.get(service)?, "endpoint_url")?;
        Some(NamedEndpoint {
            place: format!("endpoint_url of {service} in [services {name}]"),
            url,
        })
    }

    /// Returns the endpoint for S3, checked here, where the line that names it is known.
    fn endpoint(&self) -> ferror::Result<Option<String>> {
        let for_all = || {
            let url = self.value("endpoint_url")?.to_owned();
            Some(NamedEndpoint { place: format!("endpoint_url of profile {:?}", self.name), url })
        };
        let Some(named) = self.endpoint_for("s3").or_else(for_all) else { return Ok(None) };
        Endpoint::parse(&named.url).context(named.place)?;
        Ok(Some(named.url))
    }
}
