//! Reads the local time with chrono.

use chrono::Datelike as _;

fn main() {
    let now = chrono::Local::now();
    println!("chrono: local time after 2025: {}, {now}", now.year() > 2025);
}
