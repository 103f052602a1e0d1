//! Profiles itself by signals.

use std::time::{Duration, Instant};

fn main() {
    let guard = pprof::ProfilerGuardBuilder::default().frequency(500).build().expect("a profiler");
    let begin = Instant::now();
    let mut work = 0_u64;
    while begin.elapsed() < Duration::from_millis(500) {
        work = std::hint::black_box(work.wrapping_mul(31) + 7);
    }
    let report = guard.report().build().expect("a report");
    println!("pprof: stacks seen: {}", !report.data.is_empty());
}
