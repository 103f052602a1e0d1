//! Reads JSON that others wrote, field by field, with errors that say where. A strict reader ends
//! with [`Object::end`], which refuses unknown fields; a lenient one leaves that out.
//!
//! serde's derives would do this too, but compiling them is the dearest part of a cold
//! `cargo xtask` after TLS, and an error of theirs knows the line of a document, not the place in
//! it. Writing needs no help: `json!`, and [`object`] where the order of fields matters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// The reason why a document is not what was expected, and the place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch(String);

/// The result of reading.
pub type Result<T> = std::result::Result<T, Mismatch>;

/// An object whose fields are read by name and type.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    /// `artifacts[0]`; empty for the document itself.
    place: String,
    /// The fields that were asked for: all that there may be.
    asked: Vec<&'static str>,
}

/// A type that a field can be read as.
pub trait Read<'a>: Sized {
    /// Reads `value`, which stands at `place`.
    fn read(value: &'a Value, place: &str) -> Result<Self>;
}

/// Parses a document. A name that stands twice in one object is an error: readers disagree about
/// which of the two counts.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let value = serde_json::from_slice(bytes).map_err(|error| Mismatch(error.to_string()))?;
    if let Some(name) = repeated_name(bytes) {
        return Err(Mismatch(format!("field `{name:.60}` twice")));
    }
    Ok(value)
}

/// Returns a name that an object in `bytes` has twice. `bytes` has to be valid JSON: then a colon outside
/// of strings follows a name, and braces outside of strings are those of objects.
fn repeated_name(bytes: &[u8]) -> Option<String> {
    let mut names_of_open_objects = Vec::<BTreeSet<String>>::new();
    let mut last_string = 0..0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => names_of_open_objects.push(BTreeSet::new()),
            b'}' => drop(names_of_open_objects.pop()),
            b'"' => {
                let start = at;
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                last_string = start..at + 1;
            }
            b':' => {
                let name: String = serde_json::from_slice(&bytes[last_string.clone()]).ok()?;
                if let Some(name) = names_of_open_objects.last_mut()?.replace(name) {
                    return Some(name);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Writes an object with its fields in this order, as `serde_json` prints one. A [`Value`] would sort
/// them.
pub fn object(fields: impl IntoIterator<Item = (&'static str, String)>) -> String {
    in_lines('{', fields.into_iter().map(|(name, value)| format!("\"{name}\": {value}")), '}')
}

/// Writes an array of items that are JSON already.
pub fn array(items: impl IntoIterator<Item = String>) -> String {
    in_lines('[', items, ']')
}

fn in_lines(open: char, lines: impl IntoIterator<Item = String>, close: char) -> String {
    let lines: Vec<_> = lines.into_iter().collect();
    if lines.is_empty() {
        return format!("{open}{close}");
    }
    // Strings have no line breaks of their own: JSON escapes them.
    format!("{open}\n  {}\n{close}", lines.join(",\n").replace('\n', "\n  "))
}

/// Writes a value, as `serde_json` prints it.
pub fn value(value: impl Into<Value>) -> String {
    format!("{:#}", value.into())
}

impl<'a> Object<'a> {
    /// Returns the document itself, as an object.
    pub fn new(document: &'a Value) -> Result<Self> {
        Self::read(document, "")
    }

    /// Refuses a document whose field `schema` is another one than `known`. It comes first:
    /// only a document of the known schema has to have the known fields.
    pub fn expect_schema(&mut self, known: u64) -> Result<()> {
        let schema: u64 = self.get("schema")?;
        if schema != known {
            return Err(Mismatch(format!("schema {schema}, this program reads {known}")));
        }
        Ok(())
    }

    /// Returns the field `name`, which has to be there.
    pub fn get<T: Read<'a>>(&mut self, name: &'static str) -> Result<T> {
        self.find(name)?.ok_or_else(|| mismatch(&self.place, format!("missing field `{name}`")))
    }

    /// Returns the field `name`, where it is there.
    pub fn find<T: Read<'a>>(&mut self, name: &'static str) -> Result<Option<T>> {
        self.asked.push(name);
        let place =
            if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) };
        self.fields.get(name).map(|value| T::read(value, &place)).transpose()
    }

    /// Refuses a field that nothing asked for: a misspelt one would silently do nothing.
    pub fn end(self) -> Result<()> {
        match self.fields.keys().find(|name| !self.asked.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                // The name may come from another machine.
                let name: String = name.escape_debug().take(60).collect();
                let known = self.asked.join(", ");
                Err(mismatch(
                    &self.place,
                    format!("unknown field `{name}`: the fields are {known}"),
                ))
            }
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

impl From<Mismatch> for String {
    fn from(mismatch: Mismatch) -> Self {
        mismatch.0
    }
}

impl<'a> Read<'a> for Object<'a> {
    fn read(value: &'a Value, place: &str) -> Result<Self> {
        let fields = expect(value, place, "an object", value.as_object())?;
        Ok(Self { fields, place: place.to_owned(), asked: Vec::new() })
    }
}

impl<'a> Read<'a> for &'a Value {
    fn read(value: &'a Value, _place: &str) -> Result<Self> {
        Ok(value)
    }
}

impl<'a> Read<'a> for &'a str {
    fn read(value: &'a Value, place: &str) -> Result<Self> {
        expect(value, place, "a string", value.as_str())
    }
}

impl Read<'_> for String {
    fn read(value: &Value, place: &str) -> Result<Self> {
        <&str>::read(value, place).map(str::to_owned)
    }
}

impl Read<'_> for PathBuf {
    fn read(value: &Value, place: &str) -> Result<Self> {
        <&str>::read(value, place).map(Self::from)
    }
}

impl Read<'_> for bool {
    fn read(value: &Value, place: &str) -> Result<Self> {
        expect(value, place, "true or false", value.as_bool())
    }
}

impl Read<'_> for i64 {
    fn read(value: &Value, place: &str) -> Result<Self> {
        expect(value, place, "a whole number", value.as_i64())
    }
}

impl Read<'_> for u64 {
    fn read(value: &Value, place: &str) -> Result<Self> {
        expect(value, place, "a whole number from 0", value.as_u64())
    }
}

/// `null`, or what `T` is.
impl<'a, T: Read<'a>> Read<'a> for Option<T> {
    fn read(value: &'a Value, place: &str) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::read(value, place).map(Some) }
    }
}

impl<'a, T: Read<'a>> Read<'a> for Vec<T> {
    fn read(value: &'a Value, place: &str) -> Result<Self> {
        let items = expect(value, place, "an array", value.as_array())?;
        let item = |(index, item)| T::read(item, &format!("{place}[{index}]"));
        items.iter().enumerate().map(item).collect()
    }
}

impl<'a, T: Read<'a>> Read<'a> for BTreeMap<String, T> {
    fn read(value: &'a Value, place: &str) -> Result<Self> {
        let fields = expect(value, place, "an object", value.as_object())?;
        let entry = |(name, value): (&String, &'a Value)| {
            let place = format!("{place}.{}", name.escape_debug());
            Ok((name.clone(), T::read(value, &place)?))
        };
        fields.iter().map(|(name, value)| entry((name, value))).collect()
    }
}

fn expect<T>(value: &Value, place: &str, expected: &str, read: Option<T>) -> Result<T> {
    read.ok_or_else(|| mismatch(place, format!("expected {expected}, found {}", kind(value))))
}

/// Returns a value as errors show it: a string could be long, or a secret.
fn kind(value: &Value) -> String {
    match value {
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn mismatch(place: &str, what: String) -> Mismatch {
    Mismatch(if place.is_empty() { what } else { format!("{place}: {what}") })
}

#[cfg(test)]
mod tests;
