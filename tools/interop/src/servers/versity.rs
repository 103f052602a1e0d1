//! Starts the Versity S3 gateway over a folder: one process for http and one for TLS.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::{REGION, Running, certificates, random_hex};
use crate::install::go_program;
use crate::processes::{self, Processes};

/// The package of its program in the Go module, and the release.
pub(super) const PACKAGE: &str = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";

/// Starts it from below `folder`, with its state in `state`.
pub(super) fn start(folder: &Path, state: &Path) -> anyhow::Result<Running> {
    let certificates = certificates::make(state)?;
    let [http_port, tls_port] = processes::free_ports()?;
    let (access_key_id, secret_access_key) = (random_hex(), random_hex());
    let (objects, metadata) = (state.join("objects"), state.join("metadata"));
    for folder in [&objects, &metadata] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mut running = Processes::new(state);
    for (name, port) in [("gateway", http_port), ("gateway-tls", tls_port)] {
        let mut command = Command::new(go_program(PACKAGE, folder));
        command.args(["--quiet", "--region", REGION, "--port", &format!("127.0.0.1:{port}")]);
        if port == tls_port {
            command.arg("--cert").arg(&certificates.certificate);
            command.arg("--key").arg(&certificates.key);
        }
        // Not every file system of a build machine keeps metadata of its own with a file.
        command.arg("posix").arg("--sidecar").arg(&metadata).arg(&objects);
        command.env("ROOT_ACCESS_KEY_ID", &access_key_id);
        command.env("ROOT_SECRET_ACCESS_KEY", &secret_access_key);
        running.start(name, &mut command, &[port])?;
    }
    Ok(Running {
        _processes: running,
        http_port,
        tls_port,
        ca_bundle: certificates.ca,
        access_key_id,
        secret_access_key,
    })
}
