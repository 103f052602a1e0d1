//! Finds mistakes by the rules of the CI service: its published schema, and names that the schema does
//! not follow.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The steps that are built in. Conditional ones are not among them: conditions belong in xtask.
const STEPS: [&str; 10] = [
    "add_ssh_keys",
    "attach_workspace",
    "checkout",
    "persist_to_workspace",
    "restore_cache",
    "run",
    "save_cache",
    "setup_remote_docker",
    "store_artifacts",
    "store_test_results",
];

const SCHEMA: &str = include_str!("../../data/circleci-schema.json");

/// Lists every mistake in `config`.
pub(super) fn problems(config: &Value) -> Vec<String> {
    let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let mut problems: Vec<_> =
        validator.iter_errors(config).map(|e| format!("{}: {e}", e.instance_path())).collect();
    let undeclared = asked_for(config, "<< pipeline.parameters.");
    let undeclared = undeclared.filter(|name| config["parameters"].get(name).is_none());
    problems.extend(undeclared.map(|name| format!("no pipeline parameter `{name}` is declared")));
    let mut used = BTreeSet::new();
    for (name, command) in entries(config, "commands") {
        problems.extend(steps_of(config, &format!("command {name}"), command, &mut used));
    }
    for (name, job) in entries(config, "jobs") {
        problems.extend(steps_of(config, &format!("job {name}"), job, &mut used));
        let executor = job["executor"].as_str().or_else(|| job["executor"]["name"].as_str());
        if let Some(executor) = executor {
            if config["executors"].get(executor).is_none() {
                problems.push(format!("job {name}: undefined executor `{executor}`"));
            }
            used.insert(("executor", executor));
        }
    }
    for (name, workflow) in entries(config, "workflows") {
        problems.extend(workflow_problems(config, name, workflow, &mut used));
    }
    for (kind, table) in [("command", "commands"), ("executor", "executors")] {
        let unused = entries(config, table).filter(|(name, _)| !used.contains(&(kind, *name)));
        problems.extend(unused.map(|(name, _)| format!("{kind} `{name}` is not used: remove it")));
    }
    let idle = entries(config, "jobs").filter(|(name, _)| !used.contains(&("job", *name)));
    problems.extend(idle.map(|(name, _)| format!("job `{name}` is in no workflow: it never runs")));
    problems
}

/// Returns the entries of a table at the top of the file; none if there is no such table.
pub(super) fn entries<'a>(
    config: &'a Value,
    table: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let entries = config[table].as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.as_str(), value))
}

/// Splits a step, or a job in a workflow, into its name and what it is given.
pub(super) fn named(item: &Value) -> (&str, &Value) {
    match item {
        Value::String(name) => (name, &Value::Null),
        Value::Object(map) => {
            map.iter().next().map_or(("", &Value::Null), |(name, value)| (name.as_str(), value))
        }
        _ => ("", &Value::Null),
    }
}

/// Returns the steps of a job or a command, each as its name and what it is given.
pub(super) fn steps(of: &Value) -> impl Iterator<Item = (&str, &Value)> {
    of["steps"].as_array().into_iter().flatten().map(named)
}

type Used<'a> = BTreeSet<(&'static str, &'a str)>;

fn steps_of<'a>(
    config: &'a Value,
    of: &str,
    with_steps: &'a Value,
    used: &mut Used<'a>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, given) in steps(with_steps) {
        if let Some(command) = config["commands"].get(name) {
            used.insert(("command", name));
            problems.extend(
                parameter_problems(command, given, &[])
                    .map(|problem| format!("{of}: step `{name}` {problem}")),
            );
        } else if !STEPS.contains(&name) && !is_of_orb(config, name) {
            problems.push(format!(
                "{of}: unknown step `{name}`: neither a command of this file nor one of {}",
                STEPS.join(", ")
            ));
        }
    }
    let declared = &with_steps["parameters"];
    let undeclared =
        asked_for(with_steps, "<< parameters.").filter(|name| declared.get(name).is_none());
    problems.extend(undeclared.map(|name| format!("{of}: no parameter `{name}` is declared")));
    problems
}

/// Returns whether a step is a command of an orb that the file names. What the orb has is not known here.
fn is_of_orb(config: &Value, step: &str) -> bool {
    step.split_once('/').is_some_and(|(orb, _)| config["orbs"].get(orb).is_some())
}

/// Lists parameters that `given` lacks, or that do not exist. The keys `besides` are no parameters.
fn parameter_problems(
    of: &Value,
    given: &Value,
    besides: &'static [&'static str],
) -> impl Iterator<Item = String> {
    let none = Map::new();
    let declared = of["parameters"].as_object().unwrap_or(&none).clone();
    let given = given.as_object().unwrap_or(&none).clone();
    let lacking: Vec<_> = declared
        .iter()
        .filter(|(name, declaration)| {
            declaration.get("default").is_none() && !given.contains_key(*name)
        })
        .map(|(name, _)| format!("lacks `{name}`"))
        .collect();
    let foreign = given
        .into_iter()
        .filter(move |(name, _)| !declared.contains_key(name) && !besides.contains(&name.as_str()))
        .map(|(name, _)| format!("has no parameter `{name}`"));
    lacking.into_iter().chain(foreign)
}

/// Returns the names in every `<< parameters.NAME >>` below a value, where `before` stands before the name.
fn asked_for(value: &Value, before: &'static str) -> impl Iterator<Item = String> {
    let text = value.to_string();
    let names: BTreeSet<_> = text
        .split(before)
        .skip(1)
        .filter_map(|rest| rest.split_once(" >>").map(|(name, _)| name.to_owned()))
        .collect();
    names.into_iter()
}

/// The keys of a job in a workflow that are no parameters of it.
const OF_A_WORKFLOW: &[&str] =
    &["requires", "context", "filters", "type", "name", "matrix", "pre-steps", "post-steps"];

fn workflow_problems<'a>(
    config: &'a Value,
    name: &str,
    workflow: &'a Value,
    used: &mut Used<'a>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let jobs: Vec<_> = workflow["jobs"].as_array().into_iter().flatten().map(named).collect();
    for (job, given) in &jobs {
        match config["jobs"].get(job) {
            None => problems.push(format!("workflow {name}: undefined job `{job}`")),
            Some(definition) => problems.extend(
                parameter_problems(definition, given, OF_A_WORKFLOW)
                    .map(|problem| format!("workflow {name}: job `{job}` {problem}")),
            ),
        }
        used.insert(("job", job));
        let unknown = requires(given).filter(|one| !jobs.iter().any(|(known, _)| known == one));
        problems.extend(unknown.map(|one| {
            format!("workflow {name}: `{job}` requires `{one}`, which is no job of it")
        }));
    }
    // Remove the jobs that wait for none of the rest, again and again: those that remain wait for
    // each other.
    let mut waiting = jobs;
    while let Some(ready) = waiting.iter().position(|(_, given)| {
        !requires(given).any(|one| waiting.iter().any(|(waits, _)| *waits == one))
    }) {
        waiting.remove(ready);
    }
    if !waiting.is_empty() {
        let names: Vec<_> = waiting.iter().map(|(job, _)| *job).collect();
        problems.push(format!("workflow {name}: jobs wait for each other: {}", names.join(", ")));
    }
    problems
}

/// Returns the jobs that a job of a workflow waits for.
pub(super) fn requires(given: &Value) -> impl Iterator<Item = &str> {
    given["requires"].as_array().into_iter().flatten().map(|one| named(one).0)
}
