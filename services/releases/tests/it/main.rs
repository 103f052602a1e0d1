//! The service through its front door: the real binary, HTTP, signals, and a bucket on loopback.

mod browser;
mod bucket;
mod running;

mod door;
mod looks;
mod pages;
mod stopping;
