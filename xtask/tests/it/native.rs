//! Tests what `dist` and `setup` do about dependencies whose build scripts call programs or look for libraries.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};
use xtask::build::pins;

use crate::support::{Repo, host, root, run, target_dir};

/// Adds a crate without code under the name of one that needs something.
fn add_crate(repo: &Repo, name: &str) {
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    repo.write(&format!("crates/{name}/Cargo.toml"), &manifest);
    repo.write(&format!("crates/{name}/src/lib.rs"), "");
}

/// Makes a repository of services, each with what its Cargo.toml ends with.
fn repo(services: &[(&str, &str)], crates: &[&str]) -> Repo {
    let repo = Repo::new(&["plain"]);
    for name in crates {
        add_crate(&repo, name);
    }
    for (name, table) in services {
        repo.add_service(name, table);
    }
    repo.lock();
    repo.commit("services");
    repo
}

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns what the plan says that each service needs on each platform.
fn needs(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let builds = steps.flat_map(|step| {
        let platform = step["platform"].as_str().unwrap();
        step["builds"].as_array().unwrap().iter().map(move |build| (platform, build))
    });
    let needed = builds.filter(|(_, build)| build["needs"] != json!([]));
    needed
        .map(|(platform, build)| {
            format!("{} {platform} {}", build["service"].as_str().unwrap(), build["needs"])
        })
        .collect()
}

/// The services of the next tests: one with OpenSSL on Linux alone, one with a feature that is off, one with cmake.
fn three_services() -> Repo {
    let services = [
        (
            "tls",
            "[target.'cfg(not(target_vendor = \"apple\"))'.dependencies]\nopenssl-sys = { path = \"../../crates/openssl-sys\" }",
        ),
        (
            "grpc",
            "[features]\ngrpc = [\"dep:prost-build\"]\n\n\
             [build-dependencies]\nprost-build = { path = \"../../crates/prost-build\", optional = true }",
        ),
        ("fast", "[build-dependencies]\ncmake = { path = \"../../crates/cmake\" }"),
    ];
    repo(&services, &["openssl-sys", "prost-build", "cmake"])
}

#[test]
fn a_plan_names_what_the_build_scripts_of_each_service_need_and_nothing_else() {
    let mut repo = three_services();
    let line = "dist --dry-run --platforms";
    let plan = repo.xtask(&format!("{line} linux,amd64 --json")).exits(0).json();
    let expected = ["fast linux_amd64 [\"cmake\"]", "tls linux_amd64 [\"openssl\"]"];
    assert_eq!(needs(&plan), expected);
    let [cmake, ninja, openssl] = [
        format!("cmake {} (PyPI)", pins::CMAKE.version),
        format!("ninja {} (PyPI)", pins::NINJA.version),
        format!("OpenSSL {} (built once per platform)", pins::openssl_version()),
    ];
    let here = ["perl", "make"].map(|name| format!("tool     {name} (of this machine)\n")).concat();
    let plan = repo.xtask(&format!("{line} linux,amd64")).exits(0);
    plan.prints(&format!("tool     {cmake}\ntool     {ninja}\n{here}tool     {openssl}\n"));
    let plan = repo.xtask(&format!("{line} darwin_arm64 --json tls")).exits(0).json();
    assert_eq!(
        (needs(&plan), &plan["tools"]),
        (vec![], &json!([])),
        "Apple's crates use no OpenSSL"
    );

    let feature = "\n[package.metadata.xtask]\nfeatures = [\"grpc\"]\n";
    let manifest = fs::read_to_string(repo.path().join("services/grpc/Cargo.toml")).unwrap();
    repo.write("services/grpc/Cargo.toml", &(manifest + feature));
    repo.set("PROTOC", "/opt/protoc");
    repo.xtask("dist grpc --dry-run")
        .exits(0)
        .prints("tool     protoc (PROTOC)\n")
        .prints("flag from outside the repository: PROTOC=…");

    for (name, value) in
        [("OPENSSL_DIR", "/opt/ssl"), ("X86_64_UNKNOWN_LINUX_GNU_OPENSSL_DIR", "/opt")]
    {
        let mut repo = three_services();
        repo.set(name, value);
        let plan = repo.xtask(&format!("{line} linux,amd64 --json tls")).exits(0).json();
        assert_eq!(needs(&plan), [""; 0], "{name} wins");
        assert_eq!(plan["outside_flags"], json!([format!("{name}=…")]));
    }
    repo.add_to_table("openssl = false");
    let plan = repo.xtask(&format!("{line} linux,amd64 --json tls")).exits(0).json();
    assert_eq!(needs(&plan), [""; 0]);
}

#[test]
fn cargo_is_asked_for_dependencies_only_where_the_lock_file_has_a_crate_that_needs_something() {
    let mut repo = three_services();
    let diary = repo.path().join("target/diary");
    let cargo = repo.path().join("target/cargo");
    let text = format!(
        "#!/bin/sh\necho \"$1\" >> '{}'\nexec '{}' \"$@\"\n",
        diary.display(),
        env!("CARGO")
    );
    program(&cargo, &text);
    repo.set("CARGO", cargo.to_str().unwrap());
    for (service, expected) in [("plain", 0), ("tls", 1)] {
        let _ = fs::remove_file(&diary);
        repo.xtask(&format!("dist {service} --dry-run")).exits(0);
        let asked = fs::read_to_string(&diary).unwrap();
        assert_eq!(
            asked.lines().filter(|line| *line == "tree").count(),
            expected,
            "{service}: {asked}"
        );
    }
}

/// Fails unless the variable for cmake is there or not, as the service expects.
fn build_script(expects_cmake: bool) -> String {
    let name = "CMAKE_POLICY_VERSION_MINIMUM";
    format!(
        "fn main() {{\n    assert_eq!(std::env::var_os(\"{name}\").is_some(), {expects_cmake});\n}}\n"
    )
}

#[test]
fn only_services_that_need_a_tool_are_built_with_it() {
    let mut repo = three_services();
    repo.write("services/plain/build.rs", &build_script(false));
    repo.write("services/fast/build.rs", &build_script(true));
    // So that none is installed.
    repo.set("CMAKE", "/opt/cmake");
    repo.set("CMAKE_GENERATOR", "Ninja");
    repo.xtask(&format!("dist plain fast --platforms {}", host())).exits(0);
}

#[test]
fn setup_names_the_tools_and_check_says_which_are_missing() {
    let mut repo = three_services();
    let tools = repo.path().join("target/dist/tools");
    fs::create_dir_all(&tools).unwrap();
    let shared = target_dir().join("dist/tools");
    for entry in fs::read_dir(shared).unwrap().flatten() {
        // zig and its caches, without any other tool.
        if ["zig-", "cache"]
            .iter()
            .any(|name| entry.file_name().to_string_lossy().starts_with(name))
        {
            symlink(entry.path().canonicalize().unwrap(), tools.join(entry.file_name())).unwrap();
        }
    }
    repo.set("CARGO_TARGET_DIR", repo.path().join("target").to_str().unwrap());
    let missing = format!(
        "missing: cmake {}, which build scripts call, is not installed",
        pins::CMAKE.version
    );
    repo.xtask("setup --check").exits(3).prints(&missing).says("run `cargo xtask setup`");
    repo.set("CMAKE", "/opt/cmake");
    repo.set("CMAKE_GENERATOR", "Unix Makefiles");
    let run = repo.xtask("setup --check").exits(0).prints("linux_amd64   ready");
    run.prints("tools         cmake (CMAKE), ninja (CMAKE_GENERATOR), perl (of this machine), ");
}

/// Looks for a library as `pq-sys` does: asks pkg-config, then the library's own program. Both answer with a library
/// that is made here.
const ASK: &str = r#"use std::{env, path::Path, process::Command};

fn main() {
    let triple = env::var("TARGET").unwrap().replace('-', "_");
    let folder = env::var("OUT_DIR").unwrap();
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("src/own.c");
    let mut compiler = Command::new(env::var(format!("CC_{triple}")).unwrap());
    compiler.args(["-shared", "-fPIC", "-Wl,-soname,libown.so.1"]).arg(source);
    assert!(compiler.arg("-o").arg(format!("{folder}/libown.so")).status().unwrap().success());
    println!("cargo::rerun-if-changed=src/own.c");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG");
    println!("cargo::rerun-if-env-changed=PATH");
    let asked = Command::new(env::var("PKG_CONFIG").unwrap()).args(["--libs", "libown >= 1"]).output().unwrap();
    let found = asked.status.success() || Command::new("own-config").status().is_ok_and(|s| s.success());
    assert!(found, "{}", String::from_utf8_lossy(&asked.stderr));
    println!("cargo::rustc-link-search={folder}\ncargo::rustc-link-lib=own");
}
"#;

#[test]
#[cfg(target_os = "linux")]
fn libraries_of_this_machine_are_found_only_by_name_and_a_binary_with_another_one_is_refused() {
    let mut repo = Repo::new(&["asks"]);
    repo.write("services/asks/build.rs", ASK);
    repo.write("services/asks/src/own.c", "int own(void) { return 7; }\n");
    let main = "unsafe extern \"C\" {\n    fn own() -> i32;\n}\n\nfn main() {\n    \
                println!(\"{} {}\", stamp::line(\"asks\"), unsafe { own() });\n}\n";
    repo.write("services/asks/src/main.rs", main);
    repo.commit("asks for a library");
    let line = format!("dist --platforms {}", host());
    let advice = "system-libraries = [\"libown\"] in [workspace.metadata.xtask]";
    repo.xtask(&line).exits(101).says("libown: binaries for linux_").says(advice);

    // A program such as `pg_config`, which nothing keeps away.
    let programs = repo.path().join("target/programs");
    program(&programs.join("own-config"), "#!/bin/sh\n");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    repo.set("PATH", &path);
    repo.xtask(&line).exits(3).says("loads libown.so.1; expected libraries of the system alone");

    fs::remove_file(programs.join("own-config")).unwrap();
    program(&programs.join("pkg-config"), "#!/bin/sh\n[ \"$*\" = \"--libs libown >= 1\" ]\n");
    repo.add_to_table("system-libraries = [\"libown\"]");
    repo.xtask("dist --dry-run")
        .exits(0)
        .prints("allowed  libown, which is not part of every system");
    repo.xtask(&line).exits(0);
    assert_eq!(repo.manifest()["artifacts"][0]["system_libraries"], json!(["libown.so.1"]));

    repo.set("PKG_CONFIG", programs.join("pkg-config").to_str().unwrap());
    let flag = "flag from outside the repository: PKG_CONFIG=…";
    repo.xtask("dist --dry-run").exits(0).prints(flag);
    repo.xtask(&line).exits(0);
}

/// Reads C headers of the platform, as `librocksdb-sys` and its like do.
const BINDGEN: &str = r##"fn main() {
    let header = "#include <stdint.h>\n#include <stdio.h>\n#include <pthread.h>\n#include <sys/types.h>\nstruct own { uint32_t a; off_t b; };\n";
    let builder = bindgen::Builder::default().header_contents("own.h", header).allowlist_type("own");
    let file = std::path::Path::new(&std::env::var("OUT_DIR").unwrap()).join("own.rs");
    builder.generate().unwrap().write_to_file(file).unwrap();
}
"##;

#[test]
#[ignore = "builds OpenSSL, and crates that it downloads"]
fn services_with_openssl_and_with_bindgen_are_built_for_other_platforms() {
    let mut repo = Repo::new(&["tls-real", "headers-real"]);
    // There, what the sandbox refuses is an error.
    repo.set("CI", "true");
    let add = |service: &str, lines: &str| {
        let path = format!("services/{service}/Cargo.toml");
        let text = fs::read_to_string(repo.path().join(&path)).unwrap();
        repo.write(&path, &(text + lines));
    };
    add("tls-real", "openssl-sys = \"0.9\"\n");
    add(
        "headers-real",
        "\n[build-dependencies]\nbindgen = { version = \"0.72\", default-features = false, features = [\"runtime\"] }\n",
    );
    let main = "fn main() {\n    println!(\"{}\", stamp::line(\"tls-real\"));\n    \
                let line = unsafe { std::ffi::CStr::from_ptr(openssl_sys::OpenSSL_version(1)) };\n    println!(\"{line:?}\");\n}\n";
    repo.write("services/tls-real/src/main.rs", main);
    repo.write("services/headers-real/build.rs", BINDGEN);
    let main = "include!(concat!(env!(\"OUT_DIR\"), \"/own.rs\"));\n\nfn main() {\n    \
                println!(\"{} {}\", stamp::line(\"headers-real\"), size_of::<own>());\n}\n";
    repo.write("services/headers-real/src/main.rs", main);
    let mut cargo = repo.prepare(env!("CARGO"), &["generate-lockfile", "--quiet"]);
    run(&mut cargo, "cargo generate-lockfile").exits(0);
    repo.commit("real crates");

    repo.xtask("dist tls-real --platforms linux_arm64").exits(0);
    let openssl = pins::openssl_version();
    assert_eq!(repo.manifest()["artifacts"][0]["openssl"], openssl);
    let binary = repo.path().join("pkg/snapshot/linux_arm64/tls-real");
    let image = fs::read(&binary).unwrap();
    let text = String::from_utf8_lossy(&image);
    assert!(text.contains("compiler: cc -fPIC"), "no OpenSSL is in it");
    let tools = target_dir().join("dist/tools").canonicalize().unwrap();
    assert!(!text.contains(tools.to_str().unwrap()), "a path of this machine is in it");
    let again = repo.xtask("dist tls-real --platforms linux_arm64").exits(0);
    assert!(!again.stderr.contains("building OpenSSL"), "{}", again.stderr);

    repo.xtask("dist headers-real --platforms darwin_arm64").exits(0);
    assert_eq!(repo.manifest()["artifacts"][0].get("openssl"), None);
}

/// Builds services of the zoo: frameworks (chrono, reqwest), a configure script (jemalloc) and C++ (cxx).
#[test]
#[ignore = "builds four services for macOS, whose crates it downloads"]
fn services_with_frameworks_with_a_configure_script_and_with_cpp_are_built_for_macos() {
    let mut clone = Repo::clone_of(root());
    // There, what the sandbox refuses is an error.
    clone.set("CI", "true");
    let services = ["zoo-chrono", "zoo-cxx", "zoo-jemalloc", "zoo-reqwest-native-tls"];
    let line = format!("dist {} --platforms darwin_arm64 --json", services.join(" "));
    let manifest = clone.xtask_in("tools/zoo", &line).exits(0).json();
    let artifacts = manifest["artifacts"].as_array().unwrap().iter();
    let built: Vec<_> = artifacts.map(|one| one["service"].as_str().unwrap()).collect();
    assert_eq!(built, services);
}
