//! The files of a new service, made for the workspace that they go into: it inherits what that one
//! has for all its packages, and has its dependencies the way that one has them.

use std::path::Path;

use serde_json::Value;

use crate::model::cargo_toml;
use crate::model::service_kind::ServiceKind;
use crate::repository::templates::{self, Dependency, File, Place, Template};
use crate::repository::xtask_source::Origin;

/// The workspace that a service goes into.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// Its folder.
    pub dir: &'a Path,
    /// Its Cargo.toml.
    pub root: &'a Value,
    /// Where it has xtask from.
    pub origin: &'a Origin,
}

/// The files of the service `name`, by their paths below the workspace.
pub fn service(name: &str, kind: ServiceKind, site: Site<'_>) -> anyhow::Result<Vec<File>> {
    match kind {
        ServiceKind::Web => {
            let what = ("Web service: what it is for", "hello\\n");
            render(name, what, templates::WEB, templates::OF_WEB, site)
        }
        ServiceKind::Worker => {
            let what = ("Worker: what it is for", "");
            render(name, what, templates::WORKER, templates::OF_WORKER, site)
        }
    }
}

/// The files of the first service of a new repository.
pub fn first_service(name: &str, site: Site<'_>) -> anyhow::Result<Vec<File>> {
    let what = ("Web service: greets, with what foundation has for all", "Hello, world!");
    render(name, what, templates::FIRST, templates::OF_FIRST, site)
}

/// `what` is the description and the answer that the template's own test expects.
fn render(
    name: &str,
    (description, answer): (&str, &str),
    templates: &[Template],
    dependencies: &[Dependency],
    site: Site<'_>,
) -> anyhow::Result<Vec<File>> {
    let folder = format!("services/{name}/");
    let from = site.dir.join(&folder);
    let lines: Vec<_> = dependencies.iter().map(|one| line(one, &from, site)).collect();
    let values = [
        ("NAME", name),
        ("DESCRIPTION", description),
        ("PACKAGE", &package(site.root)),
        ("LINTS", if has_lints(site.root) { "[lints]\nworkspace = true\n" } else { "" }),
        ("DEPENDENCIES", &lines.join("\n")),
        ("ANSWER", answer),
    ];
    Ok(templates::render(templates, &folder, &values)?)
}

/// The fields of `[package]` that the workspace has for all of them, else what a service needs.
fn package(root: &Value) -> String {
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

/// A dependency, inherited where the workspace names the very same one.
fn line(dependency: &Dependency, from: &Path, site: Site<'_>) -> String {
    let Dependency { name, place } = dependency;
    let shared = &site.root["workspace"]["dependencies"][name];
    let (is_same, otherwise) = match place {
        Place::Foundation => {
            let inner = format!("foundation/{}", name.trim_start_matches("bowline-"));
            (site.origin.is(shared, site.dir, &inner), site.origin.dependency(&inner, from))
        }
        Place::Own => (true, String::new()),
        Place::Registry(value) => (is_written(shared, value), (*value).to_owned()),
    };
    if is_same { format!("{name}.workspace = true") } else { format!("{name} = {otherwise}") }
}

fn is_written(shared: &Value, value: &str) -> bool {
    cargo_toml::parse(&format!("it = {value}"), "").is_ok_and(|toml| toml["it"] == *shared)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Site, service};
    use crate::model::cargo_toml::parse;
    use crate::model::service_kind::ServiceKind;
    use crate::repository::xtask_source::Origin;

    fn cargo_toml(root: &str) -> String {
        let origin = Origin::at_url("https://h/b").unwrap();
        let root = parse(root, "").unwrap();
        let site = Site { dir: Path::new("/w"), root: &root, origin: &origin };
        let files = service("odd-job", ServiceKind::Web, site).unwrap();
        assert!(files.iter().all(|(path, _)| path.starts_with("services/odd-job/")));
        String::from_utf8(files[0].1.clone()).unwrap()
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
