//! Stands for the sandbox on systems that have none of ours.

use std::io;
use std::process::Command;

use super::{Refused, Rules};

/// No machine: [`Machine::look`] always fails.
#[derive(Debug, Clone, Copy)]
pub struct Machine(());

/// No sandbox.
#[derive(Debug, Clone)]
pub struct Sandbox(());

/// Nothing is watched.
#[derive(Debug)]
pub struct Watch(());

impl Machine {
    /// Says that there is none.
    pub fn look() -> Result<Self, String> {
        Err(format!("{} has no Landlock", std::env::consts::OS))
    }

    /// Never called.
    pub fn describe(&self) -> String {
        String::new()
    }

    /// Never called.
    pub fn sandbox(self, _: Rules) -> Sandbox {
        Sandbox(self.0)
    }
}

impl Sandbox {
    /// Never called.
    pub fn confine(&self, _: &mut Command) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called.
    pub fn confine_and_watch(&self, _: &mut Command) -> io::Result<Watch> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Watch {
    /// Never called.
    pub fn end(self) -> Vec<Refused> {
        Vec::new()
    }
}
