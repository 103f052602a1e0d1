//! Why a platform cannot be built, in a form that can be said of several platforms and be joined
//! with another: errors themselves can be neither copied nor compared.

use ferror::{Error, Kind};

use super::compiler::Compiler;
use super::rustup;
use crate::model::platform::Platform;

/// Why something is missing: an error that several platforms share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// What is missing.
    pub(super) message: String,
    hint: Option<String>,
}

impl Reason {
    pub(super) fn of(error: &anyhow::Error) -> Self {
        let hint = error.downcast_ref::<Error>().and_then(Error::hint_text).map(str::to_owned);
        Self { message: format!("{error:#}"), hint }
    }

    pub(super) fn of_error(error: &Error) -> Self {
        Self { message: format!("{error:#}"), hint: error.hint_text().map(str::to_owned) }
    }

    pub(super) fn no_library(platform: Platform, compiler: &Compiler) -> Self {
        Self {
            message: format!("{} has no standard library for {platform}", compiler.version),
            hint: rustup::hint(compiler, platform),
        }
    }

    /// Both, with every way out.
    pub(super) fn and(&self, also: &Self) -> Self {
        let hint = match (&self.hint, &also.hint) {
            (Some(one), Some(other)) => Some(format!("{one}, or {other}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        Self { message: format!("{}; {}", self.message, also.message), hint }
    }

    pub(super) fn error(&self) -> anyhow::Error {
        let error = Error::new(Kind::Config, &self.message);
        match &self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
        .into()
    }
}
