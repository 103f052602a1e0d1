//! Makes a certificate authority for one run, and a certificate for loopback that it signs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::processes;

/// Files that a server and its clients need for TLS, in PEM.
pub(super) struct Certificates {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// A certificate of a server: no authority itself, for the address and the name of loopback.
const SERVER: &str = "basicConstraints = critical, CA:FALSE\n\
                      extendedKeyUsage = serverAuth\n\
                      subjectAltName = IP:127.0.0.1, DNS:localhost\n";

/// Makes them in `folder`, good for two days.
pub(super) fn make(folder: &Path) -> anyhow::Result<Certificates> {
    let file = |name: &str| folder.join(name);
    let extensions = file("server.ext");
    fs::write(&extensions, SERVER).with_context(|| format!("writing {}", extensions.display()))?;
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-days", "2", "-subj", "/CN=interop CA"]).args(new_key);
    // What OpenSSL's own configuration adds by default makes it an authority.
    command.arg("-keyout").arg(&ca_key).arg("-out").arg(&ca);
    processes::run(&mut command)?;
    let (key, request) = (file("server.key"), file("server.csr"));
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-subj", "/CN=127.0.0.1"]).args(new_key);
    command.arg("-keyout").arg(&key).arg("-out").arg(&request);
    processes::run(&mut command)?;
    let certificate = file("server.pem");
    let mut command = Command::new("openssl");
    command.args(["x509", "-req", "-days", "2", "-CAcreateserial", "-in"]).arg(&request);
    command.arg("-CA").arg(&ca).arg("-CAkey").arg(&ca_key);
    command.arg("-extfile").arg(&extensions).arg("-out").arg(&certificate);
    processes::run(&mut command)?;
    Ok(Certificates { ca, certificate, key })
}
