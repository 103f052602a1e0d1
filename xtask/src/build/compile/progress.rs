//! What a person hears while cargo compiles.
//!
//! On a terminal cargo shows its own progress. Without one, as in CI, its line for every crate is
//! noise, and silence looks like a hang: a line a minute says how far it is.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::messages::Made;
use crate::model::platform::Platform;
use crate::system::ui::{self, Ui};

const INTERVAL: Duration = Duration::from_mins(1);

/// Speaks until it is dropped.
pub(super) struct Progress {
    counts: Arc<Mutex<Counts>>,
    on_terminal: bool,
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    compiled: usize,
    last: String,
}

impl Progress {
    pub(super) fn start(platform: Platform, on_terminal: bool, ui: Ui) -> Self {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let mut progress = Self { counts, on_terminal, end: None, thread: None };
        if !on_terminal {
            let (end, ended) = mpsc::channel();
            let (counts, started) = (Arc::clone(&progress.counts), Instant::now());
            progress.end = Some(end);
            progress.thread = Some(thread::spawn(move || {
                while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if let Ok(counts) = counts.lock() {
                        ui.say("compiling", line(platform, &counts, started.elapsed()));
                    }
                }
            }));
        }
        progress
    }

    /// Counts a crate.
    pub(super) fn made(&self, made: &Made) {
        if let (false, Ok(mut counts)) = (made.fresh, self.counts.lock()) {
            counts.compiled += 1;
            counts.last.clone_from(&made.package);
        }
    }

    /// Shows a compiler's words as they are.
    pub(super) fn pass_on(&self, text: &str) {
        // Cargo's progress bar has no line end: it is wiped out first, and cargo draws it again.
        let clear = if self.on_terminal { "\r\u{1b}[K" } else { "" };
        let _ = write!(std::io::stderr().lock(), "{clear}{text}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(platform: Platform, counts: &Counts, elapsed: Duration) -> String {
    let elapsed = ui::seconds(elapsed);
    match counts {
        Counts { compiled: 0, .. } => format!("{platform}: for {elapsed}"),
        Counts { compiled, last } => {
            format!("{platform}: {compiled} crates, lately {last}, for {elapsed}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, Progress, line};
    use crate::build::compile::messages::Made;
    use crate::model::platform::Platform;
    use crate::system::env::Env;
    use crate::system::ui::Ui;

    #[test]
    fn the_line_says_platform_count_and_time() {
        let platform = Platform::ALL[3];
        let counts = Counts { compiled: 57, last: "tokio".into() };
        let two_minutes = Duration::from_mins(2);
        assert_eq!(
            line(platform, &counts, two_minutes),
            "darwin_arm64: 57 crates, lately tokio, for 2 min 0 s"
        );
        assert_eq!(line(platform, &Counts::default(), two_minutes), "darwin_arm64: for 2 min 0 s");
    }

    #[test]
    fn only_what_was_compiled_is_counted_and_the_thread_ends_with_the_progress() {
        let ui = Ui::new(&Env::for_test(&[]), false);
        let progress = Progress::start(Platform::ALL[0], false, ui);
        for fresh in [true, false, true] {
            let (package, target) = ("serde".to_owned(), "serde".to_owned());
            progress.made(&Made { package, target, fresh, executable: None });
        }
        assert_eq!(progress.counts.lock().unwrap().compiled, 1);
        // Returns at once, though the thread's next line is a minute away.
        drop(progress);
    }
}
