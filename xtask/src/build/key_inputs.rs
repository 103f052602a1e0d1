//! The part of a build key that does not come from the repository's files: what is asked of cargo, and the tools.

use std::process::Command;
use std::time::Duration;

use catalog::Os;

use crate::build::compile;
use crate::build::macos_sdk;
use crate::build::pins;
use crate::build::toolchain::{Identity, build_tools};
use crate::model::build_key::Input;
use crate::model::plan::{Build, Plan};
use crate::system::env::Env;
use crate::system::{child_env, process};

/// Enough for a compiler that prints its version.
const LIMIT: Duration = Duration::from_secs(30);

/// The C compiler and the operating system of this machine, which no pin names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    compiler: String,
    system: String,
}

impl Machine {
    /// Asks this machine.
    pub fn read(env: &Env) -> Self {
        let mut command = Command::new("cc");
        child_env::clean(command.arg("--version"), env);
        let compiler = process::run(&mut command, LIMIT).map(|output| output.stdout);
        let system = std::fs::read_to_string("/etc/os-release");
        Self { compiler: compiler.unwrap_or_default(), system: system.unwrap_or_default() }
    }
}

/// Returns the inputs of one service that its plan and its toolchain give.
pub fn of(
    build: &Build,
    plan: &Plan,
    toolchain: &Identity,
    machine: &Machine,
    flags_digest: Option<&str>,
    env: &Env,
) -> Vec<Input> {
    let platform = toolchain.platform;
    let compiler = &toolchain.compiler;
    let requirements = &plan.requirements;
    let mut inputs = vec![
        Input::versioned("rustc", &compiler.release, compiler.version.as_bytes()),
        Input::versioned("zig", pins::ZIG, b""),
        Input::versioned("cargo-zigbuild", pins::CARGO_ZIGBUILD, b""),
        Input::versioned("standard library", &toolchain.library.to_string(), b""),
        Input::versioned("host", &compiler.host, b""),
        Input::of("cc --version", machine.compiler.as_bytes()),
        Input::of("os-release", machine.system.as_bytes()),
        Input::versioned("platform", platform.as_str(), b""),
        Input::versioned("profile", &plan.profile, b""),
        Input::versioned("bin", &build.bin, b""),
        Input::versioned("features", &build.features.join(" "), b""),
        Input::versioned("default-features", &(!build.no_default_features).to_string(), b""),
        Input::versioned("SOURCE_DATE_EPOCH", &compile::build_time(env), b""),
        Input::versioned("system-libraries", &requirements.system_libraries.join(" "), b""),
    ];
    if platform.uses_glibc() {
        inputs.push(Input::versioned("glibc", &requirements.glibc, b""));
    }
    if platform.os == Os::Darwin {
        inputs.push(Input::versioned("macos", &requirements.macos, b""));
        inputs.push(Input::of("stubs of macOS", macos_sdk::SYMBOLS.as_bytes()));
    }
    for tool in build_tools::planned(&build.needs, env) {
        let version = tool.version.as_deref().unwrap_or_default();
        inputs.push(Input::versioned(&tool.name, version, tool.origin.as_bytes()));
    }
    if let Some(digest) = flags_digest {
        inputs.push(Input::of("flags from outside the repository", digest.as_bytes()));
    }
    inputs
}
