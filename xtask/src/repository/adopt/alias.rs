//! Adds the alias to cargo's configuration of the adopted workspace, and the profiles of xtask's own crates.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::{Error, Result};
use serde_json::Value;

use super::program::Program;
use crate::model::cargo_toml::{self, Fields};
use crate::repository::templates;

/// The file in which cargo looks for settings, and the name that it had before.
const FILES: [&str; 2] = [".cargo/config.toml", ".cargo/config"];
/// The table of which `init` writes one for each of xtask's crates.
const PROFILES: &str = "profile.dev.package.";

/// Returns the file to which settings are added: the one that exists, or the usual one.
pub fn file(root: &Path) -> PathBuf {
    let there = FILES.iter().rev().map(|file| root.join(file)).find(|file| file.is_file());
    there.unwrap_or_else(|| root.join(FILES[0]))
}

/// Lists the aliases of the workspace in `root`, those of the folders around it in the repository `top` included.
pub fn aliases(root: &Path, top: &Path) -> anyhow::Result<Vec<String>> {
    let mut aliases = Vec::new();
    for dir in root.ancestors().take_while(|dir| dir.starts_with(top)) {
        for path in FILES.map(|file| dir.join(file)).into_iter().filter(|path| path.is_file()) {
            let text =
                fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let config = cargo_toml::parse(&text, &path.display().to_string())?;
            aliases.extend(
                config["alias"].as_object().into_iter().flat_map(|table| table.keys().cloned()),
            );
        }
    }
    Ok(aliases)
}

/// Returns the command line of the alias.
///
/// Cargo takes the path after `--manifest-path` as relative to the current folder, and has no other way to name a
/// package outside the workspace: with a lock file of its own, the alias works in the workspace's folder only. Where
/// `config` says for which platform cargo builds, xtask is built for this machine all the same, since it has to run
/// here.
fn command_line(program: &Program, config: &Value) -> String {
    let Program { name, folder, .. } = program;
    let target = if config["build"]["target"].is_null() { "" } else { "--target host-tuple " };
    if program.has_own_lock {
        format!("run {target}--quiet --locked --manifest-path {folder}/Cargo.toml --")
    } else {
        format!("run {target}--quiet --locked --package {name} --")
    }
}

/// Returns the text of the configuration with the alias.
pub fn with_alias(text: &str, path: &str, program: &Program) -> Result<String> {
    let config = cargo_toml::parse(text, path)?;
    let name = program.name.as_str();
    let line = command_line(program, &config);
    if let Some(other) = config["alias"].get(name).filter(|_| !program.is_there) {
        return Err(Error::config(format!("{path} has an alias `{name}` already: {other}"))
            .hint("rename it: nothing was written"));
    }
    let fields = [(name, cargo_toml::quoted(&line))];
    cargo_toml::with_fields(text, path, &Fields { table: "alias", fields: &fields, comment: "" })
}

/// Returns `text` with the profiles of xtask's own crates, as `init` writes them. A crate for which `text` or the
/// workspace's Cargo.toml `root` has a profile is left alone. The comments of the template are not repeated.
pub fn with_profiles(text: &str, path: &str, root: &Value) -> Result<String> {
    let template = templates::of_repository(".cargo/config.toml");
    let ours = cargo_toml::parse(template, "the template")?;
    let (mut text, mut comment) = (text.to_owned(), COMMENT);
    for name in sections(template) {
        let theirs = cargo_toml::parse(&text, path)?;
        let has = |config: &Value| !config["profile"]["dev"]["package"][name].is_null();
        if has(&theirs) || has(root) {
            continue;
        }
        let fields = ours["profile"]["dev"]["package"][name].as_object().into_iter().flatten();
        let fields: Vec<_> =
            fields.map(|(field, value)| (field.as_str(), value.to_string())).collect();
        let table = format!("{PROFILES}{name}");
        text = cargo_toml::with_fields(
            &text,
            path,
            &Fields { table: &table, fields: &fields, comment },
        )?;
        comment = "";
    }
    Ok(text)
}

/// The comment above the first of the profiles.
const COMMENT: &str = "Profiles of what xtask is made of: hashing and compressing run optimised, and incremental files
would make its first build longer.";

/// Lists the crates for which the template has a profile, in its order.
fn sections(template: &str) -> impl Iterator<Item = &str> {
    template.lines().filter_map(|line| {
        let name = line.strip_prefix('[')?.strip_suffix(']')?.strip_prefix(PROFILES)?;
        (!name.starts_with('"')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{with_alias, with_profiles};
    use crate::repository::adopt::program::Program;

    fn program(has_own_lock: bool) -> Program {
        Program {
            name: "xtask".into(),
            folder: "xtask".into(),
            is_there: false,
            has_own_lock,
            is_beside_theirs: false,
        }
    }

    #[test]
    fn the_alias_goes_where_the_others_are() {
        let text = "# ours\n[build]\njobs = 2\n\n[alias] # short\nb = \"build\"\n";
        let made = with_alias(text, "config.toml", &program(false)).unwrap();
        let line = "xtask = \"run --quiet --locked --package xtask --\"\n";
        assert_eq!(made, text.replace("# short\n", &format!("# short\n{line}")));
        let own = with_alias("", "config.toml", &program(true)).unwrap();
        assert!(own.contains("--manifest-path xtask/Cargo.toml --\""), "{own}");
        let error = with_alias(&made, "config.toml", &program(false)).unwrap_err();
        assert!(error.to_string().contains("has an alias `xtask` already"), "{error}");
    }

    #[test]
    fn only_crates_of_xtask_get_a_profile_and_none_that_the_team_has() {
        let root = json!({ "profile": { "dev": { "package": { "flate2": { "opt-level": 1 } } } } });
        let text = "[profile.dev.package.sha2]\nopt-level = 2\n";
        let made = with_profiles(text, "config.toml", &root).unwrap();
        assert!(made.starts_with(text), "{made}");
        for absent in ["flate2", "debug =", "package.\"*\""] {
            assert!(!made.contains(absent), "{absent} is in\n{made}");
        }
        assert!(made.contains("[profile.dev.package.zlib-rs]\n"), "{made}");
        assert!(
            made.contains("[profile.dev.package.bowline-xtask]\nincremental = false\n"),
            "{made}"
        );
        assert_eq!(with_profiles(&made, "config.toml", &root).unwrap(), made);
        with_profiles("", "config.toml", &Value::Null).unwrap();
    }
}
