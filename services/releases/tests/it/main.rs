//! The service through its front door: the real binary, HTTP, signals, and a bucket on loopback.

mod bucket;
mod running;

mod door;
mod pages;
mod stopping;
