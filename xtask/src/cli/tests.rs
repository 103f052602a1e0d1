//! Tests of `cli`.

use std::collections::BTreeSet;

use ferror::Kind;

use super::values::Shell;
use super::{Command, parse, table};
use crate::model::service_kind::ServiceKind;
use crate::repository::xtask_source::XtaskOption;
use crate::verbs::init;
use crate::verbs::{ci, new, vendor};

fn parse_line(line: &str) -> ferror::Result<Command> {
    parse(line.split_whitespace().map(Into::into))
}

/// What each verb takes besides the option that is looked at.
const OPERANDS: [(&str, &str); 19] = [
    ("plan", ""),
    ("dist", ""),
    ("upload", ""),
    ("ship", ""),
    ("setup", ""),
    ("stamp", "f"),
    ("list", ""),
    ("presign", "a --version abc123"),
    ("fetch", "a --version abc123"),
    ("promote", "a abc123 --to c"),
    ("verify", "abc123"),
    ("new", "a"),
    ("init", ""),
    ("adopt", "d"),
    ("vendor", ""),
    ("update", "p"),
    ("ci", ""),
    ("completions", "bash"),
    ("reference", ""),
];

/// An option of these verbs, and the field without it and with it, as `Debug` shows them. Operands are given
/// where those of the verb do not go together with the option.
type Case = (&'static str, Option<&'static str>, &'static str, &'static str, &'static str);

const CASES: [Case; 47] = [
    (
        "plan dist ship setup verify",
        None,
        "--platforms linux_amd64",
        "platforms: None",
        "platforms: Some([Platform { musl: false, os: Linux, arch: Amd64 }])",
    ),
    ("plan dist upload ship", None, "--dest d", "dest: None", "dest: Some(\"d\")"),
    ("plan dist ship", None, "--version abc1234", "version: None", "version: Some(\"abc1234\")"),
    ("plan dist ship setup", None, "--library rustup", "library: None", "library: Some(Rustup)"),
    ("dist ship", None, "--strict", "strict: false", "strict: true"),
    ("dist ship", None, "--no-reuse", "no_reuse: false", "no_reuse: true"),
    ("dist ship", None, "--why", "why: false", "why: true"),
    ("dist", None, "--shard 2/3", "shard: None", "shard: Some(Shard { number: 2, total: 3 })"),
    ("dist upload ship new init update", None, "--dry-run", "dry_run: false", "dry_run: true"),
    (
        "plan dist upload ship stamp list presign fetch promote verify",
        None,
        "--json",
        "json: false",
        "json: true",
    ),
    (DESTINATION, None, "--bucket b", "bucket: None", "bucket: Some(\"b\")"),
    (DESTINATION, None, "--region r", "region: None", "region: Some(\"r\")"),
    (DESTINATION, None, "--endpoint http://h", "endpoint: None", "endpoint: Some(\"http://h\")"),
    (DESTINATION, None, "--signature v2", "signature: None", "signature: Some(V2)"),
    (DESTINATION, None, "--explain", "explain: false", "explain: true"),
    ("upload ship", None, "--local", "local: false", "local: true"),
    ("upload ship", None, "--allow-dirty", "allow_dirty: false", "allow_dirty: true"),
    (
        "plan upload ship",
        None,
        "--skip-without-credentials",
        "skip_without_credentials: false",
        "skip_without_credentials: true",
    ),
    ("upload ship", None, "--jobs 64", "jobs: None", "jobs: Some(64)"),
    ("upload ship", None, "--jobs=1", "jobs: None", "jobs: Some(1)"),
    ("upload ship", None, "--verify", "verify: false", "verify: true"),
    ("upload ship", None, "--timings", "timings: false", "timings: true"),
    ("setup", None, "--check", "check: false", "check: true"),
    ("vendor", None, "--check", "mode: Make", "mode: Check"),
    (
        "plan list presign fetch promote verify",
        None,
        "--prefix p",
        "prefix: None",
        "prefix: Some(\"p/\")",
    ),
    (
        "presign fetch",
        None,
        "--platform linux_arm64",
        "platform: None",
        "platform: Some(Platform { musl: false, os: Linux, arch: Arm64 })",
    ),
    (
        "presign fetch",
        None,
        "--platform linux_arm64_musl",
        "platform: None",
        "platform: Some(Platform { musl: true, os: Linux, arch: Arm64 })",
    ),
    ("stamp", None, "--check", "check: false", "check: true"),
    ("presign", None, "--expires 600", "expires: None", "expires: Some(600s)"),
    ("fetch", None, "--into d", "into: None", "into: Some(\"d\")"),
    ("promote", None, "--require-verified", "require_verified: false", "require_verified: true"),
    ("verify", None, "--sample 3", "sample: None", "sample: Some(3)"),
    ("verify", None, "--no-receipt", "no_receipt: false", "no_receipt: true"),
    ("promote", None, "--by me", "by: None", "by: Some(\"me\")"),
    ("init", None, "--name n", "dir: None, name: None", "dir: None, name: Some(\"n\")"),
    ("init", None, "--github-username u", "github_username: None", "github_username: Some(\"u\")"),
    ("init", None, "--s3-bucket b", "s3_bucket: None", "s3_bucket: Some(\"b\")"),
    ("init", None, "--xtask-git g", "xtask: None", "xtask: Some(Git(\"g\"))"),
    ("init", None, "--xtask-path p", "xtask: None", "xtask: Some(Path(\"p\"))"),
    ("adopt", None, "--dry-run", "dry_run: false", "dry_run: true"),
    ("adopt", None, "--own-lock", "own_lock: false", "own_lock: true"),
    ("adopt", None, "--s3-bucket b", "s3_bucket: None", "s3_bucket: Some(\"b\")"),
    ("adopt", None, "--xtask-git g", "xtask: None", "xtask: Some(Git(\"g\"))"),
    ("adopt", None, "--xtask-path p", "xtask: None", "xtask: Some(Path(\"p\"))"),
    ("new", None, "--worker", "kind: Web", "kind: Worker"),
    ("vendor", None, "--remove", "mode: Make", "mode: Remove"),
    ("ci", None, "--all", "all: false", "all: true"),
];

/// The verbs that have a bucket.
const DESTINATION: &str = "plan upload ship list presign fetch promote verify";

/// Options that cannot be left out where they may be given, or that say what holds without them: a line with
/// each, and what it is read as.
const FIXED: [(&str, &str, &str, &str); 7] = [
    (
        "presign",
        "version",
        "presign a --version abc123",
        "version: Some(\"abc123\"), channel: None",
    ),
    ("presign", "channel", "presign a --channel c", "version: None, channel: Some(\"c\")"),
    ("fetch", "version", "fetch a --version abc123", "version: Some(\"abc123\"), channel: None"),
    ("fetch", "channel", "fetch a --channel c", "version: None, channel: Some(\"c\")"),
    ("promote", "to", "promote a abc123 --to d", "channel: \"d\""),
    (
        "promote",
        "rollback",
        "promote a --to c --rollback",
        "version: None, channel: \"c\", rollback: true",
    ),
    ("new", "web", "new a --web", "kind: Web"),
];

#[test]
fn every_option_of_the_table_sets_its_field_and_nothing_else() {
    let read = |line: &str| {
        format!("{:?}", parse_line(line).unwrap_or_else(|error| panic!("{line}: {error:#}")))
    };
    let mut seen = BTreeSet::new();
    for (verbs, operands, option, before, after) in CASES {
        for verb in verbs.split(' ') {
            let usual = OPERANDS.iter().find(|(name, _)| *name == verb).expect(verb).1;
            let without = format!("{verb} {}", operands.unwrap_or(usual));
            let (with, without) = (read(&format!("{without} {option}")), read(&without));
            assert!(
                without.contains(before),
                "{verb} without {option}: no {before:?} in {without}"
            );
            assert_eq!(with, without.replace(before, after), "{verb} {option}");
            let long = option.split(['=', ' ']).next().unwrap_or_default();
            seen.insert(format!("{verb} {long}"));
        }
    }
    for (verb, long, line, expected) in FIXED {
        assert!(read(line).contains(expected), "{line}: {}", read(line));
        seen.insert(format!("{verb} --{long}"));
    }
    let flags = table::verbs().into_iter().flat_map(|verb| {
        verb.flags.into_iter().map(move |flag| format!("{} --{}", verb.name, flag.long))
    });
    assert_eq!(seen, flags.collect(), "left: the cases; right: the table");
}

#[test]
fn ship_gives_its_services_to_both_verbs() {
    let Command::Ship(options) = parse_line("ship a b").unwrap() else { panic!("ship is ship") };
    assert_eq!(options.dist.services, ["a", "b"]);
    assert_eq!(options.upload.services, ["a", "b"]);
}

#[test]
fn new_and_init_are_read() {
    let service =
        |kind, dry_run| Command::New(new::Options { name: "a".to_owned(), kind, dry_run });
    let repository = |xtask| {
        Command::Init(init::Options {
            dir: Some("d".into()),
            name: Some("n".to_owned()),
            github_username: Some("u".to_owned()),
            s3_bucket: Some("b".to_owned()),
            xtask: Some(xtask),
            dry_run: false,
        })
    };
    let options = "--name n --github-username u --s3-bucket=b";
    for (line, expected) in [
        ("new a", service(ServiceKind::Web, false)),
        ("new --web a --web", service(ServiceKind::Web, false)),
        ("new a --worker --dry-run", service(ServiceKind::Worker, true)),
        (&*format!("init d {options} --xtask-git g"), repository(XtaskOption::Git("g".to_owned()))),
        (&*format!("init {options} --xtask-path p d"), repository(XtaskOption::Path("p".into()))),
        ("init", Command::Init(init::Options::default())),
    ] {
        assert_eq!(parse_line(line).unwrap(), expected, "`{line}`");
    }
}

#[test]
fn help_and_version_are_printed() {
    let rows = [
        ("--help", "Usage: cargo xtask VERB"),
        ("-h", "Usage: cargo xtask VERB"),
        ("help", "Usage: cargo xtask VERB"),
        ("help --help", "Usage: cargo xtask VERB"),
        ("help dist", "Usage: cargo xtask dist"),
        ("help stamp", "Usage: cargo xtask stamp FILE..."),
        ("upload -h", "Usage: cargo xtask upload"),
        ("ship a --help", "Usage: cargo xtask ship [SERVICE]... [OPTION]...\n"),
        ("--version", "bowline-xtask "),
    ];
    for (line, expected) in rows {
        match parse_line(line).unwrap() {
            Command::Print(text) => assert!(text.starts_with(expected), "`{line}`: {text}"),
            other => panic!("`{line}`: {other:?}"),
        }
    }
    assert_eq!(parse_line("completions zsh").unwrap(), Command::Completions(Shell::Zsh));
    assert_eq!(parse_line("ci --all").unwrap(), Command::Ci(ci::Options { all: true }));
    let check = vendor::Options { mode: vendor::Mode::Check };
    assert_eq!(parse_line("vendor --check").unwrap(), Command::Vendor(check));
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
        ("init --xtask-git g --xtask-git h", "--xtask-git is given twice"),
        ("ship --bucket a --local --bucket=a", "--bucket is given twice"),
        ("dist --platforms linux --platforms darwin", "--platforms is given twice"),
        ("vendor --check --remove", "either --check or --remove, not both"),
        ("vendor x", "unexpected argument \"x\""),
        ("presign a --channel c --version abc123", "either --version or --channel, not both"),
        ("promote a abc123", "no channel named: give it by --to"),
        ("promote a --to c", "no VERSION named"),
        ("promote a abc123 --to c --rollback", "--rollback takes no VERSION"),
        ("promote a abc123 more --to c", "unexpected argument \"more\""),
        ("verify", "no RELEASE named"),
        ("verify Main", "release \"Main\": expected a version or commit of 6 to 40"),
        ("verify abc123 a/b", "\"a/b\" is no service's name"),
        ("verify abc123 --sample 0", "--sample \"0\": expected a number from 1 to 10000"),
        ("completions", "no shell named"),
        ("completions tcsh", "unknown shell `tcsh`: the shells are bash, zsh, fish"),
        ("interop", "unknown verb `interop`"),
        ("ci extra", "unexpected argument \"extra\""),
    ];
    let rows = rows.map(|(line, expected)| (line.split_whitespace().collect(), expected));
    let with_blanks = [
        (vec!["new", ""], "the name \"\" is not one of a service: expected up to 32"),
        (vec!["new", " "], "the name \" \" is not one of a service: expected up to 32"),
        (vec!["new", "", "a"], "the name \"\" is not"),
        (vec!["list", ""], "\"\" is no service's name"),
        (vec!["init", ""], "the argument \"\": expected a path"),
        (vec!["stamp", ""], "the argument \"\": expected a path"),
        (vec!["dist", "--dest", ""], "--dest \"\": expected a path"),
        (vec!["fetch", "a", "--version", "abc123", "--into="], "--into \"\": expected a path"),
    ];
    for (words, expected) in rows.into_iter().chain(with_blanks) {
        let error = parse(words.iter().map(Into::into)).expect_err(expected);
        assert!(error.message().contains(expected), "{words:?}: {error:#}");
        assert_eq!(error.kind(), Kind::Usage, "{words:?}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("cargo xtask")), "{words:?}");
    }
    // A platform line is wrong in the same way wherever it stands.
    assert_eq!(parse_line("dist --platforms linus").unwrap_err().kind(), Kind::Config);
}

#[test]
fn the_help_of_a_verb_has_all_that_the_table_has_of_it() {
    for verb in table::verbs() {
        let Command::Print(text) = parse_line(&format!("{} --help", verb.name)).unwrap() else {
            panic!("{} --help is no text", verb.name)
        };
        assert!(text.starts_with(&format!("Usage: cargo xtask {}", verb.name)), "{text}");
        for flag in &verb.flags {
            let name = format!("\n  --{}", flag.long);
            assert!(text.contains(&name), "no {name:?} in {text}");
        }
        let has_bucket = verb.flags.iter().any(|flag| flag.long == "bucket");
        let names_credentials = text.contains("\nCredentials never come from options. S3_KEY and");
        assert_eq!(names_credentials, has_bucket, "credentials in {text}");
        for (line, _) in verb.examples {
            assert!(text.contains(&format!("\n  cargo xtask {line}")), "no {line:?} in {text}");
            // What a shell does is no part of an example's words.
            let words = line.split(" > ").next().unwrap().replace('\'', "");
            parse_line(&words).unwrap_or_else(|error| panic!("{line}: {error:#}"));
        }
        let too_long = text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(too_long, None, "in the help of {}", verb.name);
    }
}

#[test]
fn the_usage_of_a_verb_names_choices_and_wraps() {
    for (line, expected) in [
        ("ci x", "Usage: cargo xtask ci [--all]"),
        ("new", "Usage: cargo xtask new NAME [--web | --worker] [--dry-run]"),
        ("vendor x", "Usage: cargo xtask vendor [--check | --remove]"),
        (
            "promote",
            "Usage: cargo xtask promote SERVICE (VERSION | --rollback) --to CHANNEL \
             [--require-verified]\n                           [--by WHO] [--prefix P] [--bucket B]",
        ),
    ] {
        let error = parse_line(line).unwrap_err();
        assert!(error.hint_text().unwrap().starts_with(expected), "{:?}", error.hint_text());
    }
}
