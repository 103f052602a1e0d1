//! Waits for a file to be written.

use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let (sender, events) = std::sync::mpsc::channel();
    let mut watcher = notify::recommended_watcher(sender).expect("a watcher");
    watcher.watch(folder.path(), RecursiveMode::Recursive).expect("watched");
    std::fs::write(folder.path().join("knot"), "bowline").expect("a file");
    let event = events.recv_timeout(Duration::from_secs(20)).expect("an event in time");
    let event = event.expect("an event");
    println!("notify: an event of {} file", event.paths.len());
}
