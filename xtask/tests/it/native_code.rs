//! Tests `dist` with C code that a build script compiles: paths and times in it, libraries of the build machine, and
//! files that the compiler leaves.

use std::process::Command;

use crate::support::{Repo, host, run};

/// Calls the C compiler as the crate `cc` does: flags are split at blanks.
const BUILD_C: &str = r#"use std::{env, path::Path, process::Command};

fn main() {
    let triple = env::var("TARGET").unwrap().replace('-', "_");
    let compiler = env::var(format!("CC_{triple}")).unwrap();
    let flags = env::var(format!("CFLAGS_{triple}")).unwrap_or_default();
    let version = Command::new(&compiler).arg("--version").output().unwrap();
    assert!(version.status.success(), "{version:?}");
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("src/place.c");
    let object = Path::new(&env::var("OUT_DIR").unwrap()).join("place.o");
    let mut command = Command::new(&compiler);
    command.args(flags.split_whitespace()).arg("-c").arg(source).arg("-o").arg(&object);
    assert!(command.status().unwrap().success());
    println!("cargo::rustc-link-arg-bins={}", object.display());
    println!("cargo::rerun-if-changed=src/place.c");
}
"#;

/// Makes a service print where and when its C code was compiled.
fn print_place_of_c(repo: &Repo, name: &str) {
    repo.write(&format!("services/{name}/build.rs"), BUILD_C);
    let c = "const char *place(void) { return __FILE__ \", \" __DATE__; }\n";
    repo.write(&format!("services/{name}/src/place.c"), c);
    let main = format!(
        "unsafe extern \"C\" {{\n    fn place() -> *const std::ffi::c_char;\n}}\n\nfn main() {{\n    \
         println!(\"{{}}\", stamp::line(\"{name}\"));\n    \
         println!(\"{{}}\", unsafe {{ std::ffi::CStr::from_ptr(place()) }}.to_str().unwrap());\n}}\n"
    );
    repo.write(&format!("services/{name}/src/main.rs"), &main);
    repo.commit("C code");
}

#[test]
#[cfg(target_os = "linux")]
fn c_code_knows_neither_its_folder_nor_the_time() {
    let repo = Repo::new(&["c-place"]);
    print_place_of_c(&repo, "c-place");
    for folder in ["plain", "with a blank, and 'quotes'"] {
        let dir = repo.path().join("pkg").join(folder);
        repo.git(&["clone", "--quiet", ".", dir.to_str().unwrap()]);
        let line = format!("dist --platforms {}", host());
        let arguments: Vec<_> = line.split(' ').collect();
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        run(command.current_dir(&dir), &line).exits(0);
        let binary = dir.join("pkg/snapshot").join(host().as_str()).join("c-place");
        let printed = run(&mut Command::new(&binary), "c-place").exits(0).stdout;
        let place = printed.lines().nth(1).unwrap();
        assert_eq!(place, "services/c-place/src/place.c, Jan  1 1980");
        let image = std::fs::read(&binary).unwrap();
        assert!(!String::from_utf8_lossy(&image).contains(folder), "{folder} is in the binary");
    }
    // An object that zig keeps of a build with another time is not that of this one.
    let dir = repo.path().join("pkg/plain");
    for (time, expected) in [("400000000", "Sep  4 1982"), ("", "Jan  1 1980")] {
        let line = format!("dist --platforms {}", host());
        let arguments: Vec<_> = line.split(' ').collect();
        let mut command = repo.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        run(command.current_dir(&dir).env("SOURCE_DATE_EPOCH", time), &line).exits(0);
        let binary = dir.join("pkg/snapshot").join(host().as_str()).join("c-place");
        let printed = run(&mut Command::new(&binary), "c-place").exits(0).stdout;
        assert!(printed.ends_with(&format!(", {expected}\n")), "{printed}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_binary_that_loads_a_library_of_the_build_machine_is_refused() {
    let repo = Repo::new(&["c-shared"]);
    print_place_of_c(&repo, "c-shared");
    let build = BUILD_C
        .replace(".arg(\"-c\")", ".args([\"-shared\", \"-fPIC\", \"-Wl,-soname,libown.so.1\"])")
        .replace("place.o", "libown.so");
    repo.write("services/c-shared/build.rs", &build);
    let line = format!("dist --platforms {}", host());
    repo.xtask(&line)
        .exits(3)
        .says(&format!(
            "c-shared for {} loads libown.so.1; expected libraries of the system alone",
            host()
        ))
        .says("system-libraries = [\"libown.so.1\"]");
    repo.add_to_table("system-libraries = [\"libown.so.1\"]");
    repo.xtask(&line).exits(0);
}

#[test]
#[ignore = "builds a service for macOS"]
fn c_code_for_macos_leaves_nothing_in_the_package() {
    let repo = Repo::new(&["c-macos"]);
    print_place_of_c(&repo, "c-macos");
    repo.xtask("dist --platforms darwin_arm64").exits(0);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

/// A service with a symbol of a framework, one that only it declares, and C code with a header that zig lacks.
const FRAMEWORKS: &str = r#"#[link(name = "CoreFoundation", kind = "framework")]
unsafe extern "C" {
    fn CFAbsoluteTimeGetCurrent() -> f64;
}

#[link(name = "SystemConfiguration", kind = "framework")]
unsafe extern "C" {}

#[link(name = "IOKit", kind = "framework")]
unsafe extern "C" {
    fn IOKnownToThisServiceAlone() -> f64;
}

unsafe extern "C" {
    fn place() -> *const std::ffi::c_char;
}

fn main() {
    println!("{}", stamp::line("c-frameworks"));
    let (a, b, c) = unsafe { (CFAbsoluteTimeGetCurrent(), IOKnownToThisServiceAlone(), place()) };
    println!("{a} {b} {c:?}");
}
"#;

#[test]
#[ignore = "builds a service for macOS"]
fn frameworks_are_linked_by_stubs_and_what_those_do_not_know_is_said() {
    let repo = Repo::new(&["c-frameworks"]);
    print_place_of_c(&repo, "c-frameworks");
    let c = "#include <CoreServices/CoreServices.h>\n\
             #include <SystemConfiguration/SCDynamicStoreCopySpecific.h>\n#include <mach/mach_vm.h>\n\
             #include <sys/syscall.h>\n\
             const char *place(void) {\n    CFRelease(SCDynamicStoreCopyProxies(0));\n    \
             return mach_vm_map && SYS_exit ? __FILE__ : 0;\n}\n";
    repo.write("services/c-frameworks/src/place.c", c);
    repo.write("services/c-frameworks/src/main.rs", FRAMEWORKS);
    repo.commit("frameworks");
    let line = "dist --platforms darwin_arm64";
    let unchecked = "IOKnownToThisServiceAlone in IOKit, by c-frameworks";
    repo.xtask(line).exits(0).says(unchecked);
    let artifact = repo.manifest()["artifacts"][0].clone();
    assert_eq!(artifact["unchecked_symbols"], serde_json::json!([unchecked]));
    let archive = artifact["file"].as_str().unwrap();
    let framework = |name| format!("/System/Library/Frameworks/{name}.framework/Versions/A/{name}");
    repo.xtask(&format!("stamp pkg/snapshot/{archive}"))
        .exits(0)
        .prints(&framework("CoreFoundation"))
        .prints(&framework("IOKit"));

    // Of a service that links two frameworks, nobody says in which of them it is.
    let no_block =
        "#[link(name = \"IOKit\", kind = \"framework\")]\nunsafe extern \"C\" {}\nunsafe extern";
    let nowhere = FRAMEWORKS
        .replace("#[link(name = \"IOKit\", kind = \"framework\")]\nunsafe extern", no_block);
    repo.write("services/c-frameworks/src/main.rs", &nowhere);
    repo.xtask(line).exits(101).says("_IOKnownToThisServiceAlone");

    repo.write("services/c-frameworks/src/main.rs", FRAMEWORKS);
    let anywhere =
        "    println!(\"cargo::rustc-link-arg-bins=-Wl,-undefined,dynamic_lookup\");\n}\n";
    let build = BUILD_C.strip_suffix("}\n").unwrap().to_owned() + anywhere;
    let nowhere = nowhere.replace("IOKnownToThisServiceAlone", "known_to_nobody");
    repo.write("services/c-frameworks/src/main.rs", &nowhere);
    repo.write("services/c-frameworks/build.rs", &build);
    repo.xtask(line).exits(3).says("looks for _known_to_nobody in every library");

    let mut own_sdk =
        repo.prepare(env!("CARGO_BIN_EXE_xtask"), &["dist", "--platforms", "darwin_arm64"]);
    run(own_sdk.env("SDKROOT", repo.path()), "dist with an SDK")
        .exits(101)
        .says("'CoreServices/CoreServices.h'");
}
