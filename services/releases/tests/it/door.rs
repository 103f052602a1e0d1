//! Arguments and environment: what is asked for and what is refused.

use crate::running::output;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn version_prints_the_stamp_and_needs_no_configuration() {
    let output = output(&["--version"], &[]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stdout),
        "releases DEV (not stamped)\n",
        "cargo's own builds are unstamped"
    );
}

#[test]
fn help_goes_to_stdout() {
    let output = output(&["--help"], &[]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("--listen ADDR:PORT"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn bad_settings_are_all_named_and_the_exit_code_says_whose_they_are() {
    let check = |args: &[&str], code: i32, problems: &[&str]| {
        let output = output(args, &[("S3_SECRET", "hidden")]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        for problem in problems {
            assert!(said.contains(problem), "{problem:?} is not in: {said}");
        }
        assert!(!said.contains("hidden"), "a secret is in: {said}");
        assert_eq!(text(&output.stdout), "", "an error is no result");
    };
    check(&[], 3, &["--bucket is missing", "S3_KEY", "--help"]);
    check(&["--listen", "nowhere"], 3, &["--listen is \"nowhere\"", "--bucket is missing"]);
    check(&["--frobnicate"], 2, &["--frobnicate is no option", "--bucket is missing"]);
}

#[test]
fn an_address_that_cannot_be_had_is_a_configuration_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let env = [("S3_BUCKET", "builds"), ("S3_KEY", "AKIDEXAMPLE"), ("S3_SECRET", "hidden")];
    let output = output(&["--listen", &address], &env);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(!said.contains("hidden"), "a secret is in: {said}");
}
