//! Reads cargo's configuration as cargo itself does: every file from the workspace's folder upwards, the
//! user's own, and the environment.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use catalog::json;
use ferror::Error;
use serde_json::Value;

use crate::system::env::Env;
use crate::system::{child_env, process};

/// What of cargo's configuration xtask looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one setting")]
pub struct CargoConfig {
    /// Whether `paths` replaces packages by folders.
    pub has_paths: bool,
    /// Whether there is a table `[unstable]`.
    pub has_unstable: bool,
    /// Whether a file has `build.target`, so that a cargo without `--target` builds for that.
    pub has_build_target: bool,
    /// Whether another program runs rustc, such as a compiler cache.
    pub has_wrapper: bool,
    /// The folders that replace registries, as they are written.
    pub source_dirs: Vec<String>,
}

/// Reads the configuration for a cargo that runs in `dir`.
pub fn read(dir: &Path, env: &Env) -> anyhow::Result<CargoConfig> {
    let output = process::output(command(dir, env).args(["--format", "json"]));
    let output = output.context("running cargo config get")?;
    if !output.status.success() {
        let reason = child_env::error_text(&output);
        return Err(Error::config(format!("cargo cannot read its configuration: {reason}")).into());
    }
    let config = json::parse(&output.stdout).context("reading what cargo config get printed")?;
    let has = |value: &Value| match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    Ok(CargoConfig {
        has_paths: has(&config["paths"]),
        has_unstable: has(&config["unstable"]),
        has_build_target: has(&config["build"]["target"]),
        has_wrapper: has(&config["build"]["rustc-wrapper"])
            || has(&config["build"]["rustc-workspace-wrapper"]),
        source_dirs: source_dirs(&config),
    })
}

fn source_dirs(config: &Value) -> Vec<String> {
    let sources = config["source"].as_object().into_iter().flatten().map(|(_, source)| source);
    let dirs = sources.flat_map(|source| [&source["directory"], &source["local-registry"]]);
    dirs.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Fails where a configuration file has a table `[unstable]`.
///
/// A stable cargo ignores it. The cargo of `dist` would not, since it takes itself for a nightly one (see
/// `build::compile`), and would make other programs than a plain `cargo build`.
pub fn refuse_unstable(config: &CargoConfig, dir: &Path, env: &Env) -> anyhow::Result<()> {
    if !config.has_unstable {
        return Ok(());
    }
    let output = process::output(command(dir, env).args(["--show-origin", "unstable"]));
    let printed = output.context("running cargo config get")?.stdout;
    // `unstable.build-std = ["std"] # /w/.cargo/config.toml`
    let printed = String::from_utf8_lossy(&printed);
    let lines: Vec<_> = printed.lines().map(str::trim).collect();
    Err(Error::config(format!(
        "cargo's configuration has unstable settings, which a stable cargo ignores and the cargo of dist would not:\n  {}",
        lines.join("\n  ")
    ))
    .hint("remove the table [unstable] from the file that is named behind `#`, or move it into a file of its own for `cargo +nightly --config FILE`")
    .into())
}

fn command(dir: &Path, env: &Env) -> Command {
    let mut command = child_env::cargo(env);
    child_env::make_nightly(&mut command, env);
    command.args(["-Zunstable-options", "config", "get"]).current_dir(dir);
    command
}
