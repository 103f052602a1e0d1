//! Checks what a build script finds in the sandbox: its inputs, and nothing else.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::reuse;
use crate::support::{Repo, Run, host, run};

/// A build script that tries to get at what is not its own, and has the program print what it got.
const THIEF: &str = r#"
use std::fs;
use std::io::Read;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};

unsafe extern "C" {
    fn syscall(number: i64, ...) -> i64;
    fn getppid() -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
}

const NUMBERS: [i64; 4] = if cfg!(target_arch = "x86_64") { [425, 101, 250, 125] } else { [425, 117, 219, 90] };

fn main() {
    let mut report = String::new();
    let mut add = |name: &str, got: Result<String, String>| {
        let (word, text) = match got {
            Ok(text) => ("got", text),
            Err(text) => ("refused", text),
        };
        report += &format!("{name}={word} {};", text.trim().replace([';', '\n', '='], " "));
    };
    let text = |it: std::io::Result<String>| it.map_err(|error| error.to_string());
    let said = |code: i64| if code >= 0 { Ok(code.to_string()) } else { Err(std::io::Error::last_os_error().to_string()) };
    let file = |path: &str| text(fs::read_to_string(path));

    add("own file", file("said.txt"));
    add("declared file", file("../../proto/declared.txt"));
    add("declared variable", std::env::var("DECLARED").map_err(|e| e.to_string()));
    add("other package", file("../other/secret.txt"));
    add("other in proto", file("../../proto/undeclared.txt"));
    add("link", file("link.txt"));
    add("git", file("../../.git/config"));
    add("credentials", file("@CARGO_HOME@/credentials.toml"));
    add("passwords", file("/etc/passwd"));
    for name in ["TEAM_SECRET", "AWS_SECRET_ACCESS_KEY", "CARGO_REGISTRIES_TEAM_TOKEN", "USER"] {
        add(name, std::env::var(name).map_err(|e| e.to_string()));
    }
    add("tcp", text(TcpStream::connect("127.0.0.1:@TCP@").map(|_| "connected".into())));
    let udp = UdpSocket::bind("127.0.0.1:0").and_then(|it| it.send_to(b"stolen", "127.0.0.1:@UDP@"));
    add("udp", text(udp.map(|_| "sent".into())));
    add("unix", text(UnixStream::connect("@UNIX@").map(|_| "connected".into())));
    let pair = UnixDatagram::pair().map(|_| "made".into());
    add("pair", text(pair));
    let mut environment = Err("nothing".to_owned());
    for process in (1..40_000).map(|id| format!("/proc/{id}/environ")).chain(["/proc/self/environ".into()]) {
        let mut bytes = Vec::new();
        if fs::File::open(&process).and_then(|mut it| it.read_to_end(&mut bytes)).is_ok() && !bytes.is_empty() {
            environment = Ok(process);
        }
    }
    add("environ", environment);
    let parent = unsafe { getppid() };
    add("ptrace", said(unsafe { syscall(NUMBERS[1], 0x4206i64, parent as i64, 0i64, 0i64) }));
    add("io_uring", said(unsafe { syscall(NUMBERS[0], 8i64, [0u64; 16].as_mut_ptr()) }));
    add("keyring", said(unsafe { syscall(NUMBERS[2], 0i64, -3i64, 0i64) }));
    let (header, mut sets) = ([0x2008_0522u32, 0], [9u32; 6]);
    unsafe { syscall(NUMBERS[3], header.as_ptr(), sets.as_mut_ptr()) };
    add("capabilities", if sets == [0; 6] { Err("none".into()) } else { Ok(format!("{sets:?}")) });
    add("signal", said(i64::from(unsafe { kill(@PID@, 0) })));
    add("write", text(fs::write("../other/new.txt", "x").map(|()| "written".into())));
    add("write own", text(fs::write("new.txt", "x").map(|()| "written".into())));
    add("write tmp", text(fs::write("@OUTSIDE@/new.txt", "x").map(|()| "written".into())));
    add("remove", text(fs::remove_file("../other/secret.txt").map(|()| "removed".into())));
    add("hard link", text(fs::hard_link("../other/secret.txt", format!("{}/it", std::env::var("OUT_DIR").unwrap())).map(|()| "linked".into())));
    let mode = fs::set_permissions("../other/secret.txt", fs::Permissions::from_mode(0o600));
    add("chmod", text(mode.map(|()| "changed".into())));
    add("stat", text(fs::metadata("../other/secret.txt").map(|it| it.len().to_string())));
    add("list", text(fs::read_dir("@OUTSIDE@").map(|it| it.count().to_string())));
    add("scratch", text(fs::write(std::env::temp_dir().join("x"), "x").map(|()| "written".into())));
    println!("cargo::rustc-env=REPORT={report}");
}
"#;

/// What the build script gets; everything else is refused. `chmod` depends on whether the machine has namespaces.
const GETS: [(&str, &str); 6] = [
    ("own file", "own"),
    ("declared file", "declared"),
    ("declared variable", "yes"),
    ("pair", "made"),
    // The documented limit.
    ("stat", "6"),
    ("scratch", "written"),
];

/// A repository with the thief, and what it tries to get at.
struct Scene {
    repo: Repo,
    outside: tempfile::TempDir,
    tcp: TcpListener,
    udp: UdpSocket,
    _unix: UnixListener,
}

impl Scene {
    fn new(name: &str) -> Self {
        let mut repo = Repo::new(&[name, "other"]);
        repo.own_target();
        let outside = tempfile::tempdir().unwrap();
        let cargo_home = outside.path().join("cargo-home");
        std::fs::create_dir(&cargo_home).unwrap();
        std::fs::write(cargo_home.join("credentials.toml"), "[registry]\ntoken = \"t\"\n").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = outside.path().join("agent");
        let listener = UnixListener::bind(&unix).unwrap();
        let script = THIEF
            .replace("@CARGO_HOME@", cargo_home.to_str().unwrap())
            .replace("@TCP@", &tcp.local_addr().unwrap().port().to_string())
            .replace("@UDP@", &udp.local_addr().unwrap().port().to_string())
            .replace("@UNIX@", unix.to_str().unwrap())
            .replace("@PID@", &std::process::id().to_string())
            .replace("@OUTSIDE@", outside.path().to_str().unwrap());
        repo.write(&format!("services/{name}/build.rs"), &script);
        repo.write(&format!("services/{name}/said.txt"), "own");
        let main = "fn main() {\n    let _ = stamp::line(\"\");\n    println!(\"{}\", env!(\"REPORT\"));\n}\n";
        repo.write(&format!("services/{name}/src/main.rs"), main);
        repo.write("services/other/secret.txt", "secret");
        repo.write("proto/declared.txt", "declared");
        repo.write("proto/undeclared.txt", "undeclared");
        let link = repo.path().join(format!("services/{name}/link.txt"));
        std::os::unix::fs::symlink(outside.path().join("cargo-home/credentials.toml"), link)
            .unwrap();
        let manifest = repo.path().join(format!("services/{name}/Cargo.toml"));
        let text = std::fs::read_to_string(&manifest).unwrap();
        let table = "\n[package.metadata.xtask]\ninputs = [\"../../proto/decl*.txt\"]\nenv = [\"DECLARED\"]\n";
        repo.write(&format!("services/{name}/Cargo.toml"), &(text + table));
        repo.commit("a thief");
        repo.set("CARGO_HOME", cargo_home.to_str().unwrap());
        for variable in ["TEAM_SECRET", "AWS_SECRET_ACCESS_KEY", "CARGO_REGISTRIES_TEAM_TOKEN"] {
            repo.set(variable, "hidden");
        }
        repo.set("DECLARED", "yes");
        Self { repo, outside, tcp, udp, _unix: listener }
    }

    /// Asserts that the program of the service reports what is allowed, and nothing else.
    #[track_caller]
    fn check(&self, name: &str) {
        let binary = self.repo.path().join("pkg/snapshot").join(host().as_str()).join(name);
        let report = run(&mut Command::new(binary), name).exits(0).stdout;
        let report: BTreeMap<_, _> =
            report.trim().split(';').filter_map(|row| row.split_once('=')).collect();
        assert!(report.len() > 30, "{report:?}");
        for (attempt, outcome) in &report {
            match GETS.iter().find(|(gets, _)| gets == attempt) {
                Some((_, what)) => assert_eq!(*outcome, format!("got {what}"), "{attempt}"),
                None if *attempt == "chmod" => {
                    println!("chmod of another package's file: {outcome}");
                }
                None => assert!(outcome.starts_with("refused "), "{attempt}: {outcome}"),
            }
        }
        println!("{report:#?}");
        self.tcp.set_nonblocking(true).unwrap();
        assert!(self.tcp.accept().is_err(), "something connected");
        self.udp.set_nonblocking(true).unwrap();
        assert!(self.udp.recv(&mut [0; 8]).is_err(), "something was sent");
        assert!(!self.outside.path().join("new.txt").exists());
        assert_eq!(self.repo.manifest()["artifacts"][0]["sandboxed"], true);
    }
}

fn has_sandbox() -> bool {
    let found = xtask::system::sandbox::Machine::look();
    match &found {
        Ok(machine) => println!("{}", machine.describe()),
        Err(reason) => eprintln!("skipped: {reason}"),
    }
    found.is_ok()
}

#[test]
fn a_build_script_gets_its_inputs_and_nothing_else() {
    if !has_sandbox() {
        return;
    }
    let scene = Scene::new("thief");
    scene.repo.xtask(&format!("dist thief --platforms {}", host())).exits(0);
    scene.check("thief");
}

/// Builds the thief by way of another program, `words`, whose last argument is followed by xtask and its own.
fn steal_by(name: &str, words: &[&str]) {
    let possible = Command::new(words[0]).args(&words[1..]).arg("true").status();
    if !has_sandbox() || !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this machine permits no user namespaces");
        return;
    }
    let scene = Scene::new(name);
    let line = format!("dist {name} --platforms {}", host());
    let mut arguments = [&words[1..], &[env!("CARGO_BIN_EXE_xtask")]].concat();
    arguments.extend(line.split(' '));
    run(&mut scene.repo.prepare(words[0], &arguments), &line).exits(0);
    scene.check(name);
}

#[test]
fn a_build_script_of_another_user_than_root_gets_no_more() {
    // A user without any privilege, to whom the files belong that are root's.
    steal_by("pickpocket", &["unshare", "--user", "--map-user=1000", "--map-group=1000"]);
}

#[test]
fn a_build_script_gets_no_more_where_there_are_no_namespaces() {
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\"";
    steal_by("burglar", &["unshare", "--user", "--map-root-user", "sh", "-c", script]);
}

/// Makes a service whose build script runs `statement` and fails where that does.
fn repo_that_wants(name: &str, statement: &str) -> Repo {
    let mut repo = Repo::new(&[name, "other"]);
    // What builds without a sandbox leave in the shared folder makes no build count as sandboxed.
    repo.own_target();
    let script = format!(
        "use std::fs;\n\nfn main() {{\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    {statement};\n}}\n"
    );
    repo.write(&format!("services/{name}/build.rs"), &script);
    repo.write("services/other/secret.txt", "secret");
    repo.commit("a build script");
    repo
}

fn dist(repo: &Repo, name: &str) -> Run {
    repo.xtask(&format!("dist {name} --platforms {}", host()))
}

/// Removes what was compiled in a repository with a target folder of its own.
fn remove_build_folders(repo: &Repo) {
    for entry in std::fs::read_dir(repo.path().join("target/dist")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tools") {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
}

fn is_sandboxed(repo: &Repo) -> bool {
    repo.manifest()["artifacts"][0]["sandboxed"] == true
}

#[test]
fn what_a_build_script_lacks_is_named_with_the_field_that_allows_it() {
    if !has_sandbox() {
        return;
    }
    let rows = [
        (
            "wants-file",
            "fs::read(\"../other/secret.txt\").unwrap()",
            "the build script of wants-file 0.1.0 wants services/other/secret.txt",
            "`inputs = [\"../other/secret.txt\"]` in [package.metadata.xtask] of wants-file",
            "inputs = [\"../other/secret.txt\"]",
        ),
        (
            "wants-variable",
            "std::env::var(\"TEAM_SETTING\").unwrap()",
            "the build script of wants-variable 0.1.0 wants the variable TEAM_SETTING",
            "`env = [\"TEAM_SETTING\"]` in [package.metadata.xtask] of wants-variable",
            "env = [\"TEAM_SETTING\"]",
        ),
        (
            "wants-network",
            "std::net::TcpListener::bind(\"127.0.0.1:0\").unwrap()",
            "the build script of wants-network 0.1.0 wants the network",
            "`sandbox = false` in [package.metadata.xtask] of wants-network",
            "sandbox = false",
        ),
    ];
    for (name, statement, wants, remedy, field) in rows {
        let mut repo = repo_that_wants(name, statement);
        repo.set("TEAM_SETTING", "some");
        repo.set("CI", "true");
        dist(&repo, name).exits(101).says("in the sandbox").says(wants).says(remedy);
        repo.set("CI", "");
        dist(&repo, name).exits(0).says("without the sandbox").says(wants).says(remedy);
        assert!(!is_sandboxed(&repo), "{name}");
        let path = format!("services/{name}/Cargo.toml");
        let text = std::fs::read_to_string(repo.path().join(&path)).unwrap();
        repo.write(&path, &format!("{text}\n[package.metadata.xtask]\n{field}\n"));
        repo.commit("the field");
        repo.set("CI", "true");
        dist(&repo, name).exits(0);
        assert!(!is_sandboxed(&repo), "{name}: a build without the sandbox wrote to the folder");
        remove_build_folders(&repo);
        dist(&repo, name).exits(0);
        assert_eq!(is_sandboxed(&repo), field != "sandbox = false", "{name}");
    }
}

#[test]
fn an_error_that_is_not_the_sandboxs_is_told_as_before() {
    let repo = repo_that_wants("fails", "panic!(\"of itself\")");
    dist(&repo, "fails").exits(101).says("the build script of fails 0.1.0 fails").says("of itself");
}

#[test]
fn a_library_a_macro_and_c_code_are_built_inside() {
    if !has_sandbox() {
        return;
    }
    let mut repo = Repo::new(&["first-user", "second-user"]);
    repo.own_target();
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    repo.write(
        "libs/shared/Cargo.toml",
        &package("shared", "\n[dependencies]\nquoting = { path = \"../quoting\" }\n"),
    );
    repo.write("libs/shared/src/lib.rs", "pub const SAID: &str = quoting::said!();\n");
    repo.write("libs/quoting/Cargo.toml", &package("quoting", "\n[lib]\nproc-macro = true\n"));
    repo.write(
        "libs/quoting/src/lib.rs",
        "#[proc_macro]\npub fn said(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    \
         let dir = env!(\"CARGO_MANIFEST_DIR\");\n    \
         let said = std::fs::read_to_string(format!(\"{dir}/said.txt\")).unwrap();\n    \
         format!(\"{said:?}\").parse().unwrap()\n}\n",
    );
    repo.write("libs/quoting/said.txt", "quoted");
    for name in ["first-user", "second-user"] {
        let path = format!("services/{name}/Cargo.toml");
        let text = std::fs::read_to_string(repo.path().join(&path)).unwrap();
        let line = "[dependencies]\nshared = { path = \"../../libs/shared\" }\n";
        repo.write(&path, &text.replace("[dependencies]\n", line));
        let main =
            "fn main() {\n    let _ = stamp::line(\"\");\n    println!(\"{}\", shared::SAID);\n}\n";
        repo.write(&format!("services/{name}/src/main.rs"), main);
    }
    // Without `rerun-if-changed`, cargo looks at all files of the package, and asks git for them.
    repo.write(
        "services/first-user/build.rs",
        "fn main() {\n    let triple = std::env::var(\"TARGET\").unwrap().replace('-', \"_\");\n    \
         let compiler = std::env::var(format!(\"CC_{triple}\")).unwrap();\n    \
         let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
         let mut command = std::process::Command::new(compiler);\n    \
         command.args([\"-c\", \"c.c\", \"-o\"]).arg(format!(\"{out}/c.o\"));\n    \
         assert!(command.status().unwrap().success());\n}\n",
    );
    repo.write(
        "services/first-user/c.c",
        "#include <string.h>\nint c(void) { return strlen(\"x\"); }\n",
    );
    repo.lock();
    repo.commit("a library");
    repo.xtask(&format!("dist --platforms {}", host())).exits(0);
    for artifact in repo.manifest()["artifacts"].as_array().unwrap() {
        assert_eq!(artifact["sandboxed"], true, "{artifact}");
    }
    let binary = repo.path().join("pkg/snapshot").join(host().as_str()).join("second-user");
    assert_eq!(run(&mut Command::new(binary), "second-user").exits(0).stdout, "quoted\n");
}

/// Returns whether a service's artifact is `sandboxed`, and whether it has a `build_key`.
fn facts(repo: &Repo, service: &str) -> [bool; 2] {
    let manifest = repo.manifest();
    let artifacts = manifest["artifacts"].as_array().unwrap();
    let artifact = artifacts.iter().find(|one| one["service"] == service).unwrap();
    [artifact["sandboxed"] == true, artifact["build_key"].is_string()]
}

#[test]
fn only_what_sandboxed_builds_of_commits_made_is_offered() {
    if !has_sandbox() {
        return;
    }
    let mut repo = reuse::repository(&["offered-one", "offered-two"]);
    repo.own_caches();
    let dist = |expected: &str, one: [bool; 2], two: [bool; 2]| {
        let line = format!("dist --why --platforms {}", host());
        repo.xtask(&line).exits(0).prints(expected);
        assert_eq!(facts(&repo, "offered-one"), one, "{expected}");
        assert_eq!(facts(&repo, "offered-two"), two, "{expected}");
    };
    dist("built   offered-one", [true, true], [true, true]);
    repo.commit("nothing");
    dist("reused  offered-one", [true, true], [true, true]);

    reuse::say(&repo, "offered-one", "\"second\"");
    dist("built   offered-one", [true, false], [true, false]);
    repo.commit("second");
    // What the build of the changes left may be in it.
    dist("reused  offered-one", [true, false], [true, false]);

    let path = "services/offered-two/Cargo.toml";
    let text = std::fs::read_to_string(repo.path().join(path)).unwrap();
    repo.write(path, &format!("{text}\n[package.metadata.xtask]\nsandbox = false\n"));
    repo.commit("no sandbox");
    dist("reused  offered-one", [true, false], [false, false]);
    let why = format!("built   offered-two for {}: sandbox = false of offered-two", host());
    dist(&why, [true, false], [false, false]);
}
