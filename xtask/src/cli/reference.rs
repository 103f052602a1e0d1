//! The reference page of the command line, `docs/reference.md`: every help text, and the environment.

use std::fmt::Write as _;

use crate::cli::{help, table};
use crate::system::env::VARIABLES;

/// Returns the page in Markdown.
pub fn page() -> String {
    let verbs = table::verbs();
    let mut page = format!(
        "# Command line\n\n\
         Written by `cargo xtask reference > docs/reference.md`, from the table in \
         `xtask/src/cli/table`.\n\n\
         ```text\n{}```\n",
        help::main(&verbs)
    );
    for verb in help::shown(&verbs) {
        let _ = write!(page, "\n## cargo xtask {}\n\n```text\n{}```\n", verb.name, help::of(verb));
    }
    page.push_str(
        "\n## Environment variables\n\n\
         A variable that is blank counts as unset. Not listed are the proxy variables, which \
         [Proxies](proxies.md) has, and what git, cargo and other programs read themselves.\n\n\
         | variable | meaning |\n|---|---|\n",
    );
    for (name, meaning) in VARIABLES {
        let _ = writeln!(page, "| `{name}` | {} |", meaning.replace('*', "\\*"));
    }
    page
}
