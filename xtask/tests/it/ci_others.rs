//! Checks the CI files that docs/ci-others.md shows: their form, the commands in them, and who gets credentials.

use serde_json::Value;
use xtask::build::pins::RUSTC;

use crate::circleci::parse;
use crate::support::tree::read;

const PAGE: &str = "docs/ci-others.md";

/// Returns the two files, GitHub's and GitLab's.
fn files() -> [Value; 2] {
    let page = read(PAGE);
    let blocks: Vec<_> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [github, gitlab] = blocks[..] else { panic!("{PAGE} has {} files", blocks.len()) };
    [parse(github), parse(gitlab)]
}

/// Checks the lines of a job: the last one is `expected`, and the others install the pinned compiler.
#[track_caller]
fn check(lines: &[&str], expected: &str) {
    let (last, first) = lines.split_last().expect("a line");
    assert_eq!(*last, expected);
    let arguments = last.strip_prefix("cargo xtask ").expect("a verb").split(' ');
    xtask::cli::parse(arguments.map(Into::into)).unwrap_or_else(|error| panic!("{last}: {error}"));
    let install = format!("rustup toolchain install {RUSTC}");
    assert!(first.iter().all(|line| line.starts_with(&install)), "{first:?}");
}

fn names(jobs: &Value) -> Vec<&str> {
    let mut names: Vec<_> = jobs.as_object().expect("jobs").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_file_for_github_runs_the_three_commands_and_one_job_has_credentials() {
    let [file, _] = files();
    let jobs = &file["jobs"];
    assert_eq!(names(jobs), ["dist", "test", "upload"]);
    let steps = |job: &str| jobs[job]["steps"].as_array().expect(job).clone();
    for (job, expected) in [
        ("test", "cargo xtask ci"),
        ("dist", "cargo xtask dist"),
        ("upload", "cargo xtask upload --dest /tmp/handed-over/pkg"),
    ] {
        let steps = steps(job);
        let runs: Vec<_> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
        check(&runs, expected);
        assert_eq!(steps[0]["uses"], "actions/checkout@v4", "{job}");
        let has_secrets = jobs[job].to_string().contains("secrets.");
        assert_eq!(has_secrets, job == "upload", "{job}");
        assert!(!jobs[job].to_string().contains("cache"), "{job} takes what another run left");
    }
    assert_eq!(jobs["upload"]["needs"], serde_json::json!(["test", "dist"]));
    let with = |job: &str, action: &str| {
        let is_it = |step: &&Value| step["uses"].as_str().is_some_and(|uses| uses.contains(action));
        steps(job).iter().find(is_it).expect(action)["with"].clone()
    };
    assert_eq!(with("dist", "upload-artifact")["path"], "pkg");
    let taken = with("upload", "download-artifact");
    assert_eq!((&taken["path"], &taken["name"]), (&"/tmp/handed-over/pkg".into(), &"pkg".into()));
    // A pull request of a fork would run with the fork's code.
    assert_eq!(names(&file["on"]), ["push"]);
}

#[test]
fn the_file_for_gitlab_runs_the_three_commands_and_hands_on_artifacts_alone() {
    let [_, file] = files();
    assert_eq!(file["image"], format!("rust:{RUSTC}-bookworm"));
    for (job, expected, stage) in [
        ("test", "cargo xtask ci", "build"),
        ("dist", "cargo xtask dist", "build"),
        ("upload", "cargo xtask upload", "publish"),
    ] {
        let lines: Vec<_> =
            file[job]["script"].as_array().expect(job).iter().filter_map(Value::as_str).collect();
        check(&lines, expected);
        assert_eq!(file[job]["stage"], stage, "{job}");
        assert_eq!(file[job]["environment"] == "release", job == "upload", "{job}");
        assert_eq!(file[job]["artifacts"].is_object(), job == "dist", "{job}");
        assert!(file[job]["cache"].is_null(), "{job}");
    }
    assert_eq!(file["stages"], serde_json::json!(["build", "publish"]));
    assert_eq!(file["dist"]["artifacts"]["paths"], serde_json::json!(["pkg"]));
    assert_eq!(file["upload"]["needs"], serde_json::json!(["test", "dist"]));
}
