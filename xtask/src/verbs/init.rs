//! `init`: makes a whole repository with a first commit, in a new or empty folder.

use std::path::{Component, Path, PathBuf};

use ferror::{Error, Result};

use crate::build::pins;
use crate::model::names;
use crate::repository::new_repository::{self, Answers};
use crate::repository::xtask_source::{self, XtaskOption, XtaskSource};
use crate::repository::{git, workspace};
use crate::system::env::Env;
use crate::system::prompt;
use crate::system::ui::Ui;
use crate::system::undo::Undo;

/// The default name of the service, as in the template that this one replaces.
const NAME: &str = "oddjob";
/// The default bucket, as in the template that this one replaces.
const BUCKET: &str = "builds";
/// The default account, where neither git nor the system names the user.
const UNKNOWN_ACCOUNT: &str = "someone";
/// The crate in `foundation/` of the new repository.
const LIBRARY: &str = "greeting";

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
    pub xtask: Option<XtaskOption>,
    /// `--dry-run`.
    pub dry_run: bool,
}

/// Runs `init`.
///
/// Fails with [`ferror::Kind::Usage`] on a bad answer, and with [`ferror::Kind::Config`] where the folder
/// exists and is not empty, or where xtask's repository cannot be found.
pub fn run(options: &Options, env: &Env, ui: &Ui) -> anyhow::Result<()> {
    // The folder is checked before any question is asked.
    if let Some(dir) = &options.dir {
        new_repository::check_free(dir, env)?;
    }
    let here = workspace::root(env).ok().flatten().map(|root| root.dir);
    let source = xtask_source::choose(options.xtask.as_ref(), here.as_deref(), env)?;
    let answers = answers(options, env)?;
    let named = options.dir.clone().unwrap_or_else(|| PathBuf::from(&answers.name));
    let dir = new_repository::check_free(&named, env)?;

    let partial = new_repository::make_partial(&dir)?;
    let mut changes = new_repository::files(&answers, &source, pins::RUSTC, partial.path())?;
    let mut undo = Undo::begin(partial.path(), ui)?;
    changes.write(&mut undo)?;
    undo.keep_changes()?;
    ui.say("resolving", "dependencies");
    new_repository::resolve(&source, here.as_deref(), partial.path(), env)?;
    new_repository::refuse_ambiguous_name(&answers.name, partial.path())?;
    if options.dry_run {
        changes.note_changed(&partial.path().join("Cargo.lock"), None)?;
        ui.print(&changes.diff(partial.path()));
        ui.say("dry run", format_args!("a first commit in {} has all of it", shown(&named)));
        return Ok(());
    }
    let message = "A repository of services";
    git::init_with_first_commit(partial.path(), &answers.github_username, message, env)?;
    new_repository::move_to(partial, &dir, env)?;

    if let XtaskSource::Path { dir, .. } = &source {
        let dir = dir.display();
        ui.warn(format_args!(
            "xtask comes from {dir}, on this machine: for others and for CI, name a repository by --xtask-git"
        ));
    }
    let shown = shown(&named);
    ui.result(format_args!("Template applied in {shown}\n"));
    if shown != "." {
        let dir = shown.trim_start_matches("./");
        let quote = if dir.contains(char::is_whitespace) { "'" } else { "" };
        ui.result(format_args!("  cd {quote}{dir}{quote}"));
    }
    ui.result("  cargo xtask ship --local");
    Ok(())
}

/// Takes the answers from the options, asks a person for the others, and uses the defaults where nobody can
/// be asked. All options are checked before the first question.
fn answers(options: &Options, env: &Env) -> anyhow::Result<Answers> {
    type Check = fn(&str) -> Result<()>;
    let account = default_account(env);
    let questions: [(&str, &Option<String>, &str, Check); 3] = [
        ("name", &options.name, NAME, check_name),
        ("github_username", &options.github_username, &account, names::check_account),
        ("s3_bucket", &options.s3_bucket, BUCKET, names::check_bucket),
    ];
    for (_, given, _, check) in &questions {
        given.as_deref().map_or(Ok(()), check)?;
    }
    let answer =
        |(question, given, default, check): &(&str, &Option<String>, &str, Check)| match given {
            Some(given) => Ok(given.clone()),
            None if !env.can_ask() => Ok((*default).to_owned()),
            None => {
                let (mut from, mut to) = (std::io::stdin().lock(), std::io::stderr().lock());
                prompt::ask(question, default, check, &mut from, &mut to)
            }
        };
    let [name, username, bucket] = &questions;
    Ok(Answers {
        name: answer(name)?,
        github_username: answer(username)?,
        s3_bucket: answer(bucket)?,
    })
}

fn default_account(env: &Env) -> String {
    let known = [git::config_value("github.user", &env.current_dir, env), env.get("USER")];
    let fits = |name: &String| names::check_account(name).is_ok();
    known.into_iter().flatten().find(fits).unwrap_or_else(|| UNKNOWN_ACCOUNT.to_owned())
}

fn check_name(name: &str) -> Result<()> {
    if name == LIBRARY {
        return Err(Error::usage(format!("the name {name:?} is that of the crate in foundation/")));
    }
    names::check_service(name)
}

/// Formats a folder as people name it: `./oddjob`, `../oddjob`, `/srv/oddjob`.
fn shown(named: &Path) -> String {
    let inner: PathBuf = named.components().filter(|part| *part != Component::CurDir).collect();
    match inner.components().next() {
        None => ".".to_owned(),
        Some(Component::Normal(_)) => format!("./{}", inner.display()),
        Some(_) => inner.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::shown;

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
}
