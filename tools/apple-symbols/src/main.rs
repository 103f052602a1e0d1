//! Makes the table of what macOS's libraries export, with which `dist` links, and judges programs by other sources.
//!
//! ```text
//! cargo run -p apple-symbols -- table > xtask/src/build/macos_sdk/symbols.txt
//! cargo run -p apple-symbols -- judge PROGRAM...
//! ```

mod judge;
mod sources;
mod table;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("table") => table::print(),
        Some("judge") => judge::run(&arguments.collect::<Vec<_>>()),
        _ => bail!("expected `table`, or `judge` and Mach-O programs"),
    }
}
