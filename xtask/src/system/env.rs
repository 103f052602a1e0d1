//! The process's environment as a value: environment variables, the current folder, and which of the
//! standard streams are terminals. `main` reads it once and passes it on.
//!
//! The table [`VARIABLES`] lists every variable that this program itself reads: asking for another name
//! panics in a debug build, and a test looks for names in the sources. The table leaves out the proxy
//! variables (`https_proxy` and the like), which the S3 client reads, and those that git, cargo and other child
//! processes read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The name and meaning of every environment variable that this program reads.
pub const VARIABLES: [(&str, &str); 67] = [
    ("S3_KEY", "access key id, under the name of the old scripts; goes before AWS_*"),
    ("S3_SECRET", "secret access key that belongs to S3_KEY"),
    ("AWS_ACCESS_KEY_ID", "access key id"),
    ("AWS_SECRET_ACCESS_KEY", "secret access key"),
    ("AWS_SESSION_TOKEN", "session token that belongs to AWS_ACCESS_KEY_ID"),
    ("AWS_PROFILE", "profile of the files below ~/.aws (default: default)"),
    ("AWS_SHARED_CREDENTIALS_FILE", "file of profiles with keys, instead of ~/.aws/credentials"),
    ("AWS_CONFIG_FILE", "file of profiles, instead of ~/.aws/config"),
    ("AWS_ROLE_ARN", "role that a web identity takes on"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "file with a web identity's token"),
    ("CIRCLE_OIDC_TOKEN_V2", "the web identity's token on CircleCI"),
    ("AWS_ROLE_SESSION_NAME", "name of the role's session (default: from the CI job)"),
    ("CIRCLE_PROJECT_REPONAME", "repository, for the name of the role's session"),
    ("CIRCLE_JOB", "CI job, for the name of the role's session"),
    ("CIRCLE_BUILD_NUM", "number of the CI job, for the name of the role's session"),
    ("AWS_ENDPOINT_URL_STS", "server that gives credentials for a web identity"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "where a container's agent gives credentials"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "the same, with the host"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token for the container's agent"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "file with the token for the container's agent"),
    ("AWS_EC2_METADATA_DISABLED", "true: never ask the instance for credentials"),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "where the instance gives credentials"),
    ("S3_BUCKET", "bucket, where --bucket names none"),
    ("AWS_REGION", "region, where --region names none"),
    ("AWS_DEFAULT_REGION", "region, after AWS_REGION"),
    ("AWS_ENDPOINT_URL_S3", "endpoint, where --endpoint names none"),
    ("AWS_ENDPOINT_URL", "endpoint, after AWS_ENDPOINT_URL_S3"),
    (
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "true: no AWS_ENDPOINT_URL* variable and no profile names an endpoint",
    ),
    ("AWS_CA_BUNDLE", "file of certificate authorities to trust instead of the bundled ones"),
    ("SSL_CERT_FILE", "the same, after AWS_CA_BUNDLE"),
    ("CIRCLE_ARTIFACTS", "folder for artifacts, where --dest names none (default: pkg)"),
    ("CIRCLE_SHA1", "commit that CI says it builds; must be HEAD, for upload the manifest's"),
    ("CIRCLE_BRANCH", "branch, where HEAD is detached"),
    ("CIRCLE_NODE_TOTAL", "machines that share a job: where there are several, dist makes a part"),
    ("CIRCLE_NODE_INDEX", "which of them this is, from 0: --shard of dist, where it is not given"),
    ("CIRCLE_PR_NUMBER", "CI builds a fork's pull request, which gets no credentials"),
    ("CIRCLE_PR_USERNAME", "the same"),
    ("CIRCLE_PR_REPONAME", "the same"),
    ("CIRCLE_USERNAME", "user who promotes, where --by names none"),
    ("USER", "the same, after CIRCLE_USERNAME; owner of a new repository, where git names none"),
    (
        "SOURCE_DATE_EPOCH",
        "time of archive entries, instead of the commit's, and of builds, in seconds since 1970 UTC",
    ),
    ("SDKROOT", "Apple SDK, instead of the stubs that stand in for one"),
    ("CARGO", "the cargo that runs this program"),
    (
        "CARGO_PKG_NAME",
        "package that `cargo run` runs, whose name messages take for the alias where it is not xtask",
    ),
    ("CARGO_MANIFEST_DIR", "folder of that package, which may be no member of the workspace"),
    ("CARGO_HOME", "cargo's home, whose path is kept out of binaries"),
    ("CARGO_TARGET_DIR", "plain cargo's target folder"),
    ("CARGO_TERM_COLOR", "always, auto or never: colour of this program and of cargo"),
    (
        "CARGO_TERM_PROGRESS_WHEN",
        "auto, always or never: whether cargo shows its progress on a terminal",
    ),
    ("TERM", "dumb: a terminal on which cargo shows no progress"),
    ("CARGO_ENCODED_RUSTFLAGS", "the team's own compiler flags, kept"),
    ("RUSTFLAGS", "the team's own compiler flags, kept"),
    ("RUSTUP_TOOLCHAIN", "toolchain chosen by hand, kept"),
    ("RUSTUP_TOOLCHAIN_SOURCE", "set by rustup: how that toolchain was chosen"),
    ("RUSTUP_HOME", "rustup's home"),
    ("LD_LIBRARY_PATH", "cargo's own folders in it are not passed on"),
    ("DYLD_FALLBACK_LIBRARY_PATH", "the same, on macOS"),
    ("HOME", "home folder, whose path is kept out of binaries"),
    ("PATH", "where git, cargo, rustup, python3, zig, apt-get and the like are looked for"),
    ("PROTOC", "protoc of your own, for build scripts"),
    ("LIBCLANG_PATH", "folder of a libclang of your own, for bindgen"),
    ("CMAKE", "cmake of your own, for build scripts"),
    ("CMAKE_GENERATOR", "what cmake builds with (default: Ninja)"),
    ("PKG_CONFIG", "pkg-config of your own, which may find libraries of this machine"),
    ("TMPDIR", "where verify checks commits out and builds them (default: /var/tmp)"),
    ("NO_COLOR", "when not empty: no colour"),
    ("CI", "when not empty: never ask a question, nor build without the sandbox what fails in it"),
];

/// The environment of a process.
#[derive(Clone)]
pub struct Env {
    variables: BTreeMap<OsString, OsString>,
    /// The credentials that child processes get, by `pass-env` of the table.
    pub pass_env: Vec<String>,
    /// The folder that relative paths of the command line start from.
    pub current_dir: PathBuf,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether stdin is a terminal.
    pub stdin_is_terminal: bool,
}

impl Env {
    /// Reads the environment of this process.
    pub fn from_process() -> std::io::Result<Self> {
        Ok(Self {
            variables: std::env::vars_os().collect(),
            pass_env: Vec::new(),
            current_dir: std::env::current_dir()?,
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
        })
    }

    /// Makes an environment of these variables without a terminal, for tests.
    pub fn for_test(variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            pass_env: Vec::new(),
            current_dir: PathBuf::from("."),
            stderr_is_terminal: false,
            stdin_is_terminal: false,
        }
    }

    /// Returns the folder in which cargo keeps its settings and the sources of crates.
    pub fn cargo_home(&self) -> Option<PathBuf> {
        match self.get_os("CARGO_HOME") {
            Some(home) => Some(PathBuf::from(home)),
            None => self.get_os("HOME").map(|home| Path::new(home).join(".cargo")),
        }
    }

    /// Returns every variable, for a child process that gets a selection of them.
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Returns `text` with the alias by which this program was started, where that is not `cargo xtask`: a repository
    /// with another xtask has ours in a package of another name, and an alias of that name.
    pub fn with_alias(&self, text: &str) -> String {
        text.replace("cargo xtask", &format!("cargo {}", self.alias()))
    }

    /// Returns the alias by which this program was started: `xtask`, or the name of the package that has it.
    pub fn alias(&self) -> String {
        let name = self.get("CARGO_PKG_NAME").filter(|name| name != "bowline-xtask");
        name.unwrap_or_else(|| "xtask".to_owned())
    }

    /// Returns the value of a variable of [`VARIABLES`]; `None` where it is unset, blank or not UTF-8.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.get_os(name)?.to_str()?;
        (!value.trim().is_empty()).then(|| value.to_owned())
    }

    /// Returns a value that need not be UTF-8, such as a path; `None` where it is unset or empty.
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        debug_assert!(
            VARIABLES.iter().any(|(known, _)| *known == name),
            "{name} is not in VARIABLES"
        );
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the value of a variable that the repository names, or that a build read.
    pub fn of_build(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Returns the value of the first of `names` that is set.
    pub fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Returns the names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.variables.keys().map(OsString::as_os_str)
    }

    /// Finds the first program of that name in the folders of `PATH`.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| {
            path.metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        std::env::split_paths(self.get_os("PATH").unwrap_or(OsStr::new("")))
            .map(|folder| folder.join(name))
            .find(is_program)
    }

    /// Returns whether a person can answer a question: there is a terminal, and this is no CI job.
    pub fn can_ask(&self) -> bool {
        self.stdin_is_terminal && self.stderr_is_terminal && self.get("CI").is_none()
    }

    /// Returns whether stderr gets colours.
    pub fn colour(&self) -> bool {
        match self.get("CARGO_TERM_COLOR").as_deref() {
            _ if self.get_os("NO_COLOR").is_some() => false,
            Some("always") => true,
            Some("never") => false,
            _ => self.stderr_is_terminal,
        }
    }
}

/// Shows the names alone, since a value may be a secret.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("current_dir", &self.current_dir)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::Env;

    #[test]
    fn a_blank_variable_counts_as_unset_and_the_first_set_one_is_returned() {
        let env = Env::for_test(&[("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "eu-west-1")]);
        assert_eq!(env.get("AWS_REGION"), None);
        assert_eq!(env.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn programs_are_found_in_the_order_of_path_and_only_where_they_are_executable() {
        let folder = tempfile::tempdir().unwrap();
        for (name, mode) in [("one/tool", 0o644), ("two/tool", 0o755), ("three/tool", 0o755)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let root = folder.path().display();
        let path = format!("{root}/none:{root}/one:{root}/two:{root}/three");
        let env = Env::for_test(&[("PATH", &path)]);
        assert_eq!(env.find_program("tool"), Some(folder.path().join("two/tool")));
        assert_eq!(env.find_program("other"), None);
    }

    #[test]
    fn debug_shows_no_value() {
        let env = Env::for_test(&[("S3_SECRET", "wJalrXUtnFEMI")]);
        let text = format!("{env:?}");
        assert!(text.contains("S3_SECRET") && !text.contains("wJal"), "{text}");
    }

    #[test]
    fn colour_follows_no_color_then_cargo_then_the_terminal() {
        let rows: [(&[(&str, &str)], bool); 4] = [
            (&[], false),
            (&[("CARGO_TERM_COLOR", "always")], true),
            (&[("CARGO_TERM_COLOR", "always"), ("NO_COLOR", "1")], false),
            (&[("CARGO_TERM_COLOR", "never")], false),
        ];
        for (variables, expected) in rows {
            assert_eq!(Env::for_test(variables).colour(), expected, "{variables:?}");
        }
    }
}
