//! Tests of `failure`, with what compilers and build scripts really print.

use catalog::Platform;
use serde_json::json;

use super::{CompilerError, Missing, Script, compiler_error, error, find};
use crate::system::env::Env;

/// What linkers, compilers and build scripts printed when each was made to fail: zig 0.17.1, the crates cc, cmake
/// 0.1.58, prost-build 0.13, protobuf-parse 3.7, bindgen 0.72, openssl-sys 0.9.118, pkg-config and rav1e 0.7.
const PRINTED: [(&str, Missing, &str); 22] = [
    (
        "error: unable to find system framework \"CoreFoundation\". searched paths: none\n",
        Missing::Framework,
        "CoreFoundation",
    ),
    (
        "error: unable to find dynamic system library \"nosuch\" using strategy paths_first. searched paths:\n  /deps/libnosuch.tbd\n",
        Missing::Library,
        "nosuch",
    ),
    (
        "error: unable to find static system library \"pq\" using strategy no_fallback. searched paths:\n",
        Missing::Library,
        "pq",
    ),
    (
        "error: undefined symbol: _nowhere_defined\n    note: referenced by /deps/e.rcgu.o:__ZN8e_symbol4main17h75E\n",
        Missing::Symbol,
        "_nowhere_defined",
    ),
    (
        "ld.lld: error: undefined symbol: nowhere_defined\n>>> referenced by e_symbol.ff69-cgu.0\n",
        Missing::Symbol,
        "nowhere_defined",
    ),
    (
        "ld.lld: error: undefined symbol: __cxa_allocate_exception\n>>> referenced by a.cc:3\n",
        Missing::CppLibrary,
        "__cxa_allocate_exception",
    ),
    (
        "error: undefined symbol: __ZNSt13runtime_errorD1Ev\n  note: referenced by liba.a(a.o):_f\n",
        Missing::CppLibrary,
        "__ZNSt13runtime_errorD1Ev",
    ),
    (
        "ld.lld: error: undefined symbol: typeinfo for std::runtime_error\n",
        Missing::CppLibrary,
        "typeinfo for std::runtime_error",
    ),
    (
        "  cargo:warning=/out/a.c:1:10: fatal error: 'pq/libpq-fe.h' file not found\n  cargo:warning=    1 | #include <pq/libpq-fe.h>\n",
        Missing::Header,
        "pq/libpq-fe.h",
    ),
    (
        "  include/jemalloc/internal/jemalloc_internal_decls.h:23:14: fatal error: 'sys/syscall.h' file not found\n",
        Missing::Header,
        "sys/syscall.h",
    ),
    (
        "  failed to execute command: No such file or directory (os error 2)\n  is `cmake` not installed?\n\n  build script failed, must exit now\n",
        Missing::Program,
        "cmake",
    ),
    (
        "`Err` value: Custom { kind: NotFound, error: \"Could not find `protoc`. If `protoc` is installed, try setting the `PROTOC` environment variable\" }\n",
        Missing::Program,
        "protoc",
    ),
    (
        "  thread 'main' (1) panicked at protoc/command.rs:174:17:\n  protoc binary not found: cannot find binary path\n",
        Missing::Program,
        "protoc",
    ),
    (
        "  Unable to find libclang: \"couldn't find any valid shared libraries matching: ['libclang.so']\"\n",
        Missing::Program,
        "libclang",
    ),
    (
        "  cargo:warning=configuring OpenSSL build: Command 'perl' not found. Is perl installed?\n",
        Missing::Program,
        "perl",
    ),
    (
        "  error: Unable to run nasm: No such file or directory (os error 2)\n",
        Missing::Program,
        "nasm",
    ),
    (
        "  failed to execute ninja: No such file or directory (os error 2)\n",
        Missing::Program,
        "ninja",
    ),
    (
        "  fatal error: 'openssl/opensslconf.h' file not found\n\n  Failed to find OpenSSL development headers.\n",
        Missing::OpenSsl,
        "",
    ),
    (
        "  cargo:warning=Could not find directory of OpenSSL installation, and this `-sys` crate cannot proceed without this knowledge.\n",
        Missing::OpenSsl,
        "",
    ),
    (
        "  cargo:rerun-if-env-changed=LIBPQ_NO_PKG_CONFIG\n  cargo:rerun-if-env-changed=PKG_CONFIG\n  `Err` value: pkg-config has not been configured to support cross-compilation.\n",
        Missing::SystemLibrary,
        "libpq",
    ),
    // Of other linkers than zig's, by their own documentation: they link on a Mac, or where a team sets one.
    ("ld: framework 'Metal' not found\n", Missing::Framework, "Metal"),
    (
        "Undefined symbols for architecture arm64:\n  \"_CFRelease\", referenced from:\n      main in a.o\n",
        Missing::Symbol,
        "_CFRelease",
    ),
];

#[test]
fn what_is_missing_is_found_in_what_was_really_printed() {
    for (printed, missing, name) in PRINTED {
        let found = find(printed).unwrap_or_else(|| panic!("nothing found in {printed}"));
        assert_eq!(found.0, missing, "{printed}");
        if missing != Missing::OpenSsl {
            assert_eq!(found.1, name, "{printed}");
        }
    }
    // A build script that looks for a library, and fails for another reason.
    let other = "  cargo:rerun-if-env-changed=LIBPQ_NO_PKG_CONFIG\n  --- stderr\n  panicked at build.rs:1:2:\n  no\n";
    assert_eq!(find(other), None);
}

#[test]
fn an_error_has_three_lines_and_one_in_the_sources_no_advice() {
    let env = Env::for_test(&[("S3_SECRET", "hidden")]);
    let [linux, _, _, mac, musl, _] = Platform::ALL;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("output"), "cargo::rustc-link-lib=static=pq\n").unwrap();
    let pq = Script {
        package_id: "registry+https://example.org/index#pq-sys@0.7.5".into(),
        package: "pq-sys".into(),
        out_dir: folder.path().join("out"),
        linked_paths: Vec::new(),
    };
    let scripts = [pq];
    let of = |platform, compiler: Option<&CompilerError>, said: &str| {
        let error = error("alpha", platform, compiler, said, &scripts, &env);
        assert_eq!(error.kind(), ferror::Kind::Failed);
        (error.to_string(), error.hint_text().unwrap_or_default().to_owned())
    };
    let linking = |printed: &str| {
        let diagnostic = json!({"level": "error", "message": "linking with `/c/zigcc` failed: exit status: 1",
            "children": [{"message": " \"/c/zigcc\" \"-m64\""}, {"message": printed}], "spans": []});
        compiler_error("alpha 0.1.0".into(), &diagnostic).unwrap()
    };
    let (text, hint) = of(mac, Some(&linking(PRINTED[0].0)), "error: could not compile `alpha`");
    let expected = "cargo could not build alpha: alpha 0.1.0 cannot be linked\nmissing: the framework CoreFoundation";
    assert_eq!(text, expected);
    assert!(hint.contains("SDKROOT"), "{hint}");
    let (_, hint) = of(linux, Some(&linking(PRINTED[1].0)), "");
    assert!(hint.contains("`system-libraries`") && !hint.contains("SDKROOT"), "{hint}");
    let (text, _) = of(linux, Some(&linking(PRINTED[2].0)), "");
    assert!(text.ends_with("the library pq, which the build script of pq-sys asks for"), "{text}");
    let used = "error: undefined symbol: _CFRelease\n  note: referenced by \
                /t/deps/libcore_foundation-0123456789abcdef.rlib(core.o):_f\n";
    let (text, _) = of(mac, Some(&linking(used)), "");
    let expected = "missing: the symbol _CFRelease, which the crate core_foundation asks for";
    assert!(text.ends_with(expected), "{text}");
    let (_, hint) = of(musl, Some(&linking(PRINTED[1].0)), "");
    assert!(hint.contains("`vendored`") && !hint.contains("`system-libraries`"), "{hint}");
    let (text, _) = of(linux, Some(&linking("ld.lld: error: relocation out of range\n")), "");
    assert!(text.ends_with("cannot be linked\nld.lld: error: relocation out of range"), "{text}");

    let script = |printed: &str| {
        format!(
            "error: failed to run custom build command for `openssl-sys v0.9.118`\n\nCaused by:\n{printed}"
        )
    };
    let (text, hint) = of(linux, None, &script(PRINTED[17].0));
    let expected = "cargo could not build alpha: the build script of openssl-sys 0.9.118 fails\nmissing: OpenSSL";
    assert_eq!(text, expected);
    assert!(hint.contains("`openssl` of [workspace.metadata.xtask]"), "{hint}");
    let (text, hint) =
        of(linux, None, &script("  panicked at build.rs:3:1:\n  no licence\n  note: x\n"));
    assert!(
        text.ends_with("fails\nno licence") && hint.contains("without S3_SECRET"),
        "{text}\n{hint}"
    );

    let source = |message: &str| {
        let spans = json!([{"is_primary": true, "file_name": "src/main.rs", "line_start": 3}]);
        let diagnostic = json!({"level": "error", "message": message, "code": {"code": "E0425"}, "spans": spans});
        compiler_error("alpha 0.1.0".into(), &diagnostic).unwrap()
    };
    let (text, hint) = of(linux, Some(&source("cannot find value `x`")), "");
    let expected = "cargo could not build alpha: alpha 0.1.0 does not compile\nerror[E0425]: cannot find value `x`, src/main.rs:3";
    assert_eq!((text.as_str(), hint.as_str()), (expected, ""));
    let (_, hint) = of(linux, Some(&source("environment variable `S3_SECRET` not defined")), "");
    assert!(hint.contains("`pass-env`"), "{hint}");
    assert_eq!(compiler_error(String::new(), &json!({"level": "warning", "message": "x"})), None);
}
