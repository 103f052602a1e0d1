//! Tests the checks of the CI file: each row breaks the file and says which problem the checks must
//! find.

use super::{PATH, problems, text};
use crate::support::root;

/// A text to replace, its replacement, and the problem that must be found then.
type Mistake = (&'static str, &'static str, &'static str);

/// Mistakes that the schema finds.
const OF_FORM: &[Mistake] = &[
    ("version: 2.1", "version: 2.0", "/version: "),
    ("requires: [test, dist]", "require: [test, dist]", "job `upload` has no parameter `require`"),
    (
        "    executor: rust\n    steps:\n      - checkout\n      - attach_workspace:\n",
        "    steps:\n      - checkout\n      - attach_workspace:\n",
        "/jobs/upload",
    ),
    ("          path: pkg/snapshot", "          paths: [pkg]", "/jobs/dist: "),
    ("<< pipeline.parameters.dist-machines >>", "many", "/jobs/dist"),
];

/// Mistakes that the schema lets pass.
const OF_NAMES: &[Mistake] = &[
    ("- checkout", "- chekout", "job test: unknown step `chekout`"),
    ("- store_artifacts:", "- store_artefacts:", "job dist: unknown step `store_artefacts`"),
    ("- rust/install:", "- rost/install:", "job macos: unknown step `rost/install`"),
    ("- restore_cache:", "- restore_caches:", "command restore: unknown step `restore_caches`"),
    ("- restore: { job: test }", "- restore", "job test: step `restore` lacks `job`"),
    ("- save: { job: test }", "- save: { jobs: test }", "step `save` has no parameter `jobs`"),
    ("<< parameters.job >>", "<< parameters.jib >>", "command restore: no parameter `jib`"),
    (
        "<< pipeline.parameters.dist-machines >>",
        "<< pipeline.parameters.machines >>",
        "no pipeline parameter `machines`",
    ),
    ("executor: rust", "executor: rost", "job test: undefined executor `rost`"),
    (
        "  rust:\n",
        "  rust:\n    docker: [{ image: \"rust:1\" }]\n  spare:\n",
        "executor `spare` is not used",
    ),
    ("      - test\n", "      - tests\n", "workflow commit: undefined job `tests`"),
    ("      - test\n", "", "job `test` is in no workflow"),
    (
        "requires: [test, dist]",
        "requires: [test, dust]",
        "`upload` requires `dust`, which is no job of it",
    ),
    (
        "requires: [plan]",
        "requires: [plan, upload]",
        "workflow commit: jobs wait for each other: dist, upload",
    ),
    (
        "steps:\n      - checkout\n      - restore: { job: test }",
        "parameters:\n      os: { type: string }\n    steps:\n      - checkout",
        "workflow commit: job `test` lacks `os`",
    ),
];

/// Mistakes against the rules of this repository.
const OF_RULES: &[Mistake] = &[
    ("cargo xtask ci\n", "cargo test\n", "job test runs `cargo test`, not `cargo xtask ci`"),
    ("cargo xtask dist\n", "make dist\n", "`make dist` is not one cargo line"),
    ("cargo xtask dist\n", "cargo xtask dist || true\n", "is not one cargo line"),
    (
        "run: cargo xtask dist\n",
        "run: |\n          cargo xtask dist\n          cargo xtask upload\n",
        "is not one cargo line",
    ),
    (
        "run: cargo xtask dist\n",
        "run: { command: cargo xtask dist, shell: sh }\n",
        "sets more than its line",
    ),
    (
        "rust:1.95.0-bookworm",
        "rust:1.94.0-bookworm",
        "image `rust:1.94.0-bookworm`: expected `rust:1.95.0-",
    ),
    ("{{ checksum \"Cargo.lock\" }}", "", "does not name Cargo.lock"),
    (
        "{{ checksum \"xtask/src/build/pins.rs\" }}",
        "{{ checksum \"xtask/src/build/pin.rs\" }}",
        "there is no file xtask/src/build/pin.rs",
    ),
    (
        "restore_cache:\n          key: v1-",
        "restore_cache:\n          key: v2-",
        "is saved but never restored",
    ),
    (
        "restore_cache:\n          key:",
        "restore_cache:\n          keys: [v1-]\n          key:",
        "cache key `v1-` does not name",
    ),
    ("{{ arch }}-{{ .Branch }}", "{{ arch }}", "does not name the branch"),
    (
        "          path: pkg/snapshot",
        "          path: out",
        "job dist does not store `pkg/snapshot`",
    ),
    (
        "            - pkg/snapshot\n",
        "",
        "job dist hands on ``: expected `pkg/snapshot` and nothing",
    ),
    (
        "            - pkg/snapshot\n",
        "            - pkg/snapshot\n            - target/debug\n",
        "job dist hands on `pkg/snapshot`, `target/debug`: expected `pkg/snapshot`",
    ),
    (
        "            - pkg/plan\n",
        "            - xtask\n",
        "job plan hands on `xtask`: expected `pkg/plan`",
    ),
    ("      - attach_workspace: { at: . }\n", "", "job dist does not take over what plan hands on"),
    (
        "      - attach_workspace: { at: . }\n",
        "      - restore: { job: dist }\n      - attach_workspace: { at: . }\n",
        "job dist restores a cache",
    ),
    (
        "      - run: cargo xtask plan",
        "      - restore: { job: plan }\n      - run: cargo xtask plan",
        "job plan has credentials and the step `restore`",
    ),
    ("requires: [plan]", "requires: [test]", "dist does not wait for plan"),
    (
        "      - run: cargo xtask ci\n",
        "      - run: cargo xtask ci\n      - persist_to_workspace: { root: ., paths: [xtask] }\n",
        "test hands something on",
    ),
    (
        "      - attach_workspace:\n          at: /tmp/handed-over\n",
        "",
        "job upload does not take over what dist hands on",
    ),
    ("at: /tmp/handed-over", "at: .", "attaches at `.`: expected a folder below /tmp/"),
    ("at: /tmp/handed-over", "at: /tmp/../opt/project", "expected a folder below /tmp/"),
    ("--dest /tmp/handed-over/pkg", "--dest pkg", "job upload runs `cargo xtask upload --dest pkg"),
    (
        "      - checkout\n      - attach_workspace:\n",
        "      - attach_workspace:\n",
        "job upload has credentials and no checkout of its own",
    ),
    (
        "      - attach_workspace:\n",
        "      - restore: { job: dist }\n      - attach_workspace:\n",
        "job upload has credentials and the step `restore`",
    ),
    (
        "          requires: [test, dist]\n",
        "          requires: [test, dist]\n          pre-steps: [{ restore: { job: dist } }]\n",
        "job upload has credentials and the step `restore`",
    ),
    (
        "  rust:\n",
        "  rust:\n    working_directory: /tmp/handed-over\n",
        "job upload has credentials and moves its checkout",
    ),
    ("requires: [test, dist]", "requires: [dist]", "upload does not wait for test"),
    ("    default: false", "    default: true", "workflow macos starts the job macos unasked"),
    (
        "    when: << pipeline.parameters.check-on-macos >>\n",
        "",
        "workflow macos starts the job macos unasked",
    ),
    ("          version: 1.95.0\n", "          version: stable\n", "job macos installs Rust"),
    (
        "stamp --check /tmp/handed-over/pkg/snapshot",
        "stamp --check pkg/snapshot",
        "job macos runs `cargo xtask stamp --check pkg/snapshot`",
    ),
    (
        "requires: [test, dist]",
        "requires: [test, dist]\n          filters: { branches: { only: main } }",
        "upload is filtered",
    ),
    (
        "      - test\n",
        "      - test:\n          context: bowline-bucket\n",
        "job test gets a context",
    ),
    ("verify HEAD --sample 3", "verify HEAD", "job verify runs `cargo xtask verify HEAD`, not"),
    (
        "          context: bowline-verify\n",
        "          context: bowline-bucket\n",
        "verify gets the context bowline-bucket of upload",
    ),
    (
        "    when: << pipeline.parameters.verify >>\n",
        "",
        "workflow verify starts the job verify unasked",
    ),
    (
        "    unless: << pipeline.parameters.verify >>\n",
        "",
        "workflow commit runs beside verify in the pipeline of a schedule",
    ),
    (
        "  verify:\n    type: boolean\n    default: false\n",
        "  verify:\n    type: boolean\n    default: true\n",
        "the parameter `verify` is not false by default",
    ),
    (
        "      - run: cargo xtask verify",
        "      - restore: { job: verify }\n      - run: cargo xtask verify",
        "job verify has credentials and the step `restore`",
    ),
];

#[test]
fn mistakes_are_found() {
    let text = text();
    for (from, to, expected) in OF_FORM.iter().chain(OF_NAMES).chain(OF_RULES) {
        assert!(text.contains(from), "{PATH} holds no {from:?}: adapt this row");
        assert_found(&text.replacen(from, to, 1), &format!("{from:?} -> {to:?}"), expected);
    }
    let long = text.replacen("jobs:\n", &format!("jobs:\n{}", "  # more\n".repeat(200)), 1);
    assert_found(&long, "200 more lines", "lines: keep it under 200");
}

fn assert_found(broken: &str, change: &str, expected: &str) {
    let problems = problems(broken, root());
    let found = problems.iter().any(|problem| problem.contains(expected));
    assert!(found, "{change}: no `{expected}` in {problems:#?}");
}
