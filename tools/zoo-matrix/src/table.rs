//! Writes the table of results into a Markdown page.

use std::fmt::Write as _;
use std::path::Path;

use ferror::{Error, Result};

use crate::cannot;
use crate::results::Outcome;
use crate::services::Service;

const BEGIN: &str = "<!-- the zoo's table: written by `cargo run -p zoo -- matrix` -->";
const END: &str = "<!-- end of the zoo's table -->";

/// Finds the result of a service for a platform.
type Find<'a> = dyn Fn(&Service, &str) -> Option<Outcome> + 'a;

/// Replaces what stands between the two markers of the page.
pub(crate) fn write(
    page: &Path,
    services: &[Service],
    platforms: &[&str],
    find: &Find<'_>,
) -> Result<()> {
    let shown = page.display().to_string();
    let text = std::fs::read_to_string(page).map_err(cannot(shown.clone()))?;
    let text = replaced(&text, &table(services, platforms, find)).ok_or_else(|| {
        Error::config(format!("{shown} has no place for the table"))
            .hint(format!("it needs the two lines `{BEGIN}` and `{END}`, in this order"))
    })?;
    std::fs::write(page, text).map_err(cannot(shown))
}

/// Returns the page with another text between its markers.
fn replaced(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

/// Returns the counts, the table and its notes. Platforms without any result are left out.
fn table(services: &[Service], platforms: &[&str], find: &Find<'_>) -> String {
    let tried = |platform: &&str| services.iter().any(|service| find(service, platform).is_some());
    let platforms: Vec<_> = platforms.iter().copied().filter(tried).collect();
    let mut text = "| platform | services | built | of these ran |\n|---|---|---|---|\n".to_owned();
    for platform in &platforms {
        let outcomes: Vec<_> =
            services.iter().filter_map(|service| find(service, platform)).collect();
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|one| is(one)).count();
        let built = count(|outcome| matches!(outcome, Outcome::Ran(_) | Outcome::Built));
        let ran = count(|outcome| matches!(outcome, Outcome::Ran(_)));
        let percent = built * 100 / outcomes.len();
        let _ =
            writeln!(text, "| {platform} | {} | {built} ({percent} %) | {ran} |", outcomes.len());
    }
    let mut notes: Vec<String> = Vec::new();
    let _ = write!(text, "\n| crate | kind | what the service does |");
    for platform in &platforms {
        let _ = write!(text, " {platform} |");
    }
    let _ = writeln!(text, "\n|---|---|---|{}", "---|".repeat(platforms.len()));
    for service in services {
        let uses = service.uses.replace('|', "\\|");
        let _ = write!(text, "| {uses} | {} | {} |", service.kind, service.proves);
        for platform in &platforms {
            let cell = cell(service, platform, find(service, platform), &mut notes);
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for (index, note) in notes.iter().enumerate() {
        let _ = writeln!(text, "{}. {note}", index + 1);
    }
    text
}

/// Returns a cell, and adds its note where it needs one.
fn cell(
    service: &Service,
    platform: &str,
    outcome: Option<Outcome>,
    notes: &mut Vec<String>,
) -> String {
    let note = match outcome {
        None => return String::new(),
        Some(Outcome::Ran(_)) => return "ran".to_owned(),
        Some(Outcome::Built) => return "yes".to_owned(),
        Some(Outcome::NotBuilt(error)) => match service.reason(platform) {
            Some(reason) => reason.to_owned(),
            None => format!("Not built, which nobody expected: `{}`", in_one_line(&error)),
        },
        Some(Outcome::NotRight(error)) => format!("Built, but {}", in_one_line(&error)),
    };
    let index = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
        notes.push(note);
        notes.len() - 1
    });
    format!("no: {}", index + 1)
}

fn in_one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{BEGIN, END, replaced, table};
    use crate::results::Outcome;
    use crate::services::Service;

    fn service(name: &str) -> Service {
        let no = BTreeMap::from([("darwin_arm64".to_owned(), "No SDK.".to_owned())]);
        let text = |what: &str| format!("{what} of {name}");
        Service {
            name: name.to_owned(),
            uses: text("crate"),
            kind: text("kind"),
            proves: text("proof"),
            prints: String::new(),
            no,
        }
    }

    #[test]
    fn cells_counts_and_notes_follow_from_the_results() {
        let services = [service("a"), service("b"), service("c")];
        let find = |service: &Service, platform: &str| match (service.name.as_str(), platform) {
            ("a", "linux_amd64") => Some(Outcome::Ran("x".to_owned())),
            ("b", "linux_amd64") => Some(Outcome::NotRight("it\nprints `y`".to_owned())),
            ("c", "linux_amd64") | ("a" | "b", "darwin_arm64") => {
                Some(Outcome::NotBuilt("error: z".to_owned()))
            }
            ("c", "darwin_arm64") => Some(Outcome::Built),
            _ => None,
        };
        let platforms = ["linux_amd64", "linux_arm64", "darwin_arm64"];
        let expected = "\
| platform | services | built | of these ran |
|---|---|---|---|
| linux_amd64 | 3 | 1 (33 %) | 1 |
| darwin_arm64 | 3 | 1 (33 %) | 0 |

| crate | kind | what the service does | linux_amd64 | darwin_arm64 |
|---|---|---|---|---|
| crate of a | kind of a | proof of a | ran | no: 1 |
| crate of b | kind of b | proof of b | no: 2 | no: 1 |
| crate of c | kind of c | proof of c | no: 3 | yes |

1. No SDK.
2. Built, but it prints 'y'
3. Not built, which nobody expected: `error: z`
";
        assert_eq!(table(&services, &platforms, &find), expected);
    }

    #[test]
    fn the_page_around_the_table_stays() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let new = format!("# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n");
        assert_eq!(replaced(&page, "new\n"), Some(new.clone()));
        assert_eq!(replaced(&new, "new\n"), Some(new));
        assert_eq!(replaced("# Title\n", "new\n"), None);
    }
}
