//! `.circleci/config.yml`: what CI would say about it, found at home.
//!
//! Three kinds of mistake, each with a module or test: what its schema or a reader of the whole file
//! sees (`structure`), what this repository has agreed on (`rules`), and lines that do not work,
//! which only running them shows.

mod mistakes;
mod rules;
mod structure;

use std::path::Path;

use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::Value;

use crate::support::bucket::{BUCKET, Bucket};
use crate::support::{Repo, root, run, target_dir};

const PATH: &str = ".circleci/config.yml";

#[test]
fn the_file_is_valid_and_keeps_to_the_rules() {
    let problems = problems(&text(), root());
    assert!(problems.is_empty(), "{PATH}:\n{}", problems.join("\n"));
}

#[test]
#[ignore = "builds every service for every platform"]
fn dist_and_upload_as_written_publish_a_clean_clone() {
    let config = parse(&text());
    let bucket = Bucket::new();
    let clone = bucket.serve(Repo::clone_of(root()));
    let target = target_dir().join("circleci");
    let head = clone.git(&["rev-parse", "HEAD"]);
    for job in ["dist", "upload"] {
        if job == "upload" {
            hand_on(&config, clone.path());
        }
        let built =
            std::fs::metadata(target.join("debug/xtask")).and_then(|file| file.modified()).ok();
        for line in rules::run_lines(&config["jobs"][job]) {
            let words: Vec<_> = line.split_whitespace().skip(1).collect();
            let mut cargo = clone.prepare(env!("CARGO"), &words);
            if !rules::gets_context(&config, job) {
                bucket.hide(&mut cargo);
            }
            cargo
                .envs([("CI", "true"), ("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")])
                .env("CIRCLE_SHA1", &head)
                .envs(rules::environment(&config, job))
                // Warm from an earlier run of this test; CI has its cache.
                .env("CARGO_TARGET_DIR", &target);
            run(&mut cargo, line).exits(0);
        }
        let builds =
            std::fs::metadata(target.join("debug/xtask")).and_then(|file| file.modified()).ok();
        assert!(
            job == "dist" || built == builds,
            "upload compiled xtask again, with credentials around"
        );
    }

    let manifest = clone.manifest();
    assert_eq!(manifest["commit"], head.as_str());
    assert_eq!(manifest["dirty"], false, "building left files behind that git does not ignore");
    let artifacts = manifest["artifacts"].as_array().expect("artifacts");
    let text = |artifact: &Value, name: &str| artifact[name].as_str().expect(name).to_owned();
    let mut expected: Vec<_> =
        artifacts.iter().map(|artifact| text(artifact, "object_key")).collect();
    let version = manifest["version"].as_str().expect("version");
    for artifact in artifacts {
        let service = text(artifact, "service");
        expected.push(format!("{service}/{service}_{version}.json"));
    }
    expected.sort();
    expected.dedup();
    assert_eq!(artifacts.len(), 8, "two services for four platforms");
    assert_eq!(bucket.keys(), expected, "objects in {BUCKET}");
}

/// Leaves in `clone` only what the dist job hands on, as the upload job has it.
fn hand_on(config: &Value, clone: &Path) {
    let paths = rules::handed_on(config);
    for entry in std::fs::read_dir(clone).expect("the clone") {
        let entry = entry.expect("an entry of the clone");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        if paths.contains(&name) {
            continue;
        }
        if entry.file_type().expect("its type").is_dir() {
            std::fs::remove_dir_all(entry.path()).expect("removing a folder");
        } else {
            std::fs::remove_file(entry.path()).expect("removing a file");
        }
    }
}

fn text() -> String {
    std::fs::read_to_string(root().join(PATH)).expect(PATH)
}

/// Everything that is wrong with the text of a configuration, in the repository at `root`.
pub(crate) fn problems(text: &str, root: &Path) -> Vec<String> {
    let config = parse(text);
    let mut problems = structure::problems(&config);
    problems.extend(rules::problems(text, &config, root));
    problems
}

fn parse(text: &str) -> Value {
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
