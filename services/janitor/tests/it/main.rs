//! The worker from outside: the real binary, signals, and a bucket on loopback.

mod bucket;

mod command_line;
mod denied;
mod interrupted;
mod retention;

#[path = "../../../../foundation/service/tests/other_clock/mod.rs"]
mod other_clock;
#[path = "../../../../foundation/service/tests/settings/mod.rs"]
mod settings;

const PROGRAM: &str = env!("CARGO_BIN_EXE_janitor");
