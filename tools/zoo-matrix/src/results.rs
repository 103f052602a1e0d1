//! Keeps results in files, so that an interrupted run goes on.

use std::path::{Path, PathBuf};

use ferror::Result;
use serde_json::{Value, json};

use crate::cannot;
use crate::services::Service;

/// What became of a service for a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was built, and printed what it should. The text is its output.
    Ran(String),
    /// It was built, and cannot run on this machine.
    Built,
    /// It was not built. The text is the end of the error.
    NotBuilt(String),
    /// It was built, and failed or printed something else.
    NotRight(String),
}

impl Outcome {
    /// Returns one line for a person.
    pub(crate) fn as_line(&self) -> String {
        match self {
            Self::Ran(output) => format!("ran: {}", output.lines().next().unwrap_or_default()),
            Self::Built => "built".to_owned(),
            Self::NotBuilt(error) => format!("NOT BUILT: {error}"),
            Self::NotRight(error) => format!("NOT RIGHT: {error}"),
        }
    }

    fn to_json(&self) -> Value {
        let (outcome, text) = match self {
            Self::Ran(text) => ("ran", text.as_str()),
            Self::Built => ("built", ""),
            Self::NotBuilt(text) => ("not built", text.as_str()),
            Self::NotRight(text) => ("not right", text.as_str()),
        };
        json!({ "outcome": outcome, "text": text })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = value["text"].as_str()?.to_owned();
        match value["outcome"].as_str()? {
            "ran" => Some(Self::Ran(text)),
            "built" => Some(Self::Built),
            "not built" => Some(Self::NotBuilt(text)),
            "not right" => Some(Self::NotRight(text)),
            _ => None,
        }
    }
}

/// The folder of kept results.
pub(crate) struct Results {
    folder: PathBuf,
}

impl Results {
    /// Makes the folder where it is missing.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(cannot(folder.display().to_string()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Returns the kept result that was made from what `key` stands for.
    pub(crate) fn read(&self, service: &Service, platform: &str, key: &str) -> Option<Outcome> {
        let text = std::fs::read_to_string(self.file(service, platform)).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        if value["key"] != key {
            return None;
        }
        Outcome::from_json(&value)
    }

    /// Keeps a result.
    pub(crate) fn write(
        &self,
        service: &Service,
        platform: &str,
        key: &str,
        outcome: &Outcome,
    ) -> Result<()> {
        let mut value = outcome.to_json();
        value["key"] = key.into();
        let file = self.file(service, platform);
        std::fs::write(&file, value.to_string()).map_err(cannot(file.display().to_string()))
    }

    fn file(&self, service: &Service, platform: &str) -> PathBuf {
        self.folder.join(format!("{}_{platform}.json", service.name))
    }
}
