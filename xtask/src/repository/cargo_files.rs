//! Finds what cargo itself reads whatever it builds, and what speaks against a sandbox here.
//!
//! Little of it is in build keys: of the other packages' Cargo.toml, of Cargo.lock and of the root's Cargo.toml a key has
//! what cargo takes from them for the service.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::model::sources::PathPackage;
use crate::model::workspace::Workspace;
use crate::model::{cargo_lock, cargo_toml};
use crate::repository::cargo_config::CargoConfig;
use crate::repository::vendored;
use crate::system::env::Env;

/// Variables by which another program runs rustc.
const WRAPPERS: [&str; 4] = [
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// The settings of git for the whole machine. cargo reads them for packages from git, and takes a file that it may not
/// open for an error.
const GIT_CONFIG: &str = "/etc/gitconfig";

/// The files that cargo itself reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CargoFiles {
    /// Files, and folders of which everything below counts.
    pub paths: Vec<PathBuf>,
    /// Folders whose names are listed.
    pub folders: Vec<PathBuf>,
    /// Why cargo cannot run in a sandbox, if there is a reason.
    pub no_sandbox: Option<String>,
}

/// Finds what cargo reads in a workspace with these packages in folders.
pub fn find(
    workspace: &Workspace,
    packages: &[PathPackage],
    cargo_config: &CargoConfig,
    env: &Env,
) -> CargoFiles {
    let root = &workspace.root;
    let mut found = CargoFiles::default();
    for name in ["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml"] {
        found.paths.push(root.join(name));
    }
    found.folders.push(root.clone());
    for package in packages {
        found.paths.push(package.dir.join("Cargo.toml"));
        if !package.dir.starts_with(root) {
            // Its own workspace, from which it may inherit.
            found.folders.push(package.dir.clone());
            let above = package.dir.ancestors().skip(1);
            for dir in above.filter(|dir| dir.join("Cargo.toml").is_file()) {
                found.paths.extend([dir.join("Cargo.toml"), dir.join("Cargo.lock")]);
                found.folders.push(dir.to_owned());
            }
        }
    }
    found.paths.extend(cargo_config.source_dirs.iter().map(|dir| root.join(dir)));
    if vendored::is_vendored(root) {
        found.paths.push(root.join(vendored::FOLDER));
    }
    for path in config_files(root, env) {
        match secret(&path) {
            None => found.paths.push(path),
            Some(name) => {
                found.no_sandbox = Some(format!(
                    "{} holds {name}, and cargo has to read that file: `cargo login` puts it into credentials.toml",
                    path.display()
                ));
            }
        }
    }
    let git_config = fs::read_to_string(GIT_CONFIG).ok();
    if let Some(text) = git_config.filter(|_| has_git_packages(root)) {
        found.paths.push(GIT_CONFIG.into());
        if let Some(setting) = git_secret(&text) {
            found.no_sandbox = Some(format!(
                "{GIT_CONFIG} holds a secret in `{setting}`, and cargo has to read that file"
            ));
        }
    }
    let wrapper = WRAPPERS.into_iter().find(|name| env.names().any(|set| set == *name));
    let wrapper = wrapper.or(cargo_config.has_wrapper.then_some("build.rustc-wrapper"));
    if let Some(name) = wrapper {
        found.no_sandbox = Some(format!("{name} runs rustc, and may do so elsewhere"));
    }
    let is_set = |name: &&String| env.names().any(|set| set == name.as_str());
    if let Some(name) = env.pass_env.iter().find(is_set) {
        found.no_sandbox = Some(format!("pass-env gives it {name}, a credential"));
    }
    found
}

/// Lists cargo's configuration files: those in the folders from the root upwards, and in cargo's home.
fn config_files(root: &Path, env: &Env) -> Vec<PathBuf> {
    let folders = root.ancestors().map(|dir| dir.join(".cargo")).chain(env.cargo_home());
    let files = folders.flat_map(|dir| [dir.join("config.toml"), dir.join("config")]);
    files.filter(|path| path.is_file()).collect()
}

/// Returns whether Cargo.lock names packages from git.
fn has_git_packages(root: &Path) -> bool {
    let text = fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let is_git = |source: &String| source.starts_with("git+");
    cargo_lock::parse(&text).iter().any(|package| package.source.as_ref().is_some_and(is_git))
}

/// Returns the name of a line of git's configuration that holds a secret: a header for servers, or a password in an
/// address.
fn git_secret(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim);
    let mut secret = lines.filter(|line| {
        let is_header = line.to_ascii_lowercase().starts_with("extraheader");
        is_header || line.split([' ', '"', '=']).any(has_password)
    });
    let name = secret.next()?.split([' ', '=']).next()?;
    Some(name.trim_start_matches('[').to_owned())
}

/// Returns whether an address holds a secret: whatever stands before the host of a web server, which may be a token
/// alone, and a password anywhere.
fn has_password(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority = rest.split('/').next().unwrap_or("");
    let is_of_web = ["http", "https"].iter().any(|it| scheme.ends_with(it));
    authority.rsplit_once('@').is_some_and(|(user, _)| is_of_web || user.contains(':'))
}

/// Returns the name of a setting in a configuration file that is a secret.
fn secret(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    // What cargo cannot read is its to say.
    secret_in("", &cargo_toml::parse(&text, "it").ok()?)
}

fn secret_in(above: &str, table: &Value) -> Option<String> {
    table.as_object()?.iter().find_map(|(name, value)| {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match value {
            Value::Object(_) => secret_in(&path, value),
            Value::Array(items) => {
                let mut texts = items.iter().filter_map(Value::as_str);
                texts.any(has_password).then_some(path)
            }
            _ if ["token", "secret-key"].contains(&name.as_str()) => Some(path),
            // A proxy or a registry may have a password in its address.
            Value::String(text) => has_password(text).then_some(path),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{git_secret, secret_in};
    use crate::model::cargo_toml;

    #[test]
    fn headers_and_passwords_in_gits_configuration_are_found() {
        let rows = [
            ("[credential \"https://a.example\"]\n\thelper = store\n", None),
            ("[url \"ssh://git@a.example/\"]\n\tinsteadOf = https://a.example/\n", None),
            (
                "[url \"https://me:word@a.example/\"]\n\tinsteadOf = https://a.example/\n",
                Some("url"),
            ),
            ("[http]\n\textraHeader = Authorization: Basic x\n", Some("extraHeader")),
            ("[http]\n\tproxy=http://me:word@proxy.example:1\n", Some("proxy")),
        ];
        for (text, expected) in rows {
            assert_eq!(git_secret(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn tokens_and_passwords_in_a_configuration_are_found() {
        let rows = [
            ("[build]\njobs = 2\n", None),
            ("[registry]\ntoken = \"x\"\n", Some("registry.token")),
            ("[registries.team]\nindex = \"https://a.example/i\"\n", None),
            ("[registries.team]\ntoken = \"x\"\n", Some("registries.team.token")),
            ("[http]\nproxy = \"http://me:word@proxy.example:1\"\n", Some("http.proxy")),
            ("[http]\nproxy = \"http://proxy.example:1\"\n", None),
            ("[http]\nproxy = \"me:word@proxy.example:1\"\n", Some("http.proxy")),
            (
                "[registries.team]\nindex = \"sparse+https://token@a.example/i/\"\n",
                Some("registries.team.index"),
            ),
            ("[a]\nb = [\"https://token@a.example\"]\n", Some("a.b")),
            ("[source.a]\nregistry = \"ssh://git@a.example/i\"\n", None),
        ];
        for (text, expected) in rows {
            let table = cargo_toml::parse(text, "it").unwrap();
            assert_eq!(secret_in("", &table).as_deref(), expected, "{text}");
        }
    }
}
