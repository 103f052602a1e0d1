//! The build keys of a `dist` that nothing is built for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use catalog::Platform;

use crate::build::toolchain::{self};
use crate::model::plan::Plan;
use crate::model::workspace::Workspace;
use crate::system::env::Env;
use crate::system::ui::Ui;

use super::options::{Options, Purpose};
use super::planned::{self, Planned};
use super::reuse::{self, Reuse};

/// The plan of a `dist`, and the build key of each service and platform.
pub struct Keys {
    /// The plan.
    pub plan: Plan,
    /// The workspace.
    pub workspace: Workspace,
    by_build: BTreeMap<(String, Platform), Result<String, String>>,
    packages: BTreeMap<(String, Platform), Vec<usize>>,
}

impl Keys {
    /// Returns the build key of a service on a platform, or why it has none.
    pub fn of(&self, service: &str, platform: Platform) -> Result<&str, &str> {
        match self.by_build.get(&(service.to_owned(), platform)) {
            Some(Ok(key)) => Ok(key),
            Some(Err(why)) => Err(why),
            None => Err("it is not in the plan"),
        }
    }

    /// Returns the numbers of the packages that are compiled for a service on a platform, as far as they are known.
    pub fn packages(&self, service: &str, platform: Platform) -> &[usize] {
        self.packages.get(&(service.to_owned(), platform)).map_or(&[], Vec::as_slice)
    }

    /// Returns the folder in which `dist` looks for what `plan` downloaded.
    pub fn handed_over_dir(&self) -> PathBuf {
        reuse::handed_over_dir(&self.plan)
    }
}

/// Computes the build keys of a `dist`, without building or installing anything.
pub fn keys(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<Keys> {
    let planned = planned::plan(options, env)?;
    let request = planned.toolchains(Purpose::Any, options, false, env);
    let identities = toolchain::expected(&request, ui)?;
    let reuse = Reuse::read(&planned.reuse(&[], false, env), &identities);
    let (mut by_build, mut packages) = (BTreeMap::new(), BTreeMap::new());
    for step in &planned.plan.steps {
        for build in &step.builds {
            let key = reuse.key(build, step.platform);
            let place = (build.service.clone(), step.platform);
            packages.insert(place.clone(), reuse.packages(build, step.platform));
            by_build.insert(place, key);
        }
    }
    let Planned { plan, workspace, .. } = planned;
    Ok(Keys { plan, workspace, by_build, packages })
}
