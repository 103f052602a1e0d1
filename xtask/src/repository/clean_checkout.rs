//! Checks out a commit into an empty folder: what git has of it, and nothing that lies in the work tree here.
//!
//! The checkout is a clone that shares the objects of this repository, so that nothing is downloaded, and nothing is
//! written here. Settings of this repository alone, and its hooks, do not count in it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ferror::Error;

use crate::repository::work_tree::{self, SUBMODULE, git, output};
use crate::system::env::Env;

/// The settings by which a partial clone (`git clone --filter`) gets the objects that it has not got yet.
const PARTIAL_CLONE: [&str; 3] =
    ["extensions.partialClone", "remote.origin.promisor", "remote.origin.partialclonefilter"];

/// A commit that is checked out.
#[derive(Debug)]
pub struct Checkout {
    /// The folder in it that the workspace has here.
    pub workspace: PathBuf,
    /// The submodules that are not checked out here, and so are not there either.
    pub left_out: Vec<PathBuf>,
}

/// Checks out `commit` of the repository around `root`, a workspace's root, into the folder `into`, which is not there yet.
///
/// # Errors
/// [`ferror::Kind::Config`] where this clone does not have the commit, or the commit has no workspace.
pub fn make(commit: &str, root: &Path, into: &Path, env: &Env) -> anyhow::Result<Checkout> {
    let top = work_tree::top(root, env)?;
    let below = root.strip_prefix(&top).unwrap_or(Path::new(""));
    let mut left_out = Vec::new();
    check_out(commit, &top, into, Path::new(""), &mut left_out, env)?;
    let workspace = into.join(below);
    if workspace.join("Cargo.toml").is_file() {
        return Ok(Checkout { workspace, left_out });
    }
    let file = below.join("Cargo.toml");
    Err(Error::config(format!("commit {commit} has no {}", file.display()))
        .hint("run it in the folder that the workspace had at that commit")
        .into())
}

/// Checks out a commit of the repository in the folder `from`, and of its submodules. `name` is its folder in the outermost one.
fn check_out(
    commit: &str,
    from: &Path,
    into: &Path,
    name: &Path,
    left_out: &mut Vec<PathBuf>,
    env: &Env,
) -> anyhow::Result<()> {
    if output(git(from, env).args(["cat-file", "-e", &format!("{commit}^{{commit}}")])).is_err() {
        return Err(missing(commit, name).into());
    }
    let mut clone = git(from, env);
    clone.args(["clone", "--quiet", "--shared", "--no-checkout", "--template=", "--"]);
    output(clone.arg(from).arg(into))?;
    let setting = |name: &str| {
        let value = output(git(from, env).args(["config", "--get", name])).ok()?;
        Some(String::from_utf8_lossy(&value).trim_end().to_owned())
    };
    for name in PARTIAL_CLONE {
        if let Some(value) = setting(name) {
            output(git(into, env).args(["config", name, &value]))?;
        }
    }
    // Objects that a partial clone lacks, and files of Git LFS, come from there.
    if let Some(url) = setting("remote.origin.url") {
        output(git(into, env).args(["config", "remote.origin.url", &url]))?;
    }
    let mut checkout = git(into, env);
    checkout.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]);
    output(checkout.args(["checkout", "--quiet", "--detach", commit]))
        .map_err(|error| {
            error.hint(format!(
                "git could not check {commit} out: `git fetch` if it lacks objects, and look for full disks and for the \
                 programs of filters, such as git-lfs"
            ))
        })?;
    let submodules = work_tree::index(into, env)?.into_iter().filter(|it| it.mode == SUBMODULE);
    for submodule in submodules {
        let name = name.join(&submodule.path);
        match submodule_at(&submodule.path, from, into, env) {
            Some(inner) => {
                let into = into.join(&submodule.path);
                check_out(&submodule.object, &inner, &into, &name, left_out, env)?;
            }
            None => left_out.push(name),
        }
    }
    Ok(())
}

/// Returns the repository from which a submodule of the checkout `into` is taken: where `from` has its own, whatever is
/// checked out in it. `None` where it is not initialised there.
fn submodule_at(path: &Path, from: &Path, into: &Path, env: &Env) -> Option<PathBuf> {
    let mut names = git(into, env);
    names.args(["config", "--file", ".gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$"]);
    let listed = output(&mut names).ok()?;
    let name = listed.split(|byte| *byte == 0).find_map(|entry| {
        let line = entry.iter().position(|byte| *byte == b'\n')?;
        let is_it = Path::new(OsStr::from_bytes(&entry[line + 1..])) == path;
        let name = entry[..line].strip_prefix(b"submodule.")?.strip_suffix(b".path")?;
        is_it.then(|| OsStr::from_bytes(name).to_owned())
    })?;
    let mut printed = output(git(from, env).args(["rev-parse", "--git-common-dir"])).ok()?;
    printed.pop_if(|byte| *byte == b'\n');
    let common = from.join(OsStr::from_bytes(&printed));
    let places = [common.join("modules").join(name), from.join(path).join(".git")];
    // The second place is that of a submodule that was cloned by hand.
    places.into_iter().find(|place| place.join("HEAD").is_file())
}

fn missing(commit: &str, submodule: &Path) -> Error {
    if submodule.as_os_str().is_empty() {
        return Error::config(format!("this clone does not have commit {commit}")).hint(
            "fetch it: `git fetch origin`, in a shallow clone `git fetch --unshallow`; of a commit that no branch has any \
             more, `git fetch origin COMMIT`",
        );
    }
    let submodule = submodule.display();
    Error::config(format!("the submodule {submodule} here does not have commit {commit}"))
        .hint(format!("fetch it: `git -C {submodule} fetch origin`"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::make;
    use crate::system::env::Env;

    fn run_git(dir: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=T", "-c", "user.email=t@example.com"]);
        command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]);
        for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
            command.env(name, "/dev/null");
        }
        let output = command.args(arguments).current_dir(dir).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {printed}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(dir: &Path, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        run_git(dir, &["add", "--all"]);
        run_git(dir, &["commit", "--quiet", "--message", "a commit"]);
        run_git(dir, &["rev-parse", "HEAD"])
    }

    fn repository(dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        run_git(dir, &["init", "--quiet"]);
    }

    #[test]
    fn an_old_commit_is_checked_out_with_its_submodules_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        let [inner, outer] = [at("inner"), at("outer")];
        repository(&inner);
        commit(&inner, &[("file", "first")]);
        repository(&outer);
        run_git(
            &outer,
            &["submodule", "--quiet", "add", inner.to_str().unwrap(), "vendored/inner"],
        );
        let first = commit(&outer, &[("rust/Cargo.toml", "[workspace]\n"), ("old", "")]);
        std::fs::remove_file(outer.join("old")).unwrap();
        let in_submodule = outer.join("vendored/inner");
        commit(&in_submodule, &[("file", "second")]);
        let second = commit(&outer, &[("new", "")]);
        std::fs::write(outer.join("untracked"), "").unwrap();
        let hook = outer.join(".git/hooks/post-checkout");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(hook, "#!/bin/sh\nexit 1\n").unwrap();

        let env = Env::for_test(&[]);
        let root = outer.join("rust");
        let checkout = make(&first, &root, &at("a"), &env).unwrap();
        assert_eq!(checkout.workspace, at("a/rust"));
        assert!(checkout.left_out.is_empty(), "{checkout:?}");
        let text = |path: &str| std::fs::read_to_string(at(path)).unwrap();
        assert_eq!(text("a/vendored/inner/file"), "first");
        assert!(at("a/old").is_file() && !at("a/new").exists() && !at("a/untracked").exists());
        assert_eq!(run_git(&at("a"), &["status", "--porcelain"]), "");
        make(&second, &root, &at("b"), &env).unwrap();
        assert_eq!(text("b/vendored/inner/file"), "second");

        // A clone without its submodules, and a worktree.
        run_git(&at(""), &["clone", "--quiet", "outer", "clone"]);
        let checkout = make(&first, &at("clone/rust"), &at("c"), &env).unwrap();
        assert_eq!(checkout.left_out, [Path::new("vendored/inner")]);
        run_git(&outer, &["worktree", "add", "--quiet", "--detach", "../tree", &second]);
        make(&first, &at("tree/rust"), &at("d"), &env).unwrap();
        assert_eq!(text("d/vendored/inner/file"), "first");

        let absent = "0".repeat(40);
        let error = make(&absent, &root, &at("e"), &env).unwrap_err().to_string();
        assert_eq!(error, format!("this clone does not have commit {absent}"));
        let error = make(&first, &outer.join("deeper"), &at("f"), &env).unwrap_err();
        assert!(error.to_string().contains("git"), "{error}");
    }
}
