//! Asks a person at the terminal, on stderr, since stdout is for results.

use std::io::{BufRead, Write};

use anyhow::Context as _;
use ferror::{Error, Result};

/// Asks `question [default]: ` until the answer passes `check`. An empty answer means the default.
///
/// Fails with [`ferror::Kind::Usage`] where the input ends first.
pub fn ask(
    question: &str,
    default: &str,
    check: impl Fn(&str) -> Result<()>,
    from: &mut dyn BufRead,
    to: &mut dyn Write,
) -> anyhow::Result<String> {
    loop {
        write!(to, "{question} [{default}]: ").and_then(|()| to.flush()).context("asking")?;
        let mut line = String::new();
        let read = from.read_line(&mut line).context("reading an answer")?;
        if read == 0 {
            let _ = writeln!(to);
            return Err(
                Error::usage(format!("no answer to `{question}`: nothing was written")).into()
            );
        }
        let answer = match line.trim() {
            "" => default,
            answer => answer,
        };
        match check(answer) {
            Ok(()) => return Ok(answer.to_owned()),
            Err(error) => writeln!(to, "{error}").context("asking")?,
        }
    }
}

/// Asks a question that is answered by `y` or `yes`; any other answer, and the end of the input, mean no.
pub fn confirm(question: &str) -> bool {
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}

#[cfg(test)]
mod tests {
    use ferror::Error;

    use super::ask;

    #[test]
    fn a_question_is_repeated_until_its_answer_passes_the_check() {
        let check = |answer: &str| match answer {
            "bad" => Err(Error::usage("that is bad")),
            _ => Ok(()),
        };
        for (typed, expected, said) in [
            ("\n", Some("oddjob"), "name [oddjob]: "),
            (" good \nrest\n", Some("good"), "name [oddjob]: "),
            ("bad\n\n", Some("oddjob"), "name [oddjob]: that is bad\nname [oddjob]: "),
            ("good", Some("good"), "name [oddjob]: "),
            ("", None, "name [oddjob]: \n"),
            ("bad\n", None, "name [oddjob]: that is bad\nname [oddjob]: \n"),
        ] {
            let mut shown = Vec::new();
            let answer = ask("name", "oddjob", check, &mut typed.as_bytes(), &mut shown);
            assert_eq!(answer.ok().as_deref(), expected, "{typed:?}");
            assert_eq!(String::from_utf8(shown).unwrap(), said, "{typed:?}");
        }
    }
}
