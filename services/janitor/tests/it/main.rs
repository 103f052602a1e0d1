//! The worker from outside: the real binary, signals, and a bucket on loopback.

mod bucket;

mod command_line;
mod interrupted;
mod retention;
