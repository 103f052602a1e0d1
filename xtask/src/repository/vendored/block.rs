//! Edits the block in `.cargo/config.toml` that makes cargo read vendored sources. The rest of the file is
//! the team's and is kept byte for byte, so the file is edited as text.

use std::ops::Range;

use ferror::{Error, Result};

const BEGIN: &str =
    "# >>> cargo xtask vendor: `cargo xtask vendor --remove` takes this block out.\n";
const END: &str = "# <<< cargo xtask vendor\n";
/// The beginnings of the lines that open and close the block; what follows on those lines does not matter.
const MARKS: [&str; 2] = ["# >>> cargo xtask vendor", "# <<< cargo xtask vendor"];

/// Returns whether a configuration has the block.
pub fn is_in(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(MARKS[0]))
}

/// Puts the block with the content `sources` into `text`: in place of an earlier block, else at the end.
pub fn with(text: &str, sources: &str) -> Result<String> {
    let block = format!("{BEGIN}{}\n{END}", sources.trim_end());
    Ok(match range(text)? {
        Some(range) => [&text[..range.start], &block, &text[range.end..]].concat(),
        None if text.is_empty() => block,
        None => {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{end}\n{block}")
        }
    })
}

/// Removes the block, and the empty line that [`with`] put before it.
pub fn without(text: &str) -> Result<String> {
    let Some(range) = range(text)? else { return Ok(text.to_owned()) };
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let before = if before.ends_with("\n\n") { &before[..before.len() - 1] } else { before };
    Ok([before, after].concat())
}

/// Finds the first line outside the block that replaces sources, with its number.
pub fn find_handwritten(text: &str) -> Result<Option<(usize, &str)>> {
    let block = range(text)?.unwrap_or_default();
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let word: String =
            line.chars().filter(|c| !c.is_whitespace() && !"\"'".contains(*c)).collect();
        let is_source =
            ["[source.", "[source]", "source.", "source="].iter().any(|s| word.starts_with(s));
        if is_source && !block.contains(&at) {
            return Ok(Some((index + 1, line.trim_end())));
        }
        at += line.len();
    }
    Ok(None)
}

/// Finds the block, with the lines that open and close it.
fn range(text: &str) -> Result<Option<Range<usize>>> {
    let (mut at, mut begin) = (0, None);
    for line in text.split_inclusive('\n') {
        if line.starts_with(MARKS[0]) {
            begin = Some(at);
        }
        at += line.len();
        if let (Some(begin), true) = (begin, line.starts_with(MARKS[1])) {
            return Ok(Some(begin..at));
        }
    }
    match begin {
        None => Ok(None),
        Some(_) => Err(Error::config(format!(
            ".cargo/config.toml: the block that begins with `{}` has no end",
            BEGIN.trim_end()
        ))
        .hint(format!("write `{}` below its last line", END.trim_end()))),
    }
}

#[cfg(test)]
mod tests {
    use super::{find_handwritten, is_in, with, without};

    const SOURCES: &str = "[source.crates-io]\nreplace-with = \"vendored-sources\"\n";

    #[test]
    fn the_rest_of_the_file_is_kept_byte_for_byte() {
        for text in ["", "[alias]\nx = \"run\"\n", "# a\n\n\n[build]\n\tjobs = 2\r\n", "[net]\n\n"]
        {
            let made = with(text, SOURCES).unwrap();
            assert!(made.starts_with(text) && is_in(&made) && !is_in(text), "{made}");
            assert_eq!(with(&made, SOURCES).unwrap(), made, "again");
            assert_eq!(without(&made).unwrap(), text);
            let followed = format!("{made}[term]\nquiet = true\n");
            let other = with(&followed, "[source.other]\n").unwrap();
            assert!(
                other.ends_with("[source.other]\n# <<< cargo xtask vendor\n[term]\nquiet = true\n")
            );
            assert_eq!(without(&followed).unwrap(), format!("{text}[term]\nquiet = true\n"));
        }
        let error = without("# >>> cargo xtask vendor\n[source.x]\n").unwrap_err();
        assert!(error.to_string().contains("has no end"), "{error}");
    }

    #[test]
    fn handwritten_replacements_are_found_in_every_spelling() {
        for line in
            ["[source.crates-io]", "  [ source . \"x\" ]", "source.a.directory = \"v\"", "[source]"]
        {
            let text = with(&format!("[net]\n{line}\n"), SOURCES).unwrap();
            assert_eq!(find_handwritten(&text).unwrap(), Some((2, line)), "{line}");
        }
        for text in ["", "# [source.crates-io]\n[sources]\n", "[net]\nresource = 1\n"] {
            assert_eq!(find_handwritten(&with(text, SOURCES).unwrap()).unwrap(), None, "{text}");
        }
    }
}
