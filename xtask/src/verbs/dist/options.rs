//! The options of `dist`, and what becomes of what it makes.

use std::path::PathBuf;

use catalog::Platform;
use ferror::{Error, Result};

use crate::build::toolchain::Library;
use crate::model::config::Config;
use crate::model::shard::Shard;
use crate::system::env::Env;

/// The options of `dist`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Options {
    /// The services named; empty means all.
    pub services: Vec<String>,
    /// `--dest`.
    pub dest: Option<PathBuf>,
    /// `--platforms`.
    pub platforms: Option<Vec<Platform>>,
    /// `--version`.
    pub version: Option<String>,
    /// `--library`.
    pub library: Option<Library>,
    /// `--shard`.
    pub shard: Option<Shard>,
    /// `--strict`.
    pub strict: bool,
    /// `--no-reuse`.
    pub no_reuse: bool,
    /// `--why`.
    pub why: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--json`.
    pub json: bool,
}

/// The purpose of the artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are published as soon as they are there.
    Ship,
    /// They go into a server on this machine.
    Local,
    /// `upload` may publish them later, and says then what it refuses.
    Any,
}

/// Returns whether the distribution's library may be used without being asked for.
pub(super) fn may_fall_back(purpose: Purpose, strict: bool, config: &Config) -> bool {
    match purpose {
        Purpose::Ship => false,
        Purpose::Local => !strict,
        // Where `upload` takes them all the same, they are as good as published.
        Purpose::Any => !strict && !config.other_compiler,
    }
}

/// Returns the part of the plan to make, where several machines share it: by the option, else as CI numbers the machines
/// of a job. What is published at once is never shared: there is no job after it to put the parts together.
pub(super) fn shard(purpose: Purpose, options: &Options, env: &Env) -> Result<Option<Shard>> {
    if purpose != Purpose::Any {
        return Ok(None);
    }
    let shard = match options.shard {
        Some(shard) => Some(shard),
        None => circleci_shard(env)?,
    };
    Ok(shard.filter(|shard| shard.total > 1))
}

fn circleci_shard(env: &Env) -> Result<Option<Shard>> {
    let (Some(index), Some(total)) = (env.get("CIRCLE_NODE_INDEX"), env.get("CIRCLE_NODE_TOTAL"))
    else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    if number(&total) == Some(1) {
        return Ok(None);
    }
    let shard = number(&index)
        .zip(number(&total))
        .and_then(|(index, total)| Shard::new(index.checked_add(1)?, total));
    match shard {
        Some(shard) => Ok(Some(shard)),
        None => Err(Error::config(format!(
            "CIRCLE_NODE_INDEX is {index} and CIRCLE_NODE_TOTAL is {total}: expected a number from 0 below the total"
        ))
        .hint("say by --shard I/N which part of the work to do, or build all of it with --shard 1/1")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Purpose, shard};
    use crate::model::shard::Shard;
    use crate::system::env::Env;

    #[test]
    fn a_machine_of_circleci_is_a_shard_where_there_are_several_and_nothing_is_published_at_once() {
        let found = |option: Option<&str>, purpose, variables: &[(&str, &str)]| {
            let option = option.map(|text| text.parse().unwrap());
            let options = Options { shard: option, ..Options::default() };
            shard(purpose, &options, &Env::for_test(variables))
        };
        let second = [("CIRCLE_NODE_INDEX", "1"), ("CIRCLE_NODE_TOTAL", "3")];
        assert_eq!(found(None, Purpose::Any, &second).unwrap(), Shard::new(2, 3));
        assert_eq!(found(Some("1/2"), Purpose::Any, &second).unwrap(), Shard::new(1, 2));
        assert_eq!(found(Some("1/1"), Purpose::Any, &second).unwrap(), None);
        assert_eq!(found(None, Purpose::Ship, &second).unwrap(), None);
        for variables in
            [&[][..], &second[1..], &[("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "1")]]
        {
            assert_eq!(found(None, Purpose::Any, variables).unwrap(), None, "{variables:?}");
        }
        for (index, total) in [("3", "3"), ("-1", "3"), ("x", "3"), ("0", "many"), ("0", "0")] {
            let variables = [("CIRCLE_NODE_INDEX", index), ("CIRCLE_NODE_TOTAL", total)];
            let error = found(None, Purpose::Any, &variables).unwrap_err().to_string();
            assert!(
                error.contains(&format!("INDEX is {index} and CIRCLE_NODE_TOTAL is {total}")),
                "{error}"
            );
        }
    }
}
