//! Removes the debug map of a program for macOS.
//!
//! With `debug` in the profile, the debug information stays in the object files, and the linked program names their
//! paths on this machine and their times: two builds of one commit would differ, and nobody else has the files. The
//! program that cargo linked keeps its map, for a debugger on this machine.

use std::process::Command;

use anyhow::Context as _;
use ferror::Error;

use super::environment::LIBRARY_PATH;
use super::{Binary, place_of_its_own};
use crate::build::stamp;
use crate::build::toolchain::Toolchain;
use crate::system::env::Env;
use crate::system::ui::Ui;
use crate::system::{child_env, process};

/// Returns a binary without a debug map: the given one, or a copy of it.
pub(super) fn remove(
    mut binary: Binary,
    toolchain: &Toolchain,
    env: &Env,
    ui: &Ui,
) -> anyhow::Result<Binary> {
    let linked = &binary.path;
    let image = std::fs::read(linked).with_context(|| format!("reading {}", linked.display()))?;
    if !stamp::has_debug_map(&image).with_context(|| linked.display().to_string())? {
        return Ok(binary);
    }
    let Some(program) = toolchain.compiler.objcopy() else {
        ui.warn(format_args!(
            "{} for {} names object files of this machine and their times, so that nobody can build the same bytes: \
             this compiler has no rust-objcopy to remove that; set `debug = false` in the profile",
            binary.service, toolchain.platform
        ));
        return Ok(binary);
    };
    let stripped = place_of_its_own(&binary.service, "stripped", toolchain)?;
    let mut command = Command::new(&program);
    command.arg("--strip-debug").arg(linked).arg(&stripped);
    child_env::clean(&mut command, env);
    // Its shared libraries are the compiler's.
    command.env(LIBRARY_PATH, toolchain.compiler.sysroot.join("lib"));
    let output =
        process::output(&mut command).with_context(|| format!("running {}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!("removing the debug map of {}: {}", binary.service, said.trim());
        return Err(Error::config(message).hint("set `debug = false` in the profile").into());
    }
    binary.path = stripped;
    Ok(binary)
}
