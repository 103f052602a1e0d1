//! Tests which binaries are services, in workspaces of the shapes that repositories have.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Repo, check_sums, host, root, run};

/// Makes a repository whose workspace lies in its folder `workspace`.
fn repository(workspace: &str, files: &[(&str, String)]) -> Repo {
    let repo = Repo::empty();
    repo.write(".gitignore", "target\npkg\n");
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.git(&["init", "--quiet", "--initial-branch", "main"]);
    // None of these packages depends on a registry, so it asks no network.
    let mut cargo = repo.prepare(env!("CARGO"), &["generate-lockfile", "--quiet"]);
    run(cargo.current_dir(repo.path().join(workspace)), "cargo generate-lockfile").exits(0);
    repo.commit("first");
    repo
}

/// Writes a package with these binaries.
fn package(folder: &str, name: &str, bins: &[&str], rest: &str) -> Vec<(String, String)> {
    let below = |path: &str| Path::new(folder).join(path).to_str().unwrap().to_owned();
    let mut text =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}\n");
    let mut files = Vec::new();
    for bin in bins {
        let path = format!("src/{bin}.rs");
        let _ = writeln!(text, "[[bin]]\nname = \"{bin}\"\npath = \"{path}\"");
        files.push((below(&path), "fn main() {}\n".to_owned()));
    }
    if bins.is_empty() {
        files.push((below("src/lib.rs"), String::new()));
    }
    files.push((below("Cargo.toml"), text));
    files
}

/// Makes a repository of `packages`, whose root Cargo.toml ends with `table`, in the folder `workspace`.
fn of(workspace: &str, packages: &[Vec<(String, String)>], table: &str) -> Repo {
    let mut files: BTreeMap<String, String> = packages.iter().flatten().cloned().collect();
    let cargo_toml = Path::new(workspace).join("Cargo.toml").to_str().unwrap().to_owned();
    files.entry(cargo_toml).or_default().push_str(table);
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    repository(workspace, &files)
}

/// Returns the builds of the plan that a folder of the repository gives.
fn builds(repo: &Repo, folder: &str) -> Vec<Value> {
    let plan = repo.xtask_in(folder, "dist --dry-run --json --platforms linux_amd64").exits(0);
    plan.json()["steps"][0]["builds"].as_array().unwrap().clone()
}

/// Returns the services of a plan as `name = package:binary`.
fn services(repo: &Repo, folder: &str) -> Vec<String> {
    let text = |build: &Value, name: &str| build[name].as_str().unwrap().to_owned();
    let show = |build: &Value| {
        format!("{} = {}:{}", text(build, "service"), text(build, "package"), text(build, "bin"))
    };
    builds(repo, folder).iter().map(show).collect()
}

#[test]
fn services_are_found_in_workspaces_of_every_shape() {
    let none = "";
    let scattered = of(
        "",
        &[
            package("gateway", "gateway", &["gateway"], none),
            package("crates/billing", "billing", &["billing"], none),
            package("bin/api", "api", &["server", "worker"], none),
            package("crates/common", "common", &[], none),
        ],
        "[workspace]\nresolver = \"2\"\nmembers = [\"gateway\", \"crates/*\", \"bin/*\"]\n\
         [workspace.metadata.xtask]\nservices = [\"gateway\", \"crates/*\", \"bin/**\"]\n",
    );
    let expected = [
        "billing = billing:billing",
        "gateway = gateway:gateway",
        "server = api:server",
        "worker = api:worker",
    ];
    for folder in ["", "bin/api/src", "crates"] {
        assert_eq!(services(&scattered, folder), expected, "from {folder:?}");
    }

    // The root is the package, and there is no member.
    let alone = of(
        "",
        &[package("", "app", &["app"], none), vec![("README.md".into(), "read me\n".into())]],
        "[workspace.metadata.xtask]\nservices = [\".\"]\n",
    );
    assert_eq!(services(&alone, "src"), ["app = app:app"]);
    assert_eq!(builds(&alone, "")[0]["resources"][0]["name"], "README.md");

    // The root is a package with several binaries, and there are members.
    let table = "[package.metadata.xtask.binaries.migrate]\nname = \"app-migrate\"\ninclude = [\"migrations\"]\n";
    let with_members = of(
        "",
        &[
            package("", "app", &["app", "migrate"], none),
            package("admin", "admin", &["admin"], none),
            vec![("migrations/1.sql".into(), "select 1;\n".into())],
        ],
        &format!(
            "{table}[workspace]\nmembers = [\"admin\"]\n[workspace.metadata.xtask]\nservices = [\"app\", \"admin\"]\n"
        ),
    );
    let expected = ["admin = admin:admin", "app = app:app", "app-migrate = app:migrate"];
    assert_eq!(services(&with_members, "admin"), expected);
    let included = |build: &Value| build["resources"].as_array().unwrap().len();
    let counts: Vec<_> = builds(&with_members, "").iter().map(included).collect();
    assert_eq!(counts, [0, 0, 1], "only the binary's own table includes the migrations");

    // The workspace lies in a folder of the repository.
    let below = of(
        "server",
        &[
            package("server/apps/web", "web", &["web"], none),
            vec![("README.md".into(), "top\n".into())],
        ],
        "[workspace]\nmembers = [\"apps/*\"]\n[workspace.metadata.xtask]\nservices = [\"apps/*\"]\n",
    );
    assert_eq!(services(&below, "server/apps"), ["web = web:web"]);
    below.xtask("dist --dry-run").exits(3).says("cargo reads no workspace here");
}

#[test]
fn a_workspace_without_services_gets_the_list_of_its_binaries() {
    let none = "";
    let repo = of(
        "",
        &[
            package("all/api", "api", &["server", "worker"], none),
            package("all/billing", "billing", &["billd"], none),
            package("all/common", "common", &[], none),
            package(
                "all/web",
                "web",
                &[],
                "[lib]\ncrate-type = [\"cdylib\"]\npath = \"src/lib.rs\"\n",
            ),
            package(
                "all/derive",
                "derive",
                &[],
                "[lib]\nproc-macro = true\npath = \"src/lib.rs\"\n",
            ),
            package("all/xtask", "xtask", &["xtask"], none),
            package(
                "all/fuzz",
                "parser-fuzz",
                &["parse"],
                "[package.metadata]\ncargo-fuzz = true\n",
            ),
            vec![
                ("all/common/examples/demo.rs".into(), "fn main() {}\n".into()),
                ("all/common/benches/speed.rs".into(), "fn main() {}\n".into()),
            ],
        ],
        "[workspace]\nresolver = \"2\"\nmembers = [\"all/*\"]\n",
    );
    let list = "services = [\"api:server\", \"api:worker\", \"billing\"]";
    let refused = repo.xtask("dist --dry-run").exits(3);
    refused.says("no services: no package below ").says(&format!("\n  {list}\n"));
    repo.xtask("dist api --dry-run").exits(3).says(list);

    // What the error says is what it takes.
    let text = std::fs::read_to_string(repo.path().join("Cargo.toml")).unwrap();
    repo.write("Cargo.toml", &format!("{text}[workspace.metadata.xtask]\n{list}\n"));
    let all = ["billing = billing:billd", "server = api:server", "worker = api:worker"];
    assert_eq!(services(&repo, ""), all);
    repo.write(
        "Cargo.toml",
        &format!("{text}[workspace.metadata.xtask]\nservices = [\"all/*\"]\n"),
    );
    assert_eq!(services(&repo, ""), all, "a pattern leaves out what is there for development");
    let unknown = repo.xtask("dist api --dry-run").exits(3).says("unknown service `api`");
    unknown.says("the services are billing, server, worker");

    repo.write(
        "Cargo.toml",
        &format!("{text}[workspace.metadata.xtask]\nservices = [\"biling\"]\n"),
    );
    let misspelt = repo.xtask("dist --dry-run").exits(3);
    misspelt
        .says("services = \"biling\": no package of the workspace is named biling")
        .says("did you mean `billing`?");
}

#[test]
fn a_workspace_with_patches_git_dependencies_and_a_hack_crate_is_planned() {
    let upstream = Repo::empty();
    for (path, text) in ["greeting", "parting"].map(|name| package(name, name, &[], "")).concat() {
        upstream.write(&path, &text);
    }
    upstream.git(&["init", "--quiet", "--initial-branch", "main"]);
    upstream.commit("first");
    let url = format!("file://{}", upstream.path().display());
    let dependencies = format!(
        "[dependencies]\nworkspace-hack = {{ path = \"../../workspace-hack\" }}\n\
         greeting = {{ git = \"{url}\" }}\nparting = {{ git = \"{url}\" }}\n"
    );
    let repo = of(
        "",
        &[
            package("apps/shop", "shop", &["shop"], &dependencies),
            package("workspace-hack", "workspace-hack", &[], ""),
            package("patched/parting", "parting", &[], ""),
        ],
        &format!(
            "[workspace]\nresolver = \"2\"\nmembers = [\"apps/*\", \"workspace-hack\"]\n\
             [workspace.metadata.xtask]\nservices = [\"apps/*\"]\n\
             [patch.\"{url}\"]\nparting = {{ path = \"patched/parting\" }}\n"
        ),
    );
    assert_eq!(services(&repo, ""), ["shop = shop:shop"]);
    let plan = repo.xtask("dist --dry-run --json").exits(0).json();
    assert_eq!(plan["outside_sources"], serde_json::json!([]), "all of it is in the repository");
    repo.xtask(&format!("dist --platforms {}", host())).exits(0);
}

/// Writes a program that prints its stamp, and its own name.
fn program(name: &str) -> String {
    format!("fn main() {{\n    println!(\"{{}} by {name}\", stamp::line(\"{name}\"));\n}}\n")
}

#[test]
fn binaries_of_one_package_and_of_one_name_become_archives_of_their_own() {
    let stamp = root().join("foundation/stamp").display().to_string();
    let dependency = format!("[dependencies]\nbowline-stamp = {{ path = \"{stamp}\" }}\n");
    let several = package("server", "shapes-app", &["shapes-front", "shapes-queue"], &dependency);
    let other = package("server/jobs", "shapes-jobs", &["shapes-queue"], &dependency);
    let repo = of(
        "server",
        &[
            several,
            other,
            vec![
                ("server/src/shapes-front.rs".into(), program("front")),
                ("server/src/shapes-queue.rs".into(), program("queue")),
                ("server/jobs/src/shapes-queue.rs".into(), program("jobs")),
                ("server/README.md".into(), "read me\n".into()),
            ],
        ],
        "[workspace]\nmembers = [\"jobs\"]\n[workspace.metadata.xtask]\noutside-sources = true\n\
         bucket = \"builds\"\nother-compiler = true\noutside-flags = true\nservices = [\"shapes-app\", \"jobs/\"]\n[profile.release]\nopt-level = 0\n",
    );
    let host = host();
    repo.xtask_in("server/jobs/src", &format!("dist --platforms {host}")).exits(0);
    let snapshot = repo.path().join("server/pkg/snapshot");
    check_sums(&snapshot);
    let head = repo.git(&["rev-parse", "HEAD"]);
    for (service, by) in
        [("shapes-front", "front"), ("shapes-queue", "queue"), ("shapes-jobs", "jobs")]
    {
        let binary = snapshot.join(host.as_str()).join(service);
        let printed = run(&mut Command::new(binary), service).exits(0);
        printed.prints(&head).prints(&format!(" by {by}\n"));
        let archive = format!("pkg/snapshot/{service}_{host}.tar.gz");
        repo.xtask_in("server", &format!("stamp {archive}")).exits(0).prints(&head);
    }
    let upload = repo.xtask_in("server/jobs", "upload --dry-run").exits(0);
    for service in ["shapes-front", "shapes-queue", "shapes-jobs"] {
        assert!(
            upload.stdout.contains(&format!("{service}/{service}_{}", &head[..6])),
            "{}",
            upload.stdout
        );
    }
    let manifest = std::fs::read_to_string(snapshot.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let names: Vec<_> = manifest["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["service"].clone())
        .collect();
    assert_eq!(names, ["shapes-front", "shapes-jobs", "shapes-queue"]);
}
