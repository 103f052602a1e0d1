//! Builds the S3 server of `--local` and runs it on a free loopback port until the upload ends.
//!
//! xtask does not depend on the server, since every first `cargo xtask` would then compile an async
//! runtime. Its sources lie in `tools/local-s3` beside bowline-xtask's own folder, wherever cargo put that.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use catalog::json::{self, Object};
use ferror::{Error, Kind};
use s3::Credentials;

use crate::model::workspace::Root;
use crate::repository::{cargo_config, vendored, xtask_source};
use crate::system::env::Env;
use crate::system::file_lock::{self, FileLock};
use crate::system::ui::Ui;
use crate::system::{child_env, process};

/// The server's package and binary.
const PACKAGE: &str = "local-s3";

/// A running server, which ends when this is dropped.
#[derive(Debug)]
pub struct LocalServer {
    child: Child,
    /// The server stops when this closes, so that it ends with this process however that ends.
    stdin: Option<ChildStdin>,
    ready: ReadyLine,
    objects: PathBuf,
    /// Dropped last, after the server has ended.
    _lock: FileLock,
}

/// The line that the server prints when it listens. Its credentials are new at every start.
struct ReadyLine {
    endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
}

impl std::fmt::Debug for ReadyLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyLine").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl ReadyLine {
    fn read(line: &str) -> json::Result<Self> {
        let document = json::parse(line.as_bytes())?;
        let mut object = Object::new(&document)?;
        Ok(Self {
            endpoint: object.get("endpoint")?,
            region: object.get("region")?,
            access_key_id: object.get("access_key_id")?,
            secret_access_key: object.get("secret_access_key")?,
        })
    }
}

impl LocalServer {
    /// Builds the server with `cargo`, whose compiler stands beside it, and starts it with one, empty, bucket.
    pub fn start(
        root: &Root,
        bucket: &str,
        cargo: &Path,
        env: &Env,
        ui: &Ui,
    ) -> anyhow::Result<Self> {
        let objects = root.target_dir.join("local-s3");
        let program = build(root, cargo, env, ui)?;
        let lock = lock(&root.target_dir, ui)?;
        if objects.exists() {
            refuse_while_served(&objects)?;
            std::fs::remove_dir_all(&objects)
                .with_context(|| format!("emptying {}", objects.display()))?;
        }
        let mut command = Command::new(&program);
        command.arg("--root").arg(&objects).args(["--bucket", bucket]);
        child_env::clean(&mut command, env);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .context("waiting for the local S3 server")?;
        }
        let ready = ReadyLine::read(&line).map_err(|_| {
            Error::new(
                Kind::Unavailable,
                "the local S3 server did not print the line that says where it listens",
            )
        })?;
        let server = Self { child, stdin, ready, objects, _lock: lock };
        ui.say("serving", format_args!("S3 on {} for this upload", server.endpoint()));
        Ok(server)
    }

    /// Returns the URL at which it listens.
    pub fn endpoint(&self) -> &str {
        &self.ready.endpoint
    }

    /// Returns the region that requests have to be signed for.
    pub fn region(&self) -> &str {
        &self.ready.region
    }

    /// Returns its credentials.
    pub fn credentials(&self) -> ferror::Result<Credentials> {
        let ReadyLine { access_key_id, secret_access_key, .. } = &self.ready;
        Credentials::new(access_key_id.clone(), secret_access_key.clone(), None)
    }

    /// Returns the folder in which a bucket's objects lie as files.
    pub fn objects_dir(&self, bucket: &str) -> PathBuf {
        self.objects.join(bucket)
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It ends within a moment. An error cannot be returned here.
        let _ = self.child.wait();
    }
}

/// Waits for another server in the same target folder: each server begins by emptying the folder with the
/// objects.
fn lock(target_dir: &Path, ui: &Ui) -> anyhow::Result<FileLock> {
    let waiting =
        || ui.say("waiting", format_args!("for another --local below {}", target_dir.display()));
    file_lock::lock(&target_dir.join("local-s3.lock"), waiting)
}

/// Fails while a server serves the objects of an earlier run, which this run would remove. A server holds its
/// lock as long as it runs.
fn refuse_while_served(objects: &Path) -> ferror::Result<()> {
    if !file_lock::is_locked(&objects.join(".local-s3/lock")) {
        return Ok(());
    }
    let message = format!("{} is being served, and --local would empty it", objects.display());
    Err(Error::config(message).hint(
        "end that server, or upload to it: name its --bucket and --endpoint instead of --local",
    ))
}

fn build(root: &Root, cargo: &Path, env: &Env, ui: &Ui) -> anyhow::Result<PathBuf> {
    let manifest = manifest_path(root, env)?;
    ui.say("building", format_args!("the local S3 server ({PACKAGE})"));
    let mut command = Command::new(cargo);
    child_env::clean(&mut command, env);
    if env.get_os("CARGO") != Some(cargo.as_os_str()) {
        // The variables of the active toolchain, and the repository's file, name a compiler that is too old.
        command.env("RUSTC", cargo.with_file_name("rustc")).env_remove("RUSTUP_TOOLCHAIN");
    }
    // A package of another workspace is built with that one's lock file and vendored sources.
    let dir = if manifest.starts_with(&root.dir) { Some(&*root.dir) } else { manifest.parent() };
    let dir = dir.unwrap_or(&root.dir);
    let build = ["build", "--locked", "--message-format=json-render-diagnostics"];
    command
        .current_dir(dir)
        .args(vendored::with_lock_option(&build, dir))
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&root.target_dir);
    // The server runs here, whatever the repository's programs are built for. Without `build.target` nothing is
    // named: cargo has another folder for a platform that is, and would compile all of it again.
    command.env_remove("CARGO_BUILD_TARGET");
    if cargo_config::read(dir, env)?.has_build_target {
        command.args(["--target", "host-tuple"]);
    }
    if !env.stderr_is_terminal {
        command.arg("--quiet");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let output = process::spawn(&mut command)
        .and_then(process::Running::output)
        .context("running cargo build")?;
    if !output.status.success() {
        return Err(Error::new(
            Kind::Failed,
            format!("{PACKAGE} does not build: {}", output.status),
        )
        .hint(child_env::build_hint(env))
        .into());
    }
    let executable = String::from_utf8_lossy(&output.stdout).lines().find_map(executable);
    executable.with_context(|| format!("cargo named no executable of {PACKAGE}"))
}

/// Returns the executable of the server that a line of cargo's JSON names.
fn executable(line: &str) -> Option<PathBuf> {
    let message = json::parse(line.as_bytes()).ok()?;
    let is_ours = message["target"]["name"] == PACKAGE;
    message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
}

/// Finds `tools/local-s3/Cargo.toml` beside the folder of bowline-xtask, which may be a member of this
/// workspace, a path dependency of it, or a checkout that cargo made of a git dependency.
fn manifest_path(root: &Root, env: &Env) -> anyhow::Result<PathBuf> {
    let in_folder =
        |xtask: &Path| xtask.parent().map(|dir| dir.join("tools").join(PACKAGE).join("Cargo.toml"));
    let here = root.dir.join("tools").join(PACKAGE).join("Cargo.toml");
    if here.is_file() {
        return Ok(here);
    }
    let xtask = match xtask_source::manifest_path(&root.dir, env)? {
        Some(xtask) => Some(xtask),
        // The package that cargo runs may be a workspace of its own, with its own Cargo.lock.
        None => match env.get_os("CARGO_MANIFEST_DIR").map(Path::new) {
            Some(running) if running.is_dir() => xtask_source::manifest_path(running, env)?,
            _ => None,
        },
    };
    xtask
        .and_then(|manifest| in_folder(manifest.parent()?))
        .filter(|path| path.is_file())
        .ok_or_else(|| {
            Error::config(format!("no tools/{PACKAGE} beside bowline-xtask: this copy of bowline-xtask came without it"))
                .hint("depend on bowline-xtask by git or by path, or run a server of your own and name its --endpoint")
                .into()
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::refuse_while_served;
    use crate::system::file_lock;

    #[test]
    fn a_folder_that_is_served_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        refuse_while_served(folder.path()).expect("no one has served it");
        fs::create_dir(folder.path().join(".local-s3")).unwrap();
        let path = folder.path().join(".local-s3/lock");
        drop(file_lock::lock(&path, || ()).unwrap());
        refuse_while_served(folder.path()).expect("no one serves it now");
        let _lock = file_lock::lock(&path, || ()).unwrap();
        let error = refuse_while_served(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is being served"), "{error}");
    }
}
