//! Adds a folder to `members` or `exclude` of a workspace's Cargo.toml, or a service to `services`, in the text: comments,
//! order and layout are other people's and stay. The parser says where the list stands; what was made is parsed
//! again, and refused unless it says the same and the new item.

use ferror::{Error, Result};
use glob::{MatchOptions, Pattern};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{parse, quoted};

/// Returns whether the workspace that `text` describes has the folder `path` as a member already, by a
/// pattern such as `services/*`.
///
/// Fails with [`ferror::Kind::Config`] where `text` is no workspace, or excludes the folder.
pub fn is_covered(text: &str, path: &str) -> Result<bool> {
    let root = parse(text, "Cargo.toml")?;
    let workspace = root.get("workspace").ok_or_else(|| {
        Error::config("Cargo.toml has no [workspace]").hint("a service is a member of a workspace")
    })?;
    let listed = |field: &str| -> Vec<&str> {
        workspace[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let below = |dir: &&str| {
        let dir = dir.trim_start_matches("./").trim_end_matches('/');
        path == dir || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
    };
    if let Some(excluded) = listed("exclude").into_iter().find(below) {
        return Err(Error::config(format!("Cargo.toml: `exclude` has {excluded:?}"))
            .hint(format!("{path} could be no member: take it out of `exclude`")));
    }
    // As in a path: `*` ends at a slash.
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let covers = |pattern: &str| {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_with(path, options))
    };
    Ok(listed("members").into_iter().any(covers))
}

/// Returns `text` with the folder `path` as one more member.
///
/// Fails with [`ferror::Kind::Config`] where the list stands in a form that is not understood.
pub fn with_member(text: &str, path: &str) -> Result<String> {
    with_item(text, &["workspace", "members"], path)
}

/// Returns `text` with the folder `path` as one more that is no member.
///
/// Fails with [`ferror::Kind::Config`] where the list stands in a form that is not understood.
pub fn with_excluded(text: &str, path: &str) -> Result<String> {
    with_item(text, &["workspace", "exclude"], path)
}

/// Returns `text` with `entry` as one more item of `services` in `[workspace.metadata.xtask]`, which has to be there.
///
/// Fails with [`ferror::Kind::Config`] where the list stands in a form that is not understood.
pub fn with_service(text: &str, entry: &str) -> Result<String> {
    with_item(text, &["workspace", "metadata", "xtask", "services"], entry)
}

/// Adds `item` to the list at `place`. A list of `[workspace]` that is missing is written; another one has to be there.
fn with_item(text: &str, place: &[&str], item: &str) -> Result<String> {
    let not_understood = || {
        let list = place.last().copied().unwrap_or_default();
        let error =
            format!("Cargo.toml: the list `{list}` stands in a form that is not understood here");
        Error::config(error).hint(format!("add {item:?} to it by hand"))
    };
    let made = insert(text, place, item).ok_or_else(not_understood)?;
    let (mut expected, found) = (parse(text, "Cargo.toml")?, parse(&made, "Cargo.toml"));
    let mut list = &mut expected;
    for field in place {
        list = &mut list[field];
    }
    match list {
        Value::Array(listed) => listed.push(item.into()),
        none => *none = Value::Array(vec![item.into()]),
    }
    if found.ok() == Some(expected) { Ok(made) } else { Err(not_understood()) }
}

fn insert(text: &str, place: &[&str], item: &str) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    let (list, tables) = place.split_last()?;
    let mut around = table.get_ref();
    for name in tables {
        around = around.get(*name)?.get_ref().as_table()?;
    }
    match around.get(*list) {
        Some(array) => insert_into(text, array, item),
        None if tables == ["workspace"] => {
            let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            after_the_header(text, &format!("{list} = [{}]{end}", quoted(item)), end)
        }
        None => None,
    }
}

/// Puts one more item at the end of a list in `text`; `None` where it is no list.
fn insert_into(text: &str, array: &Spanned<DeValue<'_>>, item: &str) -> Option<String> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let path = quoted(item);
    let DeValue::Array(items) = array.get_ref() else { return None };
    let (open, close) = (array.span().start, array.span().end.checked_sub(1)?);
    let Some(item) = items.iter().next_back() else {
        // Whatever stands in an empty list is a comment.
        return Some(spliced(text, open + 1, &path));
    };
    let (begin, last) = (item.span().start, item.span().end);
    let comma = comma(text.get(last..close)?).map(|at| last + at);
    if !text.get(open..close)?.contains('\n') {
        return Some(spliced(text, last, &format!(", {path}")));
    }
    let line = &text[text[..begin].rfind('\n').map_or(0, |at| at + 1)..begin];
    let indent = match line.find(|c: char| !c.is_whitespace()) {
        Some(0) => "    ",
        blank => &line[..blank.unwrap_or(line.len())],
    };
    // Behind the comment of the last member, where its line does not end the list.
    let from = comma.map_or(last, |at| at + 1);
    let rest = &text[from..close];
    let place = match rest.find('\n') {
        Some(at) => from + at - usize::from(rest[..at].ends_with('\r')),
        None => from,
    };
    let made = spliced(
        text,
        place,
        &format!("{end}{indent}{path}{}", if comma.is_some() { "," } else { "" }),
    );
    Some(if comma.is_some() { made } else { spliced(&made, last, ",") })
}

/// Puts a line below the header `[workspace]`; `None` where the table has none.
fn after_the_header(text: &str, line: &str, end: &str) -> Option<String> {
    let mut at = 0;
    for existing in text.split_inclusive('\n') {
        at += existing.len();
        let word = existing.split('#').next().unwrap_or_default();
        if word.split_whitespace().collect::<String>() == "[workspace]" {
            let lead = if existing.ends_with('\n') { "" } else { end };
            return Some(spliced(text, at, &format!("{lead}{line}")));
        }
    }
    None
}

/// Returns where the first comma is that stands in no comment.
fn comma(text: &str) -> Option<usize> {
    let mut in_comment = false;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '#' => in_comment = true,
            '\n' => in_comment = false,
            ',' if !in_comment => return Some(at),
            _ => {}
        }
        None
    })
}

fn spliced(text: &str, at: usize, added: &str) -> String {
    [&text[..at], added, &text[at..]].concat()
}

#[cfg(test)]
mod tests;
