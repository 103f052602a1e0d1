//! Tests the last words of a `dist` in which cargo fails, with builds that really fail.

use crate::support::{Repo, host};

/// Adds a service without dependencies, so that little is compiled.
fn add(repo: &Repo, name: &str, build_script: &str, main: &str) {
    let cargo_toml =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    repo.write(&format!("services/{name}/Cargo.toml"), &cargo_toml);
    repo.write(&format!("services/{name}/src/main.rs"), main);
    if !build_script.is_empty() {
        repo.write(&format!("services/{name}/build.rs"), build_script);
    }
}

/// Checks the last three lines, or two, that `dist` writes for a service. Each is the beginning of a line.
#[track_caller]
fn check(repo: &Repo, service: &str, platform: &str, expected: &[&str], shown_above: &str) {
    let run = repo.xtask(&format!("dist {service} --platforms {platform}")).exits(101);
    let lines: Vec<_> = run.stderr.lines().map(str::trim).collect();
    let (above, last) = lines.split_at(lines.len() - expected.len());
    for (line, start) in last.iter().zip(expected) {
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}:\n{}", run.stderr);
    }
    assert!(above.iter().any(|line| line.contains(shown_above)), "cargo's words:\n{}", run.stderr);
}

/// Compiles a C file that includes a header which no machine has.
const HEADER: &str = r##"fn main() {
    let triple = std::env::var("TARGET").unwrap().replace('-', "_");
    let compiler = std::env::var(format!("CC_{triple}")).unwrap();
    let source = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("a.c");
    std::fs::write(&source, "#include <nowhere/at_all.h>\n").unwrap();
    let status = std::process::Command::new(compiler).arg("-c").arg(source).status().unwrap();
    assert!(status.success(), "the C compiler failed");
}
"##;

const PROGRAM: &str = "fn main() {\n    let run = std::process::Command::new(\"no-such-protoc\").status();\n    \
                       run.unwrap_or_else(|e| panic!(\"failed to execute no-such-protoc: {e}\"));\n}\n";

const SYMBOL: &str = "unsafe extern \"C\" {\n    fn nowhere_defined();\n}\n\nfn main() {\n    \
                      unsafe { nowhere_defined() }\n}\n";

#[test]
fn the_last_lines_say_what_was_missing_and_what_to_do() {
    let repo = Repo::new(&["alpha"]);
    add(&repo, "no-header", HEADER, "fn main() {}\n");
    add(&repo, "no-program", PROGRAM, "fn main() {}\n");
    add(&repo, "no-symbol", "", SYMBOL);
    add(&repo, "no-value", "", "fn main() {\n    println!(\"{}\", nowhere);\n}\n");
    repo.lock();
    repo.commit("services that do not build");
    let host = host();
    let first =
        |service: &str, what: &str| format!("{host}: cargo could not build {service}: {what}");
    check(
        &repo,
        "no-header",
        host.as_str(),
        &[
            &first("no-header", "the build script of no-header 0.1.0 fails"),
            "missing: the header nowhere/at_all.h",
            "hint: use the feature `vendored`",
        ],
        "'nowhere/at_all.h' file not found",
    );
    check(
        &repo,
        "no-program",
        host.as_str(),
        &[
            &first("no-program", "the build script of no-program 0.1.0 fails"),
            "missing: the program no-such-protoc",
            "hint: install no-such-protoc on this machine",
        ],
        "panicked at",
    );
    check(
        &repo,
        "no-symbol",
        host.as_str(),
        &[
            &first("no-symbol", "no-symbol 0.1.0 cannot be linked"),
            "missing: the symbol ",
            "hint: see above where it is used",
        ],
        "undefined symbol: ",
    );
    check(
        &repo,
        "no-value",
        host.as_str(),
        &[
            &first("no-value", "no-value 0.1.0 does not compile"),
            "error[E0425]: cannot find value `nowhere` in this scope, services/no-value/src/main.rs:2",
        ],
        "not found in this scope",
    );
}

#[test]
#[ignore = "links for macOS, with rustup's library for it"]
fn a_framework_that_is_missing_is_named() {
    let repo = Repo::new(&["alpha"]);
    let main = "#[link(name = \"NoSuchKit\", kind = \"framework\")]\nunsafe extern \"C\" {\n    fn no_such_kit();\n}\n\n\
                fn main() {\n    unsafe { no_such_kit() }\n}\n";
    add(&repo, "no-framework", "", main);
    repo.lock();
    repo.commit("a service for a Mac of another world");
    check(
        &repo,
        "no-framework",
        "darwin_arm64",
        &[
            "darwin_arm64: cargo could not build no-framework: no-framework 0.1.0 cannot be linked",
            "missing: the framework NoSuchKit",
            "hint: set SDKROOT",
        ],
        "NoSuchKit",
    );
}
