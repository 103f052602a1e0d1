//! Runs a program on a pseudo terminal and types its input.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs a command with a terminal of its own for all three streams, types `typed` into it, and
/// returns its exit code and all that the terminal showed, the typing too.
pub(crate) fn type_into(command: &mut Command, typed: &str) -> (i32, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
    grantpt(&master).expect("its other side");
    unlockpt(&master).expect("unlocked");
    let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("a path");
    let side = || File::options().read(true).write(true).open(&name).expect("the other side");
    command.stdin(side()).stdout(side()).stderr(side());
    let mut child = command.spawn().expect("it starts");
    // Only the child holds the other end now, so reading ends when the child does.
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).expect("typing");
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    // Reading from a terminal that no process holds any more is an error, not the end of a file.
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..length]);
    }
    let code = child.wait().expect("it ends").code().unwrap_or(-1);
    (code, String::from_utf8_lossy(&shown).replace("\r\n", "\n"))
}
