//! Writes a new repository. It is made beside its place and moved there when all of it is done.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use crate::model::{cargo_lock, cargo_toml};
use crate::repository::changes::Changes;
use crate::repository::service_template::{self, ParentWorkspace};
use crate::repository::templates::{self, Place};
use crate::repository::xtask_source::XtaskSource;
use crate::system::env::Env;
use crate::system::partial::Partial;
use crate::system::{child_env, process};

/// What a person or the options say about a new repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The name of its first service.
    pub name: String,
    /// The GitHub account of its owner.
    pub github_username: String,
    /// The bucket to which its releases are uploaded.
    pub s3_bucket: String,
}

/// Checks that a folder does not exist yet, or is empty, and returns its absolute path.
pub fn check_free(named: &Path, env: &Env) -> anyhow::Result<PathBuf> {
    let refused = |what: &str| {
        Error::config(format!("{} {what}: nothing was written", named.display()))
            .hint("name a folder that is not there yet, or an empty one")
    };
    let dir = env.current_dir.join(named);
    let Ok(metadata) = dir.symlink_metadata() else {
        let (parent, name) = (dir.parent(), dir.file_name());
        let parent = parent.and_then(|parent| parent.canonicalize().ok());
        return match (parent, name) {
            (Some(parent), Some(name)) => Ok(parent.join(name)),
            _ => Err(refused("lies in a folder that is not there").into()),
        };
    };
    let dir = dir.canonicalize().with_context(|| format!("looking at {}", named.display()))?;
    if !metadata.is_symlink() && !metadata.is_dir() || !dir.is_dir() {
        return Err(refused("is there already, and no folder").into());
    }
    let mut entries = fs::read_dir(&dir).with_context(|| format!("reading {}", named.display()))?;
    if entries.next().is_some() {
        return Err(refused("is there already, and not empty").into());
    }
    Ok(dir)
}

/// Makes a folder beside `dir`, in which relative paths are the same as in `dir`.
pub fn make_partial(dir: &Path) -> anyhow::Result<Partial> {
    Ok(Partial::folder(dir).map_err(|error| {
        Error::config(format!("cannot make a folder beside {}", dir.display()))
            .hint("a repository is made beside its place first: name one in a folder that you can write to")
            .caused_by(error)
    })?)
}

/// Refuses a name that a dependency of the services has: cargo could not tell the two apart.
pub fn refuse_ambiguous_name(name: &str, dir: &Path) -> anyhow::Result<()> {
    let lock = fs::read_to_string(dir.join("Cargo.lock")).context("reading Cargo.lock")?;
    if !cargo_lock::is_ambiguous(&lock, name) {
        return Ok(());
    }
    let error = format!("the name {name:?} is that of a package that services depend on");
    Err(Error::usage(error).hint("take another name: nothing was written").into())
}

/// Makes the files of the repository in `dir`. `rustc` is the version of the compiler that CI uses.
pub fn files(
    answers: &Answers,
    source: &XtaskSource,
    rustc: &str,
    dir: &Path,
) -> anyhow::Result<Changes> {
    let xtask = source.dependency("xtask", &dir.join("xtask"));
    let [ferror, service, stamp] = ["ferror", "service", "stamp"]
        .map(|name| source.dependency(&format!("foundation/{name}"), dir));
    let (major_minor, _) = rustc.rsplit_once('.').unwrap_or((rustc, ""));
    let values = [
        ("NAME", answers.name.as_str()),
        ("ACCOUNT", &answers.github_username),
        ("BUCKET", &answers.s3_bucket),
        ("RUSTC", rustc),
        ("RUST_VERSION", major_minor),
        ("XTASK", &xtask),
        ("FERROR", &ferror),
        ("SERVICE", &service),
        ("STAMP", &stamp),
        ("OTHERS", &registry_dependencies()),
    ];
    let mut all = templates::render(templates::REPOSITORY, "", &values)?;
    let root = all.iter().find(|(path, _)| path == "Cargo.toml").map(|(_, text)| &**text);
    let root = cargo_toml::parse(root.unwrap_or_default(), "Cargo.toml")?;
    let workspace = ParentWorkspace { dir, cargo_toml: &root, xtask_source: source };
    all.extend(service_template::first_service(&answers.name, workspace)?);
    let deploy = templates::DEPLOY.iter();
    all.extend(deploy.map(|(path, text)| (format!("deploy/{path}"), (*text).to_owned())));
    let mut changes = Changes::default();
    for (path, text) in all {
        changes.set(&dir.join(path), text)?;
    }
    Ok(changes)
}

/// Writes the dependencies from the registry that services have, as lines of `[workspace.dependencies]`.
fn registry_dependencies() -> String {
    let all = [
        templates::FIRST_DEPENDENCIES,
        templates::WEB_DEPENDENCIES,
        templates::WORKER_DEPENDENCIES,
    ]
    .concat();
    let mut lines: Vec<_> = all
        .iter()
        .filter_map(|dependency| match dependency.place {
            Place::Registry(value) => Some(format!("{} = {value}", dependency.name)),
            Place::Foundation | Place::Own => None,
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines.join("\n")
}

/// Writes Cargo.lock, with the versions that xtask itself is tested with where they apply. `here` is the
/// workspace in which `init` runs.
pub fn resolve(
    source: &XtaskSource,
    here: Option<&Path>,
    dir: &Path,
    env: &Env,
) -> anyhow::Result<()> {
    let of_xtask = match source {
        XtaskSource::Path { dir, .. } => Some(dir.join("Cargo.lock")),
        XtaskSource::Git { .. } => here.map(|dir| dir.join("Cargo.lock")),
    };
    if let Some(lock) = of_xtask.filter(|lock| lock.is_file()) {
        fs::copy(&lock, dir.join("Cargo.lock"))
            .with_context(|| format!("copying {}", lock.display()))?;
    }
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--format-version", "1"]).current_dir(dir);
    let output = process::output(&mut cargo).context("running cargo metadata")?;
    if output.status.success() {
        return Ok(());
    }
    let reason = child_env::error_text(&output);
    Err(Error::config(format!("cargo cannot resolve the new repository: {reason}"))
        .hint("nothing was left behind; it needs the network for what is not downloaded yet")
        .into())
}

/// Moves the repository to `dir`, if that still does not exist or is empty. One rename does it, which replaces an
/// empty folder too; in the current folder, the entries are moved one by one.
pub fn move_to(partial: Partial, dir: &Path, env: &Env) -> anyhow::Result<()> {
    let refused = |error: std::io::Error| {
        Error::config(format!("cannot move the new repository to {}", dir.display()))
            .hint("something came there meanwhile, or it is another file system: nothing was left behind")
            .caused_by(error)
    };
    if env.current_dir.canonicalize().is_ok_and(|here| here == *dir) {
        return Ok(move_entries(partial.path(), dir).map_err(refused)?);
    }
    Ok(partial.rename(dir).map_err(refused)?)
}

/// Moves all entries of a folder into another, empty one. After a failure, none is moved.
fn move_entries(from: &Path, to: &Path) -> std::io::Result<()> {
    if fs::read_dir(to)?.next().is_some() {
        return Err(std::io::ErrorKind::DirectoryNotEmpty.into());
    }
    let names: Vec<_> =
        fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<_>>()?;
    for (index, name) in names.iter().enumerate() {
        let moved = match to.join(name).symlink_metadata() {
            Ok(_) => Err(std::io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from.join(name), to.join(name)),
        };
        if let Err(error) = moved {
            for name in &names[..index] {
                // The first failure is returned, and not one of these.
                let _ = fs::rename(to.join(name), from.join(name));
            }
            return Err(error);
        }
    }
    Ok(())
}
