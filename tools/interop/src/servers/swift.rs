//! Starts `OpenStack` Swift.
//!
//! One account, one container and one object server with one device, and two proxies, one of them
//! with TLS. Swift keeps users in the proxy's configuration (`tempauth`); an access key id is
//! `ACCOUNT:USER`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::{PAGE_OBJECTS, REGION, Running, certificates, random_hex};
use crate::install::python_home;
use crate::processes::{self, Processes};

/// The release on `PyPI`.
pub(super) const REQUIREMENT: &str = "swift==2.38.0";

/// Starts it from below `folder`, with its state in `state`.
pub(super) fn start(folder: &Path, state: &Path) -> anyhow::Result<Running> {
    let home = python_home(REQUIREMENT, folder);
    let program = |name: &str| {
        // Not by its first line, which names the interpreter by a path that may be too long.
        let mut command = Command::new(home.join("bin/python"));
        command.arg(home.join("bin").join(name)).env("PYTHONWARNINGS", "ignore");
        command
    };
    let certificates = certificates::make(state)?;
    let [account, container, object, http_port, tls_port] = processes::free_ports()?;
    let user = processes::run(Command::new("id").arg("-un"))?;
    let (user, secret) = (user.trim(), random_hex());
    fs::create_dir_all(state.join("devices/d1")).context("making Swift's device")?;
    let write = |name: &str, text: &str| {
        let path = state.join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
            .with_context(|| format!("writing {}", path.display()))
    };
    let hash = random_hex();
    write("swift.conf", &format!("[swift-hash]\nswift_hash_path_suffix = {hash}\n"))?;
    let mut running = Processes::new(state);
    for (name, port) in [("account", account), ("container", container), ("object", object)] {
        let ring = state.join(format!("{name}.builder"));
        let device = format!("r1z1-127.0.0.1:{port}/d1");
        // Sixteen partitions, one replica, moved at any time.
        for words in [&["create", "4", "1", "0"][..], &["add", &device, "1"], &["rebalance"]] {
            processes::run(program("swift-ring-builder").arg(&ring).args(words))?;
        }
        let text = format!(
            "{}devices = {}\nmount_check = false\n\
             [pipeline:main]\npipeline = {name}-server\n\
             [app:{name}-server]\nuse = egg:swift#{name}\n",
            common(state, user, port),
            state.join("devices").display()
        );
        write(&format!("{name}.conf"), &text)?;
        let mut command = program(&format!("swift-{name}-server"));
        running.start(name, command.arg(state.join(format!("{name}.conf"))), &[port])?;
    }
    let tls = format!(
        "cert_file = {}\nkey_file = {}\n",
        certificates.certificate.display(),
        certificates.key.display()
    );
    for (name, port, tls) in [("proxy", http_port, ""), ("proxy-tls", tls_port, &tls)] {
        write(&format!("{name}.conf"), &proxy(&common(state, user, port), tls, &secret))?;
        let mut command = program("swift-proxy-server");
        running.start(name, command.arg(state.join(format!("{name}.conf"))), &[port])?;
    }
    Ok(Running {
        _processes: running,
        http_port,
        tls_port,
        ca_bundle: certificates.ca,
        access_key_id: "test:tester".to_owned(),
        secret_access_key: secret,
    })
}

/// Writes the beginning of each server's configuration. Without workers, a server is one process.
fn common(state: &Path, user: &str, port: u16) -> String {
    let state = state.display();
    format!(
        "[DEFAULT]\nswift_dir = {state}\nrecon_cache_path = {state}\nuser = {user}\n\
         bind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\n"
    )
}

/// Writes the proxy's configuration. The proxy adds to the pipeline what else it needs.
fn proxy(common: &str, tls: &str, secret: &str) -> String {
    let pipeline = "catch_errors gatekeeper proxy-logging s3api tempauth bulk slo proxy-logging";
    let filters = pipeline.split(' ').take(7).fold(String::new(), |text, filter| {
        let settings = match filter {
            "s3api" => format!("location = {REGION}\nmax_bucket_listing = {PAGE_OBJECTS}\n"),
            "tempauth" => format!("user_test_tester = {secret} .admin\n"),
            _ => String::new(),
        };
        let name = filter.replace('-', "_");
        format!("{text}[filter:{filter}]\nuse = egg:swift#{name}\n{settings}")
    });
    format!(
        "{common}{tls}[pipeline:main]\npipeline = {pipeline} proxy-server\n\
         [app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n{filters}"
    )
}

#[cfg(test)]
mod tests {
    use super::proxy;

    #[test]
    fn every_word_of_the_pipeline_is_a_section() {
        let text = proxy("[DEFAULT]\n", "", "secret");
        let pipeline = text.lines().find_map(|line| line.strip_prefix("pipeline = ")).unwrap();
        for word in pipeline.split(' ') {
            let found = ["filter", "app"].iter().any(|of| text.contains(&format!("[{of}:{word}]")));
            assert!(found, "{word} in\n{text}");
        }
        assert!(text.contains("user_test_tester = secret .admin\n"), "{text}");
    }
}
