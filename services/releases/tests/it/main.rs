//! The service from outside: the real binary, HTTP, signals, and a bucket on loopback.

mod browser;
mod bucket;
mod running;

mod command_line;
mod pages;
mod rendering;
mod stopping;

#[path = "../../../../foundation/service/tests/other_clock/mod.rs"]
mod other_clock;
#[path = "../../../../foundation/service/tests/settings/mod.rs"]
mod settings;

const PROGRAM: &str = env!("CARGO_BIN_EXE_releases");
