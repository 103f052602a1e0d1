//! `local-s3`: the server as a program, for a parent process that reads one line from it.
//!
//! It lives as long as its stdin is open, so it never outlives its parent, however that ends.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use ferror::{Error, Kind, ResultExt as _};
use local_s3::{LocalS3, Options};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

const HELP: &str = "\
An S3 server on 127.0.0.1 for demonstrations and tests.

local-s3 --root DIR --bucket NAME [--bucket NAME]... [--port PORT] [--stay] [--verbose]

  --root DIR      the folder for the objects: DIR/<bucket>/<object key>
  --bucket NAME   a bucket; its folder is made when it is not there
  --port PORT     the port to listen on (default: any that is free)
  --stay          serve until SIGTERM or SIGINT; without it, until stdin ends as well
  --verbose       write a line a request to stderr
  --version       print the version of this program and stop

Once it serves, it prints one line of JSON: endpoint, region, access_key_id, secret_access_key, root.
The credentials are made up for this run.
";

const VERSION: &str = concat!("local-s3 ", env!("CARGO_PKG_VERSION"), "\n");

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("local-s3: {error:#}");
            if let Some(hint) = error.hint_text() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run() -> ferror::Result<()> {
    let (options, stay) = match parse(lexopt::Parser::from_env())? {
        Asked::Say(text) => return say(text),
        Asked::Serve { options, stay } => (options, stay),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| Error::config("cannot wait for signals").caused_by(error))?;
    runtime.block_on(async {
        // Before the announcement: whoever has read it may send a signal.
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let server = LocalS3::start(&options)?;
        say(&format!("{}\n", server.announcement()))?;
        let parent_gone = if stay { None } else { Some(end_of_stdin()?) };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            Some(_) = async { Some(parent_gone?.await) } => {}
        }
        drop(server);
        Ok(())
    })
}

/// What the command line asks for.
enum Asked {
    /// Help, or the version.
    Say(&'static str),
    Serve {
        options: Options,
        stay: bool,
    },
}

fn parse(mut parser: lexopt::Parser) -> ferror::Result<Asked> {
    use lexopt::prelude::*;

    let usage = |error: lexopt::Error| {
        Error::usage(error.to_string()).hint("run local-s3 --help for the options")
    };
    let (mut options, mut stay) = (Options::default(), false);
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Long("root") => options.root = parser.value().map_err(usage)?.into(),
            Long("bucket") => {
                options.buckets.push(parser.value().and_then(ValueExt::string).map_err(usage)?);
            }
            Long("port") => {
                options.port = parser.value().and_then(|v| v.parse()).map_err(usage)?;
            }
            Long("stay") => stay = true,
            Long("verbose") => options.verbose = true,
            Short('h') | Long("help") => return Ok(Asked::Say(HELP)),
            Short('V') | Long("version") => return Ok(Asked::Say(VERSION)),
            other => return Err(usage(other.unexpected())),
        }
    }
    if options.root.as_os_str().is_empty() || options.buckets.is_empty() {
        return Err(usage("--root and at least one --bucket are needed".into()));
    }
    Ok(Asked::Serve { options, stay })
}

fn listen(kind: SignalKind) -> ferror::Result<Signal> {
    signal(kind).map_err(|error| Error::config("cannot wait for signals").caused_by(error))
}

fn say(text: &str) -> ferror::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written
        .map_err(|error| Error::new(Kind::Config, "cannot write to stdout").caused_by(error))
        .context("announcing the server")
}

/// Resolves when stdin ends or cannot be read. A thread of its own, which is left behind: a blocked
/// read cannot be called off.
fn end_of_stdin() -> ferror::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            let mut scratch = [0_u8; 4096];
            while matches!(std::io::stdin().read(&mut scratch), Ok(read) if read > 0) {}
            drop(ended);
        })
        .map_err(|error| Error::config("cannot watch stdin").caused_by(error))?;
    Ok(end)
}
