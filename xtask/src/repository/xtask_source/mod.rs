//! Finds where a repository takes xtask from: its own folder, a path, or a git repository. The other crates
//! that a new service needs (`bowline-service`, `bowline-stamp`) are taken from the same place, or cargo would
//! build two of each.
//!
//! Cargo says which package depends on `bowline-xtask`. How the dependency is written there is read from
//! that package's Cargo.toml, so that a relative path stays relative and a branch stays a branch.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use catalog::json::{self, Object};
use ferror::Error;
use serde_json::Value;

use crate::model::cargo_lock;
use crate::model::cargo_toml::{self, quoted};
use crate::repository::vendored;
use crate::system::env::Env;
use crate::system::{child_env, files, process};

/// The name of xtask's package.
pub const PACKAGE: &str = "bowline-xtask";

/// The folders in which the package of three lines lies: the usual one, and the one beside an xtask that a team has.
pub const FOLDERS: [&str; 2] = ["xtask", "bowline"];

/// The repository in which xtask lies, as a dependency of another repository names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XtaskSource {
    /// A folder on this machine.
    Path {
        /// The folder of the repository, absolute.
        dir: PathBuf,
        /// Whether dependencies name the absolute path, and not the one relative to their own folder.
        absolute: bool,
    },
    /// A git repository.
    Git {
        /// The URL, as cargo takes it.
        url: String,
        /// The field `branch`, `tag` or `rev` and its value; `None` for the default branch.
        reference: Option<(String, String)>,
    },
}

/// The place of xtask that a person names on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XtaskOption {
    /// `--xtask-git`.
    Git(String),
    /// `--xtask-path`.
    Path(PathBuf),
}

/// Returns where another repository takes xtask from: the place that an option names, else that of the workspace
/// `here`, at the commit of its lock file.
///
/// Fails with [`ferror::Kind::Config`] where neither is there.
pub fn choose(
    option: Option<&XtaskOption>,
    here: Option<&Path>,
    env: &Env,
) -> anyhow::Result<XtaskSource> {
    match option {
        Some(XtaskOption::Git(url)) => Ok(XtaskSource::at_url(url)?),
        Some(XtaskOption::Path(path)) => XtaskSource::at_path(path, &env.current_dir),
        None => {
            let found = here.map(|dir| XtaskSource::of_workspace(dir, env)).transpose()?.flatten();
            let found = found.ok_or_else(|| {
                Error::config("nothing here says where xtask comes from")
                    .hint("name its repository: --xtask-git URL or --xtask-path FOLDER")
            })?;
            let lock =
                here.map(|dir| std::fs::read_to_string(dir.join("Cargo.lock")).unwrap_or_default());
            Ok(found.at_commit(commit_of_xtask(&lock.unwrap_or_default()).as_deref()))
        }
    }
}

/// Finds the package that runs xtask for the workspace in `root`, where it is a workspace of its own with its own
/// lock file (`adopt --own-lock`).
pub fn own_workspace(root: &Path) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| root.join(folder)).find(|dir| {
        let text = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
        let toml = cargo_toml::parse(&text, "").unwrap_or_default();
        toml["dependencies"][PACKAGE].is_object() && toml["workspace"].is_object()
    })
}

/// Returns the commit at which a lock file has xtask, where it is a git dependency.
fn commit_of_xtask(lock: &str) -> Option<String> {
    let package = cargo_lock::parse(lock).into_iter().find(|package| package.name == PACKAGE)?;
    package.source?.strip_prefix("git+")?.rsplit_once('#').map(|(_, commit)| commit.to_owned())
}

impl XtaskSource {
    /// Reads it from the workspace around `dir`; `None` where no package depends on xtask.
    pub fn of_workspace(dir: &Path, env: &Env) -> anyhow::Result<Option<Self>> {
        let printed = metadata(["--no-deps"], dir, env)?;
        let printed = json::parse(&printed).context("reading cargo metadata")?;
        let root = Path::new(printed["workspace_root"].as_str().unwrap_or_default());
        for package in printed["packages"].as_array().into_iter().flatten() {
            let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
            if package["name"] == PACKAGE {
                let dir = manifest.ancestors().nth(2).unwrap_or(root).to_owned();
                return Ok(Some(Self::Path { dir, absolute: false }));
            }
            let mut dependencies = package["dependencies"].as_array().into_iter().flatten();
            if let Some(dependency) = dependencies.find(|one| one["name"] == PACKAGE) {
                let name = dependency["rename"].as_str().unwrap_or(PACKAGE);
                return read_dependency(manifest, name, root).map(Some);
            }
        }
        match own_workspace(root) {
            Some(dir) => read_dependency(&dir.join("Cargo.toml"), PACKAGE, &dir).map(Some),
            None => Ok(None),
        }
    }

    /// Takes a folder that a person named: that of the package, or of the repository around it.
    ///
    /// Fails with [`ferror::Kind::Config`] where neither is there.
    pub fn at_path(named: &Path, current_dir: &Path) -> anyhow::Result<Self> {
        let missing = |what: &str| {
            Error::config(format!("--xtask-path {}: {what}", named.display())).hint(format!(
                "name the folder `xtask` of a checkout, whose Cargo.toml has the package {PACKAGE}"
            ))
        };
        let Ok(dir) = current_dir.join(named).canonicalize() else {
            return Err(missing("there is no such folder").into());
        };
        let is_package = |dir: &Path| {
            let text = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
            cargo_toml::parse(&text, "").is_ok_and(|toml| toml["package"]["name"] == PACKAGE)
        };
        let dir = match dir.parent() {
            Some(parent) if is_package(&dir) => parent.to_owned(),
            _ if is_package(&dir.join("xtask")) => dir,
            _ => return Err(missing(&format!("no package {PACKAGE} lies there")).into()),
        };
        if !dir.join("foundation/service/Cargo.toml").is_file() {
            return Err(missing("no foundation/service lies beside it").into());
        }
        Ok(Self::Path { dir, absolute: named.is_absolute() })
    }

    /// Takes a URL that a person named.
    ///
    /// Fails with [`ferror::Kind::Usage`] on text that cargo does not take for a URL, and on a URL that may
    /// hold a secret. The error does not show it, since a malformed one may hold a secret anywhere.
    pub fn at_url(url: &str) -> ferror::Result<Self> {
        const FORMS: &str =
            "such as https://host/team/bowline, ssh://git@host/team/bowline or file:///path";
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"\\".contains(c);
        if scheme.is_empty() || rest.is_empty() || !url.chars().all(is_plain) {
            let message = "the URL of xtask's git repository is not a URL that cargo takes";
            return Err(Error::usage(message).hint(FORMS));
        }
        // ssh needs a user. With other schemes, the text before the last `@` may be a token or a password.
        let is_secret = rest.rsplit_once('@').is_some_and(|(user, _)| {
            scheme != "ssh" || user.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        });
        if is_secret {
            let message = "the URL of xtask's git repository has a user or a password in it, which would be committed";
            return Err(Error::usage(message).hint("leave it to git's credential helper"));
        }
        Ok(Self::Git { url: url.to_owned(), reference: None })
    }

    /// Pins a git repository to the commit that a lock file names.
    #[must_use]
    pub fn at_commit(self, commit: Option<&str>) -> Self {
        match (self, commit) {
            (Self::Git { url, .. }, Some(commit)) => {
                Self::Git { url, reference: Some(("rev".to_owned(), commit.to_owned())) }
            }
            (source, _) => source,
        }
    }

    /// Returns the same place, named by an absolute path where it is a folder.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::Path { dir, .. } => Self::Path { dir: dir.clone(), absolute: true },
            git @ Self::Git { .. } => git.clone(),
        }
    }

    /// Writes the dependency by which a Cargo.toml in the folder `from` names the crate in the folder
    /// `crate_folder` of the repository: `{ path = "../../bowline/foundation/stamp" }`.
    pub fn dependency(&self, crate_folder: &str, from: &Path) -> String {
        match self {
            Self::Path { dir, absolute: true } => {
                format!("{{ path = {} }}", quoted(&dir.join(crate_folder).display().to_string()))
            }
            Self::Path { dir, .. } => {
                let path = files::relative(&dir.join(crate_folder), from);
                format!("{{ path = {} }}", quoted(&path.display().to_string()))
            }
            Self::Git { url, reference: None } => format!("{{ git = {} }}", quoted(url)),
            Self::Git { url, reference: Some((kind, which)) } => {
                format!("{{ git = {}, {kind} = {} }}", quoted(url), quoted(which))
            }
        }
    }

    /// Returns whether `dependency`, as the Cargo.toml in the folder `base` has it, names the crate in the
    /// folder `crate_folder` of the repository.
    pub fn is_named_by(&self, dependency: &Value, base: &Path, crate_folder: &str) -> bool {
        match (self, dependency["path"].as_str(), dependency["git"].as_str()) {
            (Self::Path { dir, .. }, Some(path), _) => {
                let (a, b) =
                    (base.join(path).canonicalize(), dir.join(crate_folder).canonicalize());
                a.is_ok_and(|a| b.is_ok_and(|b| a == b))
            }
            (Self::Git { url, .. }, None, Some(git)) => url == git,
            _ => false,
        }
    }
}

/// Finds the Cargo.toml of the bowline-xtask that the workspace in `root` builds: that of a member, of a path
/// dependency, or of a checkout that cargo made of a git dependency. A vendored copy comes without the
/// repository around it; then the checkout is looked for too, which may need the network.
pub fn manifest_path(root: &Path, env: &Env) -> anyhow::Result<Option<PathBuf>> {
    let printed = metadata(vendored::with_lock_option(&["--locked"], root), root, env)?;
    let found = manifest_path_in(&printed)?;
    if let (None, Some(dir)) = (&found, own_workspace(root)) {
        return manifest_path_in(&metadata(["--locked"], &dir, env)?);
    }
    if !found.as_ref().is_some_and(|path| path.starts_with(root.join(vendored::FOLDER))) {
        return Ok(found);
    }
    // Run from `/`, cargo does not find the configuration with the block that vendors sources.
    let manifest = root.join("Cargo.toml");
    let arguments = ["--locked", "--manifest-path"].map(OsStr::new);
    let arguments = arguments.into_iter().chain([manifest.as_os_str()]);
    let printed = metadata(arguments, Path::new("/"), env).map_err(|error| {
        Error::config("vendor/ has bowline-xtask alone, without the repository around it")
            .hint("run it with a network, where cargo can check that out; or run a server of your own and name its --endpoint")
            .caused_by(error)
    })?;
    manifest_path_in(&printed)
}

fn manifest_path_in(printed: &[u8]) -> anyhow::Result<Option<PathBuf>> {
    let read = || -> json::Result<Option<PathBuf>> {
        let document = json::parse(printed)?;
        for mut package in Object::new(&document)?.get::<Vec<Object>>("packages")? {
            if package.get::<&str>("name")? == PACKAGE {
                return package.get("manifest_path").map(Some);
            }
        }
        Ok(None)
    };
    read().context("reading cargo metadata")
}

fn metadata<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    dir: &Path,
    env: &Env,
) -> anyhow::Result<Vec<u8>> {
    let mut cargo = child_env::cargo(env);
    cargo.args(["metadata", "--format-version", "1"]).args(arguments).current_dir(dir);
    let output = process::output(&mut cargo).context("running cargo metadata")?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let reason = child_env::error_text(&output);
    Err(Error::config(format!("cargo reads no workspace here: {reason}")).into())
}

/// Reads the dependency `name` from `manifest`, or from the workspace's Cargo.toml in `root` where it is
/// inherited.
fn read_dependency(manifest: &Path, name: &str, root: &Path) -> anyhow::Result<XtaskSource> {
    let read = |path: &Path| -> anyhow::Result<Value> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Ok(cargo_toml::parse(&text, &path.display().to_string())?)
    };
    let no_place = || {
        Error::config(format!(
            "{}: the dependency {PACKAGE} has neither a path nor a git URL",
            manifest.display()
        ))
        .hint(format!(
            "write `{PACKAGE} = {{ path = \"...\" }}` or `{{ git = \"...\" }}` in [dependencies]"
        ))
    };
    let mut base = manifest.parent().unwrap_or(root);
    let mut dependency = read(manifest)?["dependencies"][name].take();
    if dependency["workspace"] == true {
        base = root;
        dependency = read(&root.join("Cargo.toml"))?["workspace"]["dependencies"][name].take();
    }
    if let Some(url) = dependency["git"].as_str() {
        let reference = ["branch", "tag", "rev"]
            .into_iter()
            .find_map(|kind| Some((kind.to_owned(), dependency[kind].as_str()?.to_owned())));
        // `init` writes the URL into other files, so it may hold no secret.
        XtaskSource::at_url(url).with_context(|| format!("{}: {PACKAGE}", manifest.display()))?;
        return Ok(XtaskSource::Git { url: url.to_owned(), reference });
    }
    let path = Path::new(dependency["path"].as_str().ok_or_else(no_place)?);
    let dir =
        base.join(path).canonicalize().with_context(|| format!("looking at {}", path.display()))?;
    let dir = dir.parent().ok_or_else(no_place)?.to_owned();
    Ok(XtaskSource::Path { dir, absolute: path.is_absolute() })
}

#[cfg(test)]
mod tests;
