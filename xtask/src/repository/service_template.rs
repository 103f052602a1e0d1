//! Makes the files of a new service. The package inherits the fields, lints and dependencies that the
//! workspace has for all packages.

use std::path::Path;

use serde_json::Value;

use crate::model::cargo_toml;
use crate::model::service_kind::ServiceKind;
use crate::repository::templates::{self, Dependency, File, Place, Template};
use crate::repository::xtask_source::XtaskSource;

/// The workspace to which a service is added.
#[derive(Debug, Clone, Copy)]
pub struct ParentWorkspace<'a> {
    /// Its folder.
    pub dir: &'a Path,
    /// The content of its Cargo.toml.
    pub cargo_toml: &'a Value,
    /// Where it takes xtask from.
    pub xtask_source: &'a XtaskSource,
}

/// Makes the files of the service `name`, with their paths below the workspace.
pub fn service(
    name: &str,
    kind: ServiceKind,
    workspace: ParentWorkspace<'_>,
) -> anyhow::Result<Vec<File>> {
    match kind {
        ServiceKind::Web => {
            let texts = ("Web service: what it is for", "hello\\n");
            render(name, texts, templates::WEB, templates::WEB_DEPENDENCIES, workspace)
        }
        ServiceKind::Worker => {
            let texts = ("Worker: what it is for", "");
            render(name, texts, templates::WORKER, templates::WORKER_DEPENDENCIES, workspace)
        }
    }
}

/// Makes the files of the first service of a new repository.
pub fn first_service(name: &str, workspace: ParentWorkspace<'_>) -> anyhow::Result<Vec<File>> {
    let texts = ("Web service: greets, with what foundation has for all", "Hello, world!");
    render(name, texts, templates::FIRST, templates::FIRST_DEPENDENCIES, workspace)
}

/// Renders `templates`; `answer` is what the test of the template expects the service to answer.
fn render(
    name: &str,
    (description, answer): (&str, &str),
    templates: &[Template],
    dependencies: &[Dependency],
    workspace: ParentWorkspace<'_>,
) -> anyhow::Result<Vec<File>> {
    let folder = format!("services/{name}/");
    let from = workspace.dir.join(&folder);
    let lines: Vec<_> =
        dependencies.iter().map(|one| dependency_line(one, &from, workspace)).collect();
    let values = [
        ("NAME", name),
        ("DESCRIPTION", description),
        ("PACKAGE", &package_fields(workspace.cargo_toml)),
        ("LINTS", if has_lints(workspace.cargo_toml) { "[lints]\nworkspace = true\n" } else { "" }),
        ("DEPENDENCIES", &lines.join("\n")),
        ("ANSWER", answer),
    ];
    Ok(templates::render(templates, &folder, &values)?)
}

/// Writes the fields of `[package]`: inherited where the workspace has them, else with a value of their own.
fn package_fields(root: &Value) -> String {
    let fields = [
        ("version", Some("\"0.1.0\"")),
        ("edition", Some("\"2024\"")),
        ("rust-version", None),
        ("license", None),
        ("publish", Some("false")),
    ];
    let line = |(field, otherwise): (&str, Option<&str>)| match otherwise {
        _ if !root["workspace"]["package"][field].is_null() => {
            Some(format!("{field}.workspace = true"))
        }
        Some(value) => Some(format!("{field} = {value}")),
        None => None,
    };
    fields.into_iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

fn has_lints(root: &Value) -> bool {
    root["workspace"]["lints"].is_object()
}

/// Writes a dependency: inherited where the workspace has the same one.
fn dependency_line(dependency: &Dependency, from: &Path, workspace: ParentWorkspace<'_>) -> String {
    let Dependency { name, place } = dependency;
    let shared = &workspace.cargo_toml["workspace"]["dependencies"][name];
    let (is_same, otherwise) = match place {
        Place::Foundation => {
            let folder = format!("foundation/{}", name.trim_start_matches("bowline-"));
            (
                workspace.xtask_source.is_named_by(shared, workspace.dir, &folder),
                workspace.xtask_source.dependency(&folder, from),
            )
        }
        Place::Own => (true, String::new()),
        Place::Registry(value) => (is_same_toml(shared, value), (*value).to_owned()),
    };
    if is_same { format!("{name}.workspace = true") } else { format!("{name} = {otherwise}") }
}

fn is_same_toml(shared: &Value, value: &str) -> bool {
    cargo_toml::parse(&format!("it = {value}"), "").is_ok_and(|toml| toml["it"] == *shared)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ParentWorkspace, service};
    use crate::model::cargo_toml::parse;
    use crate::model::service_kind::ServiceKind;
    use crate::repository::xtask_source::XtaskSource;

    fn cargo_toml(root: &str) -> String {
        let xtask_source = XtaskSource::at_url("https://h/b").unwrap();
        let root = parse(root, "").unwrap();
        let workspace = ParentWorkspace {
            dir: Path::new("/w"),
            cargo_toml: &root,
            xtask_source: &xtask_source,
        };
        let files = service("odd-job", ServiceKind::Web, workspace).unwrap();
        assert!(files.iter().all(|(path, _)| path.starts_with("services/odd-job/")));
        files[0].1.clone()
    }

    #[test]
    fn a_service_inherits_what_the_workspace_has() {
        let bare = cargo_toml("[workspace]\n");
        for line in [
            "name = \"odd-job\"",
            "edition = \"2024\"",
            "bowline-service = { git = \"https://h/b\" }",
        ] {
            assert!(bare.lines().any(|have| have == line), "no {line:?} in\n{bare}");
        }
        assert!(!bare.contains("lints") && !bare.contains("license"), "{bare}");
        parse(&bare, "it").unwrap();

        let rich = cargo_toml(
            "[workspace.package]\nedition = \"2024\"\nlicense = \"MIT\"\n[workspace.lints]\n\
             [workspace.dependencies]\nbowline-service = { git = \"https://h/b\" }\nbowline-ferror = \"1\"\n",
        );
        for line in [
            "edition.workspace = true",
            "license.workspace = true",
            "workspace = true",
            "bowline-service.workspace = true",
            "bowline-ferror = { git = \"https://h/b\" }",
        ] {
            assert!(rich.lines().any(|have| have == line), "no {line:?} in\n{rich}");
        }
        parse(&rich, "it").unwrap();
    }
}
