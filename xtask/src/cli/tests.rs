//! Tests of `cli`.

use ferror::Kind;

use super::{Command, UploadOptions, parse};
use crate::help;

fn parse_line(line: &str) -> ferror::Result<Command> {
    parse(line.split_whitespace().map(Into::into))
}

#[test]
fn every_option_reaches_its_field() {
    let Command::Ship(options) = parse_line(
        "ship a b --platforms linux,amd64 --dest d --version abc1234 --library rustup --bucket k \
         --region r --endpoint http://h --signature v2 --local --allow-dirty \
         --skip-without-credentials --jobs 64 --verify --timings --explain --dry-run --json",
    )
    .unwrap() else {
        panic!("ship is ship")
    };
    assert_eq!(options.services, ["a", "b"]);
    assert_eq!(options.dest.as_deref(), Some("d".as_ref()));
    assert!(options.dry_run && options.json);
    assert_eq!(options.dist.platforms.unwrap().len(), 1);
    assert_eq!(options.dist.version.as_deref(), Some("abc1234"));
    assert!(options.dist.library.is_some());
    let upload = options.upload;
    assert_eq!(upload.bucket.as_deref(), Some("k"));
    assert_eq!(upload.region.as_deref(), Some("r"));
    assert_eq!(upload.endpoint.as_deref(), Some("http://h"));
    assert_eq!(upload.signature.as_deref(), Some("v2"));
    assert!(upload.local && upload.allow_dirty && upload.skip_without_credentials);
    assert!(upload.verify && upload.timings && upload.explain);
    assert_eq!(upload.jobs, Some(64));
    let Command::Upload(options) = parse_line("upload --jobs=1").unwrap() else {
        panic!("upload is upload")
    };
    let UploadOptions { jobs, verify, timings, explain, .. } = options.upload;
    assert_eq!((jobs, verify, timings, explain), (Some(1), false, false, false));
}

#[test]
fn help_and_version_are_commands() {
    let rows = [
        ("--help", Command::Help(help::MAIN)),
        ("-h", Command::Help(help::MAIN)),
        ("help", Command::Help(help::MAIN)),
        ("dist --help", Command::Help(help::DIST)),
        ("upload -h", Command::Help(help::UPLOAD)),
        ("ship a --help", Command::Help(help::SHIP)),
        ("setup --help", Command::Help(help::SETUP)),
        ("ci --help", Command::Help(help::CI)),
        ("stamp --help", Command::Help(help::STAMP)),
        ("--version", Command::Version),
        ("ci --all", Command::Ci { all: true }),
    ];
    for (line, expected) in rows {
        assert_eq!(parse_line(line).unwrap(), expected, "`{line}`");
    }
}

#[test]
fn mistakes_are_usage_errors_that_show_the_usage() {
    let rows = [
        ("", "no verb named"),
        ("dits", "unknown verb `dits`"),
        ("--all", "invalid option '--all'"),
        ("dist --bucket b", "invalid option '--bucket'"),
        ("upload --platforms linux", "invalid option '--platforms'"),
        ("dist --dest", "missing argument for option '--dest'"),
        ("dist --json=yes", "unexpected argument for option '--json'"),
        ("dist --library brew", "brew"),
        ("upload --jobs", "missing argument for option '--jobs'"),
        ("upload --jobs 0", "--jobs \"0\": expected a number from 1 to 64"),
        ("upload --jobs 65", "--jobs \"65\""),
        ("upload --jobs 256", "--jobs \"256\""),
        ("upload --jobs=", "--jobs \"\""),
        ("ship --jobs +4", "--jobs \"+4\""),
        ("ship --jobs -1", "--jobs \"-1\""),
        ("ship --jobs many", "--jobs \"many\""),
        ("dist --jobs 4", "invalid option '--jobs'"),
        ("dist --verify", "invalid option '--verify'"),
        ("upload --timings=yes", "unexpected argument for option '--timings'"),
        ("upload --explained", "invalid option '--explained'"),
        ("stamp", "no FILE named"),
        ("ci extra", "unexpected argument \"extra\""),
    ];
    for (line, expected) in rows {
        let error = parse_line(line).expect_err(line);
        assert!(error.message().contains(expected), "`{line}`: {error:#}");
        assert_eq!(error.kind(), Kind::Usage, "`{line}`");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("cargo xtask")), "`{line}`");
    }
    // A platform line is wrong in the same way wherever it stands.
    assert_eq!(parse_line("dist --platforms linus").unwrap_err().kind(), Kind::Config);
}
