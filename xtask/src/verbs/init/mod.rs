//! `init`: a whole repository, from an empty folder to a first commit. It is made beside the place it
//! is for and moved there when all of it is done.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use ferror::Error;

use crate::build::pins;
use crate::model::{cargo_toml, lock_file};
use crate::repository::service_template::{self, Site};
use crate::repository::templates::{self, Place};
use crate::repository::xtask_source::{self, Origin};
use crate::repository::{git, workspace};
use crate::system::env::Env;
use crate::system::file_guard::NewFolder;
use crate::system::ui::Ui;
use crate::system::{child_env, files};

mod answers;

use answers::Answers;

/// Where a new repository has xtask from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XtaskSource {
    /// `--xtask-git`.
    Git(String),
    /// `--xtask-path`.
    Path(PathBuf),
}

/// The options of `init`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The folder; default `./<name>`.
    pub dir: Option<PathBuf>,
    /// `--name`.
    pub name: Option<String>,
    /// `--github-username`.
    pub github_username: Option<String>,
    /// `--s3-bucket`.
    pub s3_bucket: Option<String>,
    /// `--xtask-git` or `--xtask-path`.
    pub xtask: Option<XtaskSource>,
}

/// Runs `init`.
///
/// Fails with [`ferror::Kind::Usage`] on a bad answer, and with [`ferror::Kind::Config`] where the folder
/// is there and not empty, or where xtask's repository cannot be found.
pub fn run(options: &Options, env: &Env, ui: Ui) -> anyhow::Result<()> {
    // Before any question: what is refused is refused at once.
    if let Some(dir) = &options.dir {
        refuse_what_is_there(dir, env)?;
    }
    let here = workspace::root(env).ok().flatten().map(|root| root.dir);
    let origin = origin(options, here.as_deref(), env)?;
    let answers = answers::answers(options, env)?;
    let named = options.dir.clone().unwrap_or_else(|| PathBuf::from(&answers.name));
    let dir = refuse_what_is_there(&named, env)?;

    let partial = make_partial(&dir)?;
    write(&answers, &origin, partial.path())?;
    ui.say("resolving", "dependencies");
    resolve(&origin, here.as_deref(), partial.path(), env)?;
    refuse_ambiguous(&answers.name, partial.path())?;
    git::begin(partial.path(), &answers.github_username, "A repository of services", env)?;
    move_to(partial, &dir, env)?;

    if let Origin::Path { dir, .. } = &origin {
        let dir = dir.display();
        ui.warn(format_args!(
            "xtask comes from {dir}, on this machine: for others and for CI, name a repository by --xtask-git"
        ));
    }
    let shown = shown(&named);
    ui.result(format_args!("Template applied in {shown}\n"))?;
    if shown != "." {
        let dir = shown.trim_start_matches("./");
        let quote = if dir.contains(char::is_whitespace) { "'" } else { "" };
        ui.result(format_args!("  cd {quote}{dir}{quote}"))?;
    }
    Ok(ui.result("  cargo xtask ship --local")?)
}

fn origin(options: &Options, here: Option<&Path>, env: &Env) -> anyhow::Result<Origin> {
    match (&options.xtask, here) {
        (Some(XtaskSource::Git(url)), _) => Ok(Origin::at_url(url)?),
        (Some(XtaskSource::Path(path)), _) => Origin::at_path(path, &env.current_dir),
        (None, here) => {
            let found = here.map(|dir| Origin::of_workspace(dir, env)).transpose()?.flatten();
            let found = found.ok_or_else(|| {
                Error::config("nothing here says where xtask comes from")
                    .hint("name its repository: --xtask-git URL or --xtask-path FOLDER")
            })?;
            let lock =
                here.map(|dir| fs::read_to_string(dir.join("Cargo.lock")).unwrap_or_default());
            Ok(found.at_commit(commit_of_xtask(&lock.unwrap_or_default()).as_deref()))
        }
    }
}

/// A folder as people name it: `./oddjob`, `../oddjob`, `/srv/oddjob`.
fn shown(named: &Path) -> String {
    let inner: PathBuf = named.components().filter(|part| *part != Component::CurDir).collect();
    match inner.components().next() {
        None => ".".to_owned(),
        Some(Component::Normal(_)) => format!("./{}", inner.display()),
        Some(_) => inner.display().to_string(),
    }
}

/// The commit that a lock file has xtask at, where it comes by git.
fn commit_of_xtask(lock: &str) -> Option<String> {
    let package =
        lock_file::parse(lock).into_iter().find(|package| package.name == xtask_source::PACKAGE)?;
    package.source?.strip_prefix("git+")?.rsplit_once('#').map(|(_, commit)| commit.to_owned())
}

/// The folder's absolute path, if it is not there yet or empty.
fn refuse_what_is_there(named: &Path, env: &Env) -> anyhow::Result<PathBuf> {
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

/// A sibling, so that relative paths out of it are those of the folder it is for; with a name that
/// no one else has, since the folder around it is not ours.
fn make_partial(dir: &Path) -> anyhow::Result<NewFolder> {
    let name = dir.file_name().with_context(|| format!("{} has no name", dir.display()))?;
    let name = format!(".{}.partial-{}", name.to_string_lossy(), std::process::id());
    let path = dir.with_file_name(name);
    fs::create_dir(&path).map_err(|error| {
        Error::config(format!("cannot make {}", path.display()))
            .hint("a repository is made beside its place first: name one in a folder that you can write to")
            .caused_by(error)
    })?;
    Ok(NewFolder::at(path))
}

/// Cargo could not tell the service from a package of the same name that it depends on.
fn refuse_ambiguous(name: &str, dir: &Path) -> anyhow::Result<()> {
    let lock = fs::read_to_string(dir.join("Cargo.lock")).context("reading Cargo.lock")?;
    if !lock_file::is_ambiguous(&lock, name) {
        return Ok(());
    }
    let error = format!("the name {name:?} is that of a package that services depend on");
    Err(Error::usage(error).hint("take another name: nothing was written").into())
}

fn write(answers: &Answers, origin: &Origin, dir: &Path) -> anyhow::Result<()> {
    let xtask = origin.dependency("xtask", &dir.join("xtask"));
    let [ferror, service, stamp] = ["ferror", "service", "stamp"]
        .map(|name| origin.dependency(&format!("foundation/{name}"), dir));
    let (major_minor, _) = pins::RUSTC.rsplit_once('.').unwrap_or((pins::RUSTC, ""));
    let values = [
        ("NAME", answers.name.as_str()),
        ("ACCOUNT", &answers.github_username),
        ("BUCKET", &answers.s3_bucket),
        ("RUSTC", pins::RUSTC),
        ("RUST_VERSION", major_minor),
        ("XTASK", &xtask),
        ("FERROR", &ferror),
        ("SERVICE", &service),
        ("STAMP", &stamp),
        ("OTHERS", &others()),
    ];
    let mut all = templates::render(templates::REPOSITORY, "", &values)?;
    let root = all.iter().find(|(path, _)| path == "Cargo.toml").map(|(_, bytes)| bytes.clone());
    let root = String::from_utf8(root.unwrap_or_default())?;
    let root = cargo_toml::parse(&root, "Cargo.toml")?;
    let site = Site { dir, root: &root, origin };
    all.extend(service_template::first_service(&answers.name, site)?);
    let deploy = templates::DEPLOY.iter();
    all.extend(deploy.map(|(path, bytes)| (format!("deploy/{path}"), bytes.to_vec())));
    for (path, bytes) in &all {
        files::write_whole(&dir.join(path), bytes, 0o644)?;
    }
    Ok(())
}

/// What services depend on besides, each once, as lines of `[workspace.dependencies]`.
fn others() -> String {
    let all = [templates::OF_FIRST, templates::OF_WEB, templates::OF_WORKER].concat();
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

/// Writes Cargo.lock, beginning with the versions that xtask itself is tested with.
fn resolve(origin: &Origin, here: Option<&Path>, dir: &Path, env: &Env) -> anyhow::Result<()> {
    let of_xtask = match origin {
        Origin::Path { dir, .. } => Some(dir.join("Cargo.lock")),
        Origin::Git { .. } => here.map(|dir| dir.join("Cargo.lock")),
    };
    if let Some(lock) = of_xtask.filter(|lock| lock.is_file()) {
        fs::copy(&lock, dir.join("Cargo.lock"))
            .with_context(|| format!("copying {}", lock.display()))?;
    }
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--format-version", "1"]).current_dir(dir);
    let output = cargo.output().context("running cargo metadata")?;
    if output.status.success() {
        return Ok(());
    }
    let said = child_env::said(&output);
    Err(Error::config(format!("cargo cannot resolve the new repository: {said}"))
        .hint("nothing was left behind; it needs the network for what is not downloaded yet")
        .into())
}

/// Into its place, if that is still not there or empty: by one rename, which also replaces an empty
/// folder, or entry by entry where we stand in it.
fn move_to(partial: NewFolder, dir: &Path, env: &Env) -> anyhow::Result<()> {
    let refused = |error: std::io::Error| {
        Error::config(format!("cannot move the new repository to {}", dir.display()))
            .hint("something came there meanwhile, or it is another file system: nothing was left behind")
            .caused_by(error)
    };
    if env.current_dir.canonicalize().is_ok_and(|here| here == *dir) {
        return Ok(move_entries(partial.path(), dir).map_err(refused)?);
    }
    fs::rename(partial.path(), dir).map_err(refused)?;
    partial.done();
    Ok(())
}

/// Moves all entries of a folder into another, which is empty, or none.
fn move_entries(from: &Path, to: &Path) -> std::io::Result<()> {
    if fs::read_dir(to)?.next().is_some() {
        return Err(std::io::ErrorKind::DirectoryNotEmpty.into());
    }
    let names: Vec<_> =
        fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<_>>()?;
    for (index, name) in names.iter().enumerate() {
        let free = match to.join(name).symlink_metadata() {
            Ok(_) => Err(std::io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from.join(name), to.join(name)),
        };
        if let Err(error) = free {
            for moved in &names[..index] {
                // The first failure is the one to be told.
                let _ = fs::rename(to.join(moved), from.join(moved));
            }
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{commit_of_xtask, shown};

    #[test]
    fn folders_are_shown_as_people_name_them() {
        for (named, expected) in [
            ("oddjob", "./oddjob"),
            ("./a/b/", "./a/b"),
            (".", "."),
            ("../oddjob", "../oddjob"),
            ("/srv/oddjob", "/srv/oddjob"),
        ] {
            assert_eq!(shown(Path::new(named)), expected, "{named}");
        }
    }

    #[test]
    fn the_commit_is_that_of_the_lock_file() {
        let lock = |source: &str| {
            format!("[[package]]\nname = \"bowline-xtask\"\nversion = \"0.1.0\"\n{source}")
        };
        let git = lock("source = \"git+https://h/b?branch=main#0123abcd\"\n");
        assert_eq!(commit_of_xtask(&git).as_deref(), Some("0123abcd"));
        assert_eq!(commit_of_xtask(&lock("")), None);
        assert_eq!(commit_of_xtask(""), None);
    }
}
