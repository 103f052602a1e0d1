//! What an upload says of each object: a line for people, JSON for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::ui;

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The object's key.
    pub object_key: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its SHA-256, lower hex.
    pub sha256: String,
    /// What was done.
    pub outcome: Outcome,
}

/// What was done about one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there, and is now.
    Stored,
    /// The same bytes were there.
    AlreadyThere,
    /// An upload that never finished had left other bytes.
    Replaced,
    /// A manifest object of the same release was there and now lists more.
    Extended,
}

impl Receipt {
    pub(super) fn new(object_key: &str, size_bytes: u64, sha256: &str, outcome: Outcome) -> Self {
        let (object_key, sha256) = (object_key.to_owned(), sha256.to_owned());
        Self { object_key, size_bytes, sha256, outcome }
    }

    /// The receipt as JSON, for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "object_key": self.object_key,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "outcome": self.outcome.as_str(),
        })
    }
}

impl Outcome {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::AlreadyThere => "already_there",
            Self::Replaced => "replaced",
            Self::Extended => "extended",
        }
    }
}

/// The line of `upload`, as it ends.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, remark) = match self.outcome {
            Outcome::Stored => ("Upload status code: 200", ""),
            Outcome::AlreadyThere => ("already there          ", ""),
            Outcome::Replaced => {
                ("Upload status code: 200", "  (replaced what an unfinished upload had left)")
            }
            Outcome::Extended => ("Upload status code: 200", "  (extended by this upload)"),
        };
        write!(f, "{done}  {}  {}{remark}", self.object_key, ui::size(self.size_bytes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Outcome, Receipt};

    #[test]
    fn a_line_for_people_and_json_for_programs() {
        let rows = [
            (Outcome::Stored, "stored", "Upload status code: 200  a/a.json  7 B"),
            (Outcome::AlreadyThere, "already_there", "already there            a/a.json  7 B"),
            (
                Outcome::Replaced,
                "replaced",
                "Upload status code: 200  a/a.json  7 B  (replaced what an unfinished upload had left)",
            ),
            (
                Outcome::Extended,
                "extended",
                "Upload status code: 200  a/a.json  7 B  (extended by this upload)",
            ),
        ];
        for (outcome, name, line) in rows {
            let receipt = Receipt::new("a/a.json", 7, "00", outcome);
            assert_eq!(receipt.to_string(), line);
            let expected = json!({
                "object_key": "a/a.json", "size_bytes": 7, "sha256": "00", "outcome": name,
            });
            assert_eq!(receipt.to_json(), expected);
        }
    }
}
