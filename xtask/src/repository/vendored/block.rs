//! Our block in `.cargo/config.toml`. The rest of the file is other people's: it is kept byte for
//! byte, so the file is handled as text.

use std::ops::Range;

use ferror::{Error, Result};

const BEGIN: &str =
    "# >>> cargo xtask vendor: `cargo xtask vendor --remove` takes this block out.\n";
const END: &str = "# <<< cargo xtask vendor\n";
/// What a line begins with that opens or closes the block, whatever else it says.
const MARKS: [&str; 2] = ["# >>> cargo xtask vendor", "# <<< cargo xtask vendor"];

/// Whether a configuration has the block.
pub fn is_in(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(MARKS[0]))
}

/// `text` with the block, which says `sources`: where it was, else at the end.
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

/// `text` without the block, and without the empty line that [`with`] put before it.
pub fn without(text: &str) -> Result<String> {
    let Some(range) = range(text)? else { return Ok(text.to_owned()) };
    let (before, after) = (&text[..range.start], &text[range.end..]);
    let before = if before.ends_with("\n\n") { &before[..before.len() - 1] } else { before };
    Ok([before, after].concat())
}

/// The first line outside the block that says where cargo takes sources from, with its number.
pub fn by_hand(text: &str) -> Result<Option<(usize, &str)>> {
    let ours = range(text)?.unwrap_or_default();
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let word: String =
            line.chars().filter(|c| !c.is_whitespace() && !"\"'".contains(*c)).collect();
        let is_source =
            ["[source.", "[source]", "source.", "source="].iter().any(|s| word.starts_with(s));
        if is_source && !ours.contains(&at) {
            return Ok(Some((index + 1, line.trim_end())));
        }
        at += line.len();
    }
    Ok(None)
}

/// Where the block is, marks included.
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
    use super::{by_hand, is_in, with, without};

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
    fn sources_replaced_by_hand_are_seen_in_every_spelling() {
        for line in
            ["[source.crates-io]", "  [ source . \"x\" ]", "source.a.directory = \"v\"", "[source]"]
        {
            let text = with(&format!("[net]\n{line}\n"), SOURCES).unwrap();
            assert_eq!(by_hand(&text).unwrap(), Some((2, line)), "{line}");
        }
        for text in ["", "# [source.crates-io]\n[sources]\n", "[net]\nresource = 1\n"] {
            assert_eq!(by_hand(&with(text, SOURCES).unwrap()).unwrap(), None, "{text}");
        }
    }
}
