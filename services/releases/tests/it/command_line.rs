//! Arguments and environment: what is asked for and what is refused.

use crate::running::output;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn version_prints_the_stamp_and_needs_no_configuration() {
    for arg in ["--version", "-V"] {
        let output = output(&[arg], &[]);
        assert!(output.status.success());
        assert_eq!(
            text(&output.stdout),
            "releases DEV (not stamped)\n",
            "cargo's own builds are unstamped"
        );
    }
}

#[test]
fn help_goes_to_stdout() {
    for arg in ["--help", "-h"] {
        let output = output(&[arg], &[]);
        let help = text(&output.stdout);
        assert!(output.status.success());
        for expected in ["\nUsage: releases ", "--listen <ADDR:PORT>", "[env: S3_BUCKET]", "S3_KEY"]
        {
            assert!(help.contains(expected), "{expected:?} is not in: {help}");
        }
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn an_error_says_what_is_wrong_and_the_exit_code_whose_it_is() {
    let secret = ("S3_SECRET", "hidden");
    let bucket = ("S3_BUCKET", "builds");
    let check = |args: &[&str], env: &[(&str, &str)], code: i32, problem: &str| {
        let output = output(args, &[env, &[secret]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(problem), "{problem:?} is not in: {said}");
        assert!(!said.contains("hidden"), "a secret is in: {said}");
        assert_eq!(text(&output.stdout), "", "an error is no result");
    };
    check(&[], &[], 3, "--bucket <NAME>, or the environment variable S3_BUCKET");
    check(&[], &[("S3_BUCKET", " ")], 3, "--bucket <NAME>, or the environment variable S3_BUCKET");
    check(&[], &[bucket], 3, "S3_KEY");
    check(&[], &[bucket, ("LISTEN", "nowhere")], 3, "environment variable LISTEN");
    check(&["--listen", "nowhere"], &[bucket], 2, "invalid value 'nowhere' for '--listen");
    check(&["--bukcet", "builds"], &[], 2, "a similar argument exists: '--bucket'");
}

#[test]
fn an_option_goes_before_its_variable_and_a_blank_variable_is_not_set() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let env = [
        ("S3_BUCKET", "builds"),
        ("S3_KEY", "AKIDEXAMPLE"),
        ("S3_SECRET", "hidden"),
        ("RUST_LOG", ""),
        ("LOG_FORMAT", " "),
        ("MAX_CONNECTIONS", ""),
    ];
    // An address that is taken ends it at once, and shows which one it took.
    for (args, listen) in [(&["--listen", &address][..], "127.0.0.1:1"), (&[], &address)] {
        let output = output(args, &[&env[..], &[("LISTEN", listen)]].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
        assert!(!said.contains("hidden"), "a secret is in: {said}");
    }
}
