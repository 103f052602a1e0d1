//! Measures `dist` beside plain cargo, and prints ratios.
//!
//! ```text
//! cargo run -p bench-dist -- [--case NAME]... [--runs N]
//! ```
//!
//! It makes repositories of services in `target/bench-dist`, builds them once, and then lets both programs work in turn,
//! round by round, so that what disturbs the machine disturbs both. Each figure is a median. `dist` is started as people
//! start it, by `cargo xtask`, in the profile that they have; so the benchmark is built in that profile as well.
//!
//! | case | what | compared with |
//! |---|---|---|
//! | `unchanged` | ten axum services, nothing changed | `cargo build --release` with nothing to do |
//! | `commit` | the same after an empty commit | the same |
//! | `one` | one of the ten changed | `cargo build --release -p` of that one |
//! | `everything` | from an empty target folder, with zig there | `cargo build --release` from an empty one |
//! | `bucket` | `plan` and `dist` on a machine that has built nothing, all ten published | `dist` of all ten there |
//! | `bucket-one` | the same after one of the ten changed | `cargo build --release -p` of that one from empty |
//! | `hundred` | a hundred small services, nothing changed | ten of them |
//! | `archive` | 150 MB of machine code to `.tar.gz` | `tar czf` |
//!
//! Without `--case`, all run but the last three, which take minutes.

mod measure;
mod repository;
mod server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ferror::{Error, Result};

use measure::{Row, compare};
use repository::Repository;
use server::Server;

const CASES: [&str; 8] =
    ["unchanged", "commit", "one", "hundred", "archive", "everything", "bucket", "bucket-one"];

struct Options {
    cases: Vec<String>,
    runs: usize,
}

fn main() -> ExitCode {
    match options().and_then(|options| bench(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-dist: {error:#}");
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options { cases: Vec::new(), runs: 9 };
    let mut parser = lexopt::Parser::from_env();
    let wrong = |error: lexopt::Error| Error::usage(error.to_string());
    while let Some(argument) = parser.next().map_err(wrong)? {
        let is_case = match argument {
            lexopt::Arg::Long("case") => true,
            lexopt::Arg::Long("runs") => false,
            other => return Err(wrong(other.unexpected())),
        };
        let value = parser.value().map_err(wrong)?.into_string();
        let value = value.map_err(|_| Error::usage("a value is not UTF-8"))?;
        if !is_case {
            let count = value
                .parse()
                .map_err(|_| Error::usage(format!("--runs {value}: expected a number")));
            options.runs = count?;
        } else if CASES.contains(&value.as_str()) {
            options.cases.push(value);
        } else {
            let known = CASES.join(", ");
            return Err(Error::usage(format!("--case {value}: expected one of {known}")));
        }
    }
    if options.cases.is_empty() {
        options.cases = CASES[..5].iter().map(ToString::to_string).collect();
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<()> {
    let scratch = repository::bowline().join("target/bench-dist");
    println!("{}", Row::header());
    let asked = |case: &str| options.cases.iter().any(|asked| asked == case);
    if ["unchanged", "commit", "one"].iter().any(|case| asked(case)) {
        let ten = Repository::of_axum(scratch.join("axum"), 10)?;
        ten.build_both()?;
        if asked("unchanged") {
            let row = compare(options.runs, || ten.dist(), || ten.cargo(None))?;
            println!("{}", row.shown("nothing changed", "a no-op cargo build"));
        }
        if asked("commit") {
            let row = compare(
                options.runs,
                || {
                    ten.commit()?;
                    ten.dist()
                },
                || ten.cargo(None),
            )?;
            println!("{}", row.shown("new commit, no code change", "a no-op cargo build"));
        }
        if asked("one") {
            let row = compare(
                options.runs,
                || {
                    ten.change("service0")?;
                    ten.dist()
                },
                || {
                    ten.change("service0")?;
                    ten.cargo(Some("service0"))
                },
            )?;
            println!("{}", row.shown("one of ten changed", "cargo build of that one"));
        }
    }
    if asked("hundred") {
        let ten = Repository::of_small(scratch.join("ten"), 10)?;
        let hundred = Repository::of_small(scratch.join("hundred"), 100)?;
        ten.dist()?;
        hundred.dist()?;
        let row = compare(options.runs, || hundred.dist(), || ten.dist())?;
        println!("{}", row.shown("100 services, nothing changed", "10 of them"));
    }
    if asked("archive") {
        println!("{}", archive(&scratch, options.runs)?);
    }
    if asked("everything") {
        let ten = Repository::of_axum(scratch.join("axum"), 10)?;
        let row = compare(1, || ten.dist_from_empty(), || ten.cargo_from_empty(None))?;
        println!("{}", row.shown("everything changed", "cargo build from empty"));
    }
    if asked("bucket") || asked("bucket-one") {
        bucket(&scratch, asked("bucket"), asked("bucket-one"))?;
    }
    Ok(())
}

/// Publishes ten services, and lets `plan` and `dist` find them again on a machine that has built nothing.
fn bucket(scratch: &Path, all: bool, one: bool) -> Result<()> {
    let ten = Repository::of_axum(scratch.join("axum"), 10)?;
    let server = Server::start(scratch)?;
    ten.forget_builds()?;
    ten.xtask("dist", &server.variables())?;
    ten.xtask("upload", &server.variables())?;
    let plan_and_dist = || {
        ten.forget_builds()?;
        let plan = ten.xtask("plan", &server.variables())?;
        Ok(plan + ten.xtask("dist", &[])?)
    };
    if all {
        let row = compare(1, plan_and_dist, || {
            ten.forget_builds()?;
            ten.xtask("dist", &[])
        })?;
        println!("{}", row.shown("nothing changed, ten in the bucket", "dist of all ten"));
    }
    if one {
        ten.change("service0")?;
        let row = compare(1, plan_and_dist, || ten.cargo_from_empty(Some("service0")))?;
        println!(
            "{}",
            row.shown("one of ten changed, nine in the bucket", "cargo build of that one")
        );
    }
    Ok(())
}

/// Packs 150 MB of machine code with xtask and with tar.
fn archive(scratch: &Path, runs: usize) -> Result<String> {
    let io = |error: std::io::Error| Error::config("packing").caused_by(error);
    let folder: PathBuf = scratch.join("archive");
    std::fs::create_dir_all(&folder).map_err(io)?;
    let own = std::env::current_exe().and_then(std::fs::read).map_err(io)?;
    let bytes: Vec<u8> = own.iter().copied().cycle().take(150_000_000).collect();
    std::fs::write(folder.join("program"), &bytes).map_err(io)?;
    let entries =
        [xtask::build::archive::Entry { name: "program".into(), executable: true, bytes }];
    let (ours, theirs) = (folder.join("ours.tar.gz"), folder.join("theirs.tar.gz"));
    let row = compare(
        runs.min(3),
        || {
            measure::time(|| {
                xtask::build::archive::pack(&ours, "program_linux_amd64", &entries, 0)
                    .map(drop)
                    .map_err(|error| Error::config(format!("{error:#}")))
            })
        },
        || {
            let mut tar = std::process::Command::new("tar");
            tar.arg("czf").arg(&theirs).arg("-C").arg(&folder).arg("program");
            measure::time(|| measure::run(&mut tar))
        },
    )?;
    let size = |path: &Path| std::fs::metadata(path).map(|found| found.len()).map_err(io);
    let sizes = format!("tar czf ({} and {} bytes)", size(&ours)?, size(&theirs)?);
    Ok(row.shown("150 MB to .tar.gz, read back", &sizes))
}
