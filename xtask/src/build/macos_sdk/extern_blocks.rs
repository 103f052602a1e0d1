//! Reads from Rust source which symbols it declares in `extern` blocks, and in which libraries.
//!
//! This goes by words and brackets alone. So it sees into macros and functions, and needs no parser of the whole
//! language, which would be one of the largest crates that xtask compiles.

/// A library that code links: what `#[link(name = "…", kind = "…")]` says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Library {
    /// Its name, as a linker takes it: `CoreFoundation`, `z`.
    pub name: String,
    /// Whether it is a framework.
    pub is_framework: bool,
}

/// What one file declares.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Externs {
    /// The libraries that it links, wherever it says so.
    pub libraries: Vec<Library>,
    /// The functions and variables that it declares, as linkers name them in C, each with the libraries that its
    /// block links.
    pub symbols: Vec<(String, Vec<Library>)>,
}

/// Reads one file.
///
/// What its attributes leave out on macOS does not count. Attributes that depend on anything else are ignored.
pub fn read(source: &str) -> Externs {
    let tokens = tokens(source);
    let mut externs = Externs::default();
    let mut attributes = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = attribute(&tokens, at) {
            attributes.push(&tokens[at + 2..end]);
            at = end + 1;
            continue;
        }
        let abi = usize::from(matches!(tokens.get(at + 1), Some(Token::Text(_))));
        let open = at + 1 + abi;
        if tokens[at] == Token::Word("extern") && tokens.get(open) == Some(&Token::Mark('{')) {
            let end = closing(&tokens, open);
            if attributes.iter().all(|attribute| is_for_macos(attribute)) {
                let libraries: Vec<_> = attributes.iter().flat_map(|a| libraries(a)).collect();
                read_block(&tokens[open + 1..end], &libraries, &mut externs);
                externs.libraries.extend(libraries);
            }
            attributes.clear();
            at = end;
        } else if tokens[at] != Token::Word("unsafe") {
            attributes.clear();
        }
        at += 1;
    }
    externs.libraries.sort();
    externs.libraries.dedup();
    externs
}

fn read_block(block: &[Token], libraries: &[Library], externs: &mut Externs) {
    let mut attributes = Vec::new();
    let mut at = 0;
    while at < block.len() {
        if let Some(end) = attribute(block, at) {
            attributes.push(&block[at + 2..end]);
            at = end + 1;
            continue;
        }
        let name = match &block[at..] {
            [Token::Word("static"), Token::Word("mut"), Token::Word(name), ..]
            | [Token::Word("fn" | "static"), Token::Word(name), ..] => Some(name),
            _ => None,
        };
        if let Some(name) = name {
            if attributes.iter().all(|attribute| is_for_macos(attribute)) {
                let renamed = attributes.iter().find_map(|attribute| link_name(attribute));
                let name = renamed.unwrap_or_else(|| (*name).to_owned());
                externs.symbols.push((name, libraries.to_vec()));
            }
            // Its type may have braces and semicolons: `[u8; 4]`.
            while !matches!(block.get(at), None | Some(Token::Mark(';'))) {
                at = if opens(&block[at]) { closing(block, at) } else { at } + 1;
            }
        }
        // What else stands here is a type, a visibility, or the call of a macro.
        if matches!(block.get(at), Some(Token::Mark(';'))) {
            attributes.clear();
        }
        at += 1;
    }
}

/// Returns where the attribute ends that begins at `at`, if one does.
fn attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let begins = tokens[at..].starts_with(&[Token::Mark('#'), Token::Mark('[')]);
    begins.then(|| closing(tokens, at + 1))
}

/// Returns the libraries that an attribute links: `link(name = "x", kind = "framework")`, which may stand in a
/// `cfg_attr`.
fn libraries(attribute: &[Token]) -> Vec<Library> {
    if let [Token::Word("cfg_attr"), Token::Mark('('), inner @ ..] = attribute
        && parts(inner).next().and_then(holds) == Some(false)
    {
        return Vec::new();
    }
    let starts = attribute.windows(2).enumerate().filter_map(|(at, pair)| {
        (pair == [Token::Word("link"), Token::Mark('(')]).then_some(at + 1)
    });
    let mut libraries = Vec::new();
    for start in starts {
        let list = &attribute[start..closing(attribute, start)];
        let value = |name| {
            list.windows(3).find_map(|three| match three {
                [Token::Word(word), Token::Mark('='), Token::Text(text)] if *word == name => {
                    Some(*text)
                }
                _ => None,
            })
        };
        if let Some(name) = value("name") {
            let is_framework = value("kind") == Some("framework");
            libraries.push(Library { name: name.to_owned(), is_framework });
        }
    }
    libraries
}

/// Returns the name that an attribute gives to a symbol: `link_name = "x"`. Where it begins with the byte 1, no
/// underscore is put before it; then it has the one that all symbols of C have on macOS.
fn link_name(attribute: &[Token]) -> Option<String> {
    let [Token::Word("link_name"), Token::Mark('='), Token::Text(name)] = attribute else {
        return None;
    };
    let whole = ["\\u{1}", "\\x01", "\u{1}"].iter().find_map(|mark| name.strip_prefix(mark));
    Some(whole.map_or(*name, |name| name.strip_prefix('_').unwrap_or(name)).to_owned())
}

/// Returns whether an attribute, if it is a `cfg`, can hold on macOS as far as it speaks of the system.
fn is_for_macos(attribute: &[Token]) -> bool {
    let [Token::Word("cfg"), condition @ ..] = attribute else { return true };
    holds(condition.get(1..condition.len() - 1).unwrap_or_default()).unwrap_or(true)
}

/// Evaluates a condition; `None` where it depends on something else than the system.
fn holds(condition: &[Token]) -> Option<bool> {
    match condition {
        [Token::Word("target_os"), Token::Mark('='), Token::Text(os), ..] => Some(*os == "macos"),
        [Token::Word("target_vendor"), Token::Mark('='), Token::Text(vendor), ..] => {
            Some(*vendor == "apple")
        }
        [Token::Word("unix"), ..] => Some(true),
        [Token::Word("windows"), ..] => Some(false),
        [Token::Word(word @ ("not" | "any" | "all")), Token::Mark('('), ..] => {
            let inner = &condition[2..closing(condition, 1)];
            let parts: Vec<_> = parts(inner).map(holds).collect();
            match *word {
                "not" => parts.first().copied().flatten().map(|holds| !holds),
                "any" if parts.contains(&Some(true)) => Some(true),
                "any" if parts.iter().all(|part| *part == Some(false)) => Some(false),
                "all" if parts.contains(&Some(false)) => Some(false),
                "all" if parts.iter().all(|part| *part == Some(true)) => Some(true),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Splits at the commas that stand in no brackets.
fn parts<'a, 't>(tokens: &'a [Token<'t>]) -> impl Iterator<Item = &'a [Token<'t>]> {
    let mut depth = 0_usize;
    tokens.split(move |token| {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *token == Token::Mark(',')
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    /// A keyword, a name or a number.
    Word(&'t str),
    /// What stands between the quotes of a string.
    Text(&'t str),
    Mark(char),
}

fn opens(token: &Token) -> bool {
    matches!(token, Token::Mark('(' | '[' | '{'))
}

/// Returns where the bracket at `open` is closed, or the end.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if opens(token) {
            depth += 1;
        } else if matches!(token, Token::Mark(')' | ']' | '}')) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

/// Cuts source into words, strings and marks, without comments, characters and lifetimes.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if first == '"' {
            let (text, length) = string(rest);
            tokens.push(Token::Text(text));
            length
        } else if first == '\'' {
            character(rest)
        } else if is_of_word(first) {
            let word = &rest[..rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())];
            let after = &rest[word.len()..];
            let raw = ["r", "br", "cr"].contains(&word).then(|| raw_string(after)).flatten();
            let prefixes_string = ["b", "c"].contains(&word) && after.starts_with('"');
            if let Some((text, length)) = raw {
                tokens.push(Token::Text(text));
                word.len() + length
            } else {
                if !prefixes_string {
                    tokens.push(Token::Word(word));
                }
                word.len()
            }
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Mark(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Returns the length of the comment, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let step = &text.as_bytes()[at..];
        if step.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if step.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Returns what stands between the quotes, and the length with them.
fn string(text: &str) -> (&str, usize) {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return (&text[1..at], at + 1),
            _ => {}
        }
    }
    (&text[1..], text.len())
}

/// Reads `#"…"#` with any number of `#`.
fn raw_string(text: &str) -> Option<(&str, usize)> {
    let marks = text.len() - text.trim_start_matches('#').len();
    let inner = text[marks..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(marks));
    let length = inner.find(&end)?;
    Some((&inner[..length], marks + 1 + length + end.len()))
}

/// Returns the length of `'a'` or `'\n'`, or of the quote alone where it begins a lifetime.
fn character(text: &str) -> usize {
    let mut rest = text.char_indices().skip(1);
    let Some((_, first)) = rest.next() else { return 1 };
    if first == '\\' {
        rest.next();
        return rest.find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1);
    }
    match rest.next() {
        Some((at, '\'')) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Library, read};

    #[test]
    fn declarations_are_found_with_the_libraries_of_their_block() {
        // source, libraries, symbols
        let rows = [
            (
                r#"#[link(name = "CoreFoundation", kind = "framework")]
                   extern "C" { pub fn CFRelease(cf: *const c_void); pub static kCFNull: [u8; 4]; }"#,
                "framework CoreFoundation",
                "CFRelease=CoreFoundation kCFNull=CoreFoundation",
            ),
            (
                r#"#[link(name = "z")] unsafe extern { safe fn crc32() -> u32; static mut x: u8; }"#,
                "library z",
                "crc32=z x=z",
            ),
            (
                r#"#[cfg_attr(target_vendor = "apple", link(name = "IOKit", kind = "framework"))]
                   extern "C" {}
                   fn f() { extern "C-unwind" { fn IOServiceMatching(); } unsafe { IOServiceMatching() } }"#,
                "framework IOKit",
                "IOServiceMatching=",
            ),
            (
                r#"extern "C" { #[link_name = "\u{1}_real"] fn a(); #[link_name = "other"] static b: u8; }"#,
                "",
                "real= other=",
            ),
            (
                r#"extern "C" {
                     #[cfg(target_os = "ios")] fn no();
                     #[cfg(any(target_os = "ios", target_os = "macos"))] fn yes();
                     #[cfg(not(target_os = "macos"))] fn no();
                     #[cfg(all(feature = "x", unix))] fn perhaps();
                     type T; fn last(f: extern "C" fn(u8) -> u8);
                   }
                   #[cfg(windows)] #[link(name = "kernel32")] extern "system" { fn no(); }"#,
                "",
                "yes= perhaps= last=",
            ),
            (
                "// extern \"C\" { fn a(); }\n/* /* extern \"C\" { fn b(); } */ fn */ const C: char = '\"';
                 const Q: char = '\\''; fn f<'a>(x: &'a str) -> &'a str { r#\"extern \"C\" { fn d(); }\"# }
                 extern crate alloc; extern \"C\" fn callback() {} extern \"C\" { fn e(); }",
                "",
                "e=",
            ),
            (
                r#"#[cfg_attr(target_os = "macos", link(name = "AppKit", kind = "framework"))]
                   #[cfg_attr(any(target_os = "ios", windows), link(name = "UIKit", kind = "framework"))]
                   extern "C" { fn f(); }"#,
                "framework AppKit",
                "f=AppKit",
            ),
            ("extern \"C\" { fn unfinished(", "", "unfinished="),
        ];
        for (source, libraries, symbols) in rows {
            let externs = read(source);
            let shown: Vec<_> = externs.libraries.iter().map(kind_and_name).collect();
            assert_eq!(shown.join(" "), libraries, "{source}");
            let show = |(name, libraries): &(String, Vec<Library>)| {
                let names: Vec<_> = libraries.iter().map(|library| &*library.name).collect();
                format!("{name}={}", names.join(","))
            };
            let shown: Vec<_> = externs.symbols.iter().map(show).collect();
            assert_eq!(shown.join(" "), symbols, "{source}");
        }
    }

    fn kind_and_name(library: &Library) -> String {
        let kind = if library.is_framework { "framework" } else { "library" };
        format!("{kind} {}", library.name)
    }
}
