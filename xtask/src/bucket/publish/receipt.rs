//! The receipt of each object of an upload: a line for people, JSON for programs.

use std::fmt;

use s3::Stored;
use serde_json::{Value, json};

use crate::system::ui;

/// The receipt of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub object_key: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its SHA-256, lower hex.
    pub sha256: String,
    /// The outcome: sent, or there already.
    pub outcome: Outcome,
    /// The server's answer, where something was sent.
    pub stored: Option<Stored>,
    /// Whether the object was read back and its digest compared.
    pub verified: bool,
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
    /// It was published, and gone or changed by other means: its bytes are there again.
    Restored,
    /// A manifest object of the same release was there and now lists more.
    Extended,
}

impl Receipt {
    /// Makes the receipt of an object that is there already.
    pub(super) fn new(bucket: &str, object_key: &str, size_bytes: u64, sha256: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            object_key: object_key.to_owned(),
            size_bytes,
            sha256: sha256.to_owned(),
            outcome: Outcome::AlreadyThere,
            stored: None,
            verified: false,
        }
    }

    /// Makes the receipt of an object that was sent.
    pub(super) fn stored(self, outcome: Outcome, stored: Stored) -> Self {
        Self { outcome, stored: Some(stored), ..self }
    }

    /// Returns the receipt as JSON, for programs. What the server did not say is null.
    pub fn to_json(&self) -> Value {
        let stored = self.stored.as_ref();
        let request_id = stored.map(|stored| &stored.request_id).filter(|id| !id.is_empty());
        json!({
            "bucket": self.bucket,
            "object_key": self.object_key,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "outcome": self.outcome.as_str(),
            "version_id": stored.and_then(|stored| stored.version_id.as_ref()),
            "request_id": request_id,
            "attempts": stored.map_or(0, |stored| stored.attempts),
            "resumed_bytes": self.resumed_bytes(),
            "verified": self.verified,
        })
    }

    /// Returns what an earlier run, which died, had sent of it.
    fn resumed_bytes(&self) -> u64 {
        self.stored.as_ref().map_or(0, |stored| stored.resumed_bytes)
    }
}

impl Outcome {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::AlreadyThere => "already_there",
            Self::Replaced => "replaced",
            Self::Restored => "restored",
            Self::Extended => "extended",
        }
    }
}

/// The line of `upload`, as it ends.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stored {
            Some(stored) => write!(f, "Upload status code: {}", stored.status)?,
            None => write!(f, "already there          ")?,
        }
        let remark = match self.outcome {
            Outcome::Stored | Outcome::AlreadyThere => "",
            Outcome::Replaced => "  (replaced what an unfinished upload had left)",
            Outcome::Restored => "  (restored: it was not what its release says)",
            Outcome::Extended => "  (extended by this upload)",
        };
        write!(f, "  {}  {}{remark}", self.object_key, ui::size(self.size_bytes))?;
        if self.resumed_bytes() > 0 {
            write!(f, "  ({} of it sent by an earlier run)", ui::size(self.resumed_bytes()))?;
        }
        f.write_str(if self.verified { "  verified" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use s3::Stored;
    use serde_json::{Value, json};

    use super::{Outcome, Receipt};

    fn stored() -> Stored {
        Stored {
            etag: String::new(),
            status: 200,
            version_id: Some("V1".to_owned()),
            request_id: "R1".to_owned(),
            attempts: 2,
            resumed_bytes: 0,
        }
    }

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
                Outcome::Restored,
                "restored",
                "Upload status code: 200  a/a.json  7 B  (restored: it was not what its release says)",
            ),
            (
                Outcome::Extended,
                "extended",
                "Upload status code: 200  a/a.json  7 B  (extended by this upload)",
            ),
        ];
        for (outcome, name, line) in rows {
            let receipt = Receipt::new("b", "a/a.json", 7, "00");
            let sent = outcome != Outcome::AlreadyThere;
            let receipt = if sent { receipt.stored(outcome, stored()) } else { receipt };
            assert_eq!(receipt.to_string(), line);
            let (request_id, version_id) =
                if sent { ("R1".into(), "V1".into()) } else { (Value::Null, Value::Null) };
            let expected = json!({
                "bucket": "b", "object_key": "a/a.json", "size_bytes": 7, "sha256": "00",
                "outcome": name, "attempts": if sent { 2 } else { 0 }, "verified": false, "resumed_bytes": 0,
                "request_id": request_id, "version_id": version_id,
            });
            assert_eq!(receipt.to_json(), expected);
        }
        let resumed = Stored { resumed_bytes: 3, ..stored() };
        let receipt = Receipt::new("b", "a/a.json", 7, "00").stored(Outcome::Stored, resumed);
        let line = "Upload status code: 200  a/a.json  7 B  (3 B of it sent by an earlier run)";
        assert_eq!(receipt.to_string(), line);
        assert_eq!(receipt.to_json()["resumed_bytes"], 3);
    }
}
