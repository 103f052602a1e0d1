//! Tests of `cli`.

use ferror::Kind;

use super::{Command, InitOptions, NewOptions, ServiceKind, UploadOptions, XtaskSource, parse};
use crate::cli::help;

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
    assert_eq!(upload.signature, Some(s3::Signature::V2));
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
fn beginnings_are_read() {
    let new = |kind, dry_run| Command::New(NewOptions { name: "a".to_owned(), kind, dry_run });
    let init = |xtask| {
        Command::Init(InitOptions {
            dir: Some("d".into()),
            name: Some("n".to_owned()),
            github_username: Some("u".to_owned()),
            s3_bucket: Some("b".to_owned()),
            xtask: Some(xtask),
        })
    };
    let options = "--name n --github-username u --s3-bucket=b";
    for (line, expected) in [
        ("new a", new(ServiceKind::Web, false)),
        ("new --web a --web", new(ServiceKind::Web, false)),
        ("new a --worker --dry-run", new(ServiceKind::Worker, true)),
        (&*format!("init d {options} --xtask-git g"), init(XtaskSource::Git("g".to_owned()))),
        (&*format!("init {options} --xtask-path p d"), init(XtaskSource::Path("p".into()))),
        ("init", Command::Init(InitOptions::default())),
    ] {
        assert_eq!(parse_line(line).unwrap(), expected, "`{line}`");
    }
}

#[test]
fn help_and_version_are_commands() {
    let rows = [
        ("--help", Command::Help(help::MAIN)),
        ("-h", Command::Help(help::MAIN)),
        ("help", Command::Help(help::MAIN)),
        ("help --help", Command::Help(help::MAIN)),
        ("help dist", Command::Help(help::DIST)),
        ("help stamp", Command::Help(help::STAMP)),
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
        ("dits", "unknown verb `dits`: did you mean `dist`? the verbs are dist, upload,"),
        ("build", "unknown verb `build`: the verbs are dist, upload,"),
        ("help dits", "unknown verb `dits`: did you mean `dist`?"),
        ("help nosuch", "unknown verb `nosuch`"),
        ("help dist ship", "unexpected argument \"ship\""),
        ("help --all", "invalid option '--all'"),
        ("dist --dry-rnu", "invalid option '--dry-rnu': did you mean `--dry-run`?"),
        ("ship --platform linux", "invalid option '--platform': did you mean `--platforms`?"),
        ("ship --buckt b", "invalid option '--buckt': did you mean `--bucket`?"),
        ("setup --chekc", "invalid option '--chekc': did you mean `--check`?"),
        ("dist --platforms --dry-run", "--platforms needs a value: `--dry-run` is an option"),
        ("dist --dest --json", "--dest needs a value: `--json` is an option"),
        ("ship --bucket --local", "--bucket needs a value"),
        ("upload --jobs --verify", "--jobs needs a value"),
        ("setup --library --check", "--library needs a value"),
        ("upload --signature v3", "--signature \"v3\": expected v4 or v2"),
        ("ship --signature=", "--signature \"\": expected v4 or v2"),
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
        ("new", "no NAME given"),
        ("new a b", "unexpected argument \"b\""),
        ("new a --web --worker", "either --web or --worker"),
        ("init a b", "unexpected argument \"b\""),
        ("init --name --s3-bucket b", "--name needs a value"),
        ("init --xtask-git g --xtask-path p", "xtask comes from one place"),
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

#[test]
fn every_verb_has_its_help_and_its_options_are_found_in_it() {
    for verb in help::VERBS.split(", ") {
        let text = help::of(verb).unwrap_or_else(|| panic!("no help of {verb}"));
        assert!(text.starts_with(&format!("Usage: cargo xtask {verb}")), "{text}");
        assert_eq!(parse_line(&format!("{verb} --help")).unwrap(), Command::Help(text));
    }
    let options = |text| help::options(text).collect::<Vec<_>>().join(" ");
    assert_eq!(options(help::CI), "--all --help");
    assert_eq!(options(help::MAIN), "--help --version");
    assert_eq!(options(help::SETUP), "--check --help --library --platforms");
    assert_eq!(
        options(help::DIST),
        "--dest --dry-run --help --json --library --platforms --strict --version"
    );
    assert!(options(help::SHIP).contains("--dry-run --endpoint --explain"));
    assert!(!options(help::UPLOAD).contains("--stay"), "that is an option of another program");
}
