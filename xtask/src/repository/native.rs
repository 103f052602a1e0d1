//! Finds out what the build scripts of a service's dependencies need.
//!
//! Cargo.lock is read first: where no crate in it needs anything, that is all. Where one does, cargo is asked which
//! crates the service really has on the platform, with its features.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use catalog::Platform;
use serde_json::{Value, json};

use crate::model::cargo_lock;
use crate::model::native::{self, Need};
use crate::model::workspace::{Service, Workspace};
use crate::repository::manifests::Manifests;
use crate::repository::vendored;
use crate::system::env::Env;
use crate::system::{child_env, process};

/// What each service needs on each platform; those that need nothing are left out.
pub type Needs = BTreeMap<(String, Platform), BTreeSet<Need>>;

/// The name under which cargo's answers are kept.
const KEPT: &str = "needs";

/// Finds what each of `services` needs on each of its platforms, which `platforms` returns.
pub fn find(
    workspace: &Workspace,
    services: &[&Service],
    platforms: impl Fn(&Service) -> Vec<Platform>,
    manifests: Option<&Manifests>,
    env: &Env,
) -> Needs {
    let text = fs::read_to_string(workspace.root.join("Cargo.lock")).unwrap_or_default();
    let packages = cargo_lock::parse(&text);
    let mut found = Needs::new();
    let kept = manifests.and_then(|manifests| manifests.kept(KEPT));
    let mut kept = kept.unwrap_or_else(|| json!({}));
    let mut is_new = false;
    for service in services {
        let edges = cargo_lock::edges_from(&packages, &service.package);
        let by_lock_file = native::needs(edges);
        if by_lock_file.is_empty() {
            continue;
        }
        for platform in platforms(service) {
            let name = format!("{} {platform}", service.name);
            let mut needs = match read(&kept[&name]) {
                Some(kept) => kept,
                None => match ask_cargo(workspace, service, platform, env) {
                    Some(tree) => {
                        let needs = native::needs(native::read_tree(&tree));
                        kept[name] = needs.iter().map(|need| need.name()).collect();
                        is_new = true;
                        needs
                    }
                    // Its build will fail for the same reason and say that. Until then, more is assumed than is needed.
                    None => by_lock_file.clone(),
                },
            };
            if !workspace.config.openssl || has_own_openssl(platform, env) {
                needs.remove(&Need::Openssl);
            }
            if !needs.is_empty() {
                found.insert((service.name.clone(), platform), needs);
            }
        }
    }
    if let Some(manifests) = manifests.filter(|_| is_new) {
        manifests.keep(KEPT, &kept);
    }
    found
}

/// Reads what was kept; `None` where nothing is, or a name of a later xtask.
fn read(kept: &Value) -> Option<BTreeSet<Need>> {
    let need = |name: &Value| Need::ALL.into_iter().find(|need| *name == need.name());
    kept.as_array()?.iter().map(need).collect()
}

/// Returns whether a person names an OpenSSL of their own for the platform, by one of the variables of `openssl-sys`.
fn has_own_openssl(platform: Platform, env: &Env) -> bool {
    let triple = platform.triple().to_uppercase().replace('-', "_");
    let names = ["OPENSSL_DIR", "OPENSSL_LIB_DIR", "OPENSSL_INCLUDE_DIR"];
    let is_own =
        |name: &str| names.iter().any(|own| name == *own || *name == format!("{triple}_{own}"));
    env.names().filter_map(OsStr::to_str).any(is_own)
}

/// Asks cargo for the tree of a service's dependencies: first without the network.
fn ask_cargo(
    workspace: &Workspace,
    service: &Service,
    platform: Platform,
    env: &Env,
) -> Option<String> {
    let ask = |network: &[&str]| {
        let mut command: Command = child_env::cargo(env);
        command
            .args(["tree", vendored::lock_option(&workspace.root), "--quiet"])
            .args(["--package", &service.package, "--target", platform.triple()])
            .args(["--edges", "normal,build", "--prefix", "depth"])
            .args(network)
            // Cargo asks a compiler about this machine. Any one will do.
            .env_remove("RUSTC")
            .current_dir(&workspace.root);
        if service.config.no_default_features {
            command.arg("--no-default-features");
        }
        for feature in &service.config.features {
            command.args(["--features", feature]);
        }
        let output = process::output(&mut command).ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    ask(&["--offline"]).or_else(|| ask(&[]))
}
