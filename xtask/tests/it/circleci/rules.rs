//! The rules of this repository for its CI file, which `init` gives to new repositories too: which
//! lines run where, with which caches, workspaces and credentials. A job with credentials takes
//! nothing but the artifacts from jobs without them.

use std::path::Path;

use serde_json::Value;
use xtask::build::pins::RUSTC;

use super::structure::{entries, named, requires, steps};

/// The folder below which a job may attach the workspace, and never its checkout.
const BESIDE: &str = "/tmp/";

/// The jobs that get credentials.
const WITH_CONTEXT: [&str; 3] = ["plan", "upload", "verify"];

/// The steps that a job with credentials may have. Others bring in what other jobs left.
const WITH_CREDENTIALS: [&str; 3] = ["checkout", "attach_workspace", "run"];

/// Lists every breach of the rules in `config`, whose text is `text`, in the repository at `root`.
pub(super) fn problems(text: &str, config: &Value, root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if lines >= 200 {
        problems.push(format!("{lines} lines: keep it under 200, and decisions in xtask"));
    }
    for job in ["test", "plan", "dist", "upload", "verify", "macos"] {
        let expected = match job {
            "test" => "cargo xtask ci".to_owned(),
            "plan" => "cargo xtask plan --skip-without-credentials".to_owned(),
            "dist" => "cargo xtask dist".to_owned(),
            "verify" => "cargo xtask verify HEAD --sample 3".to_owned(),
            "macos" => format!(
                "cargo xtask stamp --check {}/pkg/snapshot",
                taken_over_at(config, job).next().unwrap_or_default()
            ),
            _ => format!(
                "cargo xtask upload --dest {}/pkg --skip-without-credentials",
                taken_over_at(config, job).next().unwrap_or_default()
            ),
        };
        let lines = run_lines(&config["jobs"][job]);
        if lines != [expected.as_str()] {
            problems.push(format!("job {job} runs `{}`, not `{expected}`", lines.join("`, `")));
        }
    }
    problems.extend(run_problems(config));
    problems.extend(image_problems(config));
    problems.extend(macos_problems(config));
    problems.extend(verify_problems(config));
    problems.extend(cache_problems(config, root));
    problems.extend(hand_over_problems(config));
    problems.extend(upload_problems(config));
    problems.extend(trust_problems(config));
    problems
}

/// Returns the lines that a job's `run` steps run.
pub(super) fn run_lines(job: &Value) -> Vec<&str> {
    let runs = steps(job).filter(|(name, _)| *name == "run");
    runs.filter_map(|(_, run)| run.as_str().or_else(|| run["command"].as_str())).collect()
}

/// The jobs that persist something for later ones, and what.
const HANDED_ON: [(&str, &str); 2] = [("plan", "pkg/plan"), ("dist", "pkg/snapshot")];

/// Returns the paths that a job persists for later jobs.
fn handed_on(config: &Value, job: &str) -> Vec<String> {
    let persisted = steps(&config["jobs"][job]).filter(|(name, _)| *name == "persist_to_workspace");
    let paths = persisted.flat_map(|(_, step)| step["paths"].as_array().into_iter().flatten());
    paths.filter_map(|path| path.as_str().map(str::to_owned)).collect()
}

/// Returns the folders at which a job attaches what other jobs persisted.
pub(super) fn taken_over_at<'a>(config: &'a Value, job: &str) -> impl Iterator<Item = &'a str> {
    let attached = steps(&config["jobs"][job]).filter(|(name, _)| *name == "attach_workspace");
    attached.map(|(_, step)| step["at"].as_str().unwrap_or_default())
}

/// Returns whether a job gets the variables of a context in any workflow.
pub(super) fn gets_context(config: &Value, job: &str) -> bool {
    in_workflows(config, job).any(|given| given.get("context").is_some())
}

/// Returns the variables that a job's executor sets.
pub(super) fn environment(config: &Value, job: &str) -> Vec<(String, String)> {
    let executor = config["jobs"][job]["executor"].as_str().expect("an executor");
    let variables = config["executors"][executor]["environment"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().expect("quote the values of variables").to_owned();
    variables.map(|(name, value)| (name.clone(), text(value))).collect()
}

fn in_workflows<'a>(config: &'a Value, job: &str) -> impl Iterator<Item = &'a Value> {
    let jobs = entries(config, "workflows").filter_map(|(_, workflow)| workflow["jobs"].as_array());
    jobs.flatten().map(named).filter(move |(name, _)| *name == job).map(|(_, given)| given)
}

/// Returns everything that has steps: jobs and commands.
fn with_steps(config: &Value) -> impl Iterator<Item = (&str, &Value)> {
    entries(config, "jobs").chain(entries(config, "commands"))
}

fn run_problems(config: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, of) in with_steps(config) {
        for line in run_lines(of) {
            // Only characters of names, options and versions, to which a shell gives no meaning.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_./=,:".contains(c);
            if !line.starts_with("cargo ") || !line.chars().all(is_plain) {
                problems.push(format!(
                    "{name}: `{line}` is not one cargo line: what a script would do is a verb"
                ));
            }
        }
        let is_more = |run: &Value| run.as_object().is_some_and(|map| map.len() > 1);
        if steps(of).any(|(step, run)| step == "run" && is_more(run)) {
            problems.push(format!("{name}: a run step sets more than its line"));
        }
    }
    problems
}

/// Checks that the machine without an image gets the same compiler, and that only a parameter starts it.
fn macos_problems(config: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let installs = steps(&config["jobs"]["macos"]).filter(|(name, _)| *name == "rust/install");
    let versions: Vec<_> = installs.map(|(_, given)| given["version"].clone()).collect();
    if versions != [RUSTC] {
        problems.push(format!("job macos installs Rust {versions:?}: expected {RUSTC}"));
    }
    for (name, workflow) in entries(config, "workflows") {
        let has_it =
            workflow["jobs"].as_array().into_iter().flatten().any(|one| named(one).0 == "macos");
        let parameter = workflow["when"]
            .as_str()
            .and_then(|when| when.strip_prefix("<< pipeline.parameters.")?.strip_suffix(" >>"));
        let is_off = parameter.is_some_and(|name| config["parameters"][name]["default"] == false);
        if has_it && !is_off {
            problems.push(format!("workflow {name} starts the job macos unasked"));
        }
    }
    problems
}

/// Checks that only a pipeline's parameter starts verify, which then runs alone, with credentials of its own.
fn verify_problems(config: &Value) -> Vec<String> {
    const PARAMETER: &str = "<< pipeline.parameters.verify >>";
    let mut problems = Vec::new();
    let contexts = |job: &str| -> Vec<_> {
        in_workflows(config, job).filter_map(|given| given["context"].as_str()).collect()
    };
    if let Some(context) = contexts("verify").iter().find(|it| contexts("upload").contains(it)) {
        problems.push(format!(
            "verify gets the context {context} of upload: it builds services, whose build scripts must not find that"
        ));
    }
    if config["parameters"]["verify"]["default"] != false {
        problems.push("the parameter `verify` is not false by default".to_owned());
    }
    for (name, workflow) in entries(config, "workflows") {
        let mut jobs = workflow["jobs"].as_array().into_iter().flatten().map(|one| named(one).0);
        if jobs.any(|job| job == "verify") {
            if workflow["when"] != PARAMETER {
                problems.push(format!("workflow {name} starts the job verify unasked"));
            }
        } else if workflow["unless"] != PARAMETER && workflow.get("when").is_none() {
            problems
                .push(format!("workflow {name} runs beside verify in the pipeline of a schedule"));
        }
    }
    problems
}

fn image_problems(config: &Value) -> Vec<String> {
    let prefix = format!("rust:{RUSTC}-");
    let images = entries(config, "executors")
        .chain(entries(config, "jobs"))
        .flat_map(|(_, of)| of["docker"].as_array().into_iter().flatten())
        .filter_map(|docker| docker["image"].as_str());
    images
        .filter(|image| !image.starts_with(&prefix))
        .map(|image| {
            format!(
                "image `{image}`: expected `{prefix}...`, the compiler of xtask/src/build/pins.rs"
            )
        })
        .collect()
}

/// Checks that each cache key names the lock file, the pins and the branch. Without the first two,
/// a job would get what was built from others; where xtask is a dependency, its pins move with the
/// lock file. Without the branch, one branch would get what another built.
fn cache_problems(config: &Value, root: &Path) -> Vec<String> {
    let keys = |step: &str| -> Vec<&str> {
        let steps = with_steps(config).flat_map(|(_, of)| steps(of));
        let caches = steps.filter(|(name, _)| *name == step);
        let keys = caches.flat_map(|(_, cache)| {
            cache["keys"].as_array().into_iter().flatten().chain(cache.get("key"))
        });
        keys.filter_map(Value::as_str).collect()
    };
    let (saved, restored) = (keys("save_cache"), keys("restore_cache"));
    let mut problems = Vec::new();
    for key in saved.iter().chain(&restored) {
        let files = ["Cargo.lock", "xtask/src/build/pins.rs"].into_iter();
        for file in files.filter(|file| root.join(file).is_file()) {
            if !key.contains(&format!("{{{{ checksum \"{file}\" }}}}")) {
                problems.push(format!("cache key `{key}` does not name {file}"));
            }
        }
        if !key.contains("{{ .Branch }}") {
            problems.push(format!("cache key `{key}` does not name the branch"));
        }
        for file in key.split("checksum \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if !root.join(file).is_file() {
                problems.push(format!("cache key `{key}`: there is no file {file}"));
            }
        }
    }
    let idle = saved.iter().filter(|key| !restored.contains(key));
    problems.extend(idle.map(|key| format!("cache key `{key}` is saved but never restored")));
    problems
}

fn hand_over_problems(config: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let stores =
        |(name, step): (&str, &Value)| name == "store_artifacts" && step["path"] == "pkg/snapshot";
    if !steps(&config["jobs"]["dist"]).any(stores) {
        let what = "job dist does not store `pkg/snapshot`, where dist leaves the artifacts";
        problems.push(what.to_owned());
    }
    for (job, expected) in HANDED_ON {
        let handed_on = handed_on(config, job);
        if handed_on != [expected] {
            let list = handed_on.join("`, `");
            problems.push(format!(
                "job {job} hands on `{list}`: expected `{expected}` and nothing else"
            ));
        }
    }
    let others = with_steps(config).filter(|(name, _)| HANDED_ON.iter().all(|(it, _)| it != name));
    let hands_on = |of: &Value| steps(of).any(|(step, _)| step == "persist_to_workspace");
    problems.extend(
        others
            .filter(|(_, of)| hands_on(of))
            .map(|(name, _)| format!("{name} hands something on: that is for plan and dist alone")),
    );
    for (job, from) in [("dist", "plan"), ("upload", "dist")] {
        if taken_over_at(config, job).count() != 1 {
            problems.push(format!("job {job} does not take over what {from} hands on, once"));
        }
    }
    let restores = |(name, _): (&str, &Value)| ["restore", "restore_cache"].contains(&name);
    if steps(&config["jobs"]["dist"]).any(restores) {
        let what = "job dist restores a cache: what is built with it is offered to no other build";
        problems.push(what.to_owned());
    }
    for given in in_workflows(config, "dist") {
        if !requires(given).any(|one| one == "plan") {
            problems.push("dist does not wait for plan".to_owned());
        }
    }
    problems
}

/// Checks that a job with credentials runs only what it checked out itself.
fn trust_problems(config: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, job) in entries(config, "jobs").filter(|(name, _)| gets_context(config, name)) {
        if !steps(job).any(|(step, _)| step == "checkout") {
            problems.push(format!("job {name} has credentials and no checkout of its own"));
        }
        let around = in_workflows(config, name).flat_map(|given| {
            ["pre-steps", "post-steps"].into_iter().filter_map(|list| given[list].as_array())
        });
        let around = around.flatten().map(super::structure::named);
        let may_have = |step: &str| {
            WITH_CREDENTIALS.contains(&step) || (name, step) == ("plan", "persist_to_workspace")
        };
        for (step, _) in steps(job).chain(around).filter(|(step, _)| !may_have(step)) {
            problems.push(format!(
                "job {name} has credentials and the step `{step}`: it takes over nothing but artifacts"
            ));
        }
        for at in taken_over_at(config, name) {
            let is_beside = at.starts_with(BESIDE) && !at.split('/').any(|part| part == "..");
            if !is_beside {
                problems.push(format!(
                    "job {name} has credentials and attaches at `{at}`: expected a folder below {BESIDE}"
                ));
            }
        }
        let executor = job["executor"].as_str().unwrap_or_default();
        for of in [job, &config["executors"][executor]] {
            // A workspace in a folder of the repository: the checkout stays where it is by default.
            let place = of["working_directory"].as_str().unwrap_or("~/project/");
            if !place.starts_with("~/project/") || place.contains("..") {
                problems.push(format!("job {name} has credentials and moves its checkout"));
            }
        }
    }
    problems
}

/// Checks that upload runs on every branch, after the other jobs, and that besides it only plan and verify get credentials.
fn upload_problems(config: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for given in in_workflows(config, "upload") {
        for other in ["test", "dist"] {
            if !requires(given).any(|one| one == other) {
                problems.push(format!("upload does not wait for {other}"));
            }
        }
        if given.get("filters").is_some() {
            problems.push("upload is filtered: it runs on every branch".to_owned());
        }
    }
    for job in WITH_CONTEXT {
        if !gets_context(config, job) {
            problems.push(format!("job {job} gets no context: it would have no credentials"));
        }
    }
    let others = entries(config, "jobs").filter(|(name, _)| !WITH_CONTEXT.contains(name));
    problems.extend(others.filter(|(name, _)| gets_context(config, name)).map(|(name, _)| {
        format!("job {name} gets a context: credentials are for plan, upload and verify alone")
    }));
    problems
}
