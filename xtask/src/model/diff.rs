//! Shows a change of a text as a unified diff, as `git apply` takes it.

use std::fmt::Write as _;

/// The number of unchanged lines that are shown before and after a change.
const CONTEXT: usize = 3;

/// A line of an edit script, as places in the old and the new text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Same(usize, usize),
    Gone(usize),
    New(usize),
}

/// Returns the diff of a file from `old` to `new`; `None` is a file that does not exist. Empty where nothing changes.
pub fn unified(path: &str, old: Option<&str>, new: &str) -> String {
    if old == Some(new) {
        return String::new();
    }
    let (before, after) = (lines(old.unwrap_or_default()), lines(new));
    let mut diff = format!("diff --git a/{path} b/{path}\n");
    match old {
        Some(_) => {
            let _ = writeln!(diff, "--- a/{path}\n+++ b/{path}");
        }
        None => {
            let _ = writeln!(diff, "new file mode 100644\n--- /dev/null\n+++ b/{path}");
        }
    }
    let script = script(&before, &after);
    for hunk in hunks(&script) {
        write_hunk(&mut diff, &script[hunk], &before, &after);
    }
    diff
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Finds a shortest edit script, by Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986).
fn script(before: &[&str], after: &[&str]) -> Vec<Line> {
    let (n, m) = (before.len(), after.len());
    let offset = n + m + 1;
    // The furthest place in `before` on each diagonal, for each number of edits.
    let mut reached = vec![0_usize; 2 * offset + 1];
    let mut history = Vec::new();
    'search: for edits in 0..=n + m {
        history.push(reached.clone());
        for diagonal in (offset - edits..=offset + edits).step_by(2) {
            let is_down = diagonal == offset - edits
                || (diagonal != offset + edits && reached[diagonal - 1] < reached[diagonal + 1]);
            let mut x = if is_down { reached[diagonal + 1] } else { reached[diagonal - 1] + 1 };
            let mut y = x + offset - diagonal;
            while x < n && y < m && before[x] == after[y] {
                (x, y) = (x + 1, y + 1);
            }
            reached[diagonal] = x;
            if x >= n && y >= m {
                break 'search;
            }
        }
    }
    backtrack(&history, n, m, offset)
}

fn backtrack(history: &[Vec<usize>], n: usize, m: usize, offset: usize) -> Vec<Line> {
    let (mut x, mut y, mut script) = (n, m, Vec::new());
    for (edits, reached) in history.iter().enumerate().rev() {
        let diagonal = x + offset - y;
        let is_down = diagonal == offset - edits
            || (diagonal != offset + edits && reached[diagonal - 1] < reached[diagonal + 1]);
        let from = if is_down { diagonal + 1 } else { diagonal - 1 };
        let (from_x, from_y) = match edits {
            0 => (0, 0),
            _ => (reached[from], reached[from] + offset - from),
        };
        while x > from_x && y > from_y {
            (x, y) = (x - 1, y - 1);
            script.push(Line::Same(x, y));
        }
        if edits > 0 {
            script.push(if is_down { Line::New(from_y) } else { Line::Gone(from_x) });
            (x, y) = (from_x, from_y);
        }
    }
    script.reverse();
    script
}

/// Groups the changes with the lines around them.
fn hunks(script: &[Line]) -> Vec<std::ops::Range<usize>> {
    let mut hunks: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in script.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(..))) {
        let (from, to) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(script.len()));
        match hunks.last_mut() {
            Some(last) if last.end >= from => last.end = to,
            _ => hunks.push(from..to),
        }
    }
    hunks
}

fn write_hunk(diff: &mut String, hunk: &[Line], before: &[&str], after: &[&str]) {
    let old = hunk.iter().filter_map(|line| match line {
        Line::Same(x, _) | Line::Gone(x) => Some(*x),
        Line::New(_) => None,
    });
    let new = hunk.iter().filter_map(|line| match line {
        Line::Same(_, y) | Line::New(y) => Some(*y),
        Line::Gone(_) => None,
    });
    let range = |places: &mut dyn Iterator<Item = usize>| match places.next() {
        None => "0,0".to_owned(),
        Some(first) => format!("{},{}", first + 1, places.count() + 1),
    };
    let _ =
        writeln!(diff, "@@ -{} +{} @@", range(&mut old.into_iter()), range(&mut new.into_iter()));
    for line in hunk {
        let (sign, text) = match line {
            Line::Same(x, _) => (' ', before[*x]),
            Line::Gone(x) => ('-', before[*x]),
            Line::New(y) => ('+', after[*y]),
        };
        let _ = write!(diff, "{sign}{text}");
        if !text.ends_with('\n') {
            diff.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn changes_stand_among_the_lines_around_them() {
        let old = (1..=20).map(|n| format!("{n}\n")).collect::<Vec<_>>().concat();
        let new = old.replace("5\n", "five\n").replace("20\n", "20\nend");
        let new = new.replace("1five\n", "15\n");
        assert_eq!(
            unified("a/b", Some(&old), &new),
            "diff --git a/a/b b/a/b\n--- a/a/b\n+++ b/a/b\n\
             @@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n\
             @@ -18,3 +18,4 @@\n 18\n 19\n 20\n+end\n\\ No newline at end of file\n"
        );
        assert_eq!(unified("a", Some("x\n"), "x\n"), "");
        assert_eq!(
            unified("a", None, "x\n"),
            "diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1,1 @@\n+x\n"
        );
        assert_eq!(
            unified("a", Some("a\nb\nc\n"), "b\nx\nc\nd\n"),
            "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,3 +1,4 @@\n-a\n b\n+x\n c\n+d\n"
        );
    }
}
