//! Runs cargo for one service, in the sandbox or without it, and says why a build failed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context as _;
use ferror::Error;

use super::cargo_output::{self, Message, Progress};
use super::failure::{self, CompilerError};
use super::refused_flag::{self, Script};
use super::refused_input::{self, Refusal};
use super::sandbox::{self, Allowed};
use super::{Binary, observed};
use crate::build::toolchain::Toolchain;
use crate::model::plan::Build;
use crate::system::env::Env;
use crate::system::sandbox::{Machine, Sandbox};
use crate::system::ui::Ui;
use crate::system::{process, terminal};

/// The build of one service.
pub(super) struct ServiceBuild<'a> {
    pub(super) service: &'a Build,
    pub(super) toolchain: &'a Toolchain,
    pub(super) profile: &'a str,
    pub(super) openssl: Option<&'a Path>,
    pub(super) progress: &'a Progress,
    pub(super) env: &'a Env,
    pub(super) ui: &'a Ui,
}

/// The output of a cargo that failed.
struct Failure {
    /// The program that ran.
    program: String,
    refused_flag: Option<String>,
    first_error: Option<CompilerError>,
    /// What it wrote to stderr.
    said: String,
    /// The build scripts that had run.
    scripts: Vec<Script>,
}

impl ServiceBuild<'_> {
    /// Builds without the sandbox.
    pub(super) fn build_open(&self, command: Command) -> anyhow::Result<Binary> {
        self.run(command, true)?.map_err(|failure| self.error(&failure))
    }

    fn error(&self, failure: &Failure) -> anyhow::Error {
        let (name, env) = (&self.service.service, self.env);
        let Failure { program, refused_flag, first_error, said, scripts } = failure;
        if let Some(flag) = refused_flag {
            let mut cargo = Command::new(program);
            cargo.current_dir(&self.toolchain.workspace_root);
            return refused_flag::error(flag, name, scripts, cargo, env).into();
        }
        let platform = self.toolchain.platform;
        failure::error(name, platform, first_error.as_ref(), said, scripts, env).into()
    }

    /// Runs cargo, and returns the binary that it names. `is_shown` says whether its output is.
    fn run(&self, mut command: Command, is_shown: bool) -> anyhow::Result<Result<Binary, Failure>> {
        let service = self.service;
        command.current_dir(&self.toolchain.workspace_root).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if is_shown {
            show_progress(&mut command, self.env);
        }
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = process::spawn(&mut command)
            .map_err(|error| Error::config(format!("cannot run {program}")).caused_by(error))?;
        let stdout = child.take_stdout().context("cargo has no stdout")?;
        let stderr = child.take_stderr().context("cargo has no stderr")?;
        let said = thread::spawn(move || Progress::pass_on(stderr, is_shown));
        let (mut path, mut refused_flag, mut first_error) = (None, None, None);
        let (mut scripts, mut crates) = (Vec::new(), Vec::new());
        // Macros may print what is not UTF-8, between cargo's messages.
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("reading cargo's messages")?;
            match cargo_output::read(&String::from_utf8_lossy(&line)) {
                Some(Message::Diagnostic { text, refused_flag: flag, error }) => {
                    if is_shown {
                        self.progress.show_diagnostic(&text);
                    }
                    refused_flag = refused_flag.or(flag);
                    first_error = first_error.or(error);
                }
                Some(Message::Script(script)) => scripts.push(script),
                Some(Message::Crate(finished)) => {
                    self.progress.count(&finished);
                    if finished.package == service.package && finished.target == service.bin {
                        path = finished.executable.clone().or(path);
                    }
                    crates.push(finished);
                }
                None => {}
            }
        }
        let name = &service.service;
        let said = said.join().unwrap_or_default();
        if !child.wait().context("waiting for cargo")?.success() {
            return Ok(Err(Failure { program, refused_flag, first_error, said, scripts }));
        }
        let path = path.ok_or_else(|| {
            Error::config(format!("cargo made no binary `{}` of {name}", service.bin))
                .hint("its `required-features` have to be among the service's `features`")
        })?;
        // A build script or a macro may have it, and not the service.
        let links = |home: &Path| scripts.iter().any(|script| script.links_below(home));
        let has_openssl = self.openssl.is_some_and(links);
        let observed = observed::collect(&self.toolchain.workspace_root, &crates, &scripts);
        let read = observed::sources(&path, &self.toolchain.workspace_root)?;
        let service = name.clone();
        Ok(Ok(Binary { service, path, has_openssl, sandboxed: false, observed, sources: read }))
    }
}

/// The build of one service in a sandbox.
pub(super) struct Confined<'a> {
    pub(super) of: &'a ServiceBuild<'a>,
    pub(super) machine: Machine,
    pub(super) allowed: &'a Allowed,
}

impl Confined<'_> {
    /// Builds in the sandbox. Where that fails, finds out whether something was refused to a build script or a macro, and
    /// then builds without it by `open`, unless it is CI that builds.
    pub(super) fn build(
        &self,
        command: &dyn Fn() -> anyhow::Result<Command>,
        open: &dyn Fn() -> anyhow::Result<Binary>,
    ) -> anyhow::Result<Binary> {
        let ServiceBuild { service, toolchain, profile, env, ui, .. } = *self.of;
        let sandbox = sandbox::prepare(self.machine, toolchain, self.allowed, profile, env)?;
        let mut confined = self.clear(command()?);
        sandbox.confine(&mut confined).context("making the sandbox")?;
        let failure = match self.of.run(confined, true)? {
            Ok(binary) => return Ok(binary),
            Err(failure) => failure,
        };
        let Some(refusal) = self.find_refusal(&sandbox, &failure, command)? else {
            return Err(self.of.error(&failure));
        };
        let name = &service.service;
        if env.get("CI").is_some() {
            return Err(refusal.error(name).into());
        }
        ui.say("building", format_args!("{name} once more, without the sandbox"));
        let binary = open()?;
        ui.warn(refusal.warning(name));
        Ok(binary)
    }

    /// Runs a build that failed once more, and looks at what it is refused.
    fn find_refusal(
        &self,
        sandbox: &Sandbox,
        failure: &Failure,
        command: &dyn Fn() -> anyhow::Result<Command>,
    ) -> anyhow::Result<Option<Refusal>> {
        let ServiceBuild { toolchain, profile, env, .. } = *self.of;
        let printed = failure::printed(failure.first_error.as_ref(), &failure.said);
        if !refused_input::is_possible(&printed) {
            return Ok(None);
        }
        let mut watched = self.clear(command()?);
        let watch = sandbox.confine_and_watch(&mut watched).context("making the sandbox")?;
        self.of.run(watched, false)?.err();
        let refused = watch.end();
        let withheld = sandbox::withheld(&self.allowed.variables, profile, env);
        Ok(refused_input::find(&printed, &refused, &withheld, &toolchain.workspace_root))
    }

    /// Leaves what a sandboxed build gets of the environment.
    fn clear(&self, mut command: Command) -> Command {
        let ServiceBuild { toolchain, profile, env, .. } = *self.of;
        let variables = &self.allowed.variables;
        sandbox::set_environment(&mut command, toolchain, variables, profile, env);
        command
    }
}

/// Lets cargo show its progress on our terminal, though its stderr is a pipe to us. `CARGO_TERM_PROGRESS_WHEN`, a
/// terminal that cannot move its cursor, and CI count here as they do for cargo.
fn show_progress(command: &mut Command, env: &Env) {
    let is_set = |name: &str| env.get_os(name).is_some();
    let is_dumb = env.get("TERM").is_none_or(|term| term == "dumb");
    if !env.stderr_is_terminal || is_dumb || is_set("CI") {
        return;
    }
    if !is_set("CARGO_TERM_PROGRESS_WHEN") {
        let width = terminal::width_of_stderr().unwrap_or(80);
        command.env("CARGO_TERM_PROGRESS_WHEN", "always");
        command.env("CARGO_TERM_PROGRESS_WIDTH", width.to_string());
    }
    if env.colour() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}
