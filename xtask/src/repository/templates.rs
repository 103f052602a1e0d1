//! Embeds the files that `new` and `init` write, so that xtask has them as a git or vendored dependency too.
//! They lie below `xtask/templates`, some under other names: cargo takes a folder with a Cargo.toml for a
//! package of its own, and git would apply a `.gitignore`.

use ferror::Result;

use crate::model::placeholders::{self, Value};

/// A template: the path of the file to write, and its text, both with placeholders.
pub type Template = (&'static str, &'static str);
/// A file to write: its path and its text.
pub type File = (String, String);

/// Embeds the text of a file below `xtask/templates`.
macro_rules! text {
    ($path:literal) => {
        include_str!(concat!("../../templates/", $path))
    };
}

/// Embeds files below `xtask/templates/deploy`, with their paths there.
macro_rules! deploy {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../templates/deploy/", $path)))),*]
    };
}

/// The files of a web service, below its folder.
pub const WEB: &[Template] = &[
    ("Cargo.toml", text!("service/Cargo.toml.in")),
    ("README.md", text!("service/web/README.md")),
    ("src/main.rs", text!("service/web/main.rs")),
    ("tests/it.rs", text!("service/web/it.rs")),
];

/// The files of a worker, below its folder.
pub const WORKER: &[Template] = &[
    ("Cargo.toml", text!("service/Cargo.toml.in")),
    ("README.md", text!("service/worker/README.md")),
    ("src/main.rs", text!("service/worker/main.rs")),
    ("tests/it.rs", text!("service/worker/it.rs")),
];

/// The files of the first service of a new repository, below its folder.
pub const FIRST: &[Template] = &[
    ("Cargo.toml", text!("service/Cargo.toml.in")),
    ("README.md", text!("service/web/README.md")),
    ("src/main.rs", text!("repository/service/main.rs")),
    ("tests/it.rs", text!("service/web/it.rs")),
];

/// The files of a new repository, without its service and `deploy`.
pub const REPOSITORY: &[Template] = &[
    (".cargo/config.toml", text!("repository/cargo-config.toml")),
    (".circleci/config.yml", text!("repository/circleci-config.yml")),
    (".gitignore", text!("repository/gitignore")),
    ("Cargo.toml", text!("repository/Cargo.toml.in")),
    ("LICENSE", text!("repository/LICENSE")),
    ("README.md", text!("repository/README.md")),
    ("foundation/greeting/Cargo.toml", text!("repository/foundation/Cargo.toml.in")),
    ("foundation/greeting/src/lib.rs", text!("repository/foundation/lib.rs")),
    ("xtask/Cargo.toml", text!("repository/xtask/Cargo.toml.in")),
    ("xtask/src/main.rs", text!("repository/xtask/main.rs")),
];

/// The files that `init` copies into `deploy` unchanged, since playbooks have placeholders of their own.
pub const DEPLOY: &[Template] = deploy![
    "ansible/.ansible-lint",
    "ansible/README.md",
    "ansible/deploy.yml",
    "ansible/inventory.yml",
    "ansible/roles/service/defaults/main.yml",
    "ansible/roles/service/meta/argument_specs.yml",
    "ansible/roles/service/meta/main.yml",
    "ansible/roles/service/tasks/activate.yml",
    "ansible/roles/service/tasks/compare.yml",
    "ansible/roles/service/tasks/configure.yml",
    "ansible/roles/service/tasks/go_back.yml",
    "ansible/roles/service/tasks/host.yml",
    "ansible/roles/service/tasks/install.yml",
    "ansible/roles/service/tasks/main.yml",
    "ansible/roles/service/tasks/present.yml",
    "ansible/roles/service/tasks/prune.yml",
    "ansible/roles/service/tasks/running.yml",
    "ansible/roles/service/tasks/serve.yml",
    "ansible/roles/service/tasks/wanted.yml",
    "ansible/roles/service/templates/environment.j2",
    "ansible/roles/service/templates/unit.j2",
    "ansible/roles/service/vars/main.yml",
];

/// A dependency in the Cargo.toml of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// The crate.
    pub name: &'static str,
    /// Where it comes from.
    pub place: Place,
}

/// Where a dependency comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The folder `foundation` of the repository that has xtask.
    Foundation,
    /// The folder `foundation` of the new repository.
    Own,
    /// crates.io, with version and features in TOML as the workspace of xtask has them.
    Registry(&'static str),
}

/// The dependencies of the web service.
pub const WEB_DEPENDENCIES: &[Dependency] = &[AXUM, FERROR, SERVICE, CLAP];
/// The dependencies of the worker.
pub const WORKER_DEPENDENCIES: &[Dependency] = &[FERROR, SERVICE, CLAP, TRACING];
/// The dependencies of the first service of a new repository.
pub const FIRST_DEPENDENCIES: &[Dependency] =
    &[AXUM, FERROR, SERVICE, CLAP, Dependency { name: "greeting", place: Place::Own }];

const FERROR: Dependency = Dependency { name: "bowline-ferror", place: Place::Foundation };
const SERVICE: Dependency = Dependency { name: "bowline-service", place: Place::Foundation };
const AXUM: Dependency = Dependency {
    name: "axum",
    place: Place::Registry(
        "{ version = \"0.8.0\", default-features = false, features = [\"http1\", \"json\", \"tokio\"] }",
    ),
};
const CLAP: Dependency = Dependency {
    name: "clap",
    place: Place::Registry(
        "{ version = \"4.5.0\", default-features = false, features = [\"derive\", \"env\", \"error-context\", \"help\", \"std\", \"string\", \"suggestions\", \"usage\"] }",
    ),
};
const TRACING: Dependency = Dependency { name: "tracing", place: Place::Registry("\"0.1.40\"") };

/// Returns the text of the file at `path` of a new repository.
pub fn of_repository(path: &str) -> &'static str {
    REPOSITORY.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| text)
}

/// Renders the text of one template.
pub fn render_text(text: &str, values: &[Value<'_>]) -> Result<String> {
    placeholders::render(text, values)
}

/// Renders templates, and puts `folder` (empty, or ending in `/`) before their paths.
pub fn render(templates: &[Template], folder: &str, values: &[Value<'_>]) -> Result<Vec<File>> {
    let rendered = templates.iter().map(|(path, text)| {
        let path = placeholders::render(path, values)?;
        Ok((format!("{folder}{path}"), placeholders::render(text, values)?))
    });
    rendered.collect()
}

#[cfg(test)]
mod tests {
    use super::{DEPLOY, FIRST, REPOSITORY, WEB, WORKER, render};

    #[test]
    fn every_placeholder_has_a_value() {
        let values = ["NAME", "DESCRIPTION", "PACKAGE", "LINTS", "DEPENDENCIES", "ANSWER"];
        let of_repository = [
            "NAME",
            "ACCOUNT",
            "BUCKET",
            "RUSTC",
            "RUST_VERSION",
            "XTASK",
            "FERROR",
            "SERVICE",
            "STAMP",
            "OTHERS",
        ];
        for (templates, names) in
            [(WEB, &values[..]), (WORKER, &values), (FIRST, &values), (REPOSITORY, &of_repository)]
        {
            let values: Vec<_> = names.iter().map(|name| (*name, "value")).collect();
            for (path, text) in render(templates, "below/", &values).unwrap() {
                let left = crate::model::placeholders::names(&text).next();
                assert!(path.starts_with("below/") && left.is_none(), "{path}: {left:?}");
            }
        }
        assert!(DEPLOY.iter().all(|(path, _)| !path.is_empty() && !path.starts_with('/')));
    }
}
