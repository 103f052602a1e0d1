//! Prints the runs of one case as a table, with the ratios between ours and the fastest peers.

use std::fmt::Write as _;

use crate::measure::Usage;
use crate::state::Seen;
use crate::tool::Tool;

/// The runs of one tool in one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) tool: Tool,
    pub(crate) runs: Vec<Usage>,
    /// The requests of the last run.
    pub(crate) seen: Seen,
    /// Why the tool failed, if it did.
    pub(crate) failure: Option<String>,
}

impl Row {
    fn wall(&self) -> f64 {
        median(self.runs.iter().map(|run| run.wall_seconds))
    }

    fn cpu(&self) -> f64 {
        median(self.runs.iter().map(|run| run.cpu_seconds))
    }

    /// Returns the time of the fastest run, which the rest of the machine disturbed least.
    fn fastest(&self) -> f64 {
        self.runs.iter().map(|run| run.wall_seconds).fold(f64::INFINITY, f64::min)
    }

    fn counts(&self) -> bool {
        self.failure.is_none() && !self.runs.is_empty()
    }

    /// Returns whether all signatures covered the payload.
    fn signs(&self) -> bool {
        self.seen.payloads.iter().all(|payload| payload.starts_with("signed"))
    }
}

/// Formats the table of a case.
pub(crate) fn table(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "\n{title}\n  {:<12}{:>5}{:>10}{:>10}{:>9}{:>11}{:>10}{:>10}  payload\n",
        "tool", "runs", "wall s", "fastest", "CPU s", "GB / CPU s", "peak MiB", "requests"
    );
    for row in rows {
        if let Some(failure) = &row.failure {
            let _ = writeln!(text, "  {:<12}{failure}", row.tool);
            continue;
        }
        let payloads: Vec<_> = row.seen.payloads.iter().copied().collect();
        let _ = writeln!(
            text,
            "  {:<12}{:>5}{:>10.3}{:>10.3}{:>9.3}{:>11.2}{:>10.1}{:>10}  {}",
            row.tool,
            row.runs.len(),
            row.wall(),
            row.fastest(),
            row.cpu(),
            gigabytes(row.seen.body_bytes) / row.cpu(),
            median(row.runs.iter().map(|run| run.peak_bytes)) / f64::from(1 << 20),
            row.seen.requests,
            payloads.join(", ")
        );
    }
    for own in rows.iter().filter(|row| !row.tool.is_peer() && row.counts()) {
        let ratio = |name: &str, wanted: &dyn Fn(&Row) -> bool| {
            let peers = rows.iter().filter(|row| row.tool.is_peer() && row.counts() && wanted(row));
            let fastest = peers.min_by(|a, b| a.wall().total_cmp(&b.wall()));
            fastest.map_or_else(String::new, |peer| {
                format!(
                    "  {} / {name} ({}): {:.2} of its wall, {:+.0} ms; fastest runs {:.2}, {:+.0} ms\n",
                    own.tool,
                    peer.tool,
                    own.wall() / peer.wall(),
                    (own.wall() - peer.wall()) * 1e3,
                    own.fastest() / peer.fastest(),
                    (own.fastest() - peer.fastest()) * 1e3
                )
            })
        };
        text += &ratio("fastest peer", &|_| true);
        text += &ratio("fastest peer that signs the payload", &Row::signs);
    }
    text
}

fn gigabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1_000_000).unwrap_or(u32::MAX)) / 1e3
}

/// Returns the median; of an even number, the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => {
            f64::midpoint(values[length / 2 - 1], values[length / 2])
        }
        length => values[length / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tool: Tool, payload: &'static str, walls: &[f64], failure: Option<&str>) -> Row {
        let usage =
            |&wall_seconds| Usage { wall_seconds, cpu_seconds: 0.5, peak_bytes: 1_048_576.0 };
        let seen = Seen { payloads: [payload].into(), ..Seen::default() };
        let failure = failure.map(str::to_owned);
        Row { tool, runs: walls.iter().map(usage).collect(), seen, failure }
    }

    #[test]
    fn the_ratio_is_to_the_fastest_median_that_counts() {
        let rows = [
            row(Tool::Ours, "signed", &[3.0, 1.0, 2.0], None),
            row(Tool::S5cmd, "signed", &[4.0, 4.0], None),
            row(Tool::Curl, "unsigned", &[1.0, 1.0, 9.0], None),
            row(Tool::Rclone, "signed", &[0.1], Some("it sent half")),
        ];
        let text = table("a case", &rows);
        assert!(
            text.contains(
                "ours / fastest peer (curl): 2.00 of its wall, +1000 ms; fastest runs 1.00, +0 ms"
            ),
            "{text}"
        );
        let signs =
            "ours / fastest peer that signs the payload (s5cmd): 0.50 of its wall, -2000 ms";
        assert!(text.contains(signs), "{text}");
        assert!(text.contains("rclone      it sent half"), "{text}");
    }

    #[test]
    fn a_median_is_in_the_middle() {
        for (values, expected) in [(&[1.0][..], 1.0), (&[9.0, 1.0], 5.0), (&[7.0, 1.0, 2.0], 2.0)] {
            assert!((median(values.iter().copied()) - expected).abs() < 1e-9, "{values:?}");
        }
    }
}
