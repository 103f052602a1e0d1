//! Tests `setup`: what it says of platforms that cannot be built yet, and of those that can.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use xtask::build::pins;

use crate::support::Repo;
use crate::support::front::head;

#[test]
fn check_says_what_is_missing_and_installs_nothing() {
    let mut repo = Repo::new(&["alpha"]);
    let empty = repo.path().join("target/empty");
    repo.set("CARGO_TARGET_DIR", empty.to_str().unwrap());
    let run = repo.xtask("setup --check").exits(3).prints("linux_amd64   missing: ");
    run.says("cannot build linux_amd64").says("run `cargo xtask setup`");
    assert!(!empty.join("dist/tools").exists(), "it installed something");
}

#[test]
fn a_platform_that_is_set_up_is_ready() {
    let repo = Repo::new(&["alpha"]);
    let ready = format!("linux_amd64   ready (rustup, rustc {}", pins::RUSTC);
    repo.xtask("setup").exits(0).prints(&ready);
    repo.xtask("setup --check").exits(0).prints(&ready);
    repo.xtask("setup --check --platforms plan9").exits(3).says("`plan9` is not supported");
}

/// Starts a package index on loopback that offers empty wheels under the names of the pinned ones. Returns its address
/// and what it was asked with credentials.
fn index() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let diary = Arc::clone(&asked);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let head = head(&mut client).unwrap_or_default();
            let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
            // `name:s3cret` in base64.
            if head.contains("Basic bmFtZTpzM2NyZXQ=") {
                diary.lock().unwrap().push(target.clone());
            }
            let wheels = [("ziglang", pins::ZIG), ("cargo_zigbuild", pins::CARGO_ZIGBUILD)];
            let name = target.trim_matches('/').rsplit('/').next().unwrap_or_default();
            let page = wheels.iter().find(|(wheel, _)| *wheel == name.replace('-', "_"));
            let body = page.map_or_else(String::new, |(wheel, version)| {
                let file = format!("{wheel}-{version}-py3-none-any.whl");
                format!("<!DOCTYPE html><html><body><a href=\"/{file}\">{file}</a></body></html>")
            });
            let _ = client.write_all(
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\
                     content-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            );
        }
    });
    (address, asked)
}

#[test]
fn of_pips_settings_only_those_of_the_network_count_when_zig_is_installed() {
    let (address, asked) = index();
    let mut repo = Repo::new(&["alpha"]);
    let url = format!("http://name:s3cret@{address}/simple");
    let hostile = "[global]\nuser = true\nquiet = 3\n[install]\nprefix = /nowhere\n";
    repo.write("named/pip.conf", &format!("{hostile}index-url = {url}\n"));
    // pip reads the file of the user besides the one that a variable names; on a Mac, it looks for that elsewhere.
    repo.write("config/pip/pip.conf", &format!("{hostile}dry-run = true\n"));
    repo.write("python/pip/__init__.py", "raise SystemExit('another pip')\n");
    repo.write("python/pip/__main__.py", "raise SystemExit('another pip')\n");
    let path = |below: &str| repo.path().join(below).display().to_string();
    let settings = [
        ("CARGO_TARGET_DIR", path("target/empty")),
        ("PIP_CONFIG_FILE", path("named/pip.conf")),
        ("XDG_CONFIG_HOME", path("config")),
        ("PYTHONPATH", path("python")),
        ("PYTHONUSERBASE", path("python")),
        ("PIP_TARGET", path("elsewhere")),
        ("PIP_RETRIES", "0".to_owned()),
        ("no_proxy", "127.0.0.1".to_owned()),
    ];
    for (name, value) in settings {
        repo.set(name, &value);
    }
    for name in ["USER", "REQUIRE_VIRTUALENV", "NO_INDEX", "DRY_RUN", "NO_DEPS", "QUIET"] {
        repo.set(&format!("PIP_{name}"), "1");
    }
    // The wheels are none, and pip says so only after all of its settings have had their effect.
    let run = repo.xtask("setup").exits(3).prints("Expected sha256 ");
    assert!(asked.lock().unwrap().contains(&"/simple/ziglang/".to_owned()), "{}", run.stderr);
    for shown in [&run.stdout, &run.stderr] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert!(!repo.path().join("elsewhere").exists());
}
