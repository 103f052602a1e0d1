//! Starts Ceph's gateway: one monitor, one storage daemon that keeps its objects in memory, one gateway.
//!
//! No manager daemon: nothing here is balanced or measured. All three run in the foreground as the
//! user who started them, without authentication between them, on loopback.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::{PAGE_OBJECTS, Running, certificates, random_hex};
use crate::processes::{self, Processes};

/// Starts it with its state in `state`.
pub(super) fn start(_: &Path, state: &Path) -> anyhow::Result<Running> {
    let certificates = certificates::make(state)?;
    let [monitor_port, http_port, tls_port] = processes::free_ports()?;
    let monitor = format!("v2:127.0.0.1:{monitor_port}");
    let (cluster, osd) = (uuid(), uuid());
    let configuration = state.join("ceph.conf");
    for folder in ["mon", "osd", "rgw", "run"] {
        fs::create_dir_all(state.join(folder)).context("making the folders of the daemons")?;
    }
    fs::write(&configuration, configuration_text(state, &cluster, &monitor))
        .with_context(|| format!("writing {}", configuration.display()))?;
    let ceph = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.arg("-c").arg(&configuration).args(arguments);
        command
    };
    let map = state.join("monmap");
    let mut command = Command::new("monmaptool");
    command.args(["--create", "--addv", "a", &format!("[{monitor}]"), "--fsid", &cluster]);
    processes::run(command.arg(&map))?;
    processes::run(ceph("ceph-mon", &["--mkfs", "-i", "a", "--monmap"]).arg(&map))?;
    let mut running = Processes::new(state);
    running.start("monitor", &mut ceph("ceph-mon", &["-f", "-i", "a"]), &[monitor_port])?;
    processes::run(&mut ceph("ceph", &["--connect-timeout", "30", "osd", "new", &osd]))?;
    let make = ["-i", "0", "--mkfs", "--osd-uuid", &osd];
    processes::run(&mut ceph("ceph-osd", &make))?;
    running.start("storage", &mut ceph("ceph-osd", &["-f", "-i", "0"]), &[])?;
    // Waits for the storage daemon by itself. The gateway makes up the credentials and prints them.
    let user = ["user", "create", "--uid", "interop", "--display-name", "interop"];
    let said = processes::run(&mut ceph("radosgw-admin", &user))?;
    let (access_key_id, secret_access_key) =
        credentials(&said).context("reading what radosgw-admin printed")?;
    let frontend = format!(
        "beast endpoint=127.0.0.1:{http_port} ssl_endpoint=127.0.0.1:{tls_port} \
         ssl_certificate={} ssl_private_key={}",
        certificates.certificate.display(),
        certificates.key.display()
    );
    let gateway = ["-f", "-n", "client.admin", "--rgw-frontends", &frontend];
    running.start("gateway", &mut ceph("radosgw", &gateway), &[http_port, tls_port])?;
    Ok(Running {
        _processes: running,
        http_port,
        tls_port,
        ca_bundle: certificates.ca,
        access_key_id,
        secret_access_key,
    })
}

/// Asks for one replica on one daemon, and for no waiting until more can be decided together.
fn configuration_text(state: &Path, cluster: &str, monitor: &str) -> String {
    let state = state.display();
    format!(
        "[global]\n\
         fsid = {cluster}\n\
         mon initial members = a\n\
         mon host = {monitor}\n\
         public addr = 127.0.0.1\n\
         cluster addr = 127.0.0.1\n\
         auth cluster required = none\n\
         auth service required = none\n\
         auth client required = none\n\
         # The gateway asks for encryption, which there is only with authentication.\n\
         ms mon client mode = crc\n\
         # A socket's path has to be short, and this one need not be.\n\
         admin socket =\n\
         pid file =\n\
         run dir = {state}/run\n\
         log file = {state}/$name.log\n\
         mon data = {state}/mon\n\
         osd data = {state}/osd\n\
         rgw data = {state}/rgw\n\
         keyring = {state}/keyring\n\
         osd objectstore = memstore\n\
         memstore device bytes = 1073741824\n\
         osd pool default size = 1\n\
         osd pool default min size = 1\n\
         osd pool default pg num = 1\n\
         osd pool default pgp num = 1\n\
         osd pool default pg autoscale mode = off\n\
         osd crush chooseleaf type = 0\n\
         mon allow pool size one = true\n\
         mon max pg per osd = 1000\n\
         # It keeps nothing on the disk, however full that is.\n\
         mon data avail crit = 0\n\
         mon data avail warn = 0\n\
         paxos propose interval = 0.02\n\
         paxos min wait = 0.01\n\
         rgw max listing results = {PAGE_OBJECTS}\n"
    )
}

/// Reads the first key of the user that radosgw-admin shows.
fn credentials(said: &str) -> anyhow::Result<(String, String)> {
    let document: serde_json::Value = serde_json::from_str(said)?;
    let text = |name: &str| document["keys"][0][name].as_str().map(str::to_owned);
    text("access_key").zip(text("secret_key")).context("the user has no key")
}

/// Makes 32 random hex digits in the form of RFC 9562.
fn uuid() -> String {
    let hex = random_hex();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::{credentials, uuid};

    #[test]
    fn the_key_is_read_and_a_user_without_one_is_an_error() {
        let said =
            r#"{"user_id": "u", "keys": [{"user": "u", "access_key": "A", "secret_key": "S"}]}"#;
        assert_eq!(credentials(said).unwrap(), ("A".to_owned(), "S".to_owned()));
        assert!(credentials(r#"{"keys": []}"#).is_err());
    }

    #[test]
    fn a_uuid_has_its_form_and_is_another_each_time() {
        let lengths: Vec<_> = uuid().split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_ne!(uuid(), uuid());
    }
}
