//! Texts of Cargo.toml files and others of that form: read as plain values, and added to.
//!
//! Cargo carries the tables of ours through `cargo metadata`; this is for what it does not say:
//! where a list or a table stands in the text, and which tables packages may inherit from.

use ferror::{Error, Result};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

mod fields;
mod members;

pub use fields::{Fields, with_fields};
pub use members::{is_covered, with_excluded, with_member, with_service};

/// Returns a Cargo.toml as JSON, which tables are read from everywhere else. `name` is for the error.
///
/// Fails with [`ferror::Kind::Config`] where it is not TOML.
pub fn parse(text: &str, name: &str) -> Result<Value> {
    let table = DeTable::parse(text).map_err(|error| {
        let message = error.message().to_owned();
        Error::config(format!("{name} is not TOML: {message}"))
    })?;
    Ok(json_of_table(table.get_ref()))
}

/// Returns a text as a TOML string, quotes included.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn json_of_table(table: &DeTable<'_>) -> Value {
    let field = |(name, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        (name.to_string(), json_of(value.get_ref()))
    };
    Value::Object(table.iter().map(field).collect())
}

fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Integer(number) => {
            let value = i64::from_str_radix(number.as_str(), number.radix());
            value.map_or(Value::Null, Value::from)
        }
        DeValue::Array(values) => values.iter().map(|value| json_of(value.get_ref())).collect(),
        DeValue::Table(table) => json_of_table(table),
        // No field of ours is one; as a text, it is an error that shows it.
        DeValue::Float(number) => Value::String(number.as_str().to_owned()),
        DeValue::Datetime(time) => Value::String(time.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, quoted};

    #[test]
    fn any_text_survives_as_a_string() {
        for text in ["", "../xtask", "a \"b\" \\c", "tab\tline\n", "ä"] {
            let value = parse(&format!("x = {}", quoted(text)), "it").unwrap();
            assert_eq!(value["x"].as_str(), Some(text));
        }
        let error = parse("x = ", "Cargo.toml").unwrap_err();
        assert!(error.to_string().starts_with("Cargo.toml is not TOML: "), "{error}");
    }
}
