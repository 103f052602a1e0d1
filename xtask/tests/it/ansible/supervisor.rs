//! The supervisor that runs a test host's service in place of systemd, and the port for that
//! service.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use super::greeter::NAME;
use super::tools::Tools;

/// Starts a supervisor below `folder`. It ends with this test, even if the test is killed.
pub(super) fn start(tools: &Tools, folder: &Path) -> Child {
    std::fs::write(folder.join("supervisord.conf"), configuration(folder)).unwrap();
    let with_parent = ["--pdeathsig", "TERM"];
    // Some systems have no `setpriv`, or one without this option.
    let is_there = Command::new("setpriv").args(with_parent).arg("true").output();
    let mut command = Command::new("setpriv");
    command.args(with_parent).arg(tools.program("supervisord"));
    if !is_there.is_ok_and(|output| output.status.success()) {
        command = Command::new(tools.program("supervisord"));
    }
    configure(&mut command, tools, folder);
    command.arg("--nodaemon").spawn().unwrap()
}

/// Returns the command `supervisorctl` for the supervisor below `folder`.
pub(super) fn control(tools: &Tools, folder: &Path) -> Command {
    let mut command = Command::new(tools.program("supervisorctl"));
    configure(&mut command, tools, folder);
    command
}

/// Finds a free port for a service that starts much later. The kernel must not give it to a
/// connection in the meantime, so it is below the range that the kernel uses; nor does another test
/// get it.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let given: Option<u32> =
        range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
    let (first, end) = (10_000, given.unwrap_or(32_768).max(11_000));
    (0..1000)
        .map(|_| std::process::id().wrapping_mul(31) + NEXT.fetch_add(1, Ordering::Relaxed))
        .map(|number| u16::try_from(first + number % (end - first)).unwrap())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

fn configure(command: &mut Command, tools: &Tools, folder: &Path) {
    command.env_clear();
    tools.set_up(command, folder);
    command.arg("--configuration").arg(folder.join("supervisord.conf"));
}

/// Returns the supervisor's configuration. The program that it runs reads the environment that the
/// role wrote for systemd.
fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "[supervisord]\nlogfile={folder}/supervisord.log\npidfile={folder}/supervisord.pid\n\
         childlogdir={folder}\nsilent=true\n\
         [unix_http_server]\nfile={folder}/supervisor.sock\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://{folder}/supervisor.sock\n\
         [program:{NAME}]\nautostart=false\nautorestart=true\nstartretries=1000\n\
         command=sh -c 'set -a; . {folder}/opt/environment; exec {folder}/opt/current/{NAME}'\n"
    )
}
