//! The worker through its front door: the real binary, signals, and a bucket on loopback.

mod bucket;

mod door;
mod interrupted;
mod retention;
