//! Builds the services of the zoo with xtask, one by one, and runs what runs on this machine.
//!
//! ```text
//! cargo run -p zoo -- matrix [--platforms LINE] [--no-page] [SERVICE]...
//! ```
//!
//! `tools/zoo` is a workspace with one small service for each native library that services use. Each proves that its
//! library works: it prints a computed value. `tools/zoo/zoo.toml` lists them, with what each prints and which
//! platforms cannot have it, and why. The results become a table in `docs/native.md`.
//!
//! Everything that is built lies in `target/zoo`. The results are kept there, so an interrupted run goes on where it
//! stopped. A result counts as long as xtask, the lock file and the service are the same.

mod attempt;
mod results;
mod services;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use attempt::Zoo;
use ferror::{Error, Result};
use results::{Outcome, Results};
use services::Service;

const HELP: &str = "\
Builds the services of the zoo with xtask, one by one, and runs what runs on this machine.

zoo matrix [--platforms LINE] [--again] [--no-page] [--xtask FILE] [SERVICE]...

  --platforms LINE  platform names separated by blanks (default: linux_amd64 linux_arm64 darwin_amd64 darwin_arm64)
  --again           build also what has a kept result
  --no-page         leave the table in docs/native.md as it is
  --xtask FILE      the program to build with (default: this repository's, which is built first)

The exit code is 1 where a result is not what tools/zoo/zoo.toml expects.
";

const PLATFORMS: [&str; 4] = ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"];

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("zoo: {error:#}");
            if let Some(hint) = error.hint_text() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The options of the command line.
#[derive(Default)]
struct Options {
    platforms: Vec<String>,
    services: Vec<String>,
    again: bool,
    no_page: bool,
    xtask: Option<PathBuf>,
}

fn run() -> Result<ExitCode> {
    let Some(options) = parse(lexopt::Parser::from_env())? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().map_err(cannot("this repository is gone"))?;
    let services = services::read(&root.join("tools/zoo/zoo.toml"))?;
    let chosen = choose(&services, &options.services)?;
    let target_dir = target_dir()?;
    let xtask = match options.xtask {
        Some(xtask) => std::path::absolute(xtask).map_err(cannot("--xtask"))?,
        None => build_xtask(&root, &target_dir)?,
    };
    let zoo = Zoo::new(&root, &target_dir, &xtask)?;
    let results = Results::new(&target_dir.join("zoo/results"))?;

    let mut surprises = Vec::new();
    for platform in &options.platforms {
        for service in &chosen {
            let key = zoo.key(service, platform)?;
            let kept = results.read(service, platform, &key).filter(|_| !options.again);
            let outcome = if let Some(kept) = kept {
                kept
            } else {
                eprintln!("    building {} for {platform}", service.name);
                let begin = Instant::now();
                let outcome = zoo.attempt(service, platform)?;
                results.write(service, platform, &key, &outcome)?;
                eprintln!("       {:.1} s: {}", begin.elapsed().as_secs_f64(), outcome.as_line());
                outcome
            };
            surprises.extend(surprise(service, platform, &outcome));
        }
    }
    if !options.no_page {
        let page = root.join("docs/native.md");
        let all = |service: &Service, platform: &str| {
            results.read(service, platform, &zoo.key(service, platform).ok()?)
        };
        table::write(&page, &services, &PLATFORMS, &all)?;
        println!("wrote {}", page.display());
    }
    for surprise in &surprises {
        println!("{surprise}");
    }
    Ok(if surprises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says how a result differs from what zoo.toml expects.
fn surprise(service: &Service, platform: &str, outcome: &Outcome) -> Option<String> {
    let name = &service.name;
    match (outcome, service.reason(platform)) {
        (Outcome::NotBuilt(_), Some(_)) | (Outcome::Ran(_) | Outcome::Built, None) => None,
        (Outcome::Ran(_) | Outcome::Built, Some(reason)) => Some(format!(
            "{name} is built for {platform}, where zoo.toml expects that it is not ({reason}): remove the reason"
        )),
        (Outcome::NotBuilt(error) | Outcome::NotRight(error), _) => {
            Some(format!("{name} for {platform}: {error}"))
        }
    }
}

/// Returns the services named, or all.
fn choose<'a>(services: &'a [Service], names: &[String]) -> Result<Vec<&'a Service>> {
    if names.is_empty() {
        return Ok(services.iter().collect());
    }
    let find = |name: &String| {
        services.iter().find(|service| service.name == *name).ok_or_else(|| {
            Error::usage(format!("the zoo has no service {name}"))
                .hint("tools/zoo/zoo.toml lists them")
        })
    };
    names.iter().map(find).collect()
}

/// Returns cargo's target folder, in whose folder for a profile this program lies.
fn target_dir() -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(cannot("this program cannot find itself"))?;
    let folder = own.parent().and_then(Path::parent);
    Ok(folder.ok_or_else(|| Error::config("this program lies in no target folder"))?.to_owned())
}

fn build_xtask(root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--package", "bowline-xtask", "--bin", "xtask"]);
    let status = command.arg("--target-dir").arg(target_dir).current_dir(root).status();
    if !status.map_err(cannot("cargo does not start"))?.success() {
        return Err(Error::config("xtask does not compile")
            .hint("cargo's messages above say why; --xtask FILE names a program that is built"));
    }
    Ok(target_dir.join("debug/xtask"))
}

/// Makes an error of what the system said.
fn cannot(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |error| Error::config(what).caused_by(error)
}

/// Reads the command line; nothing when it asks for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>> {
    use lexopt::prelude::*;

    let usage = |error: lexopt::Error| {
        Error::usage(error.to_string()).hint("run `cargo run -p zoo -- --help` for the options")
    };
    let mut options = Options::default();
    let mut verb = None;
    while let Some(arg) = parser.next().map_err(usage)? {
        match arg {
            Long("platforms") => {
                let line = parser.value().and_then(ValueExt::string).map_err(usage)?;
                options.platforms = line.split_whitespace().map(str::to_owned).collect();
            }
            Long("again") => options.again = true,
            Long("no-page") => options.no_page = true,
            Long("xtask") => options.xtask = Some(parser.value().map_err(usage)?.into()),
            Short('h') | Long("help") => return Ok(None),
            Value(name) if verb.is_none() => verb = Some(name),
            Value(name) => options.services.push(name.string().map_err(usage)?),
            other => return Err(usage(other.unexpected())),
        }
    }
    if verb.as_deref() != Some("matrix".as_ref()) {
        return Err(Error::usage("the zoo has one verb, `matrix`")
            .hint("run `cargo run -p zoo -- matrix`, or --help for the options"));
    }
    if options.platforms.is_empty() {
        options.platforms = PLATFORMS.map(str::to_owned).to_vec();
    }
    if let Some(unknown) = options.platforms.iter().find(|name| !PLATFORMS.contains(&name.as_str()))
    {
        return Err(Error::usage(format!("there is no platform {unknown} in the table"))
            .hint(format!("--platforms takes names out of: {}", PLATFORMS.join(" "))));
    }
    Ok(Some(options))
}
