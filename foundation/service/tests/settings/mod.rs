//! Settings that are blank, repeated, wrong or not UTF-8, for the tests of a service that has a bucket:
//! they include this file and set `crate::PROGRAM`.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

/// Variables beside those that `--help` shows as one's own.
const OTHERS: [&str; 6] = [
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// Runs the service with this environment alone, and returns its exit code and all that it prints.
fn run(args: &[&str], env: &[(&str, &OsStr)]) -> (Option<i32>, String) {
    let mut command = Command::new(crate::PROGRAM);
    command.args(args).env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    let output =
        command.envs(env.iter().copied()).stdin(Stdio::null()).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text.into_owned())
}

fn help() -> String {
    run(&["--help"], &[]).1
}

/// Returns the options that take a value, such as `--listen <ADDR:PORT>`.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().map(|line| line.trim().trim_start_matches("-V, "));
    lines.filter(|line| line.starts_with("--") && line.ends_with('>')).collect()
}

fn variables(help: &str) -> Vec<&str> {
    let shown = help.lines().filter_map(|line| line.trim().strip_prefix("[env: "));
    let own = shown.map(|name| name.trim_end_matches(']'));
    own.chain(OTHERS).chain(s3::CREDENTIAL_VARIABLES).collect()
}

#[test]
fn a_blank_or_a_repeated_option_is_a_usage_error_that_names_it() {
    let help = help();
    let options = options(&help);
    assert!(options.len() >= 8, "{options:?} in:\n{help}");
    for option in options {
        let (name, _) = option.split_once(' ').expect("a name and a value");
        let (valid, also_valid) = match name {
            "--listen" => ("127.0.0.1:0", "127.0.0.1:1"),
            "--endpoint" => ("https://s3.example", "https://s3.example:9"),
            "--signature" => ("v4", "v2"),
            "--log" => ("info", "off"),
            "--log-format" => ("json", "text"),
            name if name.ends_with("timeout") || name.ends_with("interval") => ("1s", "2s"),
            _ => ("100", "200"),
        };
        for (args, problem) in [
            ([&format!("{name}="), "--bucket=100"].as_slice(), "value"),
            (&[name, " ", "--signature=v4"], "value"),
            (&[name, valid, name, also_valid], "cannot be used multiple times"),
        ] {
            let (code, said) = run(args, &[]);
            assert_eq!(code, Some(2), "{args:?}: {said}");
            let names = said.contains(&format!("'{option}'"));
            assert!(names && said.contains(problem), "{args:?}: {said}");
        }
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_named_without_its_value() {
    let bytes = OsStr::from_bytes(b"c4nary\xffv4lue");
    let help = help();
    // Whether the other variables of credentials are looked at depends on those before them.
    let always = ["S3_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONFIG_FILE"];
    let is_read = |name: &&str| !s3::CREDENTIAL_VARIABLES.contains(name) || always.contains(name);
    for name in variables(&help).into_iter().filter(is_read) {
        let (code, said) = run(&[], &[("S3_BUCKET", OsStr::new("builds")), (name, bytes)]);
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(said.contains(name) && !said.contains("v4lue"), "{name}: {said}");
    }
    let (code, said) = run(&["--listen", "127.0.0.1:0"], &[("LISTEN", bytes)]);
    assert!(code == Some(3) && said.contains("S3_BUCKET") && !said.contains("UTF-8"), "{said}");
}

#[test]
fn no_value_of_a_variable_is_in_help_or_in_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("its address").to_string();
    let silent = |args: &[&str], env: &[(&str, &OsStr)], code: i32| -> String {
        let (ended, said) = run(args, env);
        assert_eq!(ended, Some(code), "{args:?} {env:?}: {said}");
        assert!(!said.contains("c4nary") && !said.contains("v4lue"), "{args:?} {env:?}: {said}");
        said
    };
    let help = help();
    let variables = variables(&help);
    assert!(variables.contains(&"LISTEN") && variables.contains(&"S3_BUCKET"), "{variables:?}");
    for canary in ["/c4nary=v4lue", "http://c4nary.v4lue:9", "c4nary v4lue"].map(OsStr::new) {
        let all: Vec<_> = variables.iter().map(|name| (*name, canary)).collect();
        for arg in ["--help", "-h", "--version"] {
            let said = silent(&[arg], &all, 0);
            assert!(arg != "--help" || said == help, "it depends on the environment: {said}");
        }
        for args in
            [&["--frobnicate"][..], &["--listen"], &["--listen", "x"], &["stray"], &["--help=x"]]
        {
            silent(args, &all, 2);
        }
        silent(&[], &all, 3);
        for name in &variables {
            // What accepts its value ends at an address that is taken.
            let complete = [("S3_BUCKET", "builds"), ("LISTEN", &taken), ("RUST_LOG", "error")];
            let complete = complete.map(|(name, value)| (name, OsStr::new(value)));
            let keys = [("S3_KEY", "AKIDEXAMPLE"), ("S3_SECRET", "example")]
                .map(|(name, value)| (name, OsStr::new(value)));
            let keys = if s3::CREDENTIAL_VARIABLES.contains(name) { &[][..] } else { &keys };
            if *name == "AWS_EC2_METADATA_DISABLED" {
                // Without keys, the metadata service would be waited for.
                continue;
            }
            let said = silent(&[], &[&complete[..], keys, &[(*name, canary)]].concat(), 3);
            let is_refused =
                ["S3_BUCKET", "LISTEN", "AWS_PROFILE"].contains(name) || OTHERS.contains(name);
            assert!(!is_refused || said.contains(name), "{name}: {said}");
        }
    }
}
