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
//! | `hundred` | a hundred small services, nothing changed | ten of them |
//! | `archive` | 150 MB of machine code to `.tar.gz` | `tar czf` |
//!
//! Without `--case`, all run but `everything`, which takes minutes.

mod measure;
mod repository;

use std::path::PathBuf;
use std::process::ExitCode;

use ferror::{Error, Result};

use measure::{Row, compare};
use repository::Repository;

const CASES: [&str; 6] = ["unchanged", "commit", "one", "hundred", "archive", "everything"];

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
        match argument {
            lexopt::Arg::Long("case" | "runs") => {}
            other => return Err(wrong(other.unexpected())),
        }
        let value = parser.value().map_err(wrong)?.into_string();
        let value = value.map_err(|_| Error::usage("a value is not UTF-8"))?;
        if let Ok(runs) = value.parse() {
            options.runs = runs;
        } else if CASES.contains(&value.as_str()) {
            options.cases.push(value);
        } else {
            let known = CASES.join(", ");
            return Err(Error::usage(format!("{value}: expected a number, or one of {known}")));
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
        let row = compare(1, || ten.dist_from_empty(), || ten.cargo_from_empty())?;
        println!("{}", row.shown("everything changed", "cargo build from empty"));
    }
    Ok(())
}

/// Packs 150 MB of machine code with xtask and with tar.
fn archive(scratch: &std::path::Path, runs: usize) -> Result<String> {
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
    let size =
        |path: &std::path::Path| std::fs::metadata(path).map(|found| found.len()).map_err(io);
    let sizes = format!("tar czf ({} and {} bytes)", size(&ours)?, size(&theirs)?);
    Ok(row.shown("150 MB to .tar.gz, read back", &sizes))
}
