//! Reading and checking a token that a platform provides in a file or a variable.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ferror::Error;

/// Longer than any token that an identity provider or an agent issues.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// Returns the token in a file that the variable `name` names, without the line break at its end.
pub(super) fn read_file(name: &str, path: &Path) -> ferror::Result<String> {
    let unreadable =
        |error| Error::config(format!("{name}: cannot read {}", path.display())).caused_by(error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_TOKEN_BYTES {
        return Err(Error::config(format!(
            "{name}: the file has more than {MAX_TOKEN_BYTES} bytes"
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::config(format!("{name}: the file is not UTF-8")))?;
    let token = text.strip_suffix('\n').unwrap_or(&text);
    let token = token.strip_suffix('\r').unwrap_or(token);
    check(name, token)?;
    Ok(token.to_owned())
}

/// Checks that a token fits into a header: visible ASCII, with blanks inside at most.
pub(super) fn check(name: &str, token: &str) -> ferror::Result<()> {
    let fits = token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if token.is_empty() || !fits || token.trim() != token {
        return Err(Error::config(format!(
            "the token of {name} is empty or holds a control character or a blank at an end"
        ))
        .hint("look for a line break that came along when it was written"));
    }
    Ok(())
}
