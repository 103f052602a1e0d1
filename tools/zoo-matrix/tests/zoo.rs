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
