//! The repository's files as the tests of its layout and layers read them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{root, run};

/// Every file of the repository, tracked or about to be, as a path below its root. What a symbolic
/// link leads to is listed once, under its own name.
pub(crate) fn files() -> Vec<String> {
    let mut files = listed();
    // What `cargo xtask vendor` copies is other people's code.
    files.retain(|path| is(path, fs::FileType::is_file) && !path.starts_with("vendor/"));
    assert!(!files.is_empty(), "git lists no files: run this in a clone, not in an export");
    files
}

/// Every symbolic link of the repository.
pub(crate) fn links() -> Vec<String> {
    listed().into_iter().filter(|path| is(path, fs::FileType::is_symlink)).collect()
}

fn listed() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listing = run(git.current_dir(root()), "git ls-files").exits(0).stdout;
    listing.split_terminator('\0').map(str::to_owned).collect()
}

/// Whether what has this name is of a kind; what was removed and is still tracked is of none.
fn is(path: &str, kind: fn(&fs::FileType) -> bool) -> bool {
    fs::symlink_metadata(root().join(path)).is_ok_and(|found| kind(&found.file_type()))
}

/// The Rust files below `folder`, path and text.
pub(crate) fn rust_files(folder: &str) -> Vec<(String, String)> {
    let is_rust = |path: &String| {
        path.starts_with(folder) && Path::new(path).extension().is_some_and(|ending| ending == "rs")
    };
    files().into_iter().filter(is_rust).map(|path| (path.clone(), read(&path))).collect()
}

/// A text file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether a file holds nothing but tests and their helpers.
pub(crate) fn is_test(path: &str) -> bool {
    let name = Path::new(path).file_stem().and_then(|name| name.to_str());
    path.contains("/tests/") || name == Some("tests")
}

/// Rust without what is no code: comments and the insides of literals are blanks. Lines stay lines.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => 1 + end_of_text(&rest[1..]),
            'r' if !after_word => raw_text(rest).unwrap_or(0),
            '\'' => character(rest),
            _ => 0,
        };
        let (blank, kept) = if length == 0 { (0, first.len_utf8()) } else { (length, 0) };
        code.extend(rest[..blank].chars().map(|c| if c == '\n' { c } else { ' ' }));
        code.push_str(&rest[blank..blank + kept]);
        rest = &rest[blank + kept..];
    }
    code
}

/// The code of a file above its inline tests.
pub(crate) fn code_without_tests(text: &str) -> String {
    let code = code(text);
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].to_owned()
}

/// Up to and with the quote that closes a text.
fn end_of_text(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    inside.len()
}

/// The length of a raw text, if one begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let inside = rest[1 + hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside.find(&close).map_or(inside.len(), |end| end + close.len());
    Some(rest.len() - inside.len() + end)
}

/// The length of a character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match inside.next() {
        Some('\\') => rest[3..].find('\'').map_or(rest.len(), |end| 3 + end + 1),
        Some(c) if inside.next() == Some('\'') => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// Every path that begins with `root::` in some code, as its first two segments: `use root::a::{b,
/// c::d}` gives `a::b` and `a::c`.
pub(crate) fn paths(code: &str, root: &str) -> Vec<String> {
    let begin = format!("{root}::");
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(&begin) {
        if !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_$:".contains(c)) {
            tree(&code[at + begin.len()..], "", &mut paths);
        }
    }
    paths
}

/// Reads one tree of a path and returns what follows it.
fn tree<'a>(rest: &'a str, above: &str, paths: &mut Vec<String>) -> &'a str {
    let rest = rest.trim_start();
    if let Some(mut list) = rest.strip_prefix('{') {
        while !list.trim_start().starts_with('}') && !list.trim_start().is_empty() {
            list = tree(list, above, paths);
            // Past `as other` and the comma.
            list = list.find([',', '}']).map_or("", |end| list[end..].trim_start_matches(','));
        }
        let list = list.trim_start();
        return list.strip_prefix('}').unwrap_or(list);
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    // What is no name, as `*`, is a segment of its own, so that every turn moves on.
    let end = if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end };
    let (segment, after) = rest.split_at(end);
    let path = match (above, segment) {
        ("", segment) => segment.to_owned(),
        (above, "self") => above.to_owned(),
        (above, segment) => format!("{above}::{segment}"),
    };
    match after.strip_prefix("::") {
        Some(below) if !path.contains("::") => tree(below, &path, paths),
        Some(below) => {
            paths.push(path);
            tree(below, "", &mut Vec::new())
        }
        None => {
            paths.push(path);
            after
        }
    }
}

#[test]
fn code_is_what_is_neither_comment_nor_literal() {
    let rows = [
        ("a // b\nc", "a     \nc"),
        ("a /* b */ c", "a         c"),
        (r#"f("a\"b", x)"#, "f(      , x)"),
        (r##"f(r#"a"b"#, x)"##, "f(        , x)"),
        ("('a', '\\'', '\"', \"x\")", "(   ,     ,    ,    )"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
    ];
    for (text, expected) in rows {
        let (code, expected) = (code(text), expected.trim_end());
        assert_eq!(
            code.split_whitespace().collect::<Vec<_>>(),
            expected.split_whitespace().collect::<Vec<_>>(),
            "{text}"
        );
        assert_eq!(code.len(), text.len(), "{text}: blanks keep their place");
    }
}

#[test]
fn paths_are_read_through_braces() {
    let rows = [
        ("use crate::env::Env;", "env::Env"),
        ("use crate::ui::{self, Ui};", "ui ui::Ui"),
        ("use crate::{a, b::C, d::{e::F, g}};", "a b::C d::e d::g"),
        ("use crate::{\n    a::{B, C as D},\n    e,\n};", "a::B a::C e"),
        ("crate::files::sha256(crate::git::read(x)?)", "files::sha256 git::read"),
        ("use crate::a::*;", "a::*"),
        ("supercrate::a; $crate::b;", ""),
    ];
    for (code, expected) in rows {
        assert_eq!(paths(code, "crate").join(" "), expected, "{code}");
    }
}
