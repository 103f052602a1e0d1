//! Installs Ansible, its linter and a supervisor that does not need systemd, from `PyPI`, below the
//! target folder.
//!
//! It uses `pip --target` and no virtual environment: this needs only what the README asks for,
//! python3 with pip, and the finished folder can be renamed to its final name, which a virtual
//! environment cannot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Repo, run, target_dir};

/// Everything that is installed, each at one version.
const REQUIREMENTS: &str = "\
ansible-core==2.19.14
ansible-lint==26.10.1
supervisor==4.3.0
ansible-compat==26.10.0
attrs==26.1.0
black==26.10.1
bracex==3.2.3
cffi==2.1.1
click==8.5.1
cryptography==50.0.2
distro==1.9.0
filelock==4.3.1
Jinja2==3.1.6
jsonschema==4.26.0
jsonschema-specifications==2025.9.1
MarkupSafe==3.0.4
mypy_extensions==1.2.0
packaging==26.4
pathspec==1.1.1
platformdirs==4.14.8
pycparser==3.12
pytokens==0.4.1
PyYAML==6.0.4
referencing==0.37.0
resolvelib==1.2.1
rpds-py==2026.9.1
ruamel.yaml==0.19.1
subprocess-tee==0.4.2
typing_extensions==4.16.0
wcmatch==12.0.1
yamllint==1.38.0
";

/// The installed programs.
pub(super) struct Tools {
    home: PathBuf,
    python: PathBuf,
}

impl Tools {
    /// Installs the tools if they are not yet installed. Tests that ask at the same time wait for
    /// the first.
    pub(super) fn install() -> Self {
        let folder = target_dir().join("ansible");
        fs::create_dir_all(&folder).unwrap();
        let digest = &xtask::system::files::sha256(REQUIREMENTS.as_bytes())[..12];
        let home = folder.join(digest);
        let lock = folder.join("install.lock");
        let _lock = xtask::system::file_lock::lock(&lock, || ()).unwrap();
        if !home.exists() {
            install(&folder, &home);
        }
        let python = fs::read_to_string(home.join("python")).unwrap();
        Self { home, python: PathBuf::from(python) }
    }

    /// Gives an installed program a home and temporary folders in `folder`, so that this machine's
    /// configuration is not read and nothing is left on it.
    pub(super) fn set_up(&self, command: &mut Command, folder: &Path) {
        let path = std::env::var("PATH").unwrap();
        let own = |name: &str| folder.join(name);
        fs::create_dir_all(own("home")).unwrap();
        fs::write(own("ansible.cfg"), "").unwrap();
        command
            .env("PATH", format!("{}:{path}", self.home.join("bin").display()))
            .env("PYTHONPATH", &self.home)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", own("home"))
            .env("TMPDIR", own("home"))
            .env("ANSIBLE_CONFIG", own("ansible.cfg"))
            .env("ANSIBLE_HOME", own("home/ansible"))
            .env("ANSIBLE_LOCAL_TEMP", own("home/local"))
            .env("ANSIBLE_REMOTE_TEMP", own("home/remote"))
            .envs([("ANSIBLE_NOCOLOR", "1"), ("NO_COLOR", "1"), ("ANSIBLE_NOCOWS", "1")]);
    }

    /// Returns the command of an installed program, set up by [`Self::set_up`].
    pub(super) fn command(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.program(name));
        self.set_up(&mut command, folder);
        command
    }

    /// Returns the path of an installed program.
    pub(super) fn program(&self, name: &str) -> String {
        self.home.join("bin").join(name).display().to_string()
    }

    /// Returns the Python interpreter that runs the installed programs.
    pub(super) fn python(&self) -> &Path {
        &self.python
    }
}

fn install(folder: &Path, home: &Path) {
    let mut pip = Command::new("python3");
    if run(pip.args(["-m", "pip", "--version"]), "pip").code != 0 {
        // It installs pip where that is missing, for tools that come from PyPI too.
        Repo::new(&["alpha"]).xtask("setup").exits(0);
    }
    let mut python = Command::new("python3");
    python.args(["-c", "import sys; print(sys.executable, end='')"]);
    let python = run(&mut python, "python3").exits(0).stdout;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).unwrap();
    // Removes what a killed test left. A pip of that test that is still running writes under a name
    // that nobody else uses.
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("partial-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let parent = tempfile::Builder::new().prefix("partial-").tempdir_in(folder).unwrap();
    let partial = parent.path().join("tools");
    eprintln!(
        "installing ansible-core, ansible-lint and supervisor from PyPI into {}",
        home.display()
    );
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target"])
        .arg(&partial)
        .arg("--requirement")
        .arg(&requirements)
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1");
    run(&mut pip, "pip install of ansible-core: it needs python 3.11 or newer, with pip").exits(0);
    fs::write(partial.join("python"), python).unwrap();
    fs::rename(&partial, home).unwrap();
}
