//! Checks `.circleci/config.yml` here, so that mistakes are found before CI runs it.
//!
//! There are three kinds of mistakes: those that the schema or a reader of the whole file finds
//! (`structure`), those against the rules of this repository (`rules`), and lines that do not work,
//! which a test runs.

mod mistakes;
mod rules;
mod structure;

use std::path::Path;
use std::process::Command;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::Value;

use crate::support::bucket::{BUCKET, Bucket};
use crate::support::snapshot::persist;
use crate::support::{RUSTC_RELEASE, Repo, root, run};

const PATH: &str = ".circleci/config.yml";

#[test]
fn the_file_is_valid_and_keeps_to_the_rules() {
    let problems = problems(&text(), root());
    assert!(problems.is_empty(), "{PATH}:\n{}", problems.join("\n"));
}

#[test]
#[ignore = "builds every service for Linux and for macOS"]
fn dist_and_upload_as_written_publish_a_clean_clone() {
    let bucket = Bucket::new();
    let clone = bucket.serve(Repo::clone_of(root()));
    let manifest = std::fs::read_to_string(clone.path().join("Cargo.toml")).expect("Cargo.toml");
    let all = "\nplatforms = \"linux,!arm darwin\"\n";
    let two =
        format!("\nplatforms = \"linux_amd64 darwin_arm64\"\nrust = \"{}\"\n", *RUSTC_RELEASE);
    assert!(manifest.contains(all), "the table's platforms are others: adapt this test");
    clone.write("Cargo.toml", &manifest.replace(all, &two));
    // Where rustup has no library for macOS, `dist` has to be told to take the other one for what is published.
    let setup = clone.xtask("setup --library rustup");
    let dist = if setup.code == 0 { "dist" } else { "dist --library distribution" };
    let config =
        parse(&text().replace("run: cargo xtask dist", &format!("run: cargo xtask {dist}")));
    let head = clone.commit("two platforms are enough");
    let environment = |cargo: &mut Command, job: &str| {
        if !rules::gets_context(&config, job) {
            bucket.hide(cargo);
        }
        cargo
            .envs([("CI", "true"), ("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")])
            .env("CIRCLE_SHA1", &head)
            .envs(rules::environment(&config, job));
    };
    run_lines(&config, "plan", &clone, environment, None);
    assert!(clone.path().join("pkg/plan/plan.json").is_file(), "there is something to hand on");
    // Two machines, which share the work, and hand on what they made. For each, the files of the other one are gone.
    let handed_over = tempfile::tempdir().expect("a temporary folder");
    let mut artifacts = Vec::new();
    let mut version = String::new();
    for node in ["0", "1"] {
        let on_node = |cargo: &mut Command, job: &str| {
            environment(cargo, job);
            cargo.envs([("CIRCLE_NODE_INDEX", node), ("CIRCLE_NODE_TOTAL", "2")]);
        };
        run_lines(&config, "dist", &clone, on_node, None);
        let made = clone.path().join("pkg/snapshot");
        persist(&made, &handed_over.path().join("pkg/snapshot"));
        let name = if node == "0" { "manifest.1-of-2.json" } else { "manifest.2-of-2.json" };
        let text = std::fs::read_to_string(made.join(name)).expect(name);
        let shard: Value = serde_json::from_str(&text).expect(name);
        let manifest = &shard["manifest"];
        assert_eq!(manifest["commit"], head.as_str());
        assert_eq!(manifest["dirty"], false, "building left files behind that git does not ignore");
        version = manifest["version"].as_str().expect("version").to_owned();
        let own = manifest["artifacts"].as_array().expect("artifacts");
        assert_eq!(own.len(), 2, "one of two platforms: {own:?}");
        artifacts.extend(own.iter().cloned());
        std::fs::remove_dir_all(made).expect("pkg/snapshot");
    }

    // The upload job: a checkout of its own, and beside it what the dist job persisted.
    let checkout = bucket.serve(Repo::clone_of(clone.path()));
    drop(clone);
    run_lines(&config, "upload", &checkout, environment, Some(handed_over.path()));

    let text = |artifact: &Value, name: &str| artifact[name].as_str().expect(name).to_owned();
    let mut expected: Vec<_> =
        artifacts.iter().map(|artifact| text(artifact, "object_key")).collect();
    for artifact in &artifacts {
        let service = text(artifact, "service");
        expected.push(format!("{service}/{service}_{version}.json"));
    }
    expected.sort();
    expected.dedup();
    assert_eq!(artifacts.len(), 4, "two services for two platforms");
    let releases: Vec<_> =
        bucket.keys().into_iter().filter(|key| !key.starts_with("keys/")).collect();
    assert_eq!(releases, expected, "objects in {BUCKET}");
}

/// Runs a job's lines in `repo`. The folder at which the job attaches the workspace is replaced by
/// `handed_over`.
fn run_lines(
    config: &Value,
    job: &str,
    repo: &Repo,
    environment: impl Fn(&mut Command, &str),
    handed_over: Option<&Path>,
) {
    for line in rules::run_lines(&config["jobs"][job]) {
        let here = rules::taken_over_at(config, job)
            .zip(handed_over)
            .fold(line.to_owned(), |line, (at, handed_over)| {
                line.replace(at, &handed_over.display().to_string())
            });
        let words: Vec<_> = here.split_whitespace().skip(1).collect();
        let mut cargo = repo.prepare(env!("CARGO"), &words);
        environment(&mut cargo, job);
        run(&mut cargo, line).exits(0);
    }
}

fn text() -> String {
    std::fs::read_to_string(root().join(PATH)).expect(PATH)
}

/// Returns the lines that a job of the file runs.
pub(crate) fn lines(job: &str) -> Vec<String> {
    let config = parse(&text());
    rules::run_lines(&config["jobs"][job]).into_iter().map(str::to_owned).collect()
}

/// Lists everything that is wrong with the text of a configuration, in the repository at `root`.
pub(crate) fn problems(text: &str, root: &Path) -> Vec<String> {
    let config = parse(text);
    let mut problems = structure::problems(&config);
    problems.extend(rules::problems(text, &config, root));
    problems
}

pub(crate) fn parse(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{PATH}: {error}"));
    assert_eq!(documents.len(), 1, "{PATH}: one document");
    json(&documents[0])
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(entries) => {
            let name = |key: &Yaml<'_>| key.as_str().expect("keys are texts").to_owned();
            Value::Object(entries.iter().map(|(key, value)| (name(key), json(value))).collect())
        }
        other => panic!("{PATH}: plain YAML is enough here, not {other:?}"),
    }
}
