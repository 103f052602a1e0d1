//! The verbs about the repository itself: new, init, adopt, vendor, update, ci; and those about this
//! program: completions, reference.

use ferror::{Error, Result};

use super::Values::{Any, Folders, Words};
use super::{Operand, Row, Typed, Verb, assign, no_problem, option, switch, valued};
use crate::cli::command::Command;
use crate::cli::values::{Given, SHELLS, Shell, new_service, path, text};
use crate::model::service_kind::ServiceKind;
use crate::repository::xtask_source::XtaskOption;
use crate::verbs::init;
use crate::verbs::vendor::{self, Mode};
use crate::verbs::{adopt, ci, new, update};

pub(super) fn verbs() -> Vec<Verb> {
    let hidden = [completions_services(), reference()];
    [new(), init(), adopt(), vendor(), update(), ci(), completions()]
        .into_iter()
        .chain(hidden)
        .collect()
}

fn new() -> Verb {
    Typed {
        name: "new",
        summary: "write a new service",
        usage: "NAME",
        about: "Writes a service into services/NAME, which builds, passes its own test, runs, and \
                is in the next dist; adds it to `members` and `services` of the workspace where no \
                pattern such as services/* covers it, and to Cargo.lock. It has foundation's crates from where xtask comes \
                from. Where sources are vendored and it needs more, they are vendored again. \
                Nothing that exists is overwritten.",
        operands: vec![Operand {
            name: "NAME",
            values: Any,
            doc: "up to 32 lower-case letters, digits, `-` and `_`, with a letter first: the \
                  package, its binary, its folder and its folder in the bucket",
        }],
        rows: vec![
            assign(
                "web",
                "a web service: one route, and health, version and a graceful stop (default)",
                |o: &mut new::Options| o.kind = ServiceKind::Web,
            ),
            assign(
                "worker",
                "a worker: work that is done again and again, with the same",
                |o: &mut new::Options| o.kind = ServiceKind::Worker,
            )
            .or(),
            switch(
                "dry-run",
                "print the whole change as a diff, with Cargo.lock, and leave nothing of it",
                |o| &mut o.dry_run,
            ),
        ],
        notes: &[],
        examples: &[("new billing", ""), ("new reaper --worker", "")],
        operand: Some(|options, given| {
            let is_first = options.name.is_empty();
            if is_first {
                options.name = new_service(given)?;
            }
            Ok(is_first)
        }),
        problem: |options| options.name.is_empty().then_some("no NAME given"),
        command: Command::New,
    }
    .verb()
}

fn init() -> Verb {
    Typed {
        name: "init",
        summary: "write a whole repository",
        usage: "[DIR]",
        about: "Writes a whole repository: a workspace with its alias, an xtask of three lines, \
                foundation/ with a first crate, one service, .circleci/config.yml, deploy/, a \
                README, a licence, Cargo.lock and a first commit. In it, `cargo xtask ship --local` \
                works at once. On a terminal it asks for what is not given; without one, or with \
                $CI, what is not given takes its default. All or nothing: what cannot be finished \
                is removed again.",
        operands: vec![Operand {
            name: "DIR",
            values: Folders,
            doc: "a folder that is not there yet, or empty; default ./N",
        }],
        rows: init_rows(),
        notes: &[],
        examples: &[
            ("init ../billing --name billing --s3-bucket builds", ""),
            ("init oddjob --xtask-git https://git.example.com/team/bowline", ""),
        ],
        operand: Some(|options, given| {
            let is_first = options.dir.is_none();
            if is_first {
                options.dir = Some(path(given)?);
            }
            Ok(is_first)
        }),
        problem: no_problem,
        command: Command::Init,
    }
    .verb()
}

fn init_rows() -> Vec<Row<init::Options>> {
    vec![
        switch(
            "dry-run",
            "print all files as a diff, with Cargo.lock, and leave nothing",
            |o: &mut init::Options| &mut o.dry_run,
        ),
        option(
            "name",
            ("N", Any),
            "the service, as in new; default oddjob",
            text,
            |o: &mut init::Options| &mut o.name,
        ),
        option(
            "github-username",
            ("U", Any),
            "whose it is: in README and licence, and of the first commit where git knows no name; \
             default git's `github.user`, else $USER",
            text,
            |o| &mut o.github_username,
        ),
        option("s3-bucket", ("B", Any), "the bucket; default builds", text, |o| &mut o.s3_bucket),
        valued(
            "xtask-git",
            ("URL", Any),
            "the repository that xtask comes from, by git: other machines can build it",
            |o: &mut init::Options, given| {
                set_source("init", &mut o.xtask, XtaskOption::Git(text(given)?))
            },
        ),
        valued(
            "xtask-path",
            ("P", Folders),
            "the same, a folder of this machine, as it is named: relative or absolute; default: \
             where this workspace has xtask from, by git at the same commit",
            |o: &mut init::Options, given| {
                set_source("init", &mut o.xtask, XtaskOption::Path(path(given)?))
            },
        )
        .or(),
    ]
}

fn set_source(verb: &str, place: &mut Option<XtaskOption>, source: XtaskOption) -> Result<()> {
    match place.replace(source) {
        None => Ok(()),
        Some(_) => Err(Error::usage(format!(
            "{verb}: xtask comes from one place: --xtask-git or --xtask-path"
        ))),
    }
}

fn adopt() -> Verb {
    Typed {
        name: "adopt",
        summary: "let a repository that exists use xtask",
        usage: "DIR",
        about: "Looks at the cargo workspace in DIR, with the toolchain that counts there, and writes \
                what it needs to use xtask: a package xtask/ of three lines, the alias, the services and \
                the compiler in [workspace.metadata.xtask], what builds read outside their packages, \
                lines of .gitignore, a CI file where there is none, and Cargo.lock. Files that exist keep \
                their comments and their order. No locked version moves: where one would have to, the \
                moves are listed and nothing is written. Beside an xtask that is there already, the \
                package and the alias are named bowline. All or nothing; nothing is committed; a second \
                run changes nothing. Ends with the plan of a dist there.",
        operands: vec![Operand {
            name: "DIR",
            values: Folders,
            doc: "the folder of the workspace, or one in it",
        }],
        rows: vec![
            switch("dry-run", "print the whole change as a diff, and write nothing", |o: &mut adopt::Options| {
                &mut o.dry_run
            }),
            option(
                "s3-bucket",
                ("B", Any),
                "the bucket that releases are published to",
                text,
                |o| &mut o.s3_bucket,
            ),
            switch(
                "own-lock",
                "make the package a workspace of its own with its own Cargo.lock, where a locked version \
                 would move; then the alias works in the workspace's folder only",
                |o| &mut o.own_lock,
            ),
            valued(
                "xtask-git",
                ("URL", Any),
                "the repository that xtask comes from, by git: other machines can build it",
                |o: &mut adopt::Options, given| set_source("adopt", &mut o.xtask, XtaskOption::Git(text(given)?)),
            ),
            valued(
                "xtask-path",
                ("P", Folders),
                "the same, a folder of this machine, as it is named: relative or absolute; default: \
                 where this workspace has xtask from, by git at the same commit",
                |o: &mut adopt::Options, given| set_source("adopt", &mut o.xtask, XtaskOption::Path(path(given)?)),
            )
            .or(),
        ],
        notes: &[],
        examples: &[
            ("adopt ../shop --dry-run", ""),
            ("adopt ../shop/server --xtask-git https://git.example.com/team/bowline", ""),
        ],
        operand: Some(|options, given| {
            let is_first = options.dir.as_os_str().is_empty();
            if is_first {
                options.dir = path(given)?;
            }
            Ok(is_first)
        }),
        problem: |options| options.dir.as_os_str().is_empty().then_some("no DIR given"),
        command: Command::Adopt,
    }
    .verb()
}

fn vendor() -> Verb {
    Typed {
        name: "vendor",
        summary: "keep the sources of all dependencies in the repository",
        usage: "",
        about: "Copies every source that Cargo.lock names into vendor/, makes cargo read them there \
                by a block in .cargo/config.toml, and proves that a build needs no network. Commit \
                both. From then on every verb builds with --frozen instead of --locked. Where the \
                distribution's sources of the standard library are installed, what those depend on \
                is copied too. Where it fails, everything is as before.\n\n\
                After editing a Cargo.toml run the program that is built already, \
                target/debug/xtask vendor: it brings Cargo.lock up to date first. Cargo refuses \
                `cargo xtask` while Cargo.lock, a Cargo.toml and vendor/ disagree, so --check is \
                reached that way too.",
        operands: vec![],
        rows: vec![
            assign(
                "check",
                "change nothing; exit with 3 where vendor/ and Cargo.lock disagree, where a file \
                 was changed by hand, or where git ignores one",
                |o: &mut vendor::Options| o.mode = Mode::Check,
            ),
            assign("remove", "remove vendor/ and the block", |o: &mut vendor::Options| {
                o.mode = Mode::Remove;
            })
            .or(),
        ],
        notes: &[],
        examples: &[("vendor", ""), ("vendor --check", "")],
        operand: None,
        problem: no_problem,
        command: Command::Vendor,
    }
    .verb()
}

fn update() -> Verb {
    Typed {
        name: "update",
        summary: "move dependencies to newer versions",
        usage: "PATTERN...",
        about: "Moves the dependencies that match to the newest versions that the Cargo.toml files \
                allow, prints each move, `name old -> new`, and vendors again where sources are \
                vendored.",
        operands: vec![Operand {
            name: "PATTERN",
            values: Any,
            doc: "a name (`tokio`), a name with `*` and `?` (quoted: a shell expands them), or a \
                  folder below the root with `/...`: all that the packages there depend on, \
                  however indirectly; one that matches nothing is an error, and nothing is changed",
        }],
        rows: vec![switch(
            "dry-run",
            "print the moves and change nothing",
            |o: &mut update::Options| &mut o.dry_run,
        )],
        notes: &[],
        examples: &[
            ("update tokio 'serde*'", ""),
            ("update foundation/... --dry-run", ""),
            ("update ./...", "everything"),
        ],
        operand: Some(|options, given| {
            text(given).map(|one| options.patterns.push(one)).map(|()| true)
        }),
        problem: |options| {
            let none = "no PATTERN named; `./...` means all that the workspace depends on";
            options.patterns.is_empty().then_some(none)
        },
        command: Command::Update,
    }
    .verb()
}

fn ci() -> Verb {
    Typed {
        name: "ci",
        summary: "formatting, clippy, tests",
        usage: "",
        about: "Runs what continuous integration runs: formatting, clippy with warnings as errors, \
                tests.",
        operands: vec![],
        rows: vec![switch(
            "all",
            "also what is slow, installs toolchains or needs servers",
            |o: &mut ci::Options| &mut o.all,
        )],
        notes: &[],
        examples: &[("ci", "")],
        operand: None,
        problem: no_problem,
        command: Command::Ci,
    }
    .verb()
}

fn completions() -> Verb {
    Typed {
        name: "completions",
        summary: "print what lets a shell complete `cargo xtask`",
        usage: "bash|zsh|fish",
        about: "Prints a script that lets a shell complete `cargo xtask`: verbs, options, values, \
                files and the services of the workspace, which it asks the program that the last \
                `cargo xtask` built. Every other cargo command is completed as \
                before, by what cargo itself brings for that shell.",
        operands: vec![Operand { name: "SHELL", values: Words(SHELLS), doc: "" }],
        rows: vec![],
        notes: &[
            "bash: put the script into a file and source it from ~/.bashrc. zsh: source it from \
                ~/.zshrc after compinit. fish: put it into \
                ~/.config/fish/conf.d/cargo-xtask.fish.",
        ],
        examples: &[("completions bash > ~/.cargo-xtask-completions.bash", "")],
        operand: Some(|shell: &mut Option<Shell>, given: Given<'_>| {
            let is_first = shell.is_none();
            if is_first {
                *shell = Some(text(given)?.parse()?);
            }
            Ok(is_first)
        }),
        problem: |shell| shell.is_none().then_some("no shell named: bash, zsh or fish"),
        command: |shell| Command::Completions(shell.unwrap_or(Shell::Bash)),
    }
    .verb()
}

fn completions_services() -> Verb {
    let verb = Typed {
        name: "completions-services",
        summary: "print the services of the workspace, for the scripts of completions",
        usage: "",
        about: "Prints the services of the workspace, a line each.",
        operands: vec![],
        rows: vec![],
        notes: &[],
        examples: &[],
        operand: None,
        problem: no_problem,
        command: |(): ()| Command::CompletionsServices,
    };
    Verb { hidden: true, ..verb.verb() }
}

fn reference() -> Verb {
    let verb = Typed {
        name: "reference",
        summary: "print docs/reference.md",
        usage: "",
        about: "Prints the reference page of the command line, docs/reference.md.",
        operands: vec![],
        rows: vec![],
        notes: &[],
        examples: &[("reference > docs/reference.md", "")],
        operand: None,
        problem: no_problem,
        command: |(): ()| Command::Reference,
    };
    Verb { hidden: true, ..verb.verb() }
}
