//! Checks the program's command line.

use std::process::Command;

#[test]
fn an_unknown_service_or_platform_is_refused_before_anything_is_built() {
    let rows = [
        (&["matrix", "no-such-service"][..], "the zoo has no service no-such-service"),
        (&["matrix", "--platforms", "windows_amd64"], "no platform windows_amd64"),
        (&["table"], "the zoo has one verb, `matrix`"),
    ];
    for (arguments, expected) in rows {
        let output = Command::new(env!("CARGO_BIN_EXE_zoo")).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

/// A framework (chrono, reqwest), a configure script (jemalloc) and C++ (cxx) for macOS. `tests/it/native.rs` of
/// xtask builds OpenSSL and generated bindings.
#[test]
#[ignore = "builds four services for macOS, whose crates it downloads"]
fn services_with_frameworks_with_a_configure_script_and_with_cpp_are_built_for_macos() {
    let services = ["chrono", "reqwest-rustls", "jemalloc", "cxx"];
    let output = Command::new(env!("CARGO_BIN_EXE_zoo"))
        .args(["matrix", "--platforms", "darwin_arm64", "--no-page", "--again"])
        .args(services)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(said.matches(" s: built\n").count(), services.len(), "{said}");
}
