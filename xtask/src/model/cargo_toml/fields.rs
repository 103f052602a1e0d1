//! Adds fields to a table of a TOML file, in the text: comments and order are other people's and stay. What was made
//! is parsed again, and refused unless it says the same and the new fields.

use std::fmt::Write as _;

use ferror::{Error, Result};
use serde_json::Value;

use super::parse;

/// Fields to add to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The table, as its header names it: `workspace.metadata.xtask`.
    pub table: &'a str,
    /// Name and value of each field, the value in TOML.
    pub fields: &'a [(&'a str, String)],
    /// Lines of comment above a table that is new; may be empty.
    pub comment: &'a str,
}

/// Returns `text` with those of the fields that it does not have: below the header of the table, or in a new table at
/// the end. Fields that the table has keep their values. `name` is the file's, for the error.
///
/// Fails with [`ferror::Kind::Config`] where the table stands in a form that is not understood.
pub fn with_fields(text: &str, name: &str, added: &Fields<'_>) -> Result<String> {
    let Fields { table, fields, comment } = added;
    let mut expected = parse(text, name)?;
    let mut place = &mut expected;
    for part in table.split('.') {
        place = match place {
            Value::Object(found) => {
                found.entry(part).or_insert_with(|| Value::Object(serde_json::Map::new()))
            }
            _ => return Err(not_understood(name, added)),
        };
    }
    let Value::Object(place) = place else { return Err(not_understood(name, added)) };
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines = String::new();
    for (field, value) in *fields {
        if place.contains_key(*field) {
            continue;
        }
        let _ = write!(lines, "{field} = {value}{end}");
        parsed_into(place, field, value)?;
    }
    if lines.is_empty() {
        return Ok(text.to_owned());
    }
    let made = if let Some(at) = below_the_header(text, table) {
        let lead = if text[..at].ends_with('\n') { "" } else { end };
        [&text[..at], lead, &lines, &text[at..]].concat()
    } else {
        let lead = match text {
            "" => "",
            text if text.ends_with('\n') => end,
            _ => &format!("{end}{end}"),
        };
        let comment: Vec<_> = comment.lines().map(|line| format!("# {line}{end}")).collect();
        format!("{text}{lead}{}[{table}]{end}{lines}", comment.concat())
    };
    if parse(&made, name).ok() == Some(expected) {
        Ok(made)
    } else {
        Err(not_understood(name, added))
    }
}

fn parsed_into(place: &mut serde_json::Map<String, Value>, field: &str, value: &str) -> Result<()> {
    let mut value = parse(&format!("it = {value}"), field)?;
    place.insert(field.to_owned(), value["it"].take());
    Ok(())
}

fn not_understood(name: &str, added: &Fields<'_>) -> Error {
    let lines: Vec<_> =
        added.fields.iter().map(|(field, value)| format!("{field} = {value}")).collect();
    let table = added.table;
    Error::config(format!(
        "{name}: the table [{table}] stands in a form that is not understood here"
    ))
    .hint(format!("add to it by hand: {}", lines.join("; ")))
}

/// Returns where the line below the header of the table begins.
fn below_the_header(text: &str, table: &str) -> Option<usize> {
    let header = format!("[{table}]");
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let word = line.split('#').next().unwrap_or_default();
        if word.chars().filter(|c| !c.is_whitespace()).collect::<String>() == header {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Fields, with_fields};

    fn add(text: &str) -> ferror::Result<String> {
        let fields = [("one", "\"1\"".to_owned()), ("two", "[\"a\", \"b\"]".to_owned())];
        let added = Fields { table: "a.b", fields: &fields, comment: "Why.\nBecause." };
        with_fields(text, "it.toml", &added)
    }

    #[test]
    fn fields_are_added_and_nothing_else_changes() {
        let lines = "one = \"1\"\ntwo = [\"a\", \"b\"]\n";
        let table = format!("# Why.\n# Because.\n[a.b]\n{lines}");
        for (text, expected) in [
            ("", table.clone()),
            ("# top\nx = 1", format!("# top\nx = 1\n\n{table}")),
            ("[a.b.c]\nx = 1\n", format!("[a.b.c]\nx = 1\n\n{table}")),
            (
                "[ a . b ] # here\nz = 1 # z\n\n[c]\n",
                format!("[ a . b ] # here\n{lines}z = 1 # z\n\n[c]\n"),
            ),
            ("[a.b]", format!("[a.b]\n{lines}")),
            ("[a.b]\none = 'mine'\n", "[a.b]\ntwo = [\"a\", \"b\"]\none = 'mine'\n".to_owned()),
            ("a.b = { one = 1, two = 2 }", "a.b = { one = 1, two = 2 }".to_owned()),
            ("[a.b]\r\n", format!("[a.b]\r\n{}", lines.replace('\n', "\r\n"))),
        ] {
            let made = add(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(made, expected, "{text}");
            assert_eq!(add(&made).unwrap(), made, "a second time");
        }
    }

    #[test]
    fn a_table_in_another_form_is_refused_with_what_to_add() {
        for text in
            ["a = { b = { x = 1 } }", "a = 1", "[a]\nb.x = 1\n", "x = \"\"\"\n[a.b]\n\"\"\"\n"]
        {
            let error = add(text).expect_err(text);
            assert!(error.to_string().contains("it.toml: the table [a.b]"), "{error}");
            assert!(error.hint_text().is_some_and(|hint| hint.contains("one = \"1\"")), "{text}");
        }
    }
}
