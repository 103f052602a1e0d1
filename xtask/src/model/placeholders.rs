//! Templates: text -> text, with a value for every `@NAME@`.
//!
//! The form is one that no file of ours gives another meaning: `$` belongs to shells and TOML keys,
//! `{{` to Jinja and to CI files, `<<` and `${{` to CI files. A name that is not known is an
//! error: nothing is left in silently.

use ferror::{Error, Kind, Result};

/// A placeholder's name, without its marks, and what stands for it.
pub type Value<'a> = (&'a str, &'a str);

/// Puts `values` into `template`. A placeholder is `@`, capitals and underscores, `@`; any other `@`
/// is itself. A line that holds nothing but a placeholder whose value is empty goes away.
///
/// Fails with [`Kind::Bug`] on a name that is not among `values`: templates are ours.
pub fn render(template: &str, values: &[Value<'_>]) -> Result<String> {
    let mut text = String::with_capacity(template.len());
    for line in template.split_inclusive('\n') {
        let rendered = render_line(line, values)?;
        let is_placeholder =
            || names(line).next().is_some_and(|name| line.trim() == format!("@{name}@"));
        if !rendered.trim().is_empty() || line.trim().is_empty() || !is_placeholder() {
            text.push_str(&rendered);
        }
    }
    Ok(text)
}

/// Returns the names of the placeholders in a text.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (before, name) = next(rest)?;
        rest = &rest[before.len() + name.len() + 2..];
        Some(name)
    })
}

fn render_line(line: &str, values: &[Value<'_>]) -> Result<String> {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, name)) = next(rest) {
        let (_, value) = values.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            Error::new(Kind::Bug, format!("a template asks for @{name}@, which has no value"))
        })?;
        text.push_str(before);
        text.push_str(value);
        rest = &rest[before.len() + name.len() + 2..];
    }
    text.push_str(rest);
    Ok(text)
}

/// Returns the text before the first placeholder, and its name.
fn next(text: &str) -> Option<(&str, &str)> {
    let fits = |c: char| c.is_ascii_uppercase() || c == '_';
    text.match_indices('@').find_map(|(at, _)| {
        let (name, _) = text[at + 1..].split_once('@')?;
        (!name.is_empty() && name.chars().all(fits)).then(|| (&text[..at], name))
    })
}

#[cfg(test)]
mod tests {
    use super::{names, render};

    const VALUES: &[(&str, &str)] = &[("NAME", "odd-job"), ("S_B", "b@NAME@"), ("NONE", "")];

    #[test]
    fn placeholders_get_their_values_and_everything_else_stays() {
        for (template, expected) in [
            ("", ""),
            ("a @NAME@ b", "a odd-job b"),
            ("@NAME@@NAME@/@S_B@\n", "odd-jobodd-job/b@NAME@\n"),
            ("git@host @Name@ @ @@ @name@ a@b.c", "git@host @Name@ @ @@ @name@ a@b.c"),
            ("@@NAME@", "@odd-job"),
            ("$NAME ${{ NAME }} {{ NAME }} << NAME >>", "$NAME ${{ NAME }} {{ NAME }} << NAME >>"),
            ("a\n@NONE@\nb @NONE@\n\n", "a\nb \n\n"),
            ("  @NONE@\n", ""),
        ] {
            assert_eq!(render(template, VALUES).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let error = render("a @NAME@ @NAMES@", VALUES).unwrap_err().to_string();
        assert!(error.contains("@NAMES@"), "{error}");
        assert_eq!(names("@A@ @b@ x@C_D@").collect::<Vec<_>>(), ["A", "C_D"]);
    }
}
