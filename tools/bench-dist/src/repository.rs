//! Makes repositories of services, and builds them with `dist` and with plain cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use ferror::{Error, Result};

use crate::measure::{run, time};

const ROOT: &str = "\
[workspace]
resolver = \"3\"
members = [\"services/*\", \"stamp\"]

[workspace.metadata.xtask]
platforms = \"linux,amd64\"

[workspace.dependencies]
axum = { version = \"0.8\", default-features = false, features = [\"http1\", \"json\", \"tokio\"] }
tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\", \"signal\", \"sync\", \"time\"] }

[profile.release]
strip = true
";
const AXUM: &str = "\
use axum::{Router, routing::get};

#[tokio::main]
async fn main() {
    println!(\"{}\", stamp::line(\"service\"));
    let app = Router::new().route(\"/\", get(|| async { \"hello\" }));
    let listener = tokio::net::TcpListener::bind(\"127.0.0.1:0\").await.unwrap();
    axum::serve(listener, app).await.unwrap();
}
";
const SMALL: &str = "fn main() {\n    println!(\"{}\", stamp::line(\"service\"));\n}\n";

/// A repository below the scratch folder.
pub(crate) struct Repository {
    dir: PathBuf,
}

/// Returns the root of Bowline.
pub(crate) fn bowline() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

impl Repository {
    /// Makes a repository of services with axum.
    pub(crate) fn of_axum(dir: PathBuf, services: usize) -> Result<Self> {
        Self::make(dir, services, "axum.workspace = true\ntokio.workspace = true\n", AXUM)
    }

    /// Makes a repository of services that are soon compiled.
    pub(crate) fn of_small(dir: PathBuf, services: usize) -> Result<Self> {
        Self::make(dir, services, "", SMALL)
    }

    /// Makes a repository, where it is not there from an earlier run.
    fn make(dir: PathBuf, services: usize, dependencies: &str, main: &str) -> Result<Self> {
        let repository = Self { dir };
        if repository.dir.join(".git").exists() {
            return Ok(repository);
        }
        repository.write("Cargo.toml", ROOT)?;
        repository.write(".gitignore", "/target\n/pkg\n")?;
        let stamp =
            "[package]\nname = \"bowline-stamp\"\nedition = \"2024\"\n\n[lib]\nname = \"stamp\"\n";
        repository.write("stamp/Cargo.toml", stamp)?;
        for file in ["lib.rs", "format.rs"] {
            let path = bowline().join("foundation/stamp/src").join(file);
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            repository.write(&format!("stamp/src/{file}"), &text)?;
        }
        for at in 0..services {
            let folder = format!("services/service{at}");
            let toml = format!(
                "[package]\nname = \"service{at}\"\nedition = \"2024\"\n\n[dependencies]\n\
                 bowline-stamp = {{ path = \"../../stamp\" }}\n{dependencies}"
            );
            repository.write(&format!("{folder}/Cargo.toml"), &toml)?;
            repository.write(&format!("{folder}/src/main.rs"), main)?;
        }
        repository.link_tools()?;
        run(repository.program("cargo").arg("generate-lockfile"))?;
        run(repository.program("git").args(["init", "--quiet", "--initial-branch", "main"]))?;
        run(repository.program("git").args(["add", "--all"]))?;
        repository.commit()?;
        Ok(repository)
    }

    /// Makes an empty commit.
    pub(crate) fn commit(&self) -> Result<()> {
        let mut git = self.program("git");
        git.args(["-c", "user.name=B", "-c", "user.email=b@example.com", "commit"]);
        run(git.args(["--quiet", "--allow-empty", "--all", "--message", "commit"]))
    }

    /// Changes the code of a service, and commits that.
    pub(crate) fn change(&self, service: &str) -> Result<()> {
        let path = self.dir.join(format!("services/{service}/src/main.rs"));
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        let nanos = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let mut lines: Vec<_> = text.lines().filter(|line| !line.contains("CHANGED")).collect();
        let changed = format!("#[used] static CHANGED: u128 = {nanos};\n");
        lines.push(&changed);
        let text = lines.join("\n");
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
        self.commit()
    }

    /// Has both build everything that is not built yet.
    pub(crate) fn build_both(&self) -> Result<()> {
        self.dist()?;
        self.cargo(None).map(drop)
    }

    /// Links zig and what else is installed, which need not be downloaded again, but nothing that was compiled.
    fn link_tools(&self) -> Result<()> {
        let (tools, own) =
            (bowline().join("target/dist/tools"), self.dir.join("target/dist/tools"));
        fs::create_dir_all(&own).map_err(|error| failed(&own, error))?;
        for entry in fs::read_dir(&tools).into_iter().flatten().flatten() {
            let link = own.join(entry.file_name());
            if entry.path().is_dir() && !["cache", "openssl"].iter().any(|it| link.ends_with(it)) {
                std::os::unix::fs::symlink(entry.path(), &link)
                    .map_err(|error| failed(&link, error))?;
            }
        }
        Ok(())
    }

    /// Runs `cargo xtask dist`.
    pub(crate) fn dist(&self) -> Result<Duration> {
        self.xtask("dist", &[])
    }

    /// Runs `cargo xtask` with Bowline's own alias and profiles.
    pub(crate) fn xtask(&self, verb: &str, variables: &[(&str, String)]) -> Result<Duration> {
        let mut cargo = self.program("cargo");
        cargo.arg("--config").arg(bowline().join(".cargo/config.toml"));
        cargo.args(["run", "--quiet", "--locked", "--manifest-path"]);
        cargo.arg(bowline().join("Cargo.toml"));
        cargo.args(["--package", "bowline-xtask", "--bin", "xtask", "--", verb]);
        for (name, value) in variables {
            cargo.env(name, value);
        }
        time(|| run(&mut cargo))
    }

    /// Runs `cargo build --release` for all services, or for one.
    pub(crate) fn cargo(&self, service: Option<&str>) -> Result<Duration> {
        let mut cargo = self.program("cargo");
        cargo.args(["build", "--release", "--quiet", "--locked"]);
        if let Some(service) = service {
            cargo.args(["--package", service]);
        }
        time(|| run(&mut cargo))
    }

    /// Runs `dist` without what it built before.
    pub(crate) fn dist_from_empty(&self) -> Result<Duration> {
        for folder in ["target/dist/rustup", "target/dist/distribution", "pkg"] {
            remove(&self.dir.join(folder))?;
        }
        self.dist()
    }

    /// Removes everything that `dist` and zig compiled, packed or downloaded.
    pub(crate) fn forget_builds(&self) -> Result<()> {
        for folder in ["dist/rustup", "dist/distribution", "dist/tools/cache"] {
            remove(&self.dir.join("target").join(folder))?;
        }
        remove(&self.dir.join("pkg"))
    }

    /// Runs `cargo build --release` without what it built before.
    pub(crate) fn cargo_from_empty(&self, service: Option<&str>) -> Result<Duration> {
        remove(&self.dir.join("target/release"))?;
        self.cargo(service)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.dir);
        // Those of the cargo that runs this program.
        for name in ["CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR", "CARGO"] {
            command.env_remove(name);
        }
        command
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.dir.join(path);
        let folder = path.parent().unwrap_or(&self.dir);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|error| failed(&path, error))
    }
}

pub(crate) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(folder, error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::config(path.display().to_string()).caused_by(error)
}
