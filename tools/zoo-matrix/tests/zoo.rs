//! Builds a part of the zoo as `cargo xtask ci --all` does: services whose crates link frameworks of macOS, or compile C
//! and C++.

use std::process::Command;

#[test]
#[ignore = "downloads and builds services with native dependencies"]
fn services_with_frameworks_c_and_cpp_build_for_macos() {
    let mut zoo = Command::new(env!("CARGO_BIN_EXE_zoo"));
    zoo.args(["matrix", "--no-page", "--platforms", "darwin_arm64"]);
    zoo.args(["chrono", "reqwest-rustls", "reqwest-native-tls", "jemalloc", "cxx"]);
    let output = zoo.output().expect("the program starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{printed}\n{said}", output.status);
}

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
