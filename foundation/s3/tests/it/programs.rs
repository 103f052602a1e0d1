//! Credentials that a program prints: `credential_process`.

use ferror::Kind;

use crate::outside::{Outside, assert_unmarked_file, credentials, shown};

#[test]
fn a_program_gets_no_secret_and_what_it_prints_is_not_shown() {
    let variables = [
        "AWS_PROFILE=p",
        "AWS_SESSION_TOKEN=hidden",
        "S3_PREFIX=hidden",
        "AWS_ANYTHING=hidden",
        "CIRCLE_OIDC_TOKEN=hidden",
        "CIRCLE_OIDC_TOKEN_V2=hidden",
        "KEPT=yes",
    ];
    let outside = Outside::new(&variables);
    outside.file(
        ".aws/config",
        "[profile p]\ncredential_process = sh \"HOME/a program\" --for 'the bucket'",
    );
    outside.file(
        "a program",
        "env > HOME/env; printf '%s|' \"$@\" > HOME/argv; echo unseen-hidden >&2\n\
         echo '{\"Version\": 1, \"AccessKeyId\": \"printed\", \"SecretAccessKey\": \"hidden-p\", \"SessionToken\": \"hidden-t\", \"Expiration\": \"2199-01-01T00:00:00Z\"}'",
    );
    let expected = credentials("printed", "hidden-p", Some("hidden-t"));
    assert_eq!(outside.fetch().unwrap(), expected);
    let (environment, argv) = (outside.home.path().join("env"), outside.home.path().join("argv"));
    assert_unmarked_file(&environment);
    let environment = std::fs::read_to_string(environment).unwrap();
    for kept in ["KEPT=yes", "AWS_PROFILE=p"] {
        assert!(environment.contains(kept), "{environment}");
    }
    assert!(!environment.contains("CARGO_MANIFEST_DIR"), "nothing comes from this process itself");
    assert_eq!(std::fs::read_to_string(argv).unwrap(), "--for|the bucket|");

    for (program, kind, reason) in [
        (
            "echo hidden; printf 'no \\033[31mticket\\n' >&2; exit 3",
            Kind::Config,
            "it failed (exit status: 3): no  [31mticket",
        ),
        ("echo hidden", Kind::Invalid, "the answer is not JSON (line 1, column 1)"),
        ("echo '{\"Version\": 2, \"AccessKeyId\": \"hidden\"}'", Kind::Invalid, "Version is not 1"),
        (
            "echo '{\"Version\": 1, \"AccessKeyId\": \"hidden\"}'",
            Kind::Invalid,
            "no SecretAccessKey",
        ),
        ("kill -9 $$", Kind::Config, "it failed (signal: 9"),
        ("head -c 100000 /dev/zero", Kind::Invalid, "more than 65536 bytes"),
        (
            "echo '{\"Version\": 1, \"AccessKeyId\": \"x\", \"SecretAccessKey\": \"hidden\", \"Expiration\": \"2013-05-24T00:00:00Z\"}'",
            Kind::Invalid,
            "have expired",
        ),
    ] {
        outside.file("a program", program);
        let error = outside.fetch().expect_err(program);
        assert_eq!(error.kind(), kind, "{program}: {error:?}");
        assert!(shown(&error).contains(reason), "{program}: {}", shown(&error));
    }
    outside.file(".aws/config", "[profile p]\ncredential_process = HOME/absent hidden");
    assert!(shown(&outside.fetch().unwrap_err()).contains("absent: it cannot be started"));
}

#[test]
fn a_program_runs_when_credentials_are_needed_and_again_when_they_are_stale() {
    let outside = Outside::new(&[]);
    outside.file(".aws/config", "[default]\ncredential_process = sh HOME/count");
    outside.file(
        "count",
        "echo x >> HOME/runs; n=$(wc -l < HOME/runs)\n\
         echo '{\"Version\": 1, \"AccessKeyId\": \"run-'$((n))'\", \"SecretAccessKey\": \"hidden\"}'",
    );
    let provider = outside.find().unwrap().provider.unwrap();
    assert!(!outside.home.path().join("runs").exists(), "it ran before it was needed");
    let first = provider.current().unwrap();
    assert_eq!((first.access_key_id(), provider.current().unwrap() == first), ("run-1", true));
    assert!(provider.renew(&first).unwrap());
    assert_eq!(provider.current().unwrap().access_key_id(), "run-2");
}
