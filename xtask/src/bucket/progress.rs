//! Shows how far an upload or download is: on a terminal by one line that changes, elsewhere only by the
//! line of each artifact.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use s3::Client;

use crate::system::ui::{self, Ui};

/// The time between two drawings of the line.
const INTERVAL: Duration = Duration::from_millis(200);
/// Over how many drawings the rate is taken: two seconds.
const WINDOW: usize = 10;
/// Wipes out the line that stands there.
const CLEAR: &str = "\r\u{1b}[K";

/// Speaks until it is dropped.
#[derive(Debug)]
pub struct Progress {
    ui: Ui,
    shown: Arc<Shown>,
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shown {
    total_bytes: AtomicU64,
    /// Held while anything is written, so that a result never lands in the middle of the line.
    pen: Mutex<()>,
    on_terminal: bool,
}

impl Progress {
    /// Starts a line for `total_bytes` that `client` is about to send.
    pub fn start(client: &Client, total_bytes: u64, on_terminal: bool, ui: &Ui) -> Self {
        let total_bytes = AtomicU64::new(total_bytes);
        let shown = Arc::new(Shown { total_bytes, pen: Mutex::new(()), on_terminal });
        let mut progress = Self { ui: ui.clone(), shown, end: None, thread: None };
        if on_terminal {
            let (end, ended) = mpsc::channel();
            let (shown, client) = (Arc::clone(&progress.shown), client.clone());
            progress.end = Some(end);
            progress.thread = Some(thread::spawn(move || {
                let mut seen = VecDeque::from([(Instant::now(), 0)]);
                while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    let usage = client.usage();
                    seen.push_back((Instant::now(), usage.sent_bytes));
                    if seen.len() > WINDOW {
                        seen.pop_front();
                    }
                    shown.draw(&seen, usage.resumed_bytes);
                }
            }));
        }
        progress
    }

    /// Takes bytes off the total that need not be sent after all.
    pub fn spare(&self, bytes: u64) {
        self.shown.total_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Prints a result: one line, an artifact.
    pub fn result(&self, text: impl Display) {
        let _pen = self.shown.clear();
        self.ui.result(text);
    }
}

impl Shown {
    /// Draws the line of progress. `resumed_bytes` were sent by an earlier run and are left out of
    /// the total.
    fn draw(&self, seen: &VecDeque<(Instant, u64)>, resumed_bytes: u64) {
        let (Some(first), Some(last)) = (seen.front(), seen.back()) else { return };
        let total_bytes = self.total_bytes.load(Ordering::Relaxed).saturating_sub(resumed_bytes);
        let text = line(last.1, total_bytes, last.1.saturating_sub(first.1), last.0 - first.0);
        let _pen = self.clear();
        let _ = write!(std::io::stderr().lock(), "{text}");
    }

    fn clear(&self) -> std::sync::MutexGuard<'_, ()> {
        let pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.on_terminal {
            let _ = write!(std::io::stderr().lock(), "{CLEAR}");
        }
        pen
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        drop(self.shown.clear());
    }
}

/// Formats the line of progress. The speed is that of the last `recent` time, in which
/// `recent_bytes` were sent.
fn line(sent_bytes: u64, total_bytes: u64, recent_bytes: u64, recent: Duration) -> String {
    let millis = u64::try_from(recent.as_millis()).unwrap_or(u64::MAX).max(1);
    let per_second = recent_bytes.saturating_mul(1000) / millis;
    let done = format!("{:>12} {} of {}", "sending", ui::size(sent_bytes), ui::size(total_bytes));
    match total_bytes.saturating_sub(sent_bytes).checked_div(per_second) {
        None => done,
        Some(left) => {
            // Whole seconds: more would be a promise.
            let left = if left < 60 {
                format!("{left} s")
            } else {
                ui::seconds(Duration::from_secs(left))
            };
            format!("{done}  {}/s  {left} left", ui::size(per_second))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::line;

    #[test]
    fn the_line_says_bytes_rate_and_time_left() {
        let second = Duration::from_secs(1);
        for (sent, total, recent, expected) in [
            (0, 4 << 20, 0, "     sending 0 B of 4.0 MiB"),
            (1 << 20, 4 << 20, 1 << 20, "     sending 1.0 MiB of 4.0 MiB  1.0 MiB/s  3 s left"),
            (4 << 20, 4 << 20, 1 << 20, "     sending 4.0 MiB of 4.0 MiB  1.0 MiB/s  0 s left"),
            (
                1 << 20,
                200 << 20,
                1 << 20,
                "     sending 1.0 MiB of 200.0 MiB  1.0 MiB/s  3 min 19 s left",
            ),
            // A part that is sent twice for a moment is more than all.
            (5 << 20, 4 << 20, 1 << 20, "     sending 5.0 MiB of 4.0 MiB  1.0 MiB/s  0 s left"),
        ] {
            assert_eq!(line(sent, total, recent, second), expected);
        }
    }
}
