//! Makes scratch repositories with real services, and runs the program in them.

pub(crate) mod bucket;
pub(crate) mod front;
pub(crate) mod local;
pub(crate) mod release;
pub(crate) mod service;
pub(crate) mod snapshot;
pub(crate) mod sts;
pub(crate) mod terminal;
pub(crate) mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, Once};
use std::time::SystemTime;

use catalog::Platform;
use serde_json::Value;
use tempfile::TempDir;
use xtask::build::outside_flags;

/// Returns the root of the repository under test.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// A git repository in a temporary folder, with services that are small enough to build often.
pub(crate) struct Repo {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

/// The exit code and output of a program.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    line: String,
}

impl Repo {
    /// Makes a repository with one commit, in which each of `services` prints its stamp as a line.
    pub(crate) fn new(services: &[&str]) -> Self {
        let repo = Self::empty();
        repo.write("Cargo.toml", WORKSPACE);
        // `upload` refuses what another compiler than the pin built, whatever this machine has.
        if xtask::model::config::is_pin(&RUSTC_RELEASE) {
            repo.add_to_table(&format!("rust = \"{}\"", *RUSTC_RELEASE));
        }
        repo.write(".gitignore", "/target\n/pkg\n");
        for service in services {
            repo.add_service(service, "");
        }
        repo.git(&["init", "--quiet", "--initial-branch", "main"]);
        repo.lock();
        repo.commit("first");
        repo
    }

    /// Makes a folder that is no repository.
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new() }
    }

    /// Clones the repository `other`, without what is not committed there.
    pub(crate) fn clone_of(other: &Path) -> Self {
        let clone = Self::empty();
        clone.git(&["clone", "--quiet", &other.display().to_string(), "."]);
        clone
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Sets a variable for every later run.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Unsets what [`Repo::set`] set.
    pub(crate) fn unset_all(&mut self) {
        self.variables.clear();
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).unwrap();
    }

    /// Gives the repository a target folder of its own, with the tools of the shared one. A
    /// repository with vendored sources needs one: cargo takes a crate in another folder for a
    /// changed one, and would compile it again for this repository, and for the next one again.
    pub(crate) fn own_target(&mut self) -> PathBuf {
        let target = self.path().join("target");
        std::fs::create_dir_all(target.join("dist")).unwrap();
        let tools = target_dir().join("dist/tools").canonicalize().unwrap();
        std::os::unix::fs::symlink(tools, target.join("dist/tools")).unwrap();
        self.set("CARGO_TARGET_DIR", target.to_str().unwrap());
        target
    }

    /// Gives the repository a target folder of its own, with the tools of the shared one and none of what zig has
    /// compiled: that of the shared one has been written to by who knows what.
    pub(crate) fn own_caches(&mut self) {
        let target = self.own_target();
        let tools = target.join("dist/tools");
        let shared = tools.canonicalize().unwrap();
        std::fs::remove_file(&tools).unwrap();
        std::fs::create_dir(&tools).unwrap();
        for entry in std::fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path()) {
            if !entry.ends_with("cache") {
                let name = entry.file_name().unwrap();
                std::os::unix::fs::symlink(&entry, tools.join(name)).unwrap();
            }
        }
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Adds a service whose Cargo.toml ends with `table`.
    pub(crate) fn add_service(&self, name: &str, table: &str) {
        let stamp = root().join("foundation/stamp");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nbowline-stamp = {{ path = \"{}\" }}\n\n{table}\n",
            stamp.display()
        );
        self.write(&format!("services/{name}/Cargo.toml"), &manifest);
        self.write(
            &format!("services/{name}/src/main.rs"),
            &format!("fn main() {{\n    println!(\"{{}}\", stamp::line(\"{name}\"));\n}}\n"),
        );
    }

    /// Makes the scratch repository use this repository's vendored sources, if it has them, so that
    /// it needs no network.
    pub(crate) fn share_vendored(&self) {
        if xtask::repository::vendored::is_vendored(root()) {
            let vendor = root().join(xtask::repository::vendored::FOLDER).display().to_string();
            let source = format!("[source.shared]\ndirectory = \"{vendor}\"\n");
            let config = format!("[source.crates-io]\nreplace-with = \"shared\"\n{source}");
            let path = ".cargo/config.toml";
            let ours = std::fs::read_to_string(self.path().join(path)).unwrap_or_default();
            self.write(path, &(ours + &config));
        }
    }

    /// Adds lines to the workspace's table.
    pub(crate) fn add_to_table(&self, fields: &str) {
        let text = std::fs::read_to_string(self.path().join("Cargo.toml")).unwrap();
        let header = "[workspace.metadata.xtask]\n";
        self.write("Cargo.toml", &text.replace(header, &format!("{header}{fields}\n")));
    }

    /// Writes Cargo.lock.
    pub(crate) fn lock(&self) {
        let output = self.command(env!("CARGO"), &["generate-lockfile", "--offline", "--quiet"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs git, as a user with a name and no configuration of their own.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git", arguments);
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything, or an empty commit, and returns the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs the program at the repository's root.
    pub(crate) fn xtask(&self, line: &str) -> Run {
        self.xtask_in("", line)
    }

    /// Runs the program in a folder of the repository.
    pub(crate) fn xtask_in(&self, folder: &str, line: &str) -> Run {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let mut command = self.prepare(env!("CARGO_BIN_EXE_xtask"), &arguments);
        run(command.current_dir(self.path().join(folder)), line)
    }

    /// Returns a command that runs `program` in the repository, with an environment that does not
    /// depend on this machine.
    pub(crate) fn prepare(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["S3_", "AWS_", "CIRCLE_", "GIT_"].iter().any(|prefix| name.starts_with(prefix))
                || ["CI", "NO_COLOR", "CARGO_TERM_COLOR"].contains(&&*name)
                || outside_flags::changes_bytes(&name, "release")
            {
                command.env_remove(&*name);
            }
        }
        // Few tests look at what an optimiser makes. The workspace of [`Repo::new`] says so itself, since
        // `upload` refuses what was built with flags from outside the repository.
        let cargo_toml = std::fs::read_to_string(self.path().join("Cargo.toml"));
        if !cargo_toml.is_ok_and(|text| text.contains("[profile.release]")) {
            command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
        }
        command
            .args(arguments)
            .current_dir(self.path())
            .env("CARGO", env!("CARGO"))
            // One target folder for all scratch repositories: the tools in it are installed once.
            // Cargo tells packages in it apart by name and place below the root, and looks at times
            // alone: a service with other code needs another name.
            .env("CARGO_TARGET_DIR", target_dir())
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
            .envs([("GIT_AUTHOR_NAME", "T"), ("GIT_AUTHOR_EMAIL", "t@example.com")])
            .envs([("GIT_COMMITTER_NAME", "T"), ("GIT_COMMITTER_EMAIL", "t@example.com")])
            // Profiles and roles of this machine must not change what the tests see.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Reads the manifest that the last `dist` wrote.
    pub(crate) fn manifest(&self) -> Value {
        let path = self.path().join("pkg/snapshot/manifest.json");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Output {
        self.prepare(program, arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"))
    }
}

impl Run {
    /// Reads the document that `--json` printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }

    /// Takes exit code and output from a program that has ended.
    pub(crate) fn of(output: &Output, line: &str) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            line: line.to_owned(),
        }
    }

    /// Asserts the exit code, and shows all output if it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "xtask {}\n{}\n{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Asserts that stderr contains `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "xtask {}: no {text:?} in\n{}", self.line, self.stderr);
        self
    }

    /// Asserts that stdout contains `text`.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "xtask {}: no {text:?} in\n{}", self.line, self.stdout);
        self
    }
}

/// The release of the compiler beside the cargo that runs the tests.
pub(crate) static RUSTC_RELEASE: LazyLock<String> = LazyLock::new(|| {
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let printed = run(Command::new(rustc).arg("-vV"), "rustc -vV").exits(0).stdout;
    let release = printed.lines().find_map(|line| line.strip_prefix("release: "));
    release.expect("a release").to_owned()
});

/// Runs a prepared command to its end.
pub(crate) fn run(command: &mut Command, line: &str) -> Run {
    Run::of(&command.output().unwrap_or_else(|error| panic!("{line}: {error}")), line)
}

/// Returns rustup's cargo of that release. Where it is not installed, says that the test is skipped.
pub(crate) fn installed_cargo(release: &str) -> Option<PathBuf> {
    let rustup_home = std::env::var("RUSTUP_HOME")
        .unwrap_or_else(|_| format!("{}/.rustup", std::env::var("HOME").unwrap()));
    let toolchain = format!("{release}-{}", host().triple());
    let cargo = Path::new(&rustup_home).join("toolchains").join(toolchain).join("bin/cargo");
    if !cargo.is_file() {
        eprintln!("skipped: {} is not installed", cargo.display());
        return None;
    }
    Some(cargo)
}

/// Returns the platform of this machine, whose programs can be started here.
pub(crate) fn host() -> Platform {
    let here = Platform::ALL.into_iter().find(|platform| {
        let (os, arch) = match platform.words() {
            ("darwin", "amd64") => ("macos", "x86_64"),
            ("darwin", _) => ("macos", "aarch64"),
            (os, "amd64") => (os, "x86_64"),
            (os, _) => (os, "aarch64"),
        };
        (os, arch) == (std::env::consts::OS, std::env::consts::ARCH)
    });
    here.expect("xtask builds for the machine it runs on")
}

/// Asserts that every file beside a manifest is what its SHA256SUMS says.
#[track_caller]
pub(crate) fn check_sums(snapshot: &Path) {
    let sums = std::fs::read_to_string(snapshot.join("SHA256SUMS")).expect("SHA256SUMS");
    assert!(!sums.is_empty(), "SHA256SUMS names no file");
    for line in sums.lines() {
        let (digest, file) = line.split_once("  ").expect("a line as sha256sum has it");
        let bytes = std::fs::read(snapshot.join(file)).expect(file);
        assert_eq!(xtask::system::files::sha256(&bytes), digest, "{file}");
    }
}

/// Returns the target folder of scratch repositories. It is below our own, so that a second run
/// finds what was compiled.
pub(crate) fn target_dir() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let ours = program.ancestors().nth(2).expect("target/debug/xtask");
    share_tools(ours);
    ours.join("it")
}

/// Returns the time at which cargo last linked the program of a service.
pub(crate) fn linked_at(service: &str) -> SystemTime {
    let program = format!("{}/release/{service}", host().triple());
    let folders = std::fs::read_dir(target_dir().join("dist")).unwrap();
    let programs = folders.map(|folder| folder.unwrap().path().join(&program));
    let times = programs.filter_map(|path| path.metadata().ok()?.modified().ok());
    times.max().expect("cargo linked it")
}

/// Lets scratch repositories use the tools that `cargo xtask setup` installed here, so that tests
/// need no network afterwards.
fn share_tools(ours: &Path) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::fs::create_dir_all(ours.join("dist/tools")).expect("our target folder");
        std::fs::create_dir_all(ours.join("it/dist")).expect("our target folder");
        // It is there already after an earlier run, as a link or as a folder with the same tools.
        let _ = std::os::unix::fs::symlink("../../dist/tools", ours.join("it/dist/tools"));
    });
}

const WORKSPACE: &str = "\
[workspace]
resolver = \"3\"
members = [\"services/*\"]

[workspace.metadata.xtask]
platforms = \"linux,amd64\"
outside-sources = true

[profile.release]
opt-level = 0
";
