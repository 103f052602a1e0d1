//! Finds out what this machine can do, and confines commands.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::child::{self, Confinement};
use super::mounts::{self, Namespaces, Plan};
use super::watch::Watch;
use super::{Rules, filter, landlock};

/// The means of this machine to confine processes.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    landlock: i32,
    namespaces: Namespaces,
}

/// A sandbox, in which any number of commands may run.
#[derive(Debug, Clone)]
pub struct Sandbox {
    machine: Machine,
    rules: Rules,
}

impl Machine {
    /// Looks at the machine. Fails with the reason where it cannot confine a process.
    pub fn look() -> Result<Self, String> {
        if !filter::is_known() {
            return Err(format!(
                "no filter of system calls is known for {}",
                std::env::consts::ARCH
            ));
        }
        match landlock::version() {
            0 => Err("the kernel has no Landlock".to_owned()),
            1 => {
                Err("the kernel has the first version of Landlock, and 2 or newer is needed"
                    .to_owned())
            }
            landlock => Ok(Self { landlock, namespaces: mounts::probe() }),
        }
    }

    /// Describes it in a few words.
    pub fn describe(&self) -> String {
        let namespaces = match self.namespaces {
            Namespaces::None => "without namespaces",
            Namespaces::Plain | Namespaces::OfUser => "and namespaces",
        };
        format!("Landlock {} {namespaces}", self.landlock)
    }

    /// Makes a sandbox.
    pub fn sandbox(self, rules: Rules) -> Sandbox {
        Sandbox { machine: self, rules }
    }
}

impl Sandbox {
    /// Has `command` run in the sandbox. Its environment is the caller's to clear.
    pub fn confine(&self, command: &mut Command) -> io::Result<()> {
        self.add(command, None)
    }

    /// Does what [`Sandbox::confine`] does, and notes what the processes are refused.
    pub fn confine_and_watch(&self, command: &mut Command) -> io::Result<Watch> {
        let (watch, socket) = Watch::start(&self.rules)?;
        self.add(command, Some(socket))?;
        Ok(watch)
    }

    fn add(&self, command: &mut Command, watcher: Option<OwnedFd>) -> io::Result<()> {
        let real = landlock::real(&self.rules.write);
        let writable: Result<_, _> =
            real.iter().map(|path| CString::new(path.as_os_str().as_bytes())).collect();
        let current_dir = std::path::absolute(command.get_current_dir().unwrap_or(Path::new(".")))?;
        let current_dir = CString::new(current_dir.as_os_str().as_bytes())?;
        let confinement = Arc::new(Confinement {
            plan: Plan::new(self.machine.namespaces, writable?, current_dir),
            ruleset: landlock::ruleset(self.machine.landlock, &self.rules)?,
            refusing: filter::refusing(watcher.is_none()),
            watching: watcher.map(|socket| (filter::watching(), socket)),
        });
        #[expect(unsafe_code, reason = "a process can only confine itself")]
        // SAFETY: `enter` makes system calls alone, on what was prepared here.
        unsafe {
            command.pre_exec(move || child::enter(&confinement));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Machine;
    use crate::system::sandbox::Rules;

    #[test]
    fn the_current_folder_is_writable_where_the_rules_say_so() {
        let Ok(machine) = Machine::look() else { return };
        let folder = tempfile::tempdir().unwrap();
        let rules = Rules {
            read: ["/usr", "/bin", "/lib", "/lib64"].map(Into::into).into(),
            write: vec![folder.path().to_owned()],
            ..Rules::default()
        };
        let mut command = Command::new("sh");
        command.args(["-c", "echo written > here"]).current_dir(folder.path());
        machine.sandbox(rules).confine(&mut command).unwrap();
        assert!(command.status().unwrap().success());
        assert_eq!(std::fs::read_to_string(folder.path().join("here")).unwrap(), "written\n");
    }
}
