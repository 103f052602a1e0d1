//! Suggests the word that someone who mistyped one may have meant.

/// Returns the one of `known` that is most similar to `given`: at most two letters, and at most half of the word,
/// are added, missing, replaced or swapped. `None` where there is no such word, or there are several.
///
/// Of a path (`services/janitor/`), the last part counts: a shell completes the folder's name.
pub fn similar<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = given.trim_end_matches('/').rsplit('/').next().unwrap_or(given);
    let most = 2.min(name.chars().count() / 2);
    let mut near: Vec<_> = known
        .into_iter()
        .map(|word| (distance(name, word), word))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    match near.as_slice() {
        [(one, _), (other, _), ..] if one == other => None,
        [(_, word), ..] => Some(word),
        [] => None,
    }
}

/// Returns "did you mean ...? " with the name in `known` that is most like `given`, to be followed
/// by the list of names; empty if none is similar.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    similar(given, known).map_or_else(String::new, |word| format!("did you mean `{word}`? "))
}

/// Counts the letters that have to be put in, taken out, replaced or swapped with their neighbour (the
/// optimal string alignment distance).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<_>, Vec<_>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, similar};

    #[test]
    fn a_slip_has_one_near_word() {
        let verbs = ["dist", "upload", "ship", "setup", "ci", "stamp", "help"];
        for (given, expected) in [
            ("dits", Some("dist")),
            ("dst", Some("dist")),
            ("uplaod", Some("upload")),
            ("ic", Some("ci")),
            ("set-up", Some("setup")),
            ("xtask/ship", Some("ship")),
            ("services/dist/", Some("dist")),
            ("cx", Some("ci")),
            // Two words in reach, the nearer one is meant; then what is too far from any, or too short.
            ("shelp", Some("help")),
            ("hhip", Some("ship")),
            ("build", None),
            ("x", None),
            ("xy", None),
            ("", None),
            ("/", None),
            ("Größe", None),
        ] {
            assert_eq!(similar(given, verbs), expected, "{given:?}");
        }
        assert_eq!(similar("beat", ["beta", "bear"]), None, "two are as near");
        assert_eq!(similar("beta", ["beta", "bets"]), Some("beta"));
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("abcd", "badc", 2),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(from, to), expected, "{from:?} {to:?}");
            assert_eq!(distance(to, from), expected, "{to:?} {from:?}");
        }
    }
}
