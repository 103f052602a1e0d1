//! The build key: a digest of everything that can change one unstamped binary.
//!
//! The inputs are kept beside the digest, each with a name, so that the first one that differs can be named.

use serde_json::Value;

/// The version of the rules by which inputs are collected and binaries are built. Raised where the same inputs
/// would give another binary, so that no key of the old rules is taken for one of the new.
const RULES: u32 = 1;

/// One thing that can change the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is, unique in a key: `services/billing/src/main.rs`, `Cargo.lock: rustls`, `rustc`.
    pub name: String,
    /// Its version, where it has one that people know it by.
    pub version: Option<String>,
    /// A digest of it, in lower hex.
    pub digest: String,
}

impl Input {
    /// Makes an input from its content.
    pub fn of(name: impl Into<String>, content: &[u8]) -> Self {
        Self { name: name.into(), version: None, digest: sha256(content) }
    }

    /// Makes an input that people know by its version, which `content` describes exactly.
    pub fn versioned(name: impl Into<String>, version: &str, content: &[u8]) -> Self {
        Self { version: Some(version.to_owned()), ..Self::of(name, content) }
    }
}

/// The inputs of one service on one platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildKey {
    inputs: Vec<Input>,
}

impl BuildKey {
    /// Makes a key of inputs with different names. Where several differ from another key's, the first is named.
    pub fn new(mut inputs: Vec<Input>) -> Self {
        inputs.push(Input::versioned("rules of build keys", &RULES.to_string(), b""));
        Self { inputs }
    }

    /// Returns the key itself, in lower hex. The order of the inputs does not matter.
    pub fn digest(&self) -> String {
        let mut inputs: Vec<_> = self.inputs.iter().collect();
        inputs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut bytes = Vec::new();
        for input in inputs {
            let version = input.version.as_deref().unwrap_or_default();
            for field in [input.name.as_str(), version, &input.digest] {
                bytes.extend((field.len() as u64).to_le_bytes());
                bytes.extend(field.as_bytes());
            }
        }
        sha256(&bytes)
    }

    /// Returns the first input that differs from those of `old`, as `rustls 0.23.45 -> 0.23.46`, or `None` where all are
    /// equal.
    pub fn difference(&self, old: &Self) -> Option<String> {
        let by_name = |key: &Self| {
            let inputs = key.inputs.iter().map(|input| (input.name.clone(), input.clone()));
            inputs.collect::<std::collections::BTreeMap<_, _>>()
        };
        let (before, now) = (by_name(old), by_name(self));
        for input in &self.inputs {
            match before.get(&input.name) {
                Some(same) if same == input => {}
                Some(other) => return Some(moved(other, input)),
                None => return Some(format!("{} (added)", input.name)),
            }
        }
        let gone = old.inputs.iter().find(|input| !now.contains_key(&input.name));
        gone.map(|input| format!("{} (removed)", input.name))
    }

    /// Returns the inputs as JSON.
    pub fn to_json(&self) -> Value {
        let row = |input: &Input| {
            let Input { name, version, digest } = input;
            serde_json::json!([name, version, digest])
        };
        self.inputs.iter().map(row).collect()
    }

    /// Reads what [`BuildKey::to_json`] made.
    pub fn read(value: &Value) -> Option<Self> {
        let read = |row: &Value| {
            let text = |at: usize| row.get(at)?.as_str().map(str::to_owned);
            Some(Input { name: text(0)?, version: text(1), digest: text(2)? })
        };
        Some(Self { inputs: value.as_array()?.iter().map(read).collect::<Option<_>>()? })
    }
}

fn moved(from: &Input, to: &Input) -> String {
    match (&from.version, &to.version) {
        (Some(old), Some(new)) if old != new => format!("{} {old} -> {new}", to.name),
        _ => to.name.clone(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    s3::hex(&s3::sha256(bytes))
}

#[cfg(test)]
mod tests {
    use super::{BuildKey, Input};

    /// Name, version and content.
    type Row<'a> = (&'a str, Option<&'a str>, &'a str);

    fn key(inputs: &[Row<'_>]) -> BuildKey {
        let input = |(name, version, content): &Row<'_>| match version {
            Some(version) => Input::versioned(*name, version, content.as_bytes()),
            None => Input::of(*name, content.as_bytes()),
        };
        BuildKey::new(inputs.iter().map(input).collect())
    }

    #[test]
    fn the_first_input_that_differs_is_named() {
        let old = key(&[
            ("services/a/src/main.rs", None, "1"),
            ("Cargo.lock: rustls", Some("0.23.45"), "x"),
            ("rustc", Some("1.95.0"), "y"),
        ]);
        let rows: [(&[Row<'_>], Option<&str>); 5] = [
            (
                &[
                    ("rustc", Some("1.95.0"), "y"),
                    ("Cargo.lock: rustls", Some("0.23.45"), "x"),
                    ("services/a/src/main.rs", None, "1"),
                ],
                None,
            ),
            (
                &[
                    ("services/a/src/main.rs", None, "1"),
                    ("Cargo.lock: rustls", Some("0.23.46"), "z"),
                    ("rustc", Some("1.96.0"), "z"),
                ],
                Some("Cargo.lock: rustls 0.23.45 -> 0.23.46"),
            ),
            (
                &[
                    ("services/a/src/main.rs", None, "1"),
                    ("Cargo.lock: rustls", Some("0.23.45"), "x"),
                    ("rustc", Some("1.95.0"), "another build of it"),
                ],
                Some("rustc"),
            ),
            (
                &[("services/a/src/main.rs", None, "1"), ("rustc", Some("1.95.0"), "y")],
                Some("Cargo.lock: rustls (removed)"),
            ),
            (
                &[("services/a/src/lib.rs", None, "1"), ("rustc", Some("1.95.0"), "z")],
                Some("services/a/src/lib.rs (added)"),
            ),
        ];
        for (inputs, expected) in rows {
            let new = key(inputs);
            assert_eq!(new.difference(&old).as_deref(), expected);
            assert_eq!(new.digest() == old.digest(), expected.is_none(), "{expected:?}");
        }
    }

    #[test]
    fn a_key_comes_back_from_json_and_fields_do_not_run_into_each_other() {
        let one = key(&[("a", Some("b"), "c"), ("d", None, "")]);
        assert_eq!(BuildKey::read(&one.to_json()), Some(one.clone()));
        assert_eq!(BuildKey::read(&serde_json::json!([["a"]])), None);
        let other = key(&[("ab", Some(""), "c"), ("d", None, "")]);
        assert_ne!(one.digest(), other.digest());
    }
}
