//! Tests of `cli`.

use ferror::Kind;

use super::values::Shell;
use super::{Command, parse, table};
use crate::model::service_kind::ServiceKind;
use crate::verbs::init::{self, XtaskOption};
use crate::verbs::{ci, new, promote, vendor};

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
    let (dist, upload) = (options.dist, options.upload);
    assert_eq!(
        (&*dist.services, &*upload.services),
        (&["a".into(), "b".into()][..], &*dist.services)
    );
    assert_eq!(dist.dest.as_deref(), Some("d".as_ref()));
    assert_eq!(upload.dest, dist.dest, "an option of both verbs reaches both");
    assert!(dist.dry_run && dist.json && upload.dry_run && upload.json);
    assert_eq!(dist.platforms.unwrap().len(), 1);
    assert_eq!(dist.version.as_deref(), Some("abc1234"));
    assert!(dist.library.is_some());
    assert_eq!(upload.destination.bucket.as_deref(), Some("k"));
    assert_eq!(upload.destination.region.as_deref(), Some("r"));
    assert_eq!(upload.destination.endpoint.as_deref(), Some("http://h"));
    assert_eq!(upload.destination.signature, Some(s3::Signature::V2));
    assert!(upload.destination.local && upload.destination.explain);
    assert!(upload.allow_dirty && upload.skip_without_credentials);
    assert!(upload.verify && upload.timings);
    assert_eq!(upload.jobs, Some(64));
    let Command::Upload(options) = parse_line("upload --jobs=1").unwrap() else {
        panic!("upload is upload")
    };
    let plain = (options.verify, options.timings, options.destination.explain);
    assert_eq!((options.jobs, plain), (Some(1), (false, false, false)));
    let Command::Promote(options) =
        parse_line("promote a abc123 --to stable --by me --prefix p --bucket b --json").unwrap()
    else {
        panic!("promote is promote")
    };
    let promote::Options { service, version, channel, by, bucket, json, .. } = options;
    assert_eq!((&*service, version.as_deref(), &*channel), ("a", Some("abc123"), "stable"));
    assert_eq!((by.as_deref(), bucket.prefix.as_deref()), (Some("me"), Some("p/")));
    assert!(bucket.destination.bucket.is_some() && json);
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
        ("init --xtask-git g --xtask-git h", "xtask comes from one place"),
        ("vendor --check --remove", "either --check or --remove, not both"),
        ("vendor x", "unexpected argument \"x\""),
        ("presign a --channel c --version abc123", "either --version or --channel, not both"),
        ("promote a abc123", "no channel named: give it by --to"),
        ("promote a --to c", "no VERSION named"),
        ("promote a abc123 --to c --rollback", "--rollback takes no VERSION"),
        ("promote a abc123 more --to c", "unexpected argument \"more\""),
        ("completions", "no shell named"),
        ("completions tcsh", "unknown shell `tcsh`: the shells are bash, zsh, fish"),
        ("interop", "unknown verb `interop`"),
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
            "Usage: cargo xtask promote SERVICE (VERSION | --rollback) --to CHANNEL [--by WHO] \
             [--prefix P]\n                           [--bucket B]",
        ),
    ] {
        let error = parse_line(line).unwrap_err();
        assert!(error.hint_text().unwrap().starts_with(expected), "{:?}", error.hint_text());
    }
}
